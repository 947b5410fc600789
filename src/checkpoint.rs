//! Models and checkpoints as bytes: named tensors and a map of strings, in the safetensors format.
//!
//! ```text
//! 8 bytes          length n of the header, little-endian
//! n bytes          JSON: {"__metadata__": {key: text}, name: {"dtype", "shape", "data_offsets"}, ...}
//! the rest         the tensors' values, little-endian, row-major, without gaps
//! ```
//!
//! In Python, `safetensors.numpy.load_file` reads the same bytes. This module needs no operating system:
//! [`Archive::from_bytes`] also loads a model from flash memory.
//!
//! # Checksum
//! The metadata of every written file contain, under the key `crc32`, a CRC-32 (as in zlib) of the rest of the content,
//! as 8 hexadecimal digits in lower case. It does not depend on the order of the entries in the file. In Python, with
//! `header` the JSON and `data` the bytes after it:
//!
//! ```text
//! def crc32(header, data):
//!     metadata = {k: v for k, v in header.get("__metadata__", {}).items() if k != "crc32"}
//!     parts = [str(len(metadata)).encode()]
//!     for key in sorted(metadata):
//!         parts += [key.encode(), metadata[key].encode()]
//!     for name in sorted(header.keys() - {"__metadata__"}):
//!         tensor = header[name]
//!         begin, end = tensor["data_offsets"]
//!         shape = ",".join(str(size) for size in tensor["shape"])
//!         parts += [name.encode(), tensor["dtype"].encode(), shape.encode(), data[begin:end]]
//!     return "%08x" % zlib.crc32(b"".join(struct.pack("<Q", len(part)) + part for part in parts))
//! ```
//!
//! A file without the key is read without a check. A program that changes a file must remove the key or replace its
//! value.

pub(crate) mod image_shape;
mod quantised;
mod values;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use quantised::SCALE;
use safetensors::View as _;
use safetensors::tensor::Metadata;
use values::{Element, Stored, Values};

use crate::error::Shape;
use crate::half;
use crate::{Error, Result};

/// Bytes of the number at the start of a file, the length of the header.
const LENGTH_BYTES: usize = 8;
/// The name that no tensor can have.
const METADATA_KEY: &str = "__metadata__";
/// The metadata key of the checksum.
const CRC32_KEY: &str = "crc32";

/// Named tensors of f32, f64, u64, u8 or 16-bit floats, and a map from string to string. Tensors of other types are kept as
/// bytes.
///
/// Names are stored in order, so the same content always gives the same bytes, in whatever order it was inserted.
///
/// ```
/// use equilibria::checkpoint::Archive;
///
/// let mut archive = Archive::new();
/// archive.insert_f32("weight", &[2, 3], &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5])?;
/// archive.set_metadata("epoch", "7");
/// let bytes = archive.to_bytes()?;
///
/// let archive = Archive::from_bytes(&bytes, "model.safetensors")?;
/// assert_eq!(archive.tensor_f32("weight", &[2, 3])?[4], 2.0);
/// assert_eq!(archive.metadata("epoch"), Some("7"));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Archive {
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
    /// The name of the source of the bytes; every error message begins with it.
    place: String,
}

impl Archive {
    /// Creates an archive without tensors and metadata.
    pub fn new() -> Self {
        Self { place: "archive".to_string(), ..Self::default() }
    }

