//! Are archives restored bit for bit, and damaged ones refused with the place of the fault?

#![cfg(feature = "checkpoint")]

use equilibria::Error;
use equilibria::checkpoint::Archive;
use proptest::prelude::*;

/// Numbers of 16 bits: an ordinary one, the largest, the smallest, and special values.
const HALVES: [f32; 5] = [-0.099_975_586, 65504.0, 5.960_464_5e-8, f32::NEG_INFINITY, -0.0];

/// One tensor of each element type, awkward values, and metadata that JSON must escape.
fn example() -> Archive {
    let mut archive = Archive::new();
    let f32s = [0.1, -0.0, f32::MIN_POSITIVE / 8.0, f32::INFINITY, f32::from_bits(0x7fc0_1234), f32::MAX];
    archive.insert_f32("weight", &[2, 3], &f32s).unwrap();
    archive.insert_f64("mean", &[2], &[std::f64::consts::PI, -1e-310]).unwrap();
    archive.insert_u64("stream", &[4], &[u64::MAX, 0, 1, 1 << 63]).unwrap();
    archive.insert_u8("states", &[3, 1, 1], &[0, 1, 255]).unwrap();
    archive.insert_f16("half", &[1, 5], &HALVES).unwrap();
    archive.insert_f32("empty", &[0, 7], &[]).unwrap();
    archive.insert_f32("scalar", &[], &[2.5]).unwrap();
    archive.set_metadata("kind", "rbm");
    archive.set_metadata("note", "a \"quoted\\ line\"\nμ: {[,");
    archive.set_metadata("epoch", "7");
    archive
}

/// A file with the given header and `data` bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn rejected(bytes: &[u8], expected: &str) {
    let error = Archive::from_bytes(bytes, "runs/a/model.safetensors").unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Malformed { .. }), "{text}");
    assert!(text.starts_with("runs/a/model.safetensors: at byte "), "{text}");
    assert!(text.contains(expected), "{text:?} does not contain {expected:?}");
}

const NAMES: [&str; 7] = ["empty", "half", "mean", "scalar", "states", "stream", "weight"];

