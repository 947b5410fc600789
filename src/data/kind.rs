//! Names the kind of a file by its first bytes, for errors about files of another kind.

use super::array::{Element, idx_header};
use alloc::format;
use alloc::string::String;

/// First bytes, and the kind of the file with a remedy if there is one.
const KINDS: [(&[u8], &str); 27] = [
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; `git lfs pull` gets it"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"RIFF", "a WebP picture, a video or sound"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"OggS", "a video or sound"),
    (b"ID3", "sound"),
    (b"P5", "a PGM picture"),
    (b"P6", "a PPM picture"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "gzip, perhaps packed twice; unpack it first"),
    (b"BZh", "bzip2; unpack it with bunzip2 first"),
    (b"\xfd7zXZ", "xz; unpack it with unxz first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd; unpack it with unzstd first"),
    (b"\x89HDF", "an HDF5 file; save its images with numpy.save"),
    (b"MATLAB", "a MATLAB file; save its images with numpy.save"),
    (b"PAR1", "a Parquet file; save its images with numpy.save"),
    (b"\x80\x02", "a Python pickle; save its images with numpy.save"),
    (b"%PDF", "a PDF document"),
];

/// The kind of a file whose first bytes say nothing.
pub(super) const UNKNOWN: &str = "of an unknown format";

/// The kind of a file that begins with these bytes, such as `an HTML page`.
pub(crate) fn describe(start: &[u8]) -> String {
    if start.is_empty() {
        return "an empty file".into();
    }
    if let Some((_, kind)) = KINDS.iter().find(|(first, _)| start.starts_with(first)) {
        return (*kind).into();
    }
    if let [0x80, 3..=5, ..] = start {
        return "a Python pickle; save its images with numpy.save".into();
    }
    if let Some((length, element)) = idx_header(start) {
        let rank = length / 4 - 1;
        let plural = if rank == 1 { "" } else { "s" };
        return format!("IDX of {}, {rank} dimension{plural}", element.name());
    }
    if let [rank @ 1..=4, code, 0, 0, ..] = start
        && Element::of_idx(*code).is_some()
    {
        return format!(
            "IDX of {rank} dimensions in little-endian byte order, written by a program of your own; the format is \
             big-endian, also its header (in Python: struct.pack('>...'), array.byteswap())"
        );
    }
    if start.get(4..8) == Some(b"ftyp") {
        return "a video, or a HEIC or AVIF picture".into();
    }
    if start.get(8..10) == Some(b"{\"") {
        return "a safetensors file".into();
    }
    let text = start.trim_ascii_start();
    let begins = |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    if [&b"<!doctype html"[..], b"<html", b"<head"].iter().any(|word| begins(word)) {
        return "an HTML page, perhaps the answer of a server instead of the file".into();
    }
    if begins(b"<?xml") || begins(b"<error") {
        return "XML, perhaps the answer of a server instead of the file".into();
    }
    // A character may be cut at the end.
    let is_text = match core::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    if is_text && start.iter().all(|&byte| byte >= b' ' || byte.is_ascii_whitespace()) {
        return "text".into();
    }
    UNKNOWN.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_what_they_are() {
        for (start, words) in [
            (&b""[..], "an empty file"),
            (b"\n <!DOCTYPE HTML>", "an HTML page"),
            (b"<Error><Code>AccessDenied", "XML"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
            (&[0, 0, 13, 3, 0, 0], "IDX of 32-bit floats, 3 dimensions"),
            (&[3, 8, 0, 0, 60, 0], "IDX of 3 dimensions in little-endian byte order"),
            (b"\0\0\0\x18ftypmp42", "a video"),
            (b"label,pixel0\n5,0\n", "text"),
            ("caf\u{e9}".as_bytes().split_last().unwrap().1, "text"),
            (&[0x80, 4, 0x95, 0], "a Python pickle"),
            (&[72, 0, 0, 0, 0, 0, 0, 0, b'{', b'"'], "a safetensors file"),
            (&[7, 1, 0, 2, 9], "of an unknown format"),
        ] {
            let found = describe(start);
            assert!(found.starts_with(words), "{start:?}: {found}");
        }
    }
}
