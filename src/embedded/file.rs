//! A safetensors file in memory. Its header is checked once; after that, tensors are found by reading it again.

use super::error::ModelError;
use super::json::{Cursor, Text};

/// Bytes of the number at the start of a file, the length of the header.
const LENGTH_BYTES: usize = 8;
/// The most tensors and keys. Each is compared with all others.
const MOST_ENTRIES: usize = 512;
/// The most axes of a tensor.
pub(super) const AXES: usize = 6;

/// A file whose header has been checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModelFile<'a> {
    header: &'a str,
    data: &'a [u8],
}

/// The description of a tensor in the header.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorEntry<'a> {
    pub name: Text<'a>,
    pub dtype: &'a str,
    shape: [usize; AXES],
    axes: usize,
    begin: usize,
    end: usize,
}

impl TensorEntry<'_> {
    pub fn shape(&self) -> &[usize] {
        &self.shape[..self.axes]
    }
}

/// A part of the header.
#[derive(Debug, Clone, Copy)]
enum Entry<'a> {
    Tensor(TensorEntry<'a>),
    /// The start of the metadata.
    Metadata,
    /// A key of the metadata and its text.
    Pair(Text<'a>, Text<'a>),
}

impl<'a> ModelFile<'a> {
    /// Checks the header: its length, its syntax, that no name occurs twice, and that the tensors have the bytes of their
    /// shapes, which fill the file without overlap.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let complain = |offset, problem| Err(ModelError::Header { offset, problem });
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
            return complain(0, "the file is shorter than the 8 bytes that a safetensors file begins with");
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).ok();
        let Some((header, data)) = length.and_then(|length| rest.split_at_checked(length)) else {
            return complain(
                0,
                "not a safetensors file, or a damaged one: the header is longer than the file",
            );
        };
        let Ok(header) = core::str::from_utf8(header) else {
            return complain(LENGTH_BYTES, "the header is not UTF-8");
        };
        let file = Self { header, data };
        file.check_entries()?;
        Ok(file)
    }

    fn check_entries(&self) -> Result<(), ModelError> {
        let mut total = Some(0_usize);
        let mut entries = self.entries();
        let mut count = 0;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            count += 1;
            if count > MOST_ENTRIES {
                return entries.cursor.complain("the header has more than 512 entries");
            }
            if let Entry::Tensor(tensor) = entry {
                let bytes = element_bytes(tensor.dtype);
                let needed = tensor.shape().iter().try_fold(bytes, |bytes, &size| bytes.checked_mul(size));
                if bytes == 0 {
                    return entries.cursor.complain("a tensor has an unknown element type");
                }
                if tensor.begin > tensor.end
                    || tensor.end > self.data.len()
                    || needed != Some(tensor.end - tensor.begin)
                {
                    return entries
                        .cursor
                        .complain("a tensor's data_offsets do not fit its shape or the file");
                }
                total = total.and_then(|total| total.checked_add(tensor.end - tensor.begin));
            }
            for earlier in self.entries().take(count - 1) {
                if let Some(problem) = conflict(earlier?, entry) {
                    return entries.cursor.complain(problem);
                }
            }
        }
        if total != Some(self.data.len()) {
            return entries.cursor.complain("the tensors leave bytes of the file unused");
        }
        Ok(())
    }

    fn entries(&self) -> Entries<'a> {
        Entries { cursor: Cursor::new(self.header, LENGTH_BYTES), state: State::Start }
    }

    pub fn tensors(&self) -> impl Iterator<Item = TensorEntry<'a>> {
        self.entries().filter_map(|entry| match entry {
            Ok(Entry::Tensor(tensor)) => Some(tensor),
            _ => None,
        })
    }

    /// The keys of the metadata, each with its text.
    pub fn metadata(&self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> {
        self.entries().filter_map(|entry| match entry {
            Ok(Entry::Pair(key, value)) => Some((key, value)),
            _ => None,
        })
    }

    pub fn value(&self, key: &str) -> Option<Text<'a>> {
        self.metadata().find(|(name, _)| name.is(key)).map(|(_, value)| value)
    }

    /// The bytes of a tensor.
    pub fn data(&self, tensor: &TensorEntry<'_>) -> &'a [u8] {
        &self.data[tensor.begin..tensor.end]
    }
}

