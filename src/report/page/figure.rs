//! Figures of a page: plots, pictures and contact sheets with a caption.

use super::text::prose;
use crate::report::ContactSheet;
use crate::report::sheet::html::address;
use crate::{Error, Result};
use maud::{Markup, PreEscaped, html};

/// Images up to this width are shown pixel by pixel on a desktop; wider images are scaled down smoothly.
const COLUMN: u32 = 920;

/// A picture with a caption.
///
/// See the example of [`Section`](super::Section).
#[derive(Debug, Clone)]
pub struct Figure {
    picture: Picture,
    caption: String,
}

#[derive(Debug, Clone)]
enum Picture {
    Svg(String),
    Png { bytes: Vec<u8>, alternative: String },
    Sheet { sheet: Box<ContactSheet>, alternative: String },
    Pair([(Vec<u8>, String); 2]),
}

impl Figure {
    /// Creates a figure from a plot or a heat map, as its `to_svg` returned it.
    pub fn svg(svg: impl Into<String>, caption: impl Into<String>) -> Self {
        Self { picture: Picture::Svg(svg.into()), caption: caption.into() }
    }

    /// Creates a figure from a PNG file; `alternative` describes it in words.
    pub fn png(bytes: Vec<u8>, alternative: impl Into<String>, caption: impl Into<String>) -> Self {
        Self { picture: Picture::Png { bytes, alternative: alternative.into() }, caption: caption.into() }
    }

    /// Creates a figure from a contact sheet, with its labels as text; `alternative` describes it in words.
    pub fn sheet(sheet: ContactSheet, alternative: impl Into<String>, caption: impl Into<String>) -> Self {
        let picture = Picture::Sheet { sheet: Box::new(sheet), alternative: alternative.into() };
        Self { picture, caption: caption.into() }
    }

    /// Creates a figure of two PNG files of one size, each with a label, and a slider that shows more of one or the other. Without
    /// scripts and in print they are side by side.
    pub fn before_and_after(pictures: [(Vec<u8>, &str); 2], caption: impl Into<String>) -> Self {
        let pictures = pictures.map(|(bytes, label)| (bytes, label.to_string()));
        Self { picture: Picture::Pair(pictures), caption: caption.into() }
    }

    /// Width and height of a PNG file.
    fn size_of(&self, bytes: &[u8]) -> Result<(u32, u32)> {
        png_size(bytes).ok_or_else(|| {
            let place = format!("figure {:?}", self.caption);
            Error::malformed(place, 0, "not a PNG file; pass what `to_png` returns")
        })
    }

    fn side(&self, (bytes, label): &(Vec<u8>, String)) -> Result<Markup> {
        let (width, height) = self.size_of(bytes)?;
        Ok(html! {
            div.side {
                img src=(address(bytes)) width=(width) height=(height) alt=(label);
                span { (label) }
            }
        })
    }

    pub(super) fn to_html(&self) -> Result<Markup> {
        let picture = match &self.picture {
            Picture::Svg(svg) => {
                let is_figure = svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>");
                if !is_figure || svg.contains("<script") {
                    let expected = "it must be one <svg> element without scripts, as `to_svg` returns it";
                    return Err(Error::invalid(format!("figure {:?}", self.caption), expected));
                }
                // The writer of the SVG has escaped its texts.
                html! { (PreEscaped(svg)) }
            }
            Picture::Pair(pictures) => {
                let [first, second] = [self.side(&pictures[0])?, self.side(&pictures[1])?];
                html! { div.compare { (first) (second) } }
            }
            Picture::Sheet { sheet, alternative } => sheet.to_html(alternative)?,
            Picture::Png { bytes, alternative } => {
                let (width, height) = self.size_of(bytes)?;
                // On a phone, a wide sheet scrolls in its box instead of shrinking until its labels are unreadable.
                let narrowest = u64::from(width) * 9 / 20;
                html! {
                    div.paper tabindex="0" {
                        img.crisp[width <= COLUMN] src=(address(bytes)) width=(width) height=(height)
                            style=(format!("min-width:{narrowest}px")) alt=(alternative);
                    }
                }
            }
        };
        Ok(html! {
            figure {
                (picture)
                @if !self.caption.is_empty() { figcaption { (prose(&self.caption)) } }
            }
        })
    }
}

/// Width and height from the header of a PNG file.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let (width, rest) = header.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}
