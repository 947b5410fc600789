//! The members of a zip archive, stored or deflated, as in `.npz` files.
//!
//! ```text
//! end of the directory    "PK\5\6"   ... members u16 at 10, offset of the directory u32 at 16
//! entry of the directory  "PK\1\2"   method u16 at 10, CRC-32 at 16, packed and whole size u32 at 20 and 24, lengths of
//!                                    name, extra and comment u16 at 28, 30 and 32, offset u32 at 42, name at 46
//! member                  "PK\3\4"   lengths of name and extra u16 at 26 and 28; the data follow them
//! ```
//!
//! **Source** APPNOTE.TXT of PKWARE, version 6.3.

use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use std::io::Read;

/// The first bytes of an archive.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
const DIRECTORY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// A member of an archive.
pub(super) struct Member {
    pub name: String,
    is_deflated: bool,
    crc32: u32,
    packed: usize,
    size: usize,
    offset: usize,
}

/// The number of `SIZE` bytes at `at`, little-endian.
fn number<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(SIZE)?)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

/// Lists the members of the archive `bytes`.
///
/// **Errors** [`Error::Malformed`] if the archive is damaged, encrypted, or larger than 4 GB.
pub(super) fn members(place: &str, bytes: &[u8]) -> Result<Vec<Member>> {
    let end = bytes.windows(END.len()).rposition(|window| window == END);
    let listed = end.and_then(|end| {
        let mut at = number::<4>(bytes, end + 16)?;
        let mut members = Vec::new();
        for _ in 0..number::<2>(bytes, end + 10)? {
            let entry = bytes.get(at..).filter(|entry| entry.starts_with(DIRECTORY))?;
            let [name, extra, comment] =
                [number::<2>(entry, 28)?, number::<2>(entry, 30)?, number::<2>(entry, 32)?];
            let is_deflated = match (number::<2>(entry, 8)? & 1, number::<2>(entry, 10)?) {
                (0, 0) => false,
                (0, 8) => true,
                _ => return None,
            };
            members.push(Member {
                name: String::from_utf8_lossy(entry.get(46..46 + name)?).into_owned(),
                is_deflated,
                crc32: number::<4>(entry, 16)? as u32,
                packed: number::<4>(entry, 20)?,
                size: number::<4>(entry, 24)?,
                offset: number::<4>(entry, 42)?,
            });
            at += 46 + name + extra + comment;
        }
        Some(members)
    });
    listed.ok_or_else(|| {
        let problem = "this zip archive is incomplete, or packed in a way that cannot be read; save it again";
        Error::malformed(place, 0, problem)
    })
}

/// Unpacks a member of at most `most` bytes.
///
/// **Errors** [`Error::Malformed`] if it is damaged or larger.
pub(super) fn unpack(place: &str, bytes: &[u8], member: &Member, most: u64) -> Result<Vec<u8>> {
    let malformed = |problem: String| Error::malformed(place, member.offset as u64, problem);
    let cut = || malformed("the zip archive ends too early; save it again".into());
    if member.size as u64 > most {
        return Err(malformed(format!("it has {} bytes, more than the limit of {most} bytes", member.size)));
    }
    let entry = bytes.get(member.offset..).filter(|entry| entry.starts_with(MAGIC)).ok_or_else(cut)?;
    let lengths = number::<2>(entry, 26).zip(number::<2>(entry, 28)).ok_or_else(cut)?;
    let start = 30 + lengths.0 + lengths.1;
    let packed = entry.get(start..start.saturating_add(member.packed)).ok_or_else(cut)?;
    let content = if member.is_deflated {
        let mut content = Vec::new();
        let decoder = flate2::bufread::DeflateDecoder::new(packed);
        let read = decoder.take(member.size as u64 + 1).read_to_end(&mut content);
        read.map_err(|error| malformed(format!("the packed content is damaged ({error}); save it again")))?;
        content
    } else {
        packed.to_vec()
    };
    if content.len() != member.size || crc32fast::hash(&content) != member.crc32 {
        return Err(malformed(
            "the check sum does not match the content: the file is damaged; get it again".into(),
        ));
    }
    Ok(content)
}
