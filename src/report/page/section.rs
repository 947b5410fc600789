//! Sections of a page.

use super::figure::Figure;
use super::table::Table;
use super::text::prose;
use crate::Result;
use maud::{Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The relation of an answer to what the report says.
///
/// See the example of [`Section`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The report's claim is true here.
    Confirmed,
    /// A part of the report's claim is true here.
    PartlyConfirmed,
    /// The report's claim is not true here.
    NotConfirmed,
    /// The report's question has this answer.
    Answered,
    /// This run cannot tell, for instance because it is too short.
    NotSettled,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::PartlyConfirmed => "partly confirmed",
            Self::NotConfirmed => "not confirmed",
            Self::Answered => "answered",
            Self::NotSettled => "not settled",
        })
    }
}

/// The answer to a claim or a question of the report.
///
/// See the example of [`Section`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// In one or two words.
    pub outcome: Outcome,
    /// As a sentence with its numbers.
    pub text: String,
}

impl Answer {
    /// An answer with its sentence.
    pub fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { outcome, text: text.into() }
    }
}

/// A claim or a question of the report, and the answer that a section gives.
///
/// See the example of [`Section`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The claim or the question, as a sentence.
    pub asked: String,
    /// The answer that this page found.
    pub answer: Answer,
}

/// A heading with blocks below it, in the order in which they were added.
///
/// ```
/// use equilibria::report::{Answer, Figure, Outcome, Page, Section, picture};
/// let answer = Answer::new(Outcome::Confirmed, "The error is 0.1, half of the report's.");
/// let figure = Figure::png(picture([1, 1, 1], &[255])?, "a black pixel", "The error of each pixel.");
/// let section = Section::new("Errors").id("errors").claim("Is the error small?", &answer).figure(figure);
/// let page = Page::new("A run").section(section.to_html()?).to_html()?;
/// assert!(page.contains("Is the error small?") && page.contains("confirmed"));
/// # Ok::<(), equilibria::Error>(())
/// ```
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
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Adds a line to the table of claims at the top of the page.
    #[must_use]
    pub fn claim(mut self, asked: impl Into<String>, answer: &Answer) -> Self {
        self.claims.push(Claim { asked: asked.into(), answer: answer.clone() });
        self
    }

    /// Adds the answers as paragraphs, and each with its claim to the table at the top of the page.
    #[must_use]
    pub fn answers<'a>(
        self,
        asked: impl IntoIterator<Item = &'a str>,
        answers: impl IntoIterator<Item = &'a Answer>,
    ) -> Self {
        asked.into_iter().zip(answers).fold(self, |section, (asked, answer)| {
            section.claim(asked, answer).paragraph(answer.text.as_str())
        })
    }

    /// Adds a paragraph; text between backticks is set as code.
    #[must_use]
    pub fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Paragraph(text.into()));
        self
    }

    /// Adds paragraphs.
    #[must_use]
    pub fn paragraphs(self, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        texts.into_iter().fold(self, Self::paragraph)
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(self, figure: Figure) -> Self {
        self.figures([figure])
    }

    /// Adds figures side by side; on a narrow screen they are stacked.
    #[must_use]
    pub fn figures(mut self, figures: impl IntoIterator<Item = Figure>) -> Self {
        self.blocks.push(Block::Figures(figures.into_iter().collect()));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }

    /// Adds a panel that the page's script `name` fills from `data`. Without scripts, and in print, the page shows `fallback`.
    #[must_use]
    pub fn panel(mut self, name: &'static str, data: Value, fallback: Option<Figure>) -> Self {
        self.blocks.push(Block::Panel { name, data, fallback });
        self
    }

    /// Adds the blocks of `inside` behind a line that opens them.
    #[must_use]
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
///
/// See the example of [`Section`], whose `to_html` returns it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionHtml {
    pub(super) heading: String,
    pub(super) id: String,
    pub(super) claims: Vec<Claim>,
    pub(super) html: String,
}
