//! Sections of a page.

use super::figure::Figure;
use super::table::Table;
use super::text::prose;
use crate::Result;
use maud::{Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A claim or a question of the report, and the answer that a section gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The claim or the question, as a sentence.
    pub asked: String,
    /// The answer in one or two words, for instance `confirmed`.
    pub verdict: String,
    /// The answer as a sentence with its numbers.
    pub found: String,
}

/// A heading with blocks below it, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Section {
    heading: String,
    id: String,
    claims: Vec<Claim>,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
enum Block {
    Paragraph(String),
    Figures(Vec<Figure>),
    Table(Table),
    Panel { name: &'static str, data: Value, fallback: Option<Figure> },
    Folded { summary: String, blocks: Vec<Block> },
}

impl Section {
    /// Creates a section without blocks.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), ..Self::default() }
    }

    /// Sets the name by which links find the section: letters, digits and hyphens.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Adds a line to the table of claims at the top of the page.
    pub fn claim(
        mut self,
        asked: impl Into<String>,
        verdict: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        self.claims.push(Claim { asked: asked.into(), verdict: verdict.into(), found: found.into() });
        self
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

    /// Adds a panel that the page's script `name` fills from `data`. Without scripts, and in print, the page shows `fallback`.
    pub fn panel(mut self, name: &'static str, data: Value, fallback: Option<Figure>) -> Self {
        self.blocks.push(Block::Panel { name, data, fallback });
        self
    }

    /// Adds the blocks of `inside` behind a line that opens them.
    pub fn folded(mut self, summary: impl Into<String>, inside: Self) -> Self {
        self.blocks.push(Block::Folded { summary: summary.into(), blocks: inside.blocks });
        self
    }

    /// The section as HTML.
    ///
    /// **Errors** as [`Page::to_html`](super::Page::to_html).
    pub fn to_html(&self) -> Result<SectionHtml> {
        let blocks = self.blocks.iter().map(Block::to_html).collect::<Result<Vec<_>>>()?;
        let html = html! {
            section id=[Some(&self.id).filter(|id| !id.is_empty())] {
                @if !self.heading.is_empty() { h2 { (self.heading) } }
                @for block in &blocks { (block) }
            }
        };
        let (heading, id, claims) = (self.heading.clone(), self.id.clone(), self.claims.clone());
        Ok(SectionHtml { heading, id, claims, html: html.into_string() })
    }
}

impl Block {
    fn to_html(&self) -> Result<Markup> {
        Ok(match self {
            Self::Paragraph(text) => html! { p { (prose(text)) } },
            Self::Table(table) => table.to_html()?,
            Self::Figures(figures) => {
                let figures = figures.iter().map(Figure::to_html).collect::<Result<Vec<_>>>()?;
                html! { div.figures { @for figure in &figures { (figure) } } }
            }
            Self::Panel { name, data, fallback } => {
                let fallback = fallback.as_ref().map(Figure::to_html).transpose()?;
                // Inside a script element only `<` could end the data.
                let data = data.to_string().replace('<', "\\u003c");
                html! {
                    div.panel data-panel=(name) {
                        script type="application/json" { (PreEscaped(data)) }
                        @if let Some(figure) = fallback { div.still { (figure) } }
                    }
                }
            }
            Self::Folded { summary, blocks } => {
                let blocks = blocks.iter().map(Self::to_html).collect::<Result<Vec<_>>>()?;
                html! { details { summary { (summary) } @for block in &blocks { (block) } } }
            }
        })
    }
}

/// A section as HTML, with the parts from which a page makes its contents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionHtml {
    pub(super) heading: String,
    pub(super) id: String,
    pub(super) claims: Vec<Claim>,
    pub(super) html: String,
}
