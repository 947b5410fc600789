//! Colour profiles of three primaries and three curves, converted to sRGB.
//!
//! Such a profile (ICC.1:2022, §8.3.3) maps the values of a file to the connection space XYZ under D50, and sRGB follows:
//!
//! ```text
//! linear_k = curve_k(value_k)      XYZ = [rXYZ gXYZ bXYZ] linear      sRGB = encoded(M XYZ), clipped to 0 to 1
//! ```
//!
//! Profiles of screens and cameras (Display P3, Adobe RGB, versions 2 and 4) are of this kind. Those of printers are tables, which
//! are not applied.

use super::gamma::encoded;
use crate::parallel::{Chunks, for_each_split};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// XYZ under D50 to linear sRGB: the inverse of the primaries of sRGB adapted by Bradford's method (Lindbloom).
const FROM_XYZ: [[f64; 3]; 3] = [
    [3.133_856_1, -1.616_866_7, -0.490_614_6],
    [-0.978_768_4, 1.916_141_5, 0.033_454_0],
    [0.071_945_3, -0.228_991_4, 1.405_242_7],
];
/// Steps of the tables of curves: exact for values of 8 and of 16 bits.
const STEPS: usize = 65_535;
/// Values of a task.
const TASK: usize = 3 << 14;
/// The largest number of tags that are read.
const MOST_TAGS: usize = 100;
/// A profile that moves no colour by this much is sRGB.
const SAME: f32 = 1.0 / 255.0;

/// Converts colours, three values each, by the profile of their file, or notes in one sentence that it was not applied.
pub(super) fn apply(profile: &[u8], colours: &mut [f32], notes: &mut Vec<String>) {
    match Profile::read(profile) {
        Some(profile) if profile.is_srgb() => {}
        Some(profile) => {
            for_each_split(colours.len().div_ceil(TASK), true, Chunks(colours, TASK), &|_, part| {
                part.0.as_chunks_mut::<3>().0.iter_mut().for_each(|colour| *colour = profile.at(*colour));
            })
        }
        None => notes.extend(note_of_profile(profile)),
    }
}

/// A sentence about a colour profile that does not call itself sRGB.
pub(super) fn note_of_profile(profile: &[u8]) -> Option<String> {
    // Names are in bytes, or in units of 16 bits in newer profiles.
    let is_in = |name: &[u8]| profile.windows(name.len()).any(|window| window == name);
    let is_srgb = is_in(b"sRGB") || is_in(b"\0s\0R\0G\0B");
    (!is_srgb).then(|| "its colour profile was not applied: the values were taken for sRGB".to_owned())
}

/// A profile of three primaries and three curves.
struct Profile {
    /// The linear values of `STEPS + 1` values of each channel.
    curves: [Vec<f32>; 3],
    /// Linear values to linear sRGB.
    matrix: [[f32; 3]; 3],
}

impl Profile {
    /// Reads a profile. `None` if it is damaged or of another kind.
    fn read(bytes: &[u8]) -> Option<Self> {
        let is_right = bytes.get(16..24)? == b"RGB XYZ " && bytes.get(36..40)? == b"acsp";
        let count = (word(bytes, 128)? as usize).min(MOST_TAGS);
        let tags: Vec<&[u8]> =
            (0..count).filter_map(|tag| bytes.get(132 + 12 * tag..144 + 12 * tag)).collect();
        let tag = |name: &[u8]| {
            let entry = tags.iter().find(|entry| entry.starts_with(name))?;
            let (start, length) = (word(entry, 4)? as usize, word(entry, 8)? as usize);
            bytes.get(start..start.checked_add(length)?)
        };
        // A table from the device, where there is one, stands before the primaries.
        if !is_right || tag(b"A2B0").is_some() {
            return None;
        }
        let primary = |name| {
            let tag = tag(name).filter(|tag| tag.starts_with(b"XYZ "))?;
            Some([fixed(tag, 8)?, fixed(tag, 12)?, fixed(tag, 16)?])
        };
        let primaries = [primary(b"rXYZ")?, primary(b"gXYZ")?, primary(b"bXYZ")?];
        let product = |row: [f64; 3], x: [f64; 3]| (row[0] * x[0] + row[1] * x[1] + row[2] * x[2]) as f32;
        let matrix = FROM_XYZ.map(|row| primaries.map(|primary| product(row, primary)));
        Some(Self { curves: [curve(tag(b"rTRC")?)?, curve(tag(b"gTRC")?)?, curve(tag(b"bTRC")?)?], matrix })
    }

    /// The sRGB colour of a colour of the file.
    fn at(&self, colour: [f32; 3]) -> [f32; 3] {
        let linear: [f32; 3] =
            array(|k| self.curves[k][(colour[k].clamp(0.0, 1.0) * STEPS as f32 + 0.5) as usize]);
        self.matrix.map(|row| {
            let light = row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2];
            encoded(light.clamp(0.0, 1.0).into()) as f32
        })
    }

    /// Returns whether the profile leaves all colours of a grid where they are.
    fn is_srgb(&self) -> bool {
        (0..729).all(|code| {
            let colour = [code / 81, code / 9 % 9, code % 9].map(|part| part as f32 / 8.0);
            colour.iter().zip(self.at(colour)).all(|(before, after)| (before - after).abs() < SAME)
        })
    }
}

/// The linear values of a curve, which is a power, a function with parameters, or a table. `None` if it is damaged.
fn curve(tag: &[u8]) -> Option<Vec<f32>> {
    // g a b c d e f of: (a x + b)^g + e from x = d on, c x + f below.
    let mut function = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let mut table = &tag[..0];
    match (tag.get(..4)?, word(tag, 8)?) {
        (b"curv", 0) => {}
        (b"curv", 1) => function[0] = f64::from(half(tag, 12)?) / 256.0,
        (b"curv", count) => table = tag.get(12..12_usize.checked_add((count as usize).checked_mul(2)?)?)?,
        (b"para", kind) => {
            let kind = kind >> 16;
            let count = *[1, 3, 4, 5, 7].get(kind as usize)?;
            (0..count).try_for_each(|at| fixed(tag, 12 + 4 * at).map(|value| function[at] = value))?;
            if let 1 | 2 = kind {
                let [_, a, b, c, ..] = function;
                function[3..].copy_from_slice(&[0.0, -b / a, if kind == 2 { c } else { 0.0 }, 0.0]);
                function[6] = function[5];
            }
        }
        _ => return None,
    }
    let [g, a, b, c, d, e, f] = function;
    let last = (table.len() / 2).saturating_sub(1);
    let value = |step: usize| {
        let x = step as f64 / STEPS as f64;
        let y = match last {
            0 if x >= d => libm::pow((a * x + b).max(0.0), g) + e,
            0 => c * x + f,
            _ => {
                let (first, part) = ((x * last as f64) as usize, x * last as f64 % 1.0);
                let at = |point: usize| f64::from(half(table, 2 * point.min(last)).unwrap_or(0)) / 65_535.0;
                at(first) + part * (at(first + 1) - at(first))
            }
        };
        // A damaged curve may give NaN.
        if y.is_nan() { 0.0 } else { y.clamp(0.0, 1.0) as f32 }
    };
    Some((0..=STEPS).map(value).collect())
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A signed number with 16 bits behind the point.
fn fixed(bytes: &[u8], at: usize) -> Option<f64> {
    Some(f64::from(word(bytes, at)? as i32) / 65_536.0)
}