#[test]
fn every_element_type_is_restored_bit_for_bit() {
    let before = example();
    let bytes = before.to_bytes().unwrap();
    let after = Archive::from_bytes(&bytes, "here").unwrap();
    assert_eq!(after.to_bytes().unwrap(), bytes);
    let bits = |archive: &Archive| -> Vec<u32> {
        archive.tensor_f32("weight", &[2, 3]).unwrap().iter().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(&after), bits(&before));
    assert_eq!(after.tensor_f64("mean", &[2]).unwrap(), [std::f64::consts::PI, -1e-310]);
    assert_eq!(after.tensor_u64("stream", &[4]).unwrap(), [u64::MAX, 0, 1, 1 << 63]);
    assert_eq!(after.tensor_u8("states", &[3, 1, 1]).unwrap(), [0, 1, 255]);
    assert_eq!(after.tensor_f32("half", &[1, 5]).unwrap(), HALVES);
    assert!(after.tensor_f32("empty", &[0, 7]).unwrap().is_empty());
    assert_eq!(after.tensor_f32("scalar", &[]).unwrap(), [2.5]);
    assert_eq!(after.shape("weight").unwrap(), [2, 3]);
    assert_eq!(after.metadata("note"), Some("a \"quoted\\ line\"\nμ: {[,"));
    assert_eq!(after.required_metadata("epoch").unwrap(), "7");
    assert_eq!(after.metadata("seed"), None);
    assert_eq!(after.names().collect::<Vec<_>>(), NAMES);
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_insertion() {
    let archive = |names: [&str; 3]| {
        let mut archive = Archive::new();
        for name in names {
            archive.insert_u8(name, &[1], name.as_bytes()).unwrap();
            archive.set_metadata(name, name);
        }
        archive.to_bytes().unwrap()
    };
    assert_eq!(archive(["a", "b", "c"]), archive(["c", "a", "b"]));
    let header_only = {
        let mut archive = Archive::new();
        archive.set_metadata("a", "b");
        archive.to_bytes().unwrap()
    };
    assert_eq!(Archive::from_bytes(&header_only, "here").unwrap().metadata("a"), Some("b"));
    let nothing = Archive::new().to_bytes().unwrap();
    assert_eq!(Archive::from_bytes(&nothing, "here").unwrap().names().count(), 0);
}

#[test]
fn values_start_at_a_multiple_of_eight_bytes() {
    let bytes = example().to_bytes().unwrap();
    assert_eq!(u64::from_le_bytes(*bytes.first_chunk().unwrap()) % 8, 0);
}

#[test]
fn invalid_insertions_give_an_error_and_change_nothing() {
    let mut archive = example();
    let mismatch = archive.insert_f32("bias", &[2, 2], &[0.0; 3]).unwrap_err();
    assert_eq!(mismatch.to_string(), "insert into an archive: expected shape (2, 2), found (3)");
    assert!(archive.insert_u8("bias", &[usize::MAX, 2], &[0; 3]).is_err());
    let taken = archive.insert_f64("weight", &[1], &[0.0]).unwrap_err();
    assert_eq!(taken.to_string(), "weight: the archive has a tensor of that name already");
    assert!(archive.insert_u8("__metadata__", &[1], &[0]).is_err());
    assert_eq!(archive.to_bytes().unwrap(), example().to_bytes().unwrap());
}

#[test]
fn errors_name_the_missing_or_mismatched_entry() {
    let archive = Archive::from_bytes(&example().to_bytes().unwrap(), "a.safetensors").unwrap();
    let say = |error: Error| error.to_string();
    assert_eq!(
        say(archive.tensor_f32("bias", &[2]).unwrap_err()),
        "a.safetensors: at byte 8: there is no tensor `bias`; the file holds [empty, half, mean, scalar, \
         states, stream, weight]"
    );
    assert_eq!(
        say(archive.tensor_f32("mean", &[2]).unwrap_err()),
        "a.safetensors: at byte 8: tensor `mean` is of F64, expected F32, F16 or BF16"
    );
    assert_eq!(
        say(archive.tensor_f32("weight", &[3, 2]).unwrap_err()),
        "a.safetensors: at byte 8: tensor `weight` has shape (2, 3), expected (3, 2)"
    );
    assert_eq!(
        say(archive.required_metadata("seed").unwrap_err()),
        "a.safetensors: at byte 8: the metadata has no `seed`"
    );
}

#[test]
fn sixteen_bit_tensors_round_once_and_take_half_the_space() {
    let mut archive = Archive::new();
    let values = [1.0 / 3.0, 2048.0 + 1.0, -1e-9, 65519.0];
    archive.insert_f32("weight", &[2, 2], &values).unwrap();
    archive.insert_u64("steps", &[1], &[7]).unwrap();
    let halved = archive.halved().unwrap();
    let rounded = [0.333_251_95, 2048.0, -0.0, 65504.0];
    assert_eq!(halved.tensor_f32("weight", &[2, 2]).unwrap(), rounded);
    let [whole, half] = [&archive, &halved].map(|archive| archive.to_bytes().unwrap());
    // Both headers have the same length.
    assert_eq!(whole.len() - half.len(), 8);
    let text = String::from_utf8_lossy(&half).into_owned();
    assert!(text.contains(r#""weight":{"dtype":"F16","shape":[2,2],"#), "{text}");
    let read = Archive::from_bytes(&half, "here").unwrap();
    assert_eq!(read.tensor_f32("weight", &[2, 2]).unwrap(), rounded);
    assert_eq!((read.to_bytes().unwrap(), read.halved().unwrap().to_bytes().unwrap()), (half.clone(), half));

    archive.insert_f32("bias", &[3], &[0.0, -65520.0, f32::INFINITY]).unwrap();
    let sentence = "tensor `bias`: -65520 is beyond 65504, the largest 16-bit float; store it as f32";
    assert_eq!(archive.halved().unwrap_err().to_string(), sentence);
    let before = halved.to_bytes().unwrap();
    let mut halved = halved;
    assert_eq!(halved.insert_f16("bias", &[1], &[-65520.0]).unwrap_err().to_string(), sentence);
    assert!(halved.insert_f16("bias", &[3], &[0.0; 2]).is_err());
    assert_eq!(halved.to_bytes().unwrap(), before, "the refused insertion changed the archive");
}

/// The CRC-32 of zlib, computed bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

/// The JSON of a file, and the bytes after it.
fn split(file: &[u8]) -> (serde_json::Value, &[u8]) {
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    (serde_json::from_slice(&file[8..][..length]).unwrap(), &file[8 + length..])
}

/// The checksum of a file's bytes, as the module documentation defines it.
fn sum_by_definition(file: &[u8]) -> String {
    let (header, data) = split(file);
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let metadata = header["__metadata__"].as_object().unwrap();
    let mut others: Vec<_> = metadata.iter().filter(|(key, _)| *key != "crc32").collect();
    others.sort_by_key(|(key, _)| *key);
    parts.push(others.len().to_string().into());
    for (key, value) in others {
        parts.extend([key.as_bytes().to_vec(), value.as_str().unwrap().into()]);
    }
    let mut tensors: Vec<_> = header.as_object().unwrap().iter().collect();
    tensors.sort_by_key(|(name, _)| *name);
    for (name, tensor) in tensors.into_iter().filter(|(name, _)| *name != "__metadata__") {
        let number = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
        let sizes: Vec<String> =
            tensor["shape"].as_array().unwrap().iter().map(|size| size.to_string()).collect();
        let place = number(&tensor["data_offsets"][0])..number(&tensor["data_offsets"][1]);
        let dtype = tensor["dtype"].as_str().unwrap();
        parts.extend(
            [name.as_bytes(), dtype.as_bytes(), sizes.join(",").as_bytes(), &data[place]].map(Vec::from),
        );
    }
    let framed = parts.iter().map(|part| [&(part.len() as u64).to_le_bytes()[..], part].concat());
    format!("{:08x}", crc32(&framed.collect::<Vec<_>>().concat()))
}

#[test]
fn the_checksum_is_the_one_that_the_documentation_defines() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let mut taken = example();
    taken.set_metadata("crc32", "mine");
    for archive in [example(), Archive::new(), taken] {
        let bytes = archive.to_bytes().unwrap();
        let sum = sum_by_definition(&bytes);
        assert_eq!(split(&bytes).0["__metadata__"]["crc32"], sum);
        assert_eq!(Archive::from_bytes(&bytes, "here").unwrap().metadata("crc32"), None);
    }
}

#[test]
fn files_of_other_programs_need_no_checksum() {
    let tensor = entry("a", 4, 0, 4);
    let read = |metadata: &str| {
        let bytes = file(&format!("{{\"__metadata__\":{{{metadata}}},{tensor}}}"), 4);
        Archive::from_bytes(&bytes, "here").map(|archive| archive.tensor_u8("a", &[4]).unwrap().to_vec())
    };
    assert_eq!(read("\"kind\":\"x\"").unwrap(), [0; 4]);
    let right = {
        let mut archive = Archive::new();
        archive.insert_u8("a", &[4], &[0; 4]).unwrap();
        archive.set_metadata("kind", "x");
        split(&archive.to_bytes().unwrap()).0["__metadata__"]["crc32"].as_str().unwrap().to_owned()
    };
    // The order of the keys and the white space do not matter.
    assert_eq!(read(&format!(" \"kind\": \"x\",\n\"crc32\":\"{right}\" ")).unwrap(), [0; 4]);
    let refused = read("\"crc32\":\"0000000g\"").unwrap_err().to_string();
    for words in ["here: at byte 8: the check sum `crc32` is \"0000000g\"", "is damaged", "remove the key"] {
        assert!(refused.contains(words), "{refused}");
    }
}

/// The only accepted change is to the name of the key itself, which removes the check but leaves the content intact.
#[test]
fn a_change_of_any_one_byte_is_detected() {
    let whole = example().to_bytes().unwrap();
    let text = String::from_utf8_lossy(&whole);
    let key = text.find("crc32").unwrap();
    let sum = text[key..].split('"').nth(2).unwrap();
    let begins = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii()).count();
    assert!(begins(&whole) > key, "up to the key, offsets in the text must equal offsets in the bytes");
    for place in 0..whole.len() {
        for change in [0x01, 0x04, 0x20, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= change;
            let Ok(read) = Archive::from_bytes(&bytes, "changed") else { continue };
            assert!((key..key + 5).contains(&place), "byte {place} ^ {change:#x} was accepted");
            let key = String::from_utf8_lossy(&bytes[key..key + 5]);
            assert_eq!(read.metadata(&key), Some(sum), "byte {place} ^ {change:#x}");
        }
    }
}

#[test]
fn malformed_lengths_are_rejected() {
    rejected(&[], "0 bytes are too short");
    rejected(&[8, 0, 0], "3 bytes are too short");
    rejected(&[3, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'], "the header should be 3 bytes long, 2 follow");
    rejected(&[0xff; 16], "the header should be 18446744073709551615 bytes long, 8 follow");
    let whole = example().to_bytes().unwrap();
    rejected(&whole[..whole.len() - 1], "damaged or incomplete");
    rejected(&[whole.as_slice(), &[0]].concat(), "damaged or incomplete");
}

#[test]
fn malformed_headers_are_rejected() {
    rejected(&file("", 0), "not JSON");
    rejected(&file("{\"a\":", 0), "not JSON");
    rejected(&file("{} {}", 0), "not JSON");
    rejected(&file("\u{1}", 0), "not JSON");
    rejected(&[1, 0, 0, 0, 0, 0, 0, 0, 0xff], "not JSON");
    rejected(&file(&"[".repeat(100_000), 0), "the header");
    rejected(&file("[1]", 0), "the header is wrong");
    rejected(&file("{\"a\":1}", 0), "the header is wrong");
    rejected(&file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4), "invalid value");
    rejected(&file("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4), "F31");
    rejected(&file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4), "data_offsets");
    rejected(&file("{\"__metadata__\":{\"a\":1}}", 0), "the header is wrong");
}

/// The header entry of a tensor of u8.
fn entry(name: &str, size: usize, start: usize, end: usize) -> String {
    format!("\"{name}\":{{\"dtype\":\"U8\",\"shape\":[{size}],\"data_offsets\":[{start},{end}]}}")
}

#[test]
fn malformed_offsets_are_rejected() {
    let rejects = |entries: &[String], data: usize, expected: &str| {
        rejected(&file(&format!("{{{}}}", entries.join(",")), data), expected);
    };
    rejects(&[entry("a", 4, 0, 4), entry("b", 4, 2, 6)], 6, "invalid offset for tensor `b`");
    rejects(&[entry("a", 4, 0, 4), entry("b", 4, 5, 9)], 9, "invalid offset for tensor `b`");
    rejects(&[entry("a", 4, 4, 0)], 4, "invalid offset for tensor `a`");
    rejects(&[entry("a", 4, 0, 5)], 5, "the header is wrong");
    rejects(&[entry("a", 4, 0, 4)], 3, "promises 4 bytes of tensors, the file holds 3");
    rejects(&[entry("a", 1 << 50, 0, 1 << 50)], 3, "promises 1125899906842624 bytes");
    rejects(&[entry("a", usize::MAX, 0, usize::MAX)], 3, "overflow");
    // Each size fits, but their sum overflows.
    let eighth = usize::MAX / 8;
    let mut entries: Vec<_> =
        (0..8).map(|i| entry(&i.to_string(), eighth, i * eighth, (i + 1) * eighth)).collect();
    entries.push(entry("last", 7, 8 * eighth, usize::MAX));
    rejects(&entries, 3, "promises 18446744073709551615 bytes");
}

#[test]
fn a_name_that_occurs_twice_is_rejected() {
    let tensor = entry("a", 4, 0, 4);
    rejected(&file(&format!("{{{tensor},{tensor}}}"), 4), "names a tensor twice");
    rejected(&file(&format!("{{{tensor},{}}}", entry("\\u0061", 4, 0, 4)), 4), "names a tensor twice");
    rejected(&file("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0), "a metadata key twice");
    rejected(&file("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "duplicate field");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), header in ".{0,80}") {
        let _ = Archive::from_bytes(&bytes, "random");
        let _ = Archive::from_bytes(&file(&header, bytes.len()), "random");
    }

    #[test]
    fn a_changed_archive_is_read_or_refused_but_never_panics(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = example().to_bytes().unwrap();
        for (place, byte) in changes {
            // Digits and structural characters are more likely than other bytes, to get past the JSON reader.
            let choice = [byte, b'0' + byte % 10, b"{}[],:\"\\"[usize::from(byte) % 8]];
            let place = place.index(bytes.len());
            bytes[place] = choice[usize::from(byte) % 3];
        }
        if let Ok(archive) = Archive::from_bytes(&bytes, "changed") {
            prop_assert!(archive.to_bytes().is_ok());
        }
        let _ = Archive::from_bytes(&bytes[..end.index(bytes.len())], "cut");
    }

    #[test]
    fn any_content_survives_a_round_trip(
        tensors in proptest::collection::btree_map(".{0,12}", proptest::collection::vec(any::<u64>(), 0..9), 0..5),
        metadata in proptest::collection::btree_map(".{0,12}", ".{0,30}", 0..5),
    ) {
        let mut archive = Archive::new();
        for (name, values) in &tensors {
            archive.insert_u64(name, &[values.len(), 1], values).unwrap();
        }
        for (key, value) in &metadata {
            archive.set_metadata(key, value);
        }
        let read = Archive::from_bytes(&archive.to_bytes().unwrap(), "here").unwrap();
        for (name, values) in &tensors {
            prop_assert_eq!(read.tensor_u64(name, &[values.len(), 1]).unwrap(), values.as_slice());
        }
        for (key, value) in &metadata {
            prop_assert_eq!(read.metadata(key), Some(value.as_str()));
        }
        prop_assert_eq!(read.names().count(), tensors.len());
    }
}

/// The numbers that these bits of 16 mean, read from a file.
fn widen(halves: &[u16]) -> Vec<f32> {
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    let (count, end) = (halves.len(), bytes.len());
    let header = format!(r#"{{"x":{{"dtype":"F16","shape":[{count}],"data_offsets":[0,{end}]}}}}"#);
    let archive = Archive::from_bytes(&[file(&header, 0), bytes].concat(), "here").unwrap();
    archive.tensor_f32("x", &[count]).unwrap().to_vec()
}

/// The 16 bits that a file holds of these numbers.
fn narrow(values: &[f32]) -> Vec<u16> {
    let mut archive = Archive::new();
    archive.insert_f16("x", &[values.len()], values).unwrap();
    let bytes = archive.to_bytes().unwrap();
    let halves = bytes[bytes.len() - 2 * values.len()..].chunks(2);
    halves.map(|half| u16::from_le_bytes([half[0], half[1]])).collect()
}

/// The value of the bits by the formula of the standard, in f64.
fn value(half: u16) -> f64 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f64::from(half & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[test]
fn every_pattern_of_16_bits_survives_the_conversion_to_f32_and_back() {
    let halves: Vec<u16> = (0..=u16::MAX).collect();
    let wide = widen(&halves);
    for (&half, &wide) in halves.iter().zip(&wide) {
        let exact = value(half);
        assert!(f64::from(wide) == exact || wide.is_nan() && exact.is_nan(), "{half:#06x}: {wide}");
        assert_eq!(wide.is_sign_negative(), half >> 15 == 1, "{half:#06x}");
    }
    assert!(narrow(&wide) == halves);
}

#[track_caller]
fn assert_narrowed(cases: &[(f32, u16)]) {
    let values: Vec<f32> = cases.iter().flat_map(|(value, _)| [*value, -value]).collect();
    for (&(value, half), found) in cases.iter().zip(narrow(&values).chunks(2)) {
        assert_eq!(found, [half, half | 0x8000], "{value:e} and {:e}", -value);
    }
}

/// Tests the midpoint between each two neighbours, which f32 represents exactly, and the numbers of f32 next to it.
#[test]
fn rounding_to_16_bits_goes_to_nearest_with_ties_to_even() {
    let wide = widen(&(0..=0x7bff).collect::<Vec<u16>>());
    let mut cases = Vec::new();
    for (half, pair) in (0..).zip(wide.windows(2)) {
        let [low, high] = [pair[0], pair[1]];
        let middle = low + (high - low) / 2.0;
        let even = half + (half & 1);
        cases.extend([
            (low.next_up(), half),
            (middle.next_down(), half),
            (middle, even),
            (middle.next_up(), half + 1),
            (high.next_down(), half + 1),
        ]);
    }
    assert_narrowed(&cases);
}

#[test]
fn the_limits_of_16_bits_round_as_the_standard_says() {
    let tiny = widen(&[1])[0];
    assert_narrowed(&[
        (65504.0, 0x7bff),
        (65520_f32.next_down(), 0x7bff),
        (f32::INFINITY, 0x7c00),
        (tiny / 2.0, 0),
        ((tiny / 2.0).next_up(), 1),
        (tiny * 1.5, 2),
        (tiny / 4.0, 0),
        (f32::MIN_POSITIVE, 0),
        (f32::from_bits(1), 0),
        (0.0, 0),
    ]);
    for beyond in [65520.0, -65520.0, f32::MAX] {
        assert!(Archive::new().insert_f16("x", &[1], &[beyond]).is_err(), "{beyond}");
    }
    // Payloads of NaN lose their last bits, and the result is still NaN.
    let bits = [0x7fc0_0000, 0x7f80_0001, 0x7fff_ffff, 0xff80_1fff];
    for (narrowed, nan) in narrow(&bits.map(f32::from_bits)).into_iter().zip(bits) {
        assert!(widen(&[narrowed])[0].is_nan() && narrowed >> 15 == (nan >> 31) as u16, "{nan:#x}");
    }
}
