//! Figures and pages for people: contact sheets (PNG), plots and heat maps (SVG), pages (HTML).
//!
//! This module formats numbers that other modules computed. It reads no files, writes no files and knows no models.

#[cfg(feature = "cli")]
mod axis;
#[cfg(feature = "cli")]
pub(crate) mod base64;
mod colour;
mod font;
#[cfg(feature = "cli")]
mod heat_map;
#[cfg(feature = "cli")]
pub mod numbers;
#[cfg(feature = "cli")]
mod page;
mod picture;
#[cfg(feature = "cli")]
mod plot;
mod sheet;
#[cfg(feature = "cli")]
mod svg;
#[cfg(feature = "cli")]
mod ticks;
#[cfg(feature = "cli")]
mod transport;

#[cfg(feature = "cli")]
pub use heat_map::HeatMap;
#[cfg(feature = "cli")]
pub use page::{Answer, Claim, Figure, Outcome, Page, Section, SectionHtml, Table};
pub use picture::picture;
#[cfg(feature = "cli")]
pub use plot::{LinePlot, Series};
pub use sheet::ContactSheet;
#[cfg(feature = "cli")]
pub use transport::{Masses, PlanFigure, StripFigure};
