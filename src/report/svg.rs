//! A canvas on top of the SVG backend of plotters: lengths in units of the view box, colours for light and dark themes.
//!
//! The backend writes integer coordinates, so everything is drawn ten times as large as in the view box. The backend
//! knows only one theme. So each colour of [`Theme`] is written as its light value, and a style sheet in the SVG
//! replaces exactly these values in dark mode. A viewer that ignores style sheets shows the light figure.

use super::colour::Rgb;
use super::font;
use crate::{Error, Result};
use core::fmt::{Display, Write};
use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle};

/// Width of every figure in units of its view box; the height depends on the content.
pub(super) const WIDTH: f64 = 640.0;
/// Font sizes: 11 pixels on a phone, where the figure is 334 pixels wide, and 14 on a desktop, where it is 424.
pub(super) const TEXT: f64 = 21.0;
pub(super) const TITLE: f64 = 22.0;
/// Line height in font sizes.
pub(super) const LINE: f64 = 1.3;

const SCALE: f64 = 10.0;
const FAMILY: &str = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif";

/// A colour of the theme: its light and its dark value.
pub(super) struct Theme {
    pub(super) light: Rgb,
    dark: Rgb,
}

pub(super) const SURFACE: Theme = Theme { light: [0xff, 0xff, 0xff], dark: [0x1b, 0x1f, 0x24] };
pub(super) const INK: Theme = Theme { light: [0x1f, 0x23, 0x28], dark: [0xe6, 0xe9, 0xec] };
pub(super) const MUTED: Theme = Theme { light: [0x57, 0x60, 0x6a], dark: [0xa8, 0xb0, 0xb9] };
pub(super) const GRID: Theme = Theme { light: [0xe1, 0xe4, 0xe8], dark: [0x34, 0x3a, 0x42] };
/// Okabe and Ito's colours (2008), distinct for every kind of colour vision; without yellow, which is too pale for a
/// line.
pub(super) const LINES: [Theme; 7] = [
    Theme { light: [0x00, 0x72, 0xb2], dark: [0x3d, 0x9b, 0xd9] },
    Theme { light: [0xd5, 0x5e, 0x00], dark: [0xf0, 0x7c, 0x26] },
    Theme { light: [0x00, 0x9e, 0x73], dark: [0x1f, 0xb8, 0x8c] },
    Theme { light: [0xcc, 0x79, 0xa7], dark: [0xda, 0x8f, 0xba] },
    Theme { light: [0xe6, 0x9f, 0x00], dark: [0xe6, 0x9f, 0x00] },
    Theme { light: [0x56, 0xb4, 0xe9], dark: [0x7c, 0xc8, 0xf2] },
    Theme { light: [0x00, 0x00, 0x00], dark: [0xff, 0xff, 0xff] },
];

