//! One error type for the crate: what was wrong, where, and what would be right.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The result of everything that can fail on bad input.
pub type Result<T> = core::result::Result<T, Error>;

/// What was wrong, where, and what would be right.
///
/// `Display` gives one sentence for a person; the fields are for programs.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// An operand has a shape that the operation cannot use.
    ShapeMismatch {
        /// What was being computed.
        operation: &'static str,
        /// The shape that would fit.
        expected: Vec<usize>,
        /// The shape that was given.
        found: Vec<usize>,
    },
    /// A setting or argument is outside its range.
    InvalidArgument {
        /// The argument as the user wrote it, for instance `--hidden 0`.
        argument: String,
        /// What would be right.
        expected: String,
    },
    /// A file or byte string is not what its format says.
    Malformed {
        /// The file, or what the bytes were said to be.
        place: String,
        /// Offset in bytes (of the uncompressed content) at which it shows.
        offset: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Something that was looked for is not there.
    NotFound {
        /// What was looked for.
        what: String,
        /// Where.
        place: String,
        /// How to get it.
        remedy: String,
    },
    /// The operating system refused.
    Io {
        /// What was being done, for instance `reading`.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// The system's own words.
        reason: String,
    },
    /// Training left the range of numbers that any sane model has, or of finite ones.
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Mini-batch within the epoch, counted from 1.
        batch: usize,
        /// What showed it, for instance `weight is no longer finite`.
        symptom: String,
        /// The likely cause and what to do.
        cause: String,
    },
    /// The user asked to stop.
    Interrupted {
        /// How to go on.
        resume: String,
    },
}

impl Error {
    /// [`Error::InvalidArgument`] from anything printable.
    pub fn invalid(argument: impl ToString, expected: impl ToString) -> Self {
        Self::InvalidArgument { argument: argument.to_string(), expected: expected.to_string() }
    }

    /// [`Error::Malformed`] from anything printable.
    pub fn malformed(place: impl ToString, offset: u64, problem: impl ToString) -> Self {
        Self::Malformed { place: place.to_string(), offset, problem: problem.to_string() }
    }

    /// [`Error::Io`] about the file or folder `place`.
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
            Self::Malformed { place, offset, problem } => write!(f, "{place}: at byte {offset}: {problem}"),
            Self::NotFound { what, place, remedy } => write!(f, "{what} not found in {place}; {remedy}"),
            Self::Io { action, place, reason } => write!(f, "{action} {place}: {reason}"),
            Self::Diverged { epoch, batch, symptom, cause } => {
                write!(f, "diverged in epoch {epoch}, batch {batch}: {symptom}; {cause}")
            }
            Self::Interrupted { resume } => write!(f, "interrupted; {resume}"),
        }
    }
}

impl core::error::Error for Error {}

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
