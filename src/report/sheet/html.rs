//! A contact sheet inside a page: plain tiles, and labels as text that can be read aloud, searched and resized.

use super::super::base64;
use super::layout::{Bounds, short};
use super::{Canvas, ContactSheet, FRAME, colour};
use crate::Result;
use crate::report::picture;
use maud::{Markup, html};

/// Pixels between groups.
const GAP: usize = 12;
/// Samples of a colour scale, in pixels.
const SCALE: usize = 64;

impl ContactSheet {
    /// The sheet as a grid with one picture for each row of each group of columns. `alternative` describes it in words.
    ///
    /// **Errors** as [`ContactSheet::to_png`].
    pub(in crate::report) fn to_html(&self, alternative: &str) -> Result<Markup> {
        self.layout()?;
        let options = &self.options;
        let (columns, rows) = options.grid(self.tiles.len())?;
        let groups = match options.column_groups.is_empty() {
            true => vec![(String::new(), columns)],
            false => options.column_groups.iter().filter(|group| group.1 > 0).cloned().collect(),
        };
        let has_labels = !options.row_labels.is_empty();
        // Strips of all groups shrink by the same factor on a narrow screen.
        let mut template = if has_labels { "var(--labels)".to_string() } else { String::new() };
        let mut all = GAP * groups.len();
        for (_, size) in &groups {
            let width = (size * (options.tile_width + 1) + 1) * options.magnify;
            template += &format!(" minmax(0,{width}fr)");
            all += width;
        }
        let labels = if has_labels { " + 9rem" } else { "" };
        let style = format!("grid-template-columns:{template};max-width:calc({all}px{labels})");
        let starts = groups.iter().scan(0, |end, (_, size)| {
            *end += size;
            Some(*end - size)
        });
        let starts: Vec<usize> = starts.collect();
        let mut strips = Vec::new();
        for row in 0..rows {
            for (start, (_, size)) in starts.iter().zip(&groups) {
                let first = row * columns + start;
                strips.push(self.strip(first, *size)?);
            }
        }
        let headings = groups.iter().any(|group| !group.0.is_empty());
        Ok(html! {
            div.sheet role="img" aria-label=(alternative) {
                @if !options.title.is_empty() { p { (options.title) } }
                div.tiles style=(style) {
                    @if headings {
                        @if has_labels { span {} }
                        @for (heading, _) in &groups { b { (heading) } }
                    }
                    @if !options.column_labels.is_empty() {
                        @if has_labels { span {} }
                        @for (start, (_, size)) in starts.iter().zip(&groups) {
                            div { @for label in &options.column_labels[*start..start + size] { span { (label) } } }
                        }
                    }
                    @for (row, strips) in strips.chunks(groups.len()).enumerate() {
                        @if has_labels { span.row { (options.row_labels[row]) } }
                        @for (width, height, source) in strips {
                            img.crisp[options.magnify > 1] width=(width) height=(height) src=(source) alt="";
                        }
                        @if !options.tile_labels.is_empty() {
                            @if has_labels { span {} }
                            @for (start, (_, size)) in starts.iter().zip(&groups) {
                                div { @for label in options.tile_labels.iter().skip(row * columns + start).take(*size) { span { (label) } } }
                            }
                        }
                    }
                }
                (self.keys()?)
            }
        })
    }

    /// The tiles from `first` in one row with lines between them: width and height on the screen, and the picture's address.
    fn strip(&self, first: usize, count: usize) -> Result<(usize, usize, String)> {
        let (tile_height, tile_width) = (self.options.tile_height, self.options.tile_width);
        let (width, height) = (count * (tile_width + 1) + 1, tile_height + 2);
        let mut canvas = Canvas::new(width, height);
        canvas.fill(Bounds { x: 0, y: 0, width, height }, FRAME);
        let mut in_colour = false;
        for (i, tile) in self.tiles.iter().skip(first).take(count).enumerate() {
            let Some(tile) = tile else { continue };
            in_colour |= tile.has_mark || tile.in_colour;
            for (row, pixels) in tile.pixels.chunks(tile_width).enumerate() {
                let start = (row + 1) * width + i * (tile_width + 1) + 1;
                canvas.pixels[start..start + tile_width].copy_from_slice(pixels);
            }
        }
        let magnify = self.options.magnify;
        Ok((width * magnify, height * magnify, address(&canvas.to_png(in_colour)?)))
    }

    /// The meaning of the colours.
    fn keys(&self) -> Result<Markup> {
        let tiles = || self.tiles.iter().flatten();
        let marked = tiles().any(|tile| tile.has_mark) && !self.options.mark_label.is_empty();
        let mut limits = tiles().filter_map(|tile| tile.signed_limit);
        let limit = limits.next().filter(|&first| limits.all(|other| other == first));
        let bar = |shade: &dyn Fn(f64) -> colour::Rgb| {
            let shades: Vec<_> = (0..SCALE).map(|i| shade(i as f64 / (SCALE - 1) as f64)).collect();
            picture([1, SCALE, 3], shades.as_flattened()).map(|png| address(&png))
        };
        let amber = bar(&|_| colour::amber(0.0))?;
        let scale = bar(&|share| colour::diverging(2.0 * share - 1.0))?;
        Ok(html! {
            @if marked { p.key { img.swatch width="28" height="14" src=(amber) alt=""; (self.options.mark_label) } }
            @if let Some(limit) = limit {
                p.key { "\u{2212}" (short(limit)) img width="132" height="14" src=(scale) alt=" to "; "+" (short(limit)) }
            }
        })
    }
}

/// A PNG file as an address for a page.
pub(in crate::report) fn address(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", base64::encode(png))
}