/// Horizontal alignment of a text at a given x.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A figure that is being drawn.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Draws a figure of [`WIDTH`] by `height` and returns the SVG; `description` is for screen readers.
pub(super) fn draw(
    height: f64,
    description: &str,
    paint: impl FnOnce(&mut Canvas) -> Result<()>,
) -> Result<String> {
    let mut text = String::new();
    {
        let mut canvas = Canvas {
            backend: SVGBackend::with_string(&mut text, (pixels(WIDTH) as u32, pixels(height) as u32)),
        };
        canvas.rectangle((0.0, 0.0), (WIDTH, height), SURFACE.light)?;
        paint(&mut canvas)?;
        canvas.backend.present().map_err(failed)?;
    }
    // The first tag written by the backend fixes the size in pixels; it is replaced.
    let body = text.split_once('>').map_or("", |(_, body)| body);
    let (width, height) = (pixels(WIDTH), pixels(height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"eq-figure\" role=\"img\" width=\"100%\" \
         viewBox=\"0 0 {width} {height}\" aria-label=\"{}\">\n<style>",
        escape(description)
    );
    svg.push_str(&style_sheet());
    svg.push_str("</style>");
    svg.push_str(body);
    Ok(svg)
}

/// A figure that has only a title and a sentence that says why nothing is drawn.
pub(super) fn without_data(title: &str, sentence: &str) -> Result<String> {
    const PAD: f64 = 14.0;
    let [headings, lines] =
        [(title, TITLE), (sentence, TEXT)].map(|(text, size)| wrap(text, size, WIDTH - 2.0 * PAD));
    let height = headings.len() as f64 * TITLE * LINE + lines.len() as f64 * TEXT * LINE + 3.0 * PAD;
    draw(height, &format!("{title}: {sentence}"), |canvas| {
        let y = canvas.lines(&headings, (PAD, PAD), TITLE, INK.light)?;
        canvas.lines(&lines, (PAD, y + PAD), TEXT, MUTED.light).map(|_| ())
    })
}

/// Dark colours and round line caps. Every selector has a prefix, because the style sheet of an inline SVG applies to
/// the whole page.
fn style_sheet() -> String {
    let mut css = String::from(
        "\n.eq-figure polyline{stroke-linejoin:round;stroke-linecap:round}\n@media (prefers-color-scheme:dark){\n",
    );
    // If the SVG file is opened by itself, this colours the rest of the window.
    let _ = writeln!(css, ".eq-figure:root{{background:{}}}", hex(SURFACE.dark));
    for theme in [&SURFACE, &INK, &MUTED, &GRID].into_iter().chain(&LINES) {
        for property in ["fill", "stroke"] {
            let (light, dark) = (hex(theme.light), hex(theme.dark));
            // Writing into a String cannot fail.
            let _ = writeln!(css, ".eq-figure [{property}=\"{light}\"]{{{property}:{dark}}}");
        }
    }
    css.push_str("}\n");
    css
}

impl Canvas<'_> {
    /// Draws a filled rectangle between two corners.
    pub(super) fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), colour: Rgb) -> Result<()> {
        self.backend.draw_rect(point(from), point(to), &stroke(colour, 1.0), true).map_err(failed)
    }

    /// Draws a filled polygon.
    pub(super) fn polygon(&mut self, corners: &[(f64, f64)], colour: Rgb) -> Result<()> {
        self.backend.fill_polygon(corners.iter().copied().map(point), &stroke(colour, 1.0)).map_err(failed)
    }

    /// Draws a filled circle.
    pub(super) fn circle(&mut self, centre: (f64, f64), radius: f64, colour: Rgb) -> Result<()> {
        self.backend
            .draw_circle(point(centre), pixels(radius) as u32, &stroke(colour, 1.0), true)
            .map_err(failed)
    }

    /// Draws a line through `points`.
    pub(super) fn path(&mut self, points: &[(f64, f64)], width: f64, colour: Rgb) -> Result<()> {
        self.backend.draw_path(points.iter().copied().map(point), &stroke(colour, width)).map_err(failed)
    }

    /// Draws a line that covers what is below it by `opacity`, 0 to 1.
    pub(super) fn faint_path(
        &mut self,
        points: &[(f64, f64)],
        width: f64,
        colour: Rgb,
        opacity: f64,
    ) -> Result<()> {
        let mut style = stroke(colour, width);
        style.color = style.color.mix(opacity);
        self.backend.draw_path(points.iter().copied().map(point), &style).map_err(failed)
    }

    /// Draws a filled rectangle that covers what is below it by `opacity`, 0 to 1.
    pub(super) fn faint_rectangle(
        &mut self,
        (from, to): ((f64, f64), (f64, f64)),
        colour: Rgb,
        opacity: f64,
    ) -> Result<()> {
        let mut style = stroke(colour, 1.0);
        style.color = style.color.mix(opacity);
        self.backend.draw_rect(point(from), point(to), &style, true).map_err(failed)
    }

    /// Draws a dashed line through `points`; the dash pattern continues around corners.
    pub(super) fn dashed_path(&mut self, points: &[(f64, f64)], width: f64, colour: Rgb) -> Result<()> {
        const DASH: [f64; 2] = [9.0, 7.0];
        let (mut phase, mut left) = (0, DASH[0]);
        let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
        for pair in points.windows(2) {
            let (mut from, to) = (pair[0], pair[1]);
            loop {
                let length = (to.0 - from.0).hypot(to.1 - from.1);
                if length < left {
                    left -= length;
                    dash.push(to);
                    break;
                }
                let share = left / length;
                from = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
                dash.push(from);
                if phase == 0 {
                    self.path(&dash, width, colour)?;
                }
                phase = 1 - phase;
                left = DASH[phase];
                dash = vec![from];
            }
        }
        if phase == 0 && dash.len() > 1 { self.path(&dash, width, colour) } else { Ok(()) }
    }

    /// Writes one line of text, centred vertically on `at`.
    pub(super) fn text(
        &mut self,
        text: &str,
        at: (f64, f64),
        size: f64,
        anchor: Anchor,
        colour: Rgb,
    ) -> Result<()> {
        let position = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = if size >= TITLE { FontStyle::Bold } else { FontStyle::Normal };
        // Compensates for the backend, which divides sizes by 1.24.
        let font = FontDesc::new(FontFamily::Name(FAMILY), size * SCALE * 1.24, style)
            .transform(FontTransform::None);
        let style = font.color(&stroke(colour, 1.0).color).pos(Pos::new(position, VPos::Center));
        // XML cannot represent control characters.
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.backend.draw_text(&text, &style, point(at)).map_err(failed)
    }

    /// Writes lines of text from the top edge `y` downwards. Returns the y below them.
    pub(super) fn lines(
        &mut self,
        lines: &[String],
        (x, y): (f64, f64),
        size: f64,
        colour: Rgb,
    ) -> Result<f64> {
        let mut y = y;
        for line in lines {
            self.text(line, (x, y + size * LINE / 2.0), size, Anchor::Start, colour)?;
            y += size * LINE;
        }
        Ok(y)
    }
}

