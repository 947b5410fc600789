//! Files that are damaged or made to harm: each is refused with a sentence, and none causes a panic.

use super::{dbm, game, generators, rbm};
use equilibria::boltzmann::{Dbm, Rbm};
use equilibria::checkpoint::Archive;
use equilibria::embedded::{ModelError, StoredGenerator, StoredMachine};

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn entry(name: &str, dtype: &str, shape: &str, begin: usize, end: usize) -> String {
    format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{begin},{end}]}}")
}

/// The header of a machine of 2 visible units and 1 hidden unit; 20 bytes of data.
fn header(metadata: &str) -> String {
    let tensors = [
        entry("weight", "F32", "[2,1]", 0, 8),
        entry("visible_bias", "F32", "[2]", 8, 16),
        entry("hidden_bias", "F32", "[1]", 16, 20),
    ];
    format!("{{{metadata}{}}}", tensors.join(","))
}

#[test]
fn valid_headers_of_other_programs_are_read() {
    for header in [
        header(""),
        header("\"__metadata__\":{},"),
        header(
            "\"__metadata__\":{\"note\":\"{\\\"nested\\\": [1, {}]}, \\u00b5 \\ud83d\\ude00 \\\\\\/\\b\\f\\n\\r\\t\"},",
        ),
        header("").replace("weight", "w\\u0065ight"),
        header("")
            .replace([':', ','], " : ")
            .replace(" : ", ":\t")
            .replace(":\t\"shape", " ,\n \"shape")
            .replace(":\t\"data", ",\"data")
            .replace("}:\t", "}\r,")
            .replace("1]:\t", "1],")
            .replace("2]:\t", "2],")
            .replace("[2:\t", "[2 , ")
            .replace(":\t8]", ",8]")
            .replace(":\t16]", ",16]")
            .replace(":\t20]", ",20]"),
        header("") + "   ",
    ] {
        let bytes = file(&header, 20);
        let machine = StoredMachine::from_bytes(&bytes).unwrap_or_else(|error| panic!("{header}: {error}"));
        assert_eq!(machine.sizes().collect::<Vec<_>>(), [2, 1], "{header}");
    }
}

