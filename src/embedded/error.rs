//! Errors that own no memory.

use core::fmt;

/// A file or a buffer that a stored model cannot use. It owns no memory.
///
/// ```
/// use equilibria::embedded::StoredMachine;
/// let error = StoredMachine::from_bytes(b"no model").unwrap_err();
/// assert!(!error.to_string().is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes are not a safetensors file that this module reads.
    Header {
        /// The position in the file, in bytes.
        offset: usize,
        /// The fault, as a clause.
        problem: &'static str,
    },
    /// The metadata describe a model that cannot run here.
    Metadata {
        /// The key.
        key: &'static str,
        /// The fault, as a clause.
        problem: &'static str,
    },
    /// A tensor is missing or does not fit the model.
    Tensor {
        /// The name of the tensor.
        name: TensorName,
        /// The fault, as a clause.
        problem: &'static str,
    },
    /// The file has another checksum than its metadata promise: it is damaged.
    Checksum {
        /// The checksum of the content.
        found: u32,
    },
    /// A buffer of the caller has the wrong length.
    Buffer {
        /// The argument.
        name: &'static str,
        /// The least length, in numbers.
        needed: usize,
        /// The length of the argument.
        found: usize,
    },
    /// A layer or a range of units that the machine does not have.
    Units {
        /// The layer, 0 for the visible one.
        layer: usize,
        /// The end of the range.
        end: usize,
        /// The number of units in the layer, 0 if there is no such layer.
        units: usize,
    },
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { offset, problem } => write!(f, "at byte {offset}: {problem}"),
            Self::Metadata { key, problem } => write!(f, "metadata `{key}`: {problem}"),
            Self::Tensor { name, problem } => write!(f, "tensor `{name}`: {problem}"),
            Self::Checksum { found } => {
                write!(
                    f,
                    "the content has the checksum {found:08x}, not the one in the metadata; it is damaged"
                )
            }
            Self::Buffer { name, needed, found } => {
                write!(f, "`{name}` holds {found} numbers; {needed} are needed")
            }
            Self::Units { layer, end, units } => {
                write!(f, "layer {layer} has {units} units; the range ends at {end}")
            }
        }
    }
}

impl core::error::Error for ModelError {}

/// Checks that a buffer of the caller is long enough, and returns the part in use.
pub(super) fn first_of<'a>(
    name: &'static str,
    buffer: &'a mut [f32],
    needed: usize,
) -> Result<&'a mut [f32], ModelError> {
    let found = buffer.len();
    buffer.get_mut(..needed).ok_or(ModelError::Buffer { name, needed, found })
}

/// The name of a tensor, such as `weight_2` or `generator.3.bias`.
///
/// ```
/// use equilibria::{Tensor, boltzmann::Rbm, checkpoint::Archive, embedded::{ModelError, StoredMachine}};
/// let mut archive = Archive::new();
/// archive.insert_f32("weight", &[1, 1], &[0.5])?;
/// archive.insert_f32("visible_bias", &[1], &[0.0])?;
/// let bytes = archive.to_bytes()?;
/// let Err(ModelError::Tensor { name, .. }) = StoredMachine::from_bytes(&bytes) else { panic!("a bias is missing") };
/// assert_eq!(name.as_str(), "hidden_bias");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TensorName {
    bytes: [u8; 48],
    len: usize,
}

impl TensorName {
    /// A name of at most 48 bytes.
    pub(super) fn new(parts: &[&str]) -> Self {
        let mut name = Self { bytes: [0; 48], len: 0 };
        parts.iter().flat_map(|part| part.bytes()).for_each(|byte| name.push(byte));
        name
    }

    /// A name with a number in the middle.
    pub(super) fn numbered(before: &str, number: usize, after: &str) -> Self {
        let mut digits = [0; 20];
        Self::new(&[before, decimal(number, &mut digits), after])
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("?")
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }
}

impl fmt::Debug for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The digits of a number, at the end of `digits`.
pub(super) fn decimal(number: usize, digits: &mut [u8; 20]) -> &str {
    let (mut rest, mut first) = (number, digits.len());
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return core::str::from_utf8(&digits[first..]).unwrap_or("?");
        }
    }
}