fn pixels(length: f64) -> i32 {
    (length * SCALE).round() as i32
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (pixels(x), pixels(y))
}

fn stroke([red, green, blue]: Rgb, width: f64) -> ShapeStyle {
    ShapeStyle { color: RGBColor(red, green, blue).into(), filled: true, stroke_width: pixels(width) as u32 }
}

fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn failed(reason: impl Display) -> Error {
    Error::io("drawing", "the figure", reason)
}

/// Escapes `text` for use as the value of an attribute.
fn escape(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control(), " ").replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An upper estimate of the width of `text`: the viewer chooses the font, so the estimate is for a wide one (DejaVu
/// Sans).
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '\'' | '|' | ' ' | '.' | ',' | ':' | ';' | 'I' => 0.34,
            'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' | '!' | '"' => 0.42,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.98,
            'A'..='Z' | '+' | '<' | '=' | '>' | '\u{2212}' | '\u{d7}' => 0.76,
            '\u{2070}'..='\u{207f}' | '\u{b9}' | '\u{b2}' | '\u{b3}' => 0.42,
            ' '..='~' => 0.64,
            // Greek and similar scripts; later characters count as full width.
            '\u{a0}'..='\u{2fff}' => 0.8,
            _ => 1.0,
        })
        .sum();
    em * size
}

/// Breaks `text` into lines no wider than `width`, at spaces if possible.
pub(super) fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    // Bold titles are wider than the estimate for regular text.
    let size = if size >= TITLE { size * 1.1 } else { size };
    let mut lines: Vec<String> = Vec::new();
    // Starts with one word per line; joins neighbours while they fit and cuts words that are too wide.
    for word in font::wrap(text, 1) {
        let mut piece = match lines.pop() {
            Some(last) if text_width(&format!("{last} {word}"), size) <= width => {
                lines.push(format!("{last} {word}"));
                continue;
            }
            last => {
                lines.extend(last);
                String::new()
            }
        };
        for c in word.chars() {
            piece.push(c);
            if text_width(&piece, size) > width && piece.chars().count() > 1 {
                piece.pop();
                lines.push(core::mem::replace(&mut piece, String::from(c)));
            }
        }
        lines.push(piece);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_the_width_and_loses_no_character() {
        let text = "a line of words, and an_unbreakable_word_that_is_longer_than_the_line by far";
        let lines = wrap(text, TEXT, 200.0);
        assert!(lines.iter().all(|line| text_width(line, TEXT) <= 200.0), "{lines:?}");
        let squeezed = |text: &str| text.replace(' ', "");
        assert_eq!(squeezed(&lines.concat()), squeezed(text));
        assert!(wrap("", TEXT, 200.0).is_empty());
        assert_eq!(wrap("MM", TEXT, 1.0), ["M", "M"]);
    }

    #[test]
    fn text_is_escaped_and_every_theme_colour_has_a_dark_value() {
        let svg = draw(40.0, "a \"b\" <c> & d\u{1}", |canvas| {
            canvas.text("<script> & \u{7}", (10.0, 10.0), TEXT, Anchor::Start, INK.light)
        })
        .unwrap();
        assert!(svg.contains("a &quot;b&quot; &lt;c&gt; &amp; d "));
        assert!(svg.contains("&lt;script&gt; &amp;") && !svg.contains('\u{7}'));
        assert!(svg.contains(".eq-figure [fill=\"#1F2328\"]{fill:#E6E9EC}"), "{svg}");
        assert!(
            svg.contains("fill=\"#1F2328\""),
            "the colour that the style sheet looks for is the one drawn"
        );
    }

    #[test]
    fn dashes_cover_the_line_from_its_start_and_leave_gaps() {
        let svg =
            draw(10.0, "", |canvas| canvas.dashed_path(&[(0.0, 5.0), (25.0, 5.0)], 2.0, INK.light)).unwrap();
        let dashes: Vec<&str> =
            svg.split("points=\"").skip(1).map(|s| s.split('"').next().unwrap()).collect();
        assert_eq!(dashes, ["0,50 90,50 ", "160,50 250,50 "]);
    }
}
