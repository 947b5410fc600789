//! The error type of the crate: what is wrong, where, and how to correct it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The result of a function that can fail.
pub type Result<T> = core::result::Result<T, Error>;

/// An error: what is wrong, where, and how to correct it.
///
/// `Display` writes one sentence for a person; the fields are for programs.
///
/// ```
/// use equilibria::{Error, boltzmann::Rbm, rng::Stream};
/// let error = Rbm::<f32>::new(&[0.5, 1.5], 3, Stream::named(1, "init")).unwrap_err();
/// assert!(matches!(error, Error::InvalidArgument { .. }));
/// assert_eq!(error.to_string(), "a mean of 1.5: a number from 0 to 1 is needed");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// An operand has a shape that the operation cannot use.
    ShapeMismatch {
        /// The operation that was computed.
        operation: &'static str,
        /// The shape that is needed.
        expected: Vec<usize>,
        /// The shape that was given.
        found: Vec<usize>,
    },
    /// An option or argument is outside its range.
    InvalidArgument {
        /// The argument as the user wrote it, for instance `--hidden 0`.
        argument: String,
        /// The values that are allowed.
        expected: String,
    },
    /// A file or byte string does not follow its format.
    Malformed {
        /// The file, or a description of the bytes.
        place: String,
        /// Offset of the fault in bytes of the uncompressed content.
        offset: u64,
        /// The fault, and what would be correct.
        problem: String,
    },
    /// Data that can be read do not fit together, or cannot be used for this.
    Unusable {
        /// The data, or a part of them.
        data: String,
        /// The reason, and what would be usable.
        problem: String,
    },
    /// A file or another thing was not found.
    NotFound {
        /// The thing that was searched for.
        what: String,
        /// The place that was searched.
        place: String,
        /// Instructions to get it.
        remedy: String,
    },
    /// An operation of the operating system failed.
    Io {
        /// The operation, for instance `reading`.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// The message of the operating system.
        reason: String,
    },
    /// Training produced numbers that are not finite, or far outside the range of any sane model.
    Diverged {
        /// The place in training, for instance `epoch 3, batch 12`; empty if the caller counts the updates.
        place: String,
        /// The observation, for instance `weight is no longer finite`.
        symptom: String,
        /// The probable cause and how to avoid it.
        cause: String,
    },
    /// The user stopped the program.
    Interrupted {
        /// Instructions to continue.
        resume: String,
    },
}

impl Error {
    /// Creates an [`Error::InvalidArgument`].
    pub fn invalid(argument: impl ToString, expected: impl ToString) -> Self {
        Self::InvalidArgument { argument: argument.to_string(), expected: expected.to_string() }
    }

    /// Creates an [`Error::Malformed`].
    pub fn malformed(place: impl ToString, offset: u64, problem: impl ToString) -> Self {
        Self::Malformed { place: place.to_string(), offset, problem: problem.to_string() }
    }

    /// Creates an [`Error::Unusable`].
    pub fn unusable(data: impl ToString, problem: impl ToString) -> Self {
        Self::Unusable { data: data.to_string(), problem: problem.to_string() }
    }

    /// Creates the [`Error::Diverged`] of an update after which `parameter` is no longer finite.
    pub(crate) fn not_finite(parameter: impl fmt::Display) -> Self {
        Self::Diverged {
            place: String::new(),
            symptom: alloc::format!("{parameter} is no longer finite"),
            cause: "a lower learning rate may avoid it".into(),
        }
    }

    /// Creates an [`Error::Io`] about the file or folder `place`.
    #[cfg(feature = "std")]
    pub fn io(action: &'static str, place: impl AsRef<std::path::Path>, reason: impl ToString) -> Self {
        Self::Io { action, place: place.as_ref().display().to_string(), reason: reason.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShapeMismatch { operation, expected, found } => {
                write!(f, "{operation}: expected shape {}, found {}", Shape(expected), Shape(found))
            }
            Self::InvalidArgument { argument, expected } => write!(f, "{argument}: {expected}"),
            Self::Unusable { data, problem } => write!(f, "{data}: {problem}"),
            Self::Malformed { place, offset, problem } => write!(f, "{place}: at byte {offset}: {problem}"),
            Self::NotFound { what, place, remedy } => write!(f, "{what} not found in {place}; {remedy}"),
            Self::Io { action, place, reason } => write!(f, "{action} {place}: {reason}"),
            Self::Diverged { place, symptom, cause } => {
                let of = if place.is_empty() { "" } else { " in " };
                write!(f, "diverged{of}{place}: {symptom}; {cause}")
            }
            Self::Interrupted { resume } => write!(f, "interrupted; {resume}"),
        }
    }
}

impl core::error::Error for Error {}

/// The value of an option. The error is the part that says what would be right: clap puts the option and the value before it.
#[cfg(feature = "cli")]
pub(crate) fn parse<T: core::str::FromStr<Err = Error>>(text: &str) -> core::result::Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::InvalidArgument { expected, .. } => expected,
        error => error.to_string(),
    })
}

/// Writes a shape as `(100, 784)`.
pub(crate) struct Shape<'a>(pub(crate) &'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, size) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{size}")?;
        }
        f.write_str(")")
    }
}
