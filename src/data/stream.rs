//! Files as streams of bytes, plain or gzipped, and folders of files.

use crate::{Error, Result};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes that show what a file is.
pub(super) const START: usize = 64;
/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Opens a file for reading, through gzip if its first bytes are those of gzip.
///
/// **Errors** [`Error::Io`]; [`Error::Malformed`] for gzip without the feature `cli`.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>> {
    check_is_file(path)?;
    let file = File::open(path).map_err(|error| Error::io("opening", path, error))?;
    let mut file = BufReader::new(file);
    let start = file.fill_buf().map_err(|error| Error::io("reading", path, error))?;
    if !start.starts_with(GZIP) {
        return Ok(Box::new(file));
    }
    #[cfg(feature = "cli")]
    return Ok(Box::new(Gunzip { member: Some(flate2::bufread::GzDecoder::new(file)) }));
    #[cfg(not(feature = "cli"))]
    Err(Error::malformed(
        path.display(),
        0,
        "this is gzip, which needs the feature `cli`; build with it or unpack the file with gunzip",
    ))
}

/// Refuses pipes, which would wait for a writer, devices, which may have no end, and links to nothing.
fn check_is_file(path: &Path) -> Result<()> {
    let problem = match path.metadata() {
        // Reading a folder is an error of the system.
        Ok(found) if found.is_file() || found.is_dir() => return Ok(()),
        Ok(_) => "this is a pipe or a device; copy its content into a file first".into(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.read_link() {
            Ok(target) => format!("this is a link to {}, which is not there", target.display()),
            Err(_) => return Ok(()),
        },
        Err(_) => return Ok(()),
    };
    Err(Error::malformed(path.display(), 0, problem))
}

/// Reads the members of a gzip file. Whatever follows them is ignored, as by gunzip: tapes and some servers add zeros.
#[cfg(feature = "cli")]
struct Gunzip<R> {
    /// `None` after the last.
    member: Option<flate2::bufread::GzDecoder<R>>,
}

#[cfg(feature = "cli")]
impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let rest = self.member.take().map(flate2::bufread::GzDecoder::into_inner);
            if let Some(mut rest) = rest
                && rest.fill_buf()?.starts_with(GZIP)
            {
                self.member = Some(flate2::bufread::GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Adds at most `count` bytes of `source` to `buffer`, which holds the content of `path` from `offset` on.
///
/// **Errors** [`Error::Malformed`] for damaged gzip, [`Error::Io`].
pub(super) fn fill(
    path: &Path,
    offset: u64,
    buffer: &mut Vec<u8>,
    source: &mut dyn Read,
    count: u64,
) -> Result<()> {
    let read = source.take(count).read_to_end(buffer);
    read.map(drop).map_err(|error| broken(path, offset + buffer.len() as u64, error))
}

/// Distinguishes a damaged stream, which the decoder reports, from an error of the operating system.
fn broken(path: &Path, offset: u64, error: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let is_damaged =
        error.raw_os_error().is_none() && matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
    if !is_damaged {
        return Error::io("reading", path, error);
    }
    let problem = match error.kind() {
        UnexpectedEof => format!("the gzip stream ends too early ({error}); the file is incomplete"),
        _ => format!("the gzip stream is damaged ({error}); get the file again"),
    };
    Error::malformed(path.display(), offset, problem)
}

/// The first bytes of a file, behind gzip if it is that.
pub(super) fn start_of(path: &Path) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    fill(path, 0, &mut start, &mut open(path)?, START as u64)?;
    Ok(start)
}

/// Checks that there are as many labels as images.
pub(super) fn check_counts(images: &Path, count: usize, labels: &Path, found: usize) -> Result<()> {
    if found == count {
        return Ok(());
    }
    let images = images.display();
    let problem = format!("{found} labels for the {count} images of {images}; the counts must be equal");
    Err(Error::malformed(labels.display(), 4, problem))
}

/// The last part of a path, for captions.
pub(super) fn last_part(path: &Path) -> String {
    path.file_name().map_or_else(|| "/".into(), |name| name.to_string_lossy().into_owned())
}

/// The files and the folders in `folder` that are not hidden, each sorted by name.
pub(super) fn entries(folder: &Path) -> Result<[Vec<PathBuf>; 2]> {
    let failed = |error| Error::io("reading", folder, error);
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match last_part(&path).starts_with('.') {
            true => {}
            false if path.is_dir() => folders.push(path),
            false => files.push(path),
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok([files, folders])
}
