//! The checksum of a file: the CRC-32 that `checkpoint` defines, over the sorted content.

use super::error::{ModelError, decimal};
use super::file::{ModelFile, TensorEntry};
use super::json::Text;
use core::cmp::Ordering;

/// The metadata key of the checksum.
const KEY: &str = "crc32";

/// Opens a file, and compares the checksum in its metadata, if there is one, with that of the content.
pub(super) fn open(bytes: &[u8]) -> Result<ModelFile<'_>, ModelError> {
    let file = ModelFile::new(bytes)?;
    let Some(promised) = file.value(KEY) else { return Ok(file) };
    let found = crc32(&file);
    let digit = |place: u32| char::from_digit(found >> (28 - 4 * place) & 15, 16);
    if promised.chars().eq((0..8).map(digit)) { Ok(file) } else { Err(ModelError::Checksum { found }) }
}

fn crc32(file: &ModelFile<'_>) -> u32 {
    let mut sum = Crc32(!0);
    let others = || file.metadata().filter(|(key, _)| !key.is(KEY));
    let mut digits = [0; 20];
    sum.part(decimal(others().count(), &mut digits).as_bytes());
    let mut last = None;
    while let Some((key, value)) = next(others(), last, |(key, _)| *key) {
        sum.text(key);
        sum.text(value);
        last = Some(key);
    }
    let mut last = None;
    while let Some(tensor) = next(file.tensors(), last, |tensor| tensor.name) {
        sum.text(tensor.name);
        sum.part(tensor.dtype.as_bytes());
        sum.shape(&tensor);
        sum.part(file.data(&tensor));
        last = Some(tensor.name);
    }
    !sum.0
}

/// The entry with the smallest name after `last`: sorting without memory.
fn next<'a, T>(
    entries: impl Iterator<Item = T>,
    last: Option<Text<'a>>,
    name: impl Fn(&T) -> Text<'a>,
) -> Option<T> {
    let order = |a: Text<'a>, b: Text<'a>| a.chars().cmp(b.chars());
    entries
        .filter(|entry| last.is_none_or(|last| order(name(entry), last) == Ordering::Greater))
        .min_by(|a, b| order(name(a), name(b)))
}

/// The state of a CRC-32 as in zlib.
struct Crc32(u32);

impl Crc32 {
    fn byte(&mut self, byte: u8) {
        self.0 ^= u32::from(byte);
        for _ in 0..2 {
            self.0 = self.0 >> 4 ^ NIBBLES[self.0 as usize & 15];
        }
    }

    fn length(&mut self, length: usize) {
        (length as u64).to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    /// Adds the length of a part and its bytes.
    fn part(&mut self, part: &[u8]) {
        self.length(part.len());
        part.iter().for_each(|&byte| self.byte(byte));
    }

    fn text(&mut self, text: Text<'_>) {
        self.length(text.chars().flatten().map(char::len_utf8).sum());
        for character in text.chars().flatten() {
            character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| self.byte(byte));
        }
    }

    /// Adds the sizes with commas between them.
    fn shape(&mut self, tensor: &TensorEntry<'_>) {
        let mut digits = [0; 20];
        let commas = tensor.shape().len().saturating_sub(1);
        let lengths = tensor.shape().iter().map(|&size| decimal(size, &mut digits).len());
        self.length(lengths.sum::<usize>() + commas);
        for (axis, &size) in tensor.shape().iter().enumerate() {
            if axis > 0 {
                self.byte(b',');
            }
            decimal(size, &mut digits).bytes().for_each(|byte| self.byte(byte));
        }
    }
}

/// The remainders of the 16 values of four bits, by the reflected polynomial.
const NIBBLES: [u32; 16] = {
    let mut table = [0; 16];
    let mut value = 0;
    while value < 16 {
        let mut remainder = value as u32;
        let mut bit = 0;
        while bit < 4 {
            remainder = remainder >> 1 ^ if remainder & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[value] = remainder;
        value += 1;
    }
    table
};
