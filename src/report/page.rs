//! HTML pages that document a run and its results: one file, without external resources.

mod figure;
mod section;
mod table;
mod text;

pub use figure::Figure;
pub use section::{Answer, Claim, Outcome, Section, SectionHtml};
pub use table::Table;

use crate::{Error, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use text::prose;

const STYLE: &str = include_str!("page/style.css");
/// Fills the panels and moves the sliders; only pages with these have it.
const SCRIPT: &str = include_str!("page/panels.js");
/// Pages with fewer sections have no list of contents.
const LISTED: usize = 3;

/// A page of sections with figures and tables, and the settings of the run.
///
/// The HTML is one self-contained file. It loads no resources, fits a phone screen and follows the reader's light or dark
/// theme. All texts are escaped. It has a script only if a section has a panel or a slider, and is complete without it.
///
/// ```
/// # fn main() -> equilibria::Result<()> {
/// use equilibria::report::{Page, Section, Table};
/// let table = Table::new("Errors").text_column("set").number_column("error", "nats per image").row(["test", "127.1"]);
/// let page = Page::new("A run")
///     .lead("The main result in a sentence.")
///     .section(Section::new("Errors").paragraph("Lower is better.").table(table).to_html()?)
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
    sections: Vec<SectionHtml>,
    references: Vec<String>,
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
    #[must_use]
    pub fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead = text.into();
        self
    }

    /// Adds a section. A section with an id is in the list of contents.
    #[must_use]
    pub fn section(mut self, section: SectionHtml) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds a line to the list of references.
    #[must_use]
    pub fn reference(mut self, text: impl Into<String>) -> Self {
        self.references.push(text.into());
        self
    }

    /// Sets the command line that the block "How it was run" shows.
    #[must_use]
    pub fn command(mut self, line: impl Into<String>) -> Self {
        self.command = line.into();
        self
    }

    /// Adds a line to the block "How it was run".
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Sets the small print at the end.
    #[must_use]
    pub fn footer(mut self, text: impl Into<String>) -> Self {
        self.footer = text.into();
        self
    }

    /// The page as one HTML file.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the title is empty.
    pub fn to_html(&self) -> Result<String> {
        if self.title.trim().is_empty() {
            return Err(Error::invalid("page without a title", "a page needs a title that names it"));
        }
        let has_panels = self.sections.iter().any(|section| {
            ["data-panel=", "class=\"compare\""].iter().any(|mark| section.html.contains(mark))
        });
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
                        (self.contents())
                        (self.claims())
                        @for section in &self.sections { (PreEscaped(&section.html)) }
                        (self.how_it_was_run())
                        @if !self.references.is_empty() {
                            section id="references" {
                                h2 { "References" }
                                ol { @for reference in &self.references { li { (prose(reference)) } } }
                            }
                        }
                        @if !self.footer.is_empty() { footer { (prose(&self.footer)) } }
                    }
                    @if has_panels { script { (PreEscaped(SCRIPT)) } }
                }
            }
        };
        Ok(page.into_string())
    }

    /// Links to the sections.
    fn contents(&self) -> Markup {
        let listed: Vec<_> = self.sections.iter().filter(|section| !section.id.is_empty()).collect();
        if listed.len() < LISTED {
            return Markup::default();
        }
        html! {
            nav aria-label="Contents" {
                ol { @for section in listed { li { a href={ "#" (section.id) } { (section.heading) } } } }
            }
        }
    }

    /// The claims that the sections answer, with links to the sections.
    fn claims(&self) -> Markup {
        let claims = || {
            self.sections.iter().flat_map(|section| section.claims.iter().map(move |claim| (section, claim)))
        };
        if claims().next().is_none() {
            return Markup::default();
        }
        html! {
            section id="answers" {
                h2 { "What the report claims or asks, and the answers" }
                div.scroll tabindex="0" role="region" aria-label="answers" {
                    table.answers {
                        thead { tr { th scope="col" { "The report" } th scope="col" { "Verdict" } th scope="col" { "Found here" } } }
                        tbody {
                            @for (section, claim) in claims() {
                                tr {
                                    td.long { (prose(&claim.asked)) }
                                    td { a href={ "#" (section.id) } { (claim.answer.outcome.to_string()) } }
                                    td.long { (prose(&claim.answer.text)) }
                                }
                            }
                        }
                    }
                }
            }
        }
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
