//! The shape of images in the metadata of a model.

use super::Archive;
use crate::{Error, Result};
use alloc::format;
use alloc::string::ToString;

/// Metadata of a model: height and width of its training images, in pixels.
pub(crate) const SIZE: [&str; 2] = ["image_height", "image_width"];
/// Metadata of a model: values per pixel of its training images, if it is not 1.
const CHANNELS: &str = "image_channels";

/// Puts the height, the width and the number of channels of the images into a model's metadata.
pub(crate) fn describe_shape(archive: &mut Archive, [height, width, channels]: [usize; 3]) {
    for (key, size) in SIZE.into_iter().zip([height, width]) {
        archive.set_metadata(key, &size.to_string());
    }
    if channels != 1 {
        archive.set_metadata(CHANNELS, &channels.to_string());
    }
}

/// The height and the width in a model's metadata, if they are there.
///
/// **Errors** [`Error::Malformed`] if they do not fit images of `pixels` pixels.
pub(crate) fn size_in(archive: &Archive, pixels: usize) -> Result<Option<[usize; 2]>> {
    let texts = SIZE.map(|key| archive.metadata(key));
    if texts == [None, None] {
        return Ok(None);
    }
    let [height, width] = texts.map(|text| text.and_then(|text| text.parse::<usize>().ok()));
    let size = height.zip(width).filter(|(height, width)| height.checked_mul(*width) == Some(pixels));
    let (height, width) = size.ok_or_else(|| {
        let [height, width] = texts.map(|text| text.unwrap_or("missing"));
        let problem = format!(
            "metadata `{}` and `{}` are {height} and {width}, which are no image of {pixels} pixels",
            SIZE[0], SIZE[1]
        );
        Error::malformed(archive.place(), 8, problem)
    })?;
    Ok(Some([height, width]))
}

/// The height, the width and the channels in a model's metadata.
///
/// **Errors** [`Error::Malformed`] if they are not there or do not fit images of `numbers` numbers.
pub(crate) fn shape_in(archive: &Archive, numbers: usize) -> Result<[usize; 3]> {
    let channels = archive.metadata(CHANNELS).map_or(Some(1), |text| text.parse().ok());
    let channels = channels.filter(|&channels| channels == 1 || channels == 3 && numbers.is_multiple_of(3));
    let size = match channels {
        Some(channels) => {
            size_in(archive, numbers / channels)?.map(|[height, width]| [height, width, channels])
        }
        None => None,
    };
    size.ok_or_else(|| {
        Error::malformed(archive.place(), 8, "the size of its images is missing or not possible")
    })
}
