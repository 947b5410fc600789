//! The `.cube` format of look-up tables (Adobe 2013).
//!
//! ```text
//! TITLE "name"            optional
//! LUT_3D_SIZE 33
//! DOMAIN_MIN 0 0 0        optional; the only domain here is 0 to 1
//! DOMAIN_MAX 1 1 1
//! 0.1 0.2 0.3             one line for each node, red varying fastest
//! ```
//!
//! Empty lines and lines that start with `#` are ignored.

use super::lut::ColourLut;
use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

impl ColourLut {
    /// Writes the table as a `.cube` file.
    ///
    /// **Accuracy and cost** Shortest decimals that give the same f32; reading the text gives the same table.
    pub fn to_cube(&self, title: &str) -> String {
        // The format has no escapes.
        let title: String = title.chars().filter(|c| *c != '"' && !c.is_control()).collect();
        let mut text = format!("TITLE \"{title}\"\nLUT_3D_SIZE {}\n", self.size());
        for [r, g, b] in self.values() {
            writeln!(text, "{r} {g} {b}").expect("writing to memory does not fail");
        }
        text
    }

    /// Reads a `.cube` file.
    ///
    /// **Errors** [`Error::Malformed`], naming the line, for anything that is not a 3-D table on the domain 0 to 1.
    pub fn from_cube(text: &str) -> Result<Self> {
        let mut size = None;
        let mut values = Vec::new();
        let (mut offset, mut lines) = (0, 0);
        for line in text.split_inclusive('\n') {
            lines += 1;
            let wrong =
                |problem: String| Err(Error::malformed(format!("cube file, line {lines}"), offset, problem));
            let mut words = line.split_whitespace();
            let (first, rest) = (words.next(), words.clone());
            match first {
                None => {}
                Some(word) if word.starts_with('#') || word == "TITLE" => {}
                Some("LUT_3D_SIZE") => {
                    let given = rest.clone().next().and_then(|word| word.parse().ok());
                    match given.filter(|given| (2..=256).contains(given) && size.is_none()) {
                        Some(given) => size = Some(given),
                        None if size.is_some() => {
                            return wrong("a second LUT_3D_SIZE; one is allowed".into());
                        }
                        None => return wrong("LUT_3D_SIZE needs a number from 2 to 256".into()),
                    }
                }
                Some("LUT_1D_SIZE") => {
                    return wrong("a table for each channel; a 3-D table (LUT_3D_SIZE) is needed".into());
                }
                Some(word @ ("DOMAIN_MIN" | "DOMAIN_MAX")) => {
                    let right = if word == "DOMAIN_MIN" { 0.0 } else { 1.0 };
                    if numbers(rest) != Some([right; 3]) {
                        return wrong(format!("{word} must be {right} {right} {right}"));
                    }
                }
                Some(word) => match (numbers(line.split_whitespace()), size) {
                    (Some(_), None) => return wrong("colours before LUT_3D_SIZE".into()),
                    (Some(colour), Some(size)) if values.len() < size * size * size => values.push(colour),
                    (Some(_), Some(size)) => {
                        return wrong(format!("more than the {} colours of size {size}", size * size * size));
                    }
                    (None, _) => {
                        let word: String = word.chars().take(40).collect();
                        return wrong(format!(
                            "'{word}' is neither a keyword nor the start of three finite numbers"
                        ));
                    }
                },
            }
            offset += line.len() as u64;
        }
        let wrong =
            |problem: String| Err(Error::malformed(format!("cube file, line {lines}"), offset, problem));
        match size {
            None => wrong("the file ends without LUT_3D_SIZE".into()),
            Some(size) if values.len() < size * size * size => {
                wrong(format!("the file ends after {} of {} colours", values.len(), size * size * size))
            }
            Some(size) => Self::new(size, values),
        }
    }
}

/// Exactly three finite numbers.
fn numbers<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<[f32; 3]> {
    let mut next = || words.next()?.parse().ok().filter(|x: &f32| x.is_finite());
    let found = [next()?, next()?, next()?];
    words.next().is_none().then_some(found)
}
