//! Experiments: measurements with their tables, charts and contact sheets.
//!
//! A command of the command line runs one experiment; [`reproduce`] runs all experiments of the report.

pub(crate) mod divergences;
pub(crate) mod filters;
pub(crate) mod games;
pub(crate) mod literature;
pub(crate) mod mixing;
pub(crate) mod reconstruction;
pub(crate) mod reproduce;
pub(crate) mod toys;
