//! The orientation that a camera notes in its EXIF data: eight ways to hold it.

use alloc::vec::Vec;

/// The tag of the orientation, and the type of numbers of 16 bits.
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// The orientation from 1 (upright) to 8, from the TIFF header on. It is 1 if the data have none, or are damaged.
pub(super) fn of_exif(exif: &[u8]) -> u8 {
    find(exif).filter(|turn| (1..=8).contains(turn)).map_or(1, |turn| turn as u8)
}

fn find(exif: &[u8]) -> Option<u16> {
    let is_little = match exif.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let bytes: [u8; 4] = exif.get(4..8)?.try_into().ok()?;
    let directory = if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize;
    let entries = usize::from(short(directory)?);
    // An entry has 12 bytes: tag, type, count (4 bytes), value (4 bytes).
    let entry = (0..entries)
        .map_while(|entry| directory.checked_add(2 + 12 * entry))
        .find(|&entry| short(entry) == Some(ORIENTATION))?;
    (short(entry + 2)? == SHORT).then(|| short(entry + 8))?
}

/// Turns a picture of pixels of `bytes` bytes upright. Returns its new height and width, and its pixels.
///
/// From 5 on, rows and columns are exchanged. The stored rows run from the bottom for 3, 4, 6 and 7, the stored columns from
/// the right for 2, 3, 7 and 8.
pub(super) fn upright(
    orientation: u8,
    [height, width]: [usize; 2],
    bytes: usize,
    pixels: Vec<u8>,
) -> ([usize; 2], Vec<u8>) {
    if orientation == 1 {
        return ([height, width], pixels);
    }
    let is_exchanged = orientation >= 5;
    let from_bottom = [3, 4, 6, 7].contains(&orientation);
    let from_right = [2, 3, 7, 8].contains(&orientation);
    let size = if is_exchanged { [width, height] } else { [height, width] };
    let mut turned = Vec::with_capacity(pixels.len());
    for row in 0..size[0] {
        for column in 0..size[1] {
            let [row, column] = if is_exchanged { [column, row] } else { [row, column] };
            let row = if from_bottom { height - 1 - row } else { row };
            let column = if from_right { width - 1 - column } else { column };
            let start = (row * width + column) * bytes;
            turned.extend_from_slice(&pixels[start..start + bytes]);
        }
    }
    (size, turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 2 3
    /// 4 5 6
    const PIXELS: [u8; 6] = [1, 2, 3, 4, 5, 6];

    /// The eight rows of the EXIF standard: the sides at which the stored row 0 and column 0 are seen.
    #[test]
    fn each_orientation_is_turned_upright() {
        for (orientation, size, right) in [
            (1, [2, 3], [1, 2, 3, 4, 5, 6]),
            (2, [2, 3], [3, 2, 1, 6, 5, 4]),
            (3, [2, 3], [6, 5, 4, 3, 2, 1]),
            (4, [2, 3], [4, 5, 6, 1, 2, 3]),
            (5, [3, 2], [1, 4, 2, 5, 3, 6]),
            (6, [3, 2], [4, 1, 5, 2, 6, 3]),
            (7, [3, 2], [6, 3, 5, 2, 4, 1]),
            (8, [3, 2], [3, 6, 2, 5, 1, 4]),
        ] {
            let found = upright(orientation, [2, 3], 1, PIXELS.to_vec());
            assert_eq!(found, (size, right.to_vec()), "{orientation}");
        }
    }

    /// A directory at byte 8 with two entries; the second is the orientation.
    fn exif(is_little: bool, orientation: u16) -> Vec<u8> {
        let short = |value: u16| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
        let long = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut bytes = if is_little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        bytes.extend(long(8));
        bytes.extend(short(2));
        for (tag, value) in [(0x010f, 7), (ORIENTATION, orientation)] {
            bytes.extend([short(tag), short(SHORT)].concat());
            bytes.extend(long(1));
            bytes.extend([short(value), short(0)].concat());
        }
        bytes
    }

    #[test]
    fn the_orientation_is_found_in_both_byte_orders_and_damage_means_upright() {
        for is_little in [true, false] {
            for orientation in 1..=8 {
                assert_eq!(of_exif(&exif(is_little, orientation)), orientation as u8, "{is_little}");
            }
            assert_eq!([0, 9, 600].map(|wrong| of_exif(&exif(is_little, wrong))), [1; 3]);
            let whole = exif(is_little, 6);
            for length in 0..whole.len() - 2 {
                assert!([1, 6].contains(&of_exif(&whole[..length])), "{length}");
            }
            let mut far = whole;
            far[4..8].fill(0xff);
            assert_eq!(of_exif(&far), 1);
        }
    }
}