/// Bytes of a number of this type; 0 for an unknown type.
fn element_bytes(dtype: &str) -> usize {
    match dtype {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "I8" | "U8" | "BOOL" => 1,
        _ => 0,
    }
}

/// The reason why two entries cannot be in one header.
fn conflict(earlier: Entry<'_>, later: Entry<'_>) -> Option<&'static str> {
    match (earlier, later) {
        (Entry::Tensor(a), Entry::Tensor(b)) if a.name.equals(b.name) => {
            Some("the header names a tensor twice")
        }
        (Entry::Tensor(a), Entry::Tensor(b)) if a.begin.max(b.begin) < a.end.min(b.end) => {
            Some("the data of two tensors overlap")
        }
        (Entry::Metadata, Entry::Metadata) => Some("the header has two sets of metadata"),
        (Entry::Pair(a, _), Entry::Pair(b, _)) if a.equals(b) => Some("the header has a metadata key twice"),
        _ => None,
    }
}

/// Reads the entries of a header, one after another, up to the first error.
struct Entries<'a> {
    cursor: Cursor<'a>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Start,
    /// In the outer object; true before its first entry.
    Outer(bool),
    /// In the metadata; true before their first entry.
    Metadata(bool),
    End,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entry().transpose();
        if !matches!(entry, Some(Ok(_))) {
            self.state = State::End;
        }
        entry
    }
}

impl<'a> Entries<'a> {
    fn entry(&mut self) -> Result<Option<Entry<'a>>, ModelError> {
        let cursor = &mut self.cursor;
        if let State::Start = self.state {
            cursor.expect(b'{', "the header is not a JSON object")?;
            self.state = State::Outer(true);
        }
        if let State::Metadata(is_first) = self.state {
            if !cursor.skip(b'}') {
                cursor.separator(is_first)?;
                self.state = State::Metadata(false);
                return Ok(Some(Entry::Pair(cursor.key()?, cursor.string()?)));
            }
            self.state = State::Outer(false);
        }
        let State::Outer(is_first) = self.state else { return Ok(None) };
        if cursor.skip(b'}') {
            return match cursor.peek() {
                None => Ok(None),
                Some(_) => cursor.complain("the header does not end after its object"),
            };
        }
        cursor.separator(is_first)?;
        self.state = State::Outer(false);
        let name = cursor.key()?;
        if name.is("__metadata__") {
            cursor.expect(b'{', "the metadata are not an object")?;
            self.state = State::Metadata(true);
            return Ok(Some(Entry::Metadata));
        }
        tensor(cursor, name).map(|tensor| Some(Entry::Tensor(tensor)))
    }
}

/// Reads the description of a tensor.
fn tensor<'a>(cursor: &mut Cursor<'a>, name: Text<'a>) -> Result<TensorEntry<'a>, ModelError> {
    let (mut dtype, mut axes, mut offsets) = (None, None, None);
    let (mut shape, mut ends) = ([0; AXES], [0; 2]);
    cursor.expect(b'{', "the description of a tensor is not an object")?;
    for field in 0..3 {
        cursor.separator(field == 0)?;
        let key = cursor.key()?;
        if key.is("dtype") && dtype.is_none() {
            dtype = Some(cursor.string()?.plain().unwrap_or(""));
        } else if key.is("shape") && axes.is_none() {
            axes = Some(cursor.numbers(&mut shape)?);
        } else if key.is("data_offsets") && offsets.is_none() {
            offsets = Some(cursor.numbers(&mut ends)?);
        } else {
            return cursor.complain("a tensor has exactly the fields dtype, shape and data_offsets");
        }
    }
    cursor.expect(b'}', "a tensor has exactly the fields dtype, shape and data_offsets")?;
    let (Some(dtype), Some(axes), Some(2)) = (dtype, axes, offsets) else {
        return cursor.complain("data_offsets are not two numbers");
    };
    Ok(TensorEntry { name, dtype, shape, axes, begin: ends[0], end: ends[1] })
}
