//! A grey picture as masses on its pixels.

use super::{jpeg, png};
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A picture whose pixels are grey.
///
/// ```
/// use equilibria::data::GreyPicture;
/// let picture = GreyPicture { size: [1, 2], values: vec![0.25, 1.0] };
/// assert_eq!(picture.toned(true).values, [0.75, 0.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GreyPicture {
    /// Height and width.
    pub size: [usize; 2],
    /// (height, width), 0 black to 1 white.
    pub values: Vec<f64>,
}

impl GreyPicture {
    /// Reads a PNG or JPEG file. `None` if the file is of another kind, or the picture has colours.
    ///
    /// **Errors** [`Error::Malformed`] if the picture is damaged; [`Error::Io`].
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let mut start = vec![];
        let file = File::open(path).map_err(|error| Error::io("opening", path, error))?;
        file.take(4).read_to_end(&mut start).map_err(|error| Error::io("reading", path, error))?;
        let picture = match &start[..] {
            [0x89, b'P', b'N', b'G'] => png::read(path, &mut |_| Ok(()))?,
            [0xff, 0xd8, ..] => jpeg::read(path, &mut |_| Ok(()))?,
            _ => return Ok(None),
        };
        let pixels = || picture.values.chunks_exact(picture.channels);
        if pixels().any(|pixel| pixel.iter().any(|value| *value != pixel[0])) {
            return Ok(None);
        }
        let values = pixels().map(|pixel| f64::from(pixel[0]) / 255.0).collect();
        Ok(Some(Self { size: picture.size, values }))
    }

    /// The same picture, or its negative.
    #[must_use]
    pub fn toned(mut self, is_negative: bool) -> Self {
        if is_negative {
            self.values.iter_mut().for_each(|x| *x = 1.0 - *x);
        }
        self
    }
}