    /// Adds a tensor of f32.
    ///
    /// **Shapes** `values` has as many numbers as the product of `shape`, row-major.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if it has not; [`Error::InvalidArgument`] if the name is in use or is
    /// `__metadata__`, which the format reserves.
    pub fn insert_f32(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<()> {
        self.insert(name, shape, values)
    }

    /// Adds a tensor of 16-bit floats, which take half the space in a file.
    ///
    /// **Shapes** As [`Archive::insert_f32`].
    ///
    /// **Errors** As [`Archive::insert_f32`], and [`Error::InvalidArgument`] for a finite number beyond the range of
    /// 16-bit floats.
    ///
    /// **Accuracy and cost** Rounds to nearest, ties to even: the relative error is at most 2⁻¹¹ from 2⁻¹⁴ = 6.1e-5 up
    /// to 65504, the absolute error at most 2⁻²⁵ below. The archive stores the rounded values at once.
    pub fn insert_f16(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<()> {
        self.insert_values(name, shape, values.len(), || halved(name, values))
    }

    /// Adds a tensor of f64; see [`Archive::insert_f32`].
    pub fn insert_f64(&mut self, name: &str, shape: &[usize], values: &[f64]) -> Result<()> {
        self.insert(name, shape, values)
    }

    /// Adds a tensor of u64; see [`Archive::insert_f32`].
    pub fn insert_u64(&mut self, name: &str, shape: &[usize], values: &[u64]) -> Result<()> {
        self.insert(name, shape, values)
    }

    /// Adds a tensor of u8; see [`Archive::insert_f32`].
    pub fn insert_u8(&mut self, name: &str, shape: &[usize], values: &[u8]) -> Result<()> {
        self.insert(name, shape, values)
    }

    /// A copy in which tensors of f32 are converted to 16-bit floats.
    ///
    /// **Errors** as [`Archive::insert_f16`].
    pub fn halved(&self) -> Result<Archive> {
        let mut archive = self.clone();
        for (name, tensor) in &mut archive.tensors {
            if let Values::F32(values) = &tensor.values {
                tensor.values = halved(name, values)?;
            }
        }
        Ok(archive)
    }

    /// The same archive with tensors of f64 rounded to f32, unless a finite number in one is beyond the range of f32.
    #[must_use]
    pub fn narrowed(mut self) -> Archive {
        let fits = |value: &f64| !value.is_finite() || (*value as f32).is_finite();
        for tensor in self.tensors.values_mut() {
            if let Values::F64(values) = &tensor.values
                && values.iter().all(fits)
            {
                tensor.values = Values::F32(values.iter().map(|&value| value as f32).collect());
            }
        }
        self
    }

    /// A copy in which tensors of floats with 2 axes or more are converted to 8-bit integers, with a tensor `NAME.scale` for
    /// each: one f32 for each row, which is the last axis. [`Archive::from_bytes`] reads such a tensor as f32.
    ///
    /// **Errors** [`Error::InvalidArgument`] for a number that is not finite or if the name of the scales is in use.
    ///
    /// **Accuracy and cost** The error is at most 1/254 of the largest magnitude in the row.
    pub fn quantised(&self) -> Result<Archive> {
        let mut archive = self.clone();
        for (name, tensor) in &self.tensors {
            let (Values::F32(values) | Values::F16(values)) = &tensor.values else { continue };
            let Some((&columns, rows @ [_, ..])) = tensor.shape.split_last() else { continue };
            if values.is_empty() {
                continue;
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(Error::invalid(format!("tensor `{name}`"), "every number in it must be finite"));
            }
            let (integers, scales) = quantised::quantise(values, columns);
            archive.insert_f32(&format!("{name}{SCALE}"), &[rows.iter().product()], &scales)?;
            let values = Values::I8(integers);
            archive.tensors.insert(name.clone(), Stored { shape: tensor.shape.clone(), values });
        }
        Ok(archive)
    }

    /// Sets the text of a key, replacing any old one. A text under `crc32` is not kept, because the key is reserved for
    /// the checksum.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        self.metadata.insert(key.to_owned(), value.to_owned());
    }

    /// The archive in the file at `path`; tensors of f64, which other programs write, become f32 as in
    /// [`Archive::narrowed`].
    ///
    /// **Errors** [`Error::Io`] if it cannot be read; otherwise as [`Archive::from_bytes`].
    ///
    /// ```
    /// use equilibria::{boltzmann::Rbm, checkpoint::Archive};
    /// let archive = Archive::read("fixtures/rbm-784-500.safetensors")?;
    /// let model = Rbm::<f32>::from_archive(&archive)?;
    /// assert_eq!((model.visible(), model.hidden()), (784, 500));
    /// assert_eq!(archive.metadata("model"), Some("rbm"));
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    #[cfg(feature = "std")]
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Archive> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|reason| Error::io("reading", path, reason))?;
        Self::from_bytes(&bytes, &path.display().to_string()).map(Self::narrowed)
    }

    /// The values of a tensor of f32 or 16-bit floats, row-major.
    ///
    /// **Errors** [`Error::Malformed`] if there is no such tensor, or it is of another element type or shape.
    pub fn tensor_f32(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        self.tensor(name, shape)
    }

    /// The values of a tensor of f32 whose numbers are all finite; see [`Archive::tensor_f32`].
    ///
    /// **Errors** also [`Error::Malformed`] if one is infinite or not a number.
    pub fn finite_f32(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let values = self.tensor_f32(name, shape)?;
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => {
                Err(self
                    .complain(format!("tensor `{name}` holds {value}; every number in it must be finite")))
            }
        }
    }

    /// The values of a tensor of f64; see [`Archive::tensor_f32`].
    pub fn tensor_f64(&self, name: &str, shape: &[usize]) -> Result<&[f64]> {
        self.tensor(name, shape)
    }

    /// The values of a tensor of u64; see [`Archive::tensor_f32`].
    pub fn tensor_u64(&self, name: &str, shape: &[usize]) -> Result<&[u64]> {
        self.tensor(name, shape)
    }

    /// The values of a tensor of u8; see [`Archive::tensor_f32`].
    pub fn tensor_u8(&self, name: &str, shape: &[usize]) -> Result<&[u8]> {
        self.tensor(name, shape)
    }

    /// The shape of a tensor of any element type.
    ///
    /// **Errors** [`Error::Malformed`] if there is no such tensor.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        self.stored(name).map(|tensor| tensor.shape.as_slice())
    }

    /// The text of a key, if it is present.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The text of a key that must be present.
    ///
    /// **Errors** [`Error::Malformed`] if it is not.
    pub fn required_metadata(&self, key: &str) -> Result<&str> {
        self.metadata(key).ok_or_else(|| self.complain(format!("the metadata has no `{key}`")))
    }

    /// The names of the tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The name of the source of the bytes; `archive` if the archive was not read.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The bytes of a safetensors file with this content and its checksum. The same content gives the same bytes.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the header would be longer than the format allows (100 MB).
    ///
    /// **Accuracy and cost** Bit-exact; one copy of the values.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let too_large = |reason: &dyn core::fmt::Display| Error::invalid(&self.place, reason);
        let mut bytes =
            safetensors::serialize(self.tensors.iter(), None).map_err(|reason| too_large(&reason))?;
        let mut metadata: BTreeMap<&str, &str> = self.metadata_without_sum().collect();
        let sum = self.crc32();
        metadata.insert(CRC32_KEY, &sum);
        // The library would write the metadata in the random order of a hash map. Therefore they are inserted into the
        // header here: in order, after the opening brace.
        let (length, rest) = split_length(&bytes, &self.place)?;
        let without = rest[..length].trim_ascii_end().to_vec();
        let text = serde_json::to_string(&metadata).map_err(|reason| too_large(&reason))?;
        let mut header = format!("{{\"{METADATA_KEY}\":{text}").into_bytes();
        if !self.tensors.is_empty() {
            header.push(b',');
        }
        header.extend_from_slice(&without[1..]);
        header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
        let new_length = (header.len() as u64).to_le_bytes();
        bytes.splice(..LENGTH_BYTES + length, new_length.into_iter().chain(header));
        Ok(bytes)
    }

    /// Reads the bytes of a safetensors file; `place` names their source in errors.
    ///
    /// Every length is checked against the available bytes before memory is allocated for it.
    ///
    /// **Errors** [`Error::Malformed`] in these cases:
    ///
    /// - The bytes are too short, or the header is longer than the file or not JSON.
    /// - The data of tensors overlap, leave gaps, or do not end with the file.
    /// - A name occurs twice.
    /// - The checksum does not match the content.
    ///
    /// **Accuracy and cost** Bit-exact; one copy of the values.
    pub fn from_bytes(bytes: &[u8], place: &str) -> Result<Archive> {
        let (length, rest) = split_length(bytes, place)?;
        let (header, data) = rest.split_at(length);
        let index = parse_header(header, place)?;
        if index.data_len() != data.len() {
            let problem = format!(
                "the header promises {} bytes of tensors, the file holds {}; it is damaged or incomplete",
                index.data_len(),
                data.len()
            );
            return Err(Error::malformed(place, (LENGTH_BYTES + length) as u64, problem));
        }
        let mut archive = Archive { place: place.to_owned(), ..Archive::default() };
        for (name, info) in index.tensors() {
            let values = Values::read(info, data);
            archive.tensors.insert(name, Stored { shape: info.shape.clone(), values });
        }
        for (key, value) in index.metadata().iter().flatten() {
            archive.set_metadata(key, value);
        }
        archive.check_sum()?;
        archive.restore_integers()?;
        Ok(archive)
    }

    /// Converts 8-bit integers that have scales to f32, and removes the scales.
    fn restore_integers(&mut self) -> Result<()> {
        let is_integer = |tensor: &Stored| matches!(tensor.values, Values::I8(_));
        let names: Vec<String> = self
            .tensors
            .iter()
            .filter(|(_, tensor)| is_integer(tensor))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            let of_scales = format!("{name}{SCALE}");
            // Integers of another program stay as they are.
            if !self.tensors.contains_key(&of_scales) {
                continue;
            }
            let rows = self.shape(&name)?.split_last().map_or(1, |(_, rows)| rows.iter().product());
            let scales = self.finite_f32(&of_scales, &[rows])?.to_vec();
            self.tensors.remove(&of_scales);
            if let Some(tensor) = self.tensors.get_mut(&name)
                && let Values::I8(integers) = &tensor.values
            {
                tensor.values = Values::F32(quantised::restore(integers, &scales));
            }
        }
        Ok(())
    }

    /// Compares the checksum with the content and removes it from the metadata: it belongs to the file, not to its
    /// content.
    fn check_sum(&mut self) -> Result<()> {
        let Some(promised) = self.metadata.remove(CRC32_KEY) else { return Ok(()) };
        let found = self.crc32();
        if promised == found {
            return Ok(());
        }
        Err(self.complain(format!(
            "the check sum `{CRC32_KEY}` is {promised:?}, the content's is {found:?}: the file is damaged; get it \
             again, or remove the key from its metadata if it was changed on purpose"
        )))
    }

    /// The checksum that the module documentation defines.
    fn crc32(&self) -> String {
        let mut hasher = crc32fast::Hasher::new();
        let mut add = |part: &[u8]| {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        };
        add(self.metadata_without_sum().count().to_string().as_bytes());
        for (key, value) in self.metadata_without_sum() {
            add(key.as_bytes());
            add(value.as_bytes());
        }
        for (name, tensor) in &self.tensors {
            let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
            add(name.as_bytes());
            add(tensor.values.dtype().to_string().as_bytes());
            add(shape.join(",").as_bytes());
            add(&tensor.data());
        }
        format!("{:08x}", hasher.finalize())
    }

    fn metadata_without_sum(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        all.filter(|&(key, _)| key != CRC32_KEY)
    }

    fn insert<T: Element>(&mut self, name: &str, shape: &[usize], values: &[T]) -> Result<()> {
        self.insert_values(name, shape, values.len(), || Ok(T::store(values.to_vec())))
    }

    fn insert_values(
        &mut self,
        name: &str,
        shape: &[usize],
        count: usize,
        values: impl FnOnce() -> Result<Values>,
    ) -> Result<()> {
        if shape.iter().try_fold(1, |product: usize, &size| product.checked_mul(size)) != Some(count) {
            return Err(Error::ShapeMismatch {
                operation: "insert into an archive",
                expected: shape.to_vec(),
                found: [count].to_vec(),
            });
        }
        if name == METADATA_KEY {
            return Err(Error::invalid(name, "is a name that the format reserves; choose another one"));
        }
        match self.tensors.entry(name.to_owned()) {
            Entry::Occupied(_) => Err(Error::invalid(name, "the archive has a tensor of that name already")),
            Entry::Vacant(place) => {
                place.insert(Stored { shape: shape.to_vec(), values: values()? });
                Ok(())
            }
        }
    }

    fn tensor<T: Element>(&self, name: &str, shape: &[usize]) -> Result<&[T]> {
        let tensor = self.stored(name)?;
        let values = T::view(&tensor.values).ok_or_else(|| {
            self.complain(format!("tensor `{name}` is of {}, expected {}", tensor.values.dtype(), T::NAME))
        })?;
        if tensor.shape != shape {
            let (found, expected) = (Shape(&tensor.shape), Shape(shape));
            return Err(self.complain(format!("tensor `{name}` has shape {found}, expected {expected}")));
        }
        Ok(values)
    }

    fn stored(&self, name: &str) -> Result<&Stored> {
        self.tensors.get(name).ok_or_else(|| {
            let mut held = self.names().take(8).collect::<Vec<_>>().join(", ");
            if self.tensors.len() > 8 {
                held.push_str(", ...");
            }
            self.complain(format!("there is no tensor `{name}`; the file holds [{held}]"))
        })
    }

    /// An error about content that does not match the reader's expectations, at the position of the header.
    fn complain(&self, problem: String) -> Error {
        Error::malformed(&self.place, LENGTH_BYTES as u64, problem)
    }
}

