//! Figures of a page: plots, pictures and contact sheets with a caption.

use super::text::prose;
use crate::report::ContactSheet;
use crate::report::sheet::html::address;
use crate::{Error, Result};
use maud::{Markup, PreEscaped, html};

/// Images up to this width are shown pixel by pixel on a desktop; wider images are scaled down smoothly.
const COLUMN: u32 = 920;

/// A picture with a caption.
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
            Picture::Sheet { sheet, alternative } => sheet.to_html(alternative)?,
            Picture::Png { bytes, alternative } => {
                let (width, height) = png_size(bytes).ok_or_else(|| {
                    Error::malformed(
                        format!("figure {:?}", self.caption),
                        0,
                        "not a PNG file; pass what `to_png` returns",
                    )
                })?;
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
