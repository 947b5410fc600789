//! The text and the checks that `rbm filters` and `dbm filters` share.

use super::output::counted;
use crate::evaluate::filters::claims::{Claim, Evidence};
use crate::{Error, Result};
use std::path::Path;

/// A line for each claim, and one for each measure that supports or contradicts it.
pub(super) fn describe(claims: &[Claim]) -> String {
    let evidence = |evidence: &Evidence| match evidence.medians() {
        None => format!("    {}: {} %\n", evidence.measure, evidence.chance()),
        Some([more, less]) => {
            format!(
                "    {}: {more} and {less}, larger in {} % of pairs\n",
                evidence.measure,
                evidence.chance()
            )
        }
    };
    let lines = |claim: &Claim| {
        let Claim { more, less, .. } = claim;
        let sets = if less.is_empty() { more.clone() } else { format!("{more} compared with {less}") };
        let evidence: String = claim.evidence.iter().map(evidence).collect();
        format!("{}: {} ({sets})\n{evidence}", claim.claim, claim.verdict.name())
    };
    claims.iter().map(lines).collect()
}

/// The number of filters on a sheet, the range of their norms, and the picture, for the output of a command.
pub(super) fn summary_line(norms: &[f64], picture: &Path) -> String {
    let [largest, smallest] = [norms.first(), norms.last()].map(|norm| norm.copied().unwrap_or_default());
    let (count, picture) = (counted(norms.len(), "filter"), picture.display());
    format!("{count} with norms from {largest:.2} to {smallest:.2}; wrote {picture}\n")
}

/// Returns an error if --count is 0.
pub(super) fn check_count(count: usize) -> Result<()> {
    if count > 0 { Ok(()) } else { Err(Error::invalid("--count 0", "at least 1 filter can be shown")) }
}

/// Returns an error if a machine to compare with has another number of visible units.
pub(super) fn check_visible(argument: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let problem = format!("has {found} visible units; machines side by side need as many, here {expected}");
    Err(Error::invalid(argument, problem))
}

/// Returns an error if the other machine learned from images of another height and width. Unknown sizes are accepted.
pub(super) fn check_size(argument: &str, found: Option<[usize; 2]>, expected: [usize; 2]) -> Result<()> {
    let Some(found) = found.filter(|&found| found != expected) else { return Ok(()) };
    let [found, expected] = [found, expected].map(|[height, width]| format!("{height}x{width}"));
    let problem = format!(
        "learned from images of {found} pixels; machines side by side see images of one size, here {expected}"
    );
    Err(Error::invalid(argument, problem))
}