#[test]
fn wrong_headers_are_refused_with_a_sentence() {
    let right = header("");
    let change = |from: &str, to: &str| {
        assert!(right.contains(from), "{from}");
        right.replacen(from, to, 1)
    };
    let twice = format!("{{{},{}", entry("weight", "F32", "[0]", 0, 0), &right[1..]);
    let escaped = format!("{{{},{}", entry("\\u0077eight", "F32", "[0]", 0, 0), &right[1..]);
    for (header, problem) in [
        (String::new(), "not a JSON object"),
        ("[]".into(), "not a JSON object"),
        ("{".into(), "a string is missing"),
        (right.clone() + "x", "does not end"),
        (right.replace("}}", "},}"), "a string is missing"),
        (change(",\"visible", "\"visible"), "a comma is missing"),
        (change("\"weight\":", "\"weight\""), "a colon is missing"),
        (change("F32", "F31"), "unknown element type"),
        (change("F32", "F64"), "do not fit its shape"),
        (change("[2,1]", "[2,2]"), "do not fit its shape"),
        (change("[2,1]", "[-2,1]"), "not a whole number"),
        (change("[2,1]", "[2.0,1]"), "not a whole number"),
        (change("[2,1]", "[2e0,1]"), "not a whole number"),
        (change("[2,1]", "[02,1]"), "not a whole number"),
        (change("[2,1]", "[18446744073709551616,1]"), "exceeds the address space"),
        (change("[2,1]", "[9223372036854775808,2]"), "do not fit its shape"),
        (change("[2,1]", "[1,1,1,1,1,1,2]"), "too many numbers"),
        (change("[0,8]", "[8,0]"), "do not fit its shape"),
        (change("[0,8]", "[0,8,9]"), "too many numbers"),
        (change("[0,8]", "[8]"), "not two numbers"),
        (change("[0,8]", "[1,9]"), "overlap"),
        (change("[16,20]", "[20,24]"), "do not fit its shape or the file"),
        (change("\"data_offsets\"", "\"shape\""), "exactly the fields"),
        (change("\"dtype\"", "\"other\""), "exactly the fields"),
        (change("[16,20]}", "[16,20],\"more\":1}"), "exactly the fields"),
        (twice, "names a tensor twice"),
        (escaped, "names a tensor twice"),
        (self::header("\"__metadata__\":{\"a\":\"1\",\"\\u0061\":\"2\"},"), "a metadata key twice"),
        (self::header("\"__metadata__\":{},\"__metadata__\":{},"), "two sets of metadata"),
        (self::header("\"__metadata__\":{\"a\":{\"b\":\"c\"}},"), "a string is missing"),
        (self::header("\"__metadata__\":{\"a\":1},"), "a string is missing"),
        (self::header("\"__metadata__\":{\"a\":\"\\x\"},"), "unknown escape"),
        (self::header("\"__metadata__\":{\"a\":\"\\ud800\"},"), "unknown escape"),
        (self::header("\"__metadata__\":{\"a\":\"\\ud800\\u0041\"},"), "unknown escape"),
        (self::header("\"__metadata__\":{\"a\":\"\u{1}\"},"), "control character"),
        ("{\"__metadata__\":{\"a\":\"\\".into(), "ends inside a string"),
        (self::header("\"__metadata__\":{\"crc32\":\"00000000\"},"), "it is damaged"),
        (self::header("\"__metadata__\":{\"model\":\"gan\"},"), "not a Boltzmann machine"),
        (change("weight", "weights"), "the file does not have it"),
        (change("\"hidden_bias", "\"c"), "the file does not have it"),
        (change("[2,1]", "[1,2]"), "its shape does not fit the model"),
        (right.replace("\"F32\",\"shape\":[2,1]", "\"U32\",\"shape\":[2,1]"), "none of F32, F16 and I8"),
        (right.replace("\"F32\",\"shape\":[2,1]", "\"I8\",\"shape\":[2,4]"), "no F32 scale for each row"),
    ] {
        let error = StoredMachine::from_bytes(&file(&header, 20)).expect_err(&header).to_string();
        assert!(error.contains(problem), "{header}: `{error}` does not contain `{problem}`");
    }
    for (bytes, problem) in [
        (vec![1; 7], "shorter than the 8 bytes"),
        (vec![255; 20], "the header is longer than the file"),
        ([&[1, 0, 0, 0, 0, 0, 0, 0][..], &[255]].concat(), "not UTF-8"),
        (file(&right, 21), "unused"),
        (file(&right, 19), "do not fit its shape or the file"),
    ] {
        let error = StoredMachine::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(problem), "`{error}` does not contain `{problem}`");
    }
}

#[test]
fn a_header_of_many_entries_costs_little() {
    let many: Vec<String> = (0..200_000).map(|i| entry(&format!("{i}"), "U8", "[0]", 0, 0)).collect();
    let error = StoredMachine::from_bytes(&file(&format!("{{{}}}", many.join(",")), 0)).unwrap_err();
    assert!(error.to_string().contains("more than 512 entries"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for (place, bits, problem) in [(0, f32::NAN, "`weight`"), (8, f32::INFINITY, "`visible_bias`")] {
        let mut bytes = file(&header(""), 20);
        let start = bytes.len() - 20 + place;
        bytes[start..start + 4].copy_from_slice(&bits.to_le_bytes());
        let error = StoredMachine::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("not finite"), "{error}");
    }
    let networks = &generators()[1];
    let (archive, _) = game(networks, "generator.", &[0.0; 6]);
    let mut bytes = archive.to_bytes().unwrap();
    // Without the checksum, every number can be changed.
    let key = bytes.windows(5).position(|window| window == b"crc32").unwrap();
    bytes[key] = b'C';
    let name = b"generator.3.running_var";
    let place = bytes.windows(name.len()).position(|window| window == name).unwrap();
    let text = String::from_utf8_lossy(&bytes[place..place + 140]).into_owned();
    let begin: usize =
        text.split("data_offsets\":[").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + length + begin + 3] |= 0x80;
    let error = StoredGenerator::from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("negative variance"), "{error}");
}

