//! The methods of colour transfer and their settings.

use super::space::ColourSpace;
use crate::{Error, Result};
use alloc::format;

/// A method of colour transfer.
///
/// ```
/// use equilibria::transport::colour::{ColourMethod, ColourSettings};
/// let settings = ColourSettings::of(ColourMethod::Palette);
/// assert_eq!(settings.space(), ColourMethod::Palette.default_space());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMethod {
    /// Changes nothing.
    Identity,
    /// Gives each coordinate the target's mean and variance (Reinhard et al. 2001).
    MeanVariance,
    /// The optimal map between normal distributions with the means and covariances of both images (Pitié & Kokaram 2007).
    Linear,
    /// Histogram matching of each coordinate, then the linear map, then histogram matching (Hahne & Aggoun 2021).
    HistogramMatching,
    /// Iterative distribution transfer, then regraining (Pitié, Kokaram & Dahyot 2007).
    Iterative,
    /// The exact plan between sampled pixels; every other pixel moves with its nearest sampled one (Ferradans et al. 2014).
    ReportExact,
    /// As [`ColourMethod::ReportExact`], with an entropic plan.
    ReportEntropic,
    /// A smooth map between weighted palettes of all pixels, and an edge-aware filter.
    Palette,
}

impl ColourMethod {
    /// All methods.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::MeanVariance,
        Self::Linear,
        Self::HistogramMatching,
        Self::Iterative,
        Self::ReportExact,
        Self::ReportEntropic,
        Self::Palette,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::MeanVariance => "mean-variance",
            Self::Linear => "linear",
            Self::HistogramMatching => "histogram-matching",
            Self::Iterative => "iterative",
            Self::ReportExact => "report-exact",
            Self::ReportEntropic => "report-entropic",
            Self::Palette => "palette",
        }
    }

    /// The space in which this method works unless the caller chooses another.
    pub fn default_space(self) -> ColourSpace {
        match self {
            Self::MeanVariance => ColourSpace::OkLab,
            _ => ColourSpace::Srgb,
        }
    }

    /// True for the methods that are reproduced as they were, without any protection.
    pub(super) fn is_report(self) -> bool {
        matches!(self, Self::ReportExact | Self::ReportEntropic)
    }
}

/// The settings of a colour transfer.
///
/// ```
/// use equilibria::transport::colour::{ColourMethod, ColourSettings, ColourSpace};
/// let settings = ColourSettings { space: Some(ColourSpace::Srgb), ..ColourSettings::of(ColourMethod::Linear) };
/// assert_eq!(settings.space(), ColourSpace::Srgb);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourSettings {
    /// The method.
    pub method: ColourMethod,
    /// The space of distances, means and variances; `None` is [`ColourMethod::default_space`].
    pub space: Option<ColourSpace>,
    /// The part of the change of each colour that is made, 0 to 1.
    pub strength: f32,
    /// Keeps the luma of every pixel.
    pub keep_luminance: bool,
    /// Filters the displacement over the image, so that noise and the steps of 8 bits are not amplified:
    /// [`ColourMethod::Palette`] only.
    pub filter: bool,
    /// The number of sampled pixels of each image: the report's methods only.
    pub samples: usize,
    /// ε, in squared units of the space: the entropic methods only. `None` is 0.1 for the report's
    /// method and 0.0005 for [`ColourMethod::Palette`], which uses it at the finest scale.
    pub epsilon: Option<f64>,
    /// ρ of unbalanced transport, in squared units of the space: [`ColourMethod::Palette`] only. Smaller values leave more of
    /// the target's mass unused. `None` uses all of it.
    pub mass_relaxation: Option<f64>,
    /// The seed of sampled pixels and random directions.
    pub seed: u64,
}

impl Default for ColourSettings {
    fn default() -> Self {
        Self {
            method: ColourMethod::Palette,
            space: None,
            strength: 1.0,
            keep_luminance: false,
            filter: true,
            samples: 1000,
            epsilon: None,
            mass_relaxation: None,
            seed: 1,
        }
    }
}

impl ColourSettings {
    /// The default settings of a method.
    pub fn of(method: ColourMethod) -> Self {
        Self { method, ..Self::default() }
    }

    /// The space of distances.
    pub fn space(&self) -> ColourSpace {
        self.space.unwrap_or(self.method.default_space())
    }

    /// Returns an error if a setting is outside its range.
    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.strength) {
            return Err(Error::invalid(
                format!("strength {}", self.strength),
                "a strength is between 0 and 1",
            ));
        }
        if self.samples == 0 || self.samples > 100_000 {
            let given = format!("{} sampled pixels", self.samples);
            return Err(Error::invalid(given, "between 1 and 100000 are needed"));
        }
        let names = [("epsilon", self.epsilon), ("mass relaxation", self.mass_relaxation)];
        for (name, value) in names.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::invalid(
                    format!("{name} {value}"),
                    "it is a positive finite number in squared units of the colour space",
                ));
            }
        }
        Ok(())
    }
}