/// Rounds values to 16-bit floats; an error if one is out of their range.
fn halved(name: &str, values: &[f32]) -> Result<Values> {
    match values.iter().find(|&&value| half::overflows(value)) {
        Some(value) => {
            let expected = format!("{value} is beyond 65504, the largest 16-bit float; store it as f32");
            Err(Error::invalid(format!("tensor `{name}`"), expected))
        }
        None => Ok(Values::halved(values)),
    }
}

/// Splits off the length of the header, and checks that the rest is at least that long.
fn split_length<'a>(bytes: &'a [u8], place: &str) -> Result<(usize, &'a [u8])> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        let problem =
            format!("{} bytes are too short for a safetensors file, which begins with 8", bytes.len());
        return Err(Error::malformed(place, 0, problem));
    };
    let length = u64::from_le_bytes(*length);
    match usize::try_from(length) {
        Ok(length) if length <= rest.len() => Ok((length, rest)),
        _ => {
            let problem = format!(
                "not a safetensors file, or a damaged one: the header should be {length} bytes long, {} follow",
                rest.len()
            );
            Err(Error::malformed(place, 0, problem))
        }
    }
}

/// Parses the header, and checks that the tensors follow one another without gaps and match their shapes.
fn parse_header(header: &[u8], place: &str) -> Result<Metadata> {
    let complain = |problem: String| Error::malformed(place, LENGTH_BYTES as u64, problem);
    let index: Metadata = serde_json::from_slice(header).map_err(|reason| {
        complain(if reason.is_data() {
            format!(
                "the header is wrong: {reason}; tensors must follow one another without gap or overlap, each \
                 filling its data_offsets"
            )
        } else {
            format!("the header is not JSON: {reason}")
        })
    })?;
    // A map keeps only the last of two entries with the same name. Count the keys in the text instead.
    let (tensors, metadata) = (index.tensors().len(), index.metadata().as_ref());
    let [outer, inner] = count_keys(header);
    if outer != tensors + usize::from(metadata.is_some()) {
        return Err(complain("the header names a tensor twice".to_string()));
    }
    if inner != 3 * tensors + metadata.map_or(0, |map| map.len()) {
        let problem = "the header has a metadata key twice, or a tensor with a field beside dtype, shape and \
                       data_offsets";
        return Err(complain(problem.to_string()));
    }
    Ok(index)
}

/// The numbers of keys in the outermost object of valid JSON, and in the objects one level below.
fn count_keys(json: &[u8]) -> [usize; 2] {
    let mut keys = [0, 0];
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            // Outside a string, a colon marks a key.
            b':' if (1..=2).contains(&depth) => keys[depth - 1] += 1,
            _ => {}
        }
    }
    keys
}
