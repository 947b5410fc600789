//! The curve from the values of a file to sRGB, and notes about colours that are not converted.

use crate::{Error, Result};
use ::png::Info;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use std::path::Path;

/// The gamma of files for a usual screen, 1 / 2.2. One that is within this distance is read as sRGB, as browsers do.
const USUAL: f64 = 0.45455;
const NEAR: f64 = 0.01;

/// Primaries and curves of a PNG file's `cICP`, as ITU-T H.273 numbers them.
const BT_709: u8 = 1;
const LINEAR: u8 = 8;
const SRGB: u8 = 13;
const PQ: u8 = 16;
const HLG: u8 = 18;

/// The sRGB value of each of `count` values of a PNG file. `notes` gets sentences about what is not converted.
///
/// The first of `cICP`, a colour profile, `sRGB` and `gAMA` decides, as the standard says.
///
/// **Errors** [`Error::Malformed`] for a curve of bright (HDR) screens.
pub(super) fn curve(path: &Path, info: &Info<'_>, count: usize, notes: &mut Vec<String>) -> Result<Vec<f32>> {
    let mut gamma = None;
    if let Some(code) = &info.coding_independent_code_points {
        if [PQ, HLG].contains(&code.transfer_function) {
            let problem = "the picture is for bright (HDR) screens: save it for usual screens, as sRGB";
            return Err(Error::malformed(path.display(), 0, problem));
        }
        gamma = (code.transfer_function == LINEAR).then_some(1.0);
        if code.color_primaries != BT_709 || ![SRGB, LINEAR, BT_709].contains(&code.transfer_function) {
            notes.push(format!(
                "its colours (cICP primaries {}, curve {}) were taken for sRGB",
                code.color_primaries, code.transfer_function
            ));
        }
    } else if info.icc_profile.is_none() && info.srgb.is_none() {
        if let Some(found) = info.gama_chunk {
            let found = f64::from(found.into_value());
            match found > 0.0 {
                true => gamma = Some(found).filter(|gamma| (gamma - USUAL).abs() > NEAR),
                false => notes.push("its gamma of 0 was ignored".to_owned()),
            }
        }
        if info.chrm_chunk.is_some_and(|chrm| is_not_srgb(&chrm)) {
            notes.push("its primaries (cHRM) were taken for those of sRGB".to_owned());
        }
    }
    let most = (count - 1) as f64;
    let value = |at: usize| {
        let value = at as f64 / most;
        gamma.map_or(value, |gamma| encoded(libm::pow(value, 1.0 / gamma))) as f32
    };
    Ok((0..count).map(value).collect())
}

/// The sRGB value of a linear one.
pub(super) fn encoded(linear: f64) -> f64 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * libm::pow(linear, 1.0 / 2.4) - 0.055 }
}

/// Returns whether one of the primaries or the white is not that of sRGB, to the digits that files give.
fn is_not_srgb(found: &::png::SourceChromaticities) -> bool {
    let points = [found.white, found.red, found.green, found.blue];
    let right = [(0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)];
    points.iter().zip(right).any(|((x, y), (right_x, right_y))| {
        let off = |found: &::png::ScaledFloat, right: f32| (found.into_value() - right).abs() > 2e-3;
        off(x, right_x) || off(y, right_y)
    })
}