#[test]
fn every_changed_bit_and_every_shorter_file_is_refused_like_in_the_library() {
    let restricted = rbm(3, 2).to_archive().unwrap();
    let deep = dbm(&[2, 2, 1]).to_archive().unwrap();
    for archive in [restricted.clone(), restricted.quantised().unwrap(), deep.halved().unwrap()] {
        let bytes = archive.to_bytes().unwrap();
        let is_deep = archive.metadata("model") == Some("dbm");
        let library = |bytes: &[u8]| {
            Archive::from_bytes(bytes, "here").is_ok_and(|archive| match is_deep {
                true => Dbm::from_archive(&archive).is_ok(),
                false => Rbm::from_archive(&archive).is_ok(),
            })
        };
        assert!(StoredMachine::from_bytes(&bytes).is_ok() && library(&bytes));
        for length in 0..bytes.len() {
            assert!(StoredMachine::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        let mut accepted = 0;
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = StoredMachine::from_bytes(&changed);
            assert_eq!(found.is_ok(), library(&changed), "bit {bit}: {found:?}");
            accepted += usize::from(found.is_ok());
        }
        // Only a change of the key `crc32` itself removes the check.
        assert!(accepted <= 5 * 8, "{accepted} changes were accepted");
    }
}

#[test]
fn short_buffers_and_wrong_units_are_refused_with_a_sentence() {
    let bytes = rbm(3, 2).to_archive().unwrap().to_bytes().unwrap();
    let machine = StoredMachine::from_bytes(&bytes).unwrap();
    let error = machine.step(0..3, &mut [0.0; 4], || 0).unwrap_err();
    assert_eq!(error, ModelError::Buffer { name: "state", needed: 5, found: 4 });
    assert_eq!(error.to_string(), "`state` holds 4 numbers; 5 are needed");
    let mut state = [0.0; 5];
    for (layer, units, sentence) in [
        (0, 0..4, "layer 0 has 3 units; the range ends at 4"),
        (2, 0..1, "layer 2 has 0 units; the range ends at 1"),
    ] {
        assert_eq!(machine.probabilities(layer, units, &mut state).unwrap_err().to_string(), sentence);
    }
    let reversed = core::ops::Range { start: 2, end: 1 };
    assert!(machine.sample(1, reversed, &mut state, || 0).is_err());
    let networks = &generators()[3];
    let (archive, image) = game(networks, "generator.", &[0.0; 10]);
    let bytes = archive.to_bytes().unwrap();
    let generator = StoredGenerator::from_bytes(&bytes).unwrap();
    let (mut workspace, mut out) = (vec![0.0; generator.workspace_len()], image);
    let enough = workspace.len();
    for (latent, room, pixels, name) in
        [(9, enough, 784, "latent"), (10, enough - 1, 784, "workspace"), (10, enough, 783, "image")]
    {
        let error = generator.generate(&[0.0; 10][..latent], &mut workspace[..room], &mut out[..pixels]);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{name}` holds ")), "{error}");
    }
    for (networks, problem) in [
        ("generator 2: conv 3 kernel 1 stride 1 padding 0; discriminator 3: linear 1", "does not run here"),
        ("generator 2: tanh; discriminator 2: linear 1", "does not begin with a linear layer"),
        ("generator 2: linears 2; discriminator 2: linear 1", "unknown"),
        ("generator 2-x plain tanh, discriminator 2-1 plain", "not a pair of networks"),
        ("generator 2: linear 3; discriminator 3: linear 1", "does not have it"),
    ] {
        let mut archive = Archive::new();
        archive.set_metadata("networks", networks);
        let error = StoredGenerator::from_bytes(&archive.to_bytes().unwrap()).unwrap_err().to_string();
        assert!(error.contains(problem), "{networks}: {error}");
    }
}
