//! HTML pages that document a run and its results: one file, without external resources. The only script moves the slider
//! of a figure with two pictures; without it they are side by side.

use super::base64;
use crate::{Error, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Images up to this width are shown pixel by pixel on a desktop; wider images are scaled down smoothly.
const COLUMN: u32 = 920;
const STYLE: &str = include_str!("page.css");
const SLIDER: &str = include_str!("slider.js");

/// A picture with a caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    picture: Picture,
    caption: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Picture {
    Svg(String),
    Png { bytes: Vec<u8>, alternative: String },
    Pair { sides: [Side; 2] },
}

/// One of two pictures that are compared.
#[derive(Debug, Clone, PartialEq)]
struct Side {
    bytes: Vec<u8>,
    label: String,
}

impl Figure {
    /// Creates a figure from a plot or a heat map, as its `to_svg` returned it.
    pub fn svg(svg: impl Into<String>, caption: impl Into<String>) -> Self {
        Self { picture: Picture::Svg(svg.into()), caption: caption.into() }
    }

    /// Creates a figure from a contact sheet, as its `to_png` returned it; `alternative` describes it in words.
    pub fn png(bytes: Vec<u8>, alternative: impl Into<String>, caption: impl Into<String>) -> Self {
        Self { picture: Picture::Png { bytes, alternative: alternative.into() }, caption: caption.into() }
    }

    /// Creates a figure of two PNG files of one size, each with a label, and a slider that shows more of one or the other. Without
    /// scripts and in print they are side by side.
    pub fn before_and_after(pictures: [(Vec<u8>, &str); 2], caption: impl Into<String>) -> Self {
        let sides = pictures.map(|(bytes, label)| Side { bytes, label: label.into() });
        Self { picture: Picture::Pair { sides }, caption: caption.into() }
    }

    fn to_html(&self) -> Result<Markup> {
        let picture = match &self.picture {
            Picture::Pair { sides } => {
                let sides = [self.side(&sides[0])?, self.side(&sides[1])?];
                html! { div.compare { @for side in &sides { (side) } } }
            }
            Picture::Svg(svg) => {
                let is_figure = svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>");
                if !is_figure || svg.contains("<script") {
                    let expected = "it must be one <svg> element without scripts, as `to_svg` returns it";
                    return Err(Error::invalid(format!("figure {:?}", self.caption), expected));
                }
                // The writer of the SVG has escaped its texts.
                html! { (PreEscaped(svg)) }
            }
            Picture::Png { bytes, alternative } => {
                let (source, [width, height]) = self.data(bytes)?;
                // On a phone, a wide sheet scrolls in its box instead of shrinking until its labels are unreadable.
                let narrowest = u64::from(width) * 9 / 20;
                html! {
                    div.paper tabindex="0" {
                        img.crisp[width <= COLUMN] src=(source) width=(width) height=(height)
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

impl Figure {
    /// The address that holds a PNG file, and its width and height.
    fn data(&self, bytes: &[u8]) -> Result<(String, [u32; 2])> {
        let (width, height) = png_size(bytes).ok_or_else(|| {
            let place = format!("figure {:?}", self.caption);
            Error::malformed(place, 0, "not a PNG file; pass what `to_png` returns")
        })?;
        Ok((format!("data:image/png;base64,{}", base64::encode(bytes)), [width, height]))
    }

    fn side(&self, Side { bytes, label }: &Side) -> Result<Markup> {
        let (source, [width, height]) = self.data(bytes)?;
        Ok(html! {
            div.side {
                img src=(source) width=(width) height=(height) alt=(label);
                span { (label) }
            }
        })
    }

    fn has_slider(&self) -> bool {
        matches!(self.picture, Picture::Pair { .. })
    }
}

/// Width and height from the header of a PNG file.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let (width, rest) = header.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// A table; on a narrow screen it scrolls within its own box.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Column {
    name: String,
    unit: String,
    is_number: bool,
}

/// A text cell with more characters than this may take several lines.
const LONG: usize = 20;

impl Table {
    /// Creates a table without columns; `caption` is written above it and may be empty.
    pub fn new(caption: impl Into<String>) -> Self {
        Self { caption: caption.into(), ..Self::default() }
    }

    /// Adds a column of text.
    pub fn text_column(mut self, name: impl Into<String>) -> Self {
        self.columns.push(Column { name: name.into(), unit: String::new(), is_number: false });
        self
    }

    /// Adds a column of numbers, aligned right; `unit` may be empty.
    pub fn number_column(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        self.columns.push(Column { name: name.into(), unit: unit.into(), is_number: true });
        self
    }

    /// Adds a row of cells.
    pub fn row(mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    fn to_html(&self) -> Result<Markup> {
        if let Some(row) = self.rows.iter().find(|row| row.len() != self.columns.len()) {
            return Err(Error::ShapeMismatch {
                operation: "row of a table",
                expected: vec![self.columns.len()],
                found: vec![row.len()],
            });
        }
        let class = |column: &Column| column.is_number.then_some("number");
        // Long texts may wrap; short texts and numbers may not.
        let of_cell = |column: &Column, cell: &String| match !column.is_number && cell.len() > LONG {
            true => Some("long"),
            false => class(column),
        };
        Ok(html! {
            // Focusable, so that the table can be scrolled with the keyboard.
            div.scroll tabindex="0" role="region" aria-label=(if self.caption.is_empty() { "table" } else { &self.caption }) {
                table {
                    @if !self.caption.is_empty() { caption { (prose(&self.caption)) } }
                    thead { tr {
                        @for column in &self.columns {
                            th scope="col" class=[class(column)] {
                                (column.name)
                                @if !column.unit.is_empty() { " " small { (column.unit) } }
                            }
                        }
                    } }
                    tbody {
                        @for row in &self.rows {
                            tr { @for (column, cell) in self.columns.iter().zip(row) { td class=[of_cell(column, cell)] { (cell) } } }
                        }
                    }
                }
            }
        })
    }
}

/// A heading with blocks below it, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    heading: String,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
enum Block {
    Paragraph(String),
    Figures(Vec<Figure>),
    Table(Table),
}

impl Section {
    /// Creates a section without blocks.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), blocks: Vec::new() }
    }

    /// Adds a paragraph; text between backticks is set as code.
    pub fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Paragraph(text.into()));
        self
    }

    /// Adds paragraphs.
    pub fn paragraphs(self, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        texts.into_iter().fold(self, Self::paragraph)
    }

    /// Adds a figure.
    pub fn figure(self, figure: Figure) -> Self {
        self.figures([figure])
    }

    /// Adds figures side by side; on a narrow screen they are stacked.
    pub fn figures(mut self, figures: impl IntoIterator<Item = Figure>) -> Self {
        self.blocks.push(Block::Figures(figures.into_iter().collect()));
        self
    }

    /// Adds a table.
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }

    fn has_slider(&self) -> bool {
        self.blocks.iter().any(|block| match block {
            Block::Figures(figures) => figures.iter().any(Figure::has_slider),
            _ => false,
        })
    }

    fn to_html(&self) -> Result<Markup> {
        let block = |block: &Block| match block {
            Block::Paragraph(text) => Ok(html! { p { (prose(text)) } }),
            Block::Table(table) => table.to_html(),
            Block::Figures(figures) => {
                let figures = figures.iter().map(Figure::to_html).collect::<Result<Vec<_>>>()?;
                Ok(html! { div.figures { @for figure in &figures { (figure) } } })
            }
        };
        let blocks = self.blocks.iter().map(block).collect::<Result<Vec<_>>>()?;
        Ok(html! {
            section {
                @if !self.heading.is_empty() { h2 { (self.heading) } }
                @for block in &blocks { (block) }
            }
        })
    }
}

/// A page of sections with figures and tables, and the settings of the run.
///
/// The HTML is one self-contained file. It loads no resources, fits a phone screen and follows the reader's light or dark
/// theme. It has no script, except for the sliders of [`Figure::before_and_after`]. All texts are escaped.
///
/// ```
/// # fn main() -> equilibria::Result<()> {
/// use equilibria::report::{Page, Section, Table};
/// let table = Table::new("Errors").text_column("set").number_column("error", "nats per image").row(["test", "127.1"]);
/// let page = Page::new("A run")
///     .lead("The main result in a sentence.")
///     .section(Section::new("Errors").paragraph("Lower is better.").table(table))
///     .command("equilibria reproduce")
///     .setting("seed", "1");
/// assert!(page.to_html()?.contains("Lower is better."));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    title: String,
    lead: String,
    sections: Vec<Section>,
    command: String,
    settings: Vec<(String, String)>,
    footer: String,
}

impl Page {
    /// Creates a page with only a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Sets the paragraph under the title.
    pub fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead = text.into();
        self
    }

    /// Adds a section.
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Sets the command line that the block "How it was run" shows.
    pub fn command(mut self, line: impl Into<String>) -> Self {
        self.command = line.into();
        self
    }

    /// Adds a line to the block "How it was run".
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Sets the small print at the end.
    pub fn footer(mut self, text: impl Into<String>) -> Self {
        self.footer = text.into();
        self
    }

    /// The page as one HTML file.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the title is empty or a figure is not SVG; [`Error::Malformed`] if an
    /// image is not PNG; [`Error::ShapeMismatch`] if the number of cells in a row of a table is not the number of its
    /// columns.
    pub fn to_html(&self) -> Result<String> {
        if self.title.trim().is_empty() {
            return Err(Error::invalid("page without a title", "a page needs a title that names it"));
        }
        let sections = self.sections.iter().map(Section::to_html).collect::<Result<Vec<_>>>()?;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    // An empty icon prevents the browser from requesting one from the server.
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        header {
                            h1 { (self.title) }
                            @if !self.lead.is_empty() { p.lead { (prose(&self.lead)) } }
                        }
                        @for section in &sections { (section) }
                        (self.how_it_was_run())
                        @if !self.footer.is_empty() { footer { (prose(&self.footer)) } }
                    }
                    @if self.sections.iter().any(Section::has_slider) { script { (PreEscaped(SLIDER)) } }
                }
            }
        };
        Ok(page.into_string())
    }

    fn how_it_was_run(&self) -> Markup {
        if self.command.is_empty() && self.settings.is_empty() {
            return Markup::default();
        }
        html! {
            section {
                h2 { "How it was run" }
                div.run {
                    @if !self.command.is_empty() { pre { code { (command_line(&self.command)) } } }
                    @if !self.settings.is_empty() {
                        dl { @for (name, value) in &self.settings { dt { (name) } dd { (value) } } }
                    }
                }
            }
        }
    }
}

/// A command whose lines break between arguments, not at hyphens within an argument.
fn command_line(command: &str) -> Markup {
    html! {
        @for (i, word) in command.split(' ').enumerate() {
            @if i > 0 { " " }
            span { (word) }
        }
    }
}

/// Text with code between backticks; a backtick without a partner is left unchanged.
fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (i, part) in parts.iter().enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
