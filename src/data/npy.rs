//! `.npy`, NumPy's format of one array, and `.npz`, a zip archive of such files.
//!
//! **Source** NumPy's format description, versions 1 to 3: magic, version, length of the header, a Python dictionary, data.

#[cfg(feature = "cli")]
use super::Images;
use super::array::{Array, Element};
use crate::{Error, Result, memory};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The first bytes of an `.npy` file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Parses an `.npy` file; `place` names it in errors.
///
/// **Errors** [`Error::Malformed`] for a damaged file, for elements that are no numbers, and for an array without any.
pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<Array> {
    let malformed = |offset: usize, problem: String| Error::malformed(place, offset as u64, problem);
    let cut = || malformed(bytes.len(), "the file ends within its header; save it again".into());
    let (length, start) = match bytes.get(6) {
        Some(1) => (bytes.get(8..10).map(|b| usize::from(b[0]) | usize::from(b[1]) << 8), 10),
        Some(2 | 3) => {
            (bytes.get(8..12).map(|b| b.iter().rev().fold(0, |n, &b| n << 8 | usize::from(b))), 12)
        }
        Some(version) => {
            return Err(malformed(6, format!("version {version} of .npy; versions 1 to 3 can be read")));
        }
        None => return Err(cut()),
    };
    let end = length.and_then(|length| length.checked_add(start)).ok_or_else(cut)?;
    let header = String::from_utf8_lossy(bytes.get(start..end).ok_or_else(cut)?).replace('"', "'");
    let field = |name: &str| {
        let (_, rest) = header.split_once(&format!("'{name}'"))?;
        rest.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let missing =
        |name: &str| malformed(start, format!("the header has no valid entry `{name}`; save it again"));
    let kind = field("descr")
        .and_then(|rest| rest.strip_prefix('\'')?.split_once('\''))
        .map(|(kind, _)| kind)
        .ok_or_else(|| missing("descr"))?;
    let element = kind.get(1..).and_then(Element::of_npy).ok_or_else(|| {
        let kind: String = kind.chars().take(24).collect();
        malformed(
            start,
            format!(
                "elements of type {kind}; booleans, integers and floats of 16, 32 and 64 bits can be read"
            ),
        )
    })?;
    let shape = field("shape")
        .and_then(|rest| rest.strip_prefix('(')?.split_once(')'))
        .and_then(|(inside, _)| {
            let sizes = inside.split(',').map(str::trim).filter(|size| !size.is_empty());
            sizes.map(|size| size.parse().ok()).collect::<Option<Vec<usize>>>()
        })
        .ok_or_else(|| missing("shape"))?;
    if shape.is_empty() || shape.contains(&0) {
        return Err(malformed(start, "an array without elements; at least 1 is needed".into()));
    }
    let (data, size) = (&bytes[end..], element.size());
    let promised = shape.iter().try_fold(size, |product, &size| product.checked_mul(size));
    if promised != Some(data.len()) {
        let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let problem = format!(
            "the header promises {} elements ({} bytes), the file holds {} bytes; save it again",
            sizes.join(" x "),
            promised.map_or_else(|| "too many".into(), |bytes| bytes.to_string()),
            data.len()
        );
        return Err(malformed(end, problem));
    }
    if !memory::fits::<u8>(data.len()) {
        return Err(Error::unusable(place, format!("its {} bytes do not fit into memory twice", data.len())));
    }
    let order =
        field("fortran_order").filter(|order| order.starts_with("True") || order.starts_with("False"));
    let order = order.ok_or_else(|| missing("fortran_order"))?;
    let array = Array {
        place: place.into(),
        start: end as u64,
        shape,
        element,
        is_big_endian: kind.starts_with('>'),
        content: data.to_vec(),
    };
    Ok(if order.starts_with("True") && array.shape.len() > 1 { array.into_row_major() } else { array })
}

/// An `.npy` file of this shape whose elements have the type `descr`, before its `content`.
#[cfg(feature = "cli")]
fn file(descr: &str, shape: &[usize], content: impl Iterator<Item = u8>) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // With the 10 bytes before it and the line break, the header ends at a multiple of 64.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    bytes.extend(content);
    bytes
}

/// The content of an `.npy` file of these images: bytes of shape (images, height, width), and channels in colour.
#[cfg(feature = "cli")]
pub(crate) fn of_images(images: &Images) -> Vec<u8> {
    let [height, width, channels] = images.shape();
    let shape = [images.len(), height, width, channels];
    let rank = if channels == 1 { 3 } else { 4 };
    file("|u1", &shape[..rank], images.pixels().iter().copied())
}

/// The content of an `.npy` file of 32-bit floats with this shape.
#[cfg(feature = "cli")]
pub(crate) fn of_floats(shape: &[usize], values: &[f32]) -> Vec<u8> {
    file("<f4", shape, values.iter().flat_map(|value| value.to_le_bytes()))
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn written_arrays_are_read_again() {
        let array = parse("a", &of_floats(&[2, 1, 3], &[0.0, -1.5, 2.0, 3.0, 4.0, 1e30])).unwrap();
        assert_eq!((array.shape.as_slice(), array.start % 64), (&[2, 1, 3][..], 0));
        let mut values = Vec::new();
        array.for_each(|value| values.push(value as f32));
        assert_eq!(values, [0.0, -1.5, 2.0, 3.0, 4.0, 1e30]);
        for channels in [1, 3] {
            let images = Images::with_channels(2, 1, channels, (0..6 * channels as u8).collect()).unwrap();
            let read = parse("a", &of_images(&images)).unwrap();
            assert_eq!(read.images(&Default::default(), &mut Vec::new()).unwrap(), images);
        }
    }
}
