//! Atomic replacement of a file: a reader sees the old content or the new, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Replaces the content of a file; a kill or a power cut at any moment leaves either the old content or the new.
///
/// The bytes go to `.NAME.tmp` in the same folder, are synced and renamed over the file, and the folder is
/// synced (on Unix). A temporary file of a killed process is overwritten. Two processes must not write the same file at the
/// same time.
///
/// **Errors** [`Error::Io`] naming the file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = stage(path, bytes)?;
    publish(&temporary, path)
}

/// The temporary name for the next content of a file, in the same folder.
pub(super) fn temporary_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// First half: writes the new content to the disk under the temporary name.
fn stage(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(Error::io("writing", path, "the path does not end in a file name"));
    }
    let temporary = temporary_path(path);
    remove_if_present(&temporary)?;
    let write = || -> io::Result<()> {
        // `create_new` does not follow a link under that name.
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|reason| {
        // Frees a full disk; only the first error is reported.
        let _ = fs::remove_file(&temporary);
        Error::io("writing", path, reason)
    })?;
    Ok(temporary)
}

/// Second half: renames the temporary file, in one step.
fn publish(temporary: &Path, path: &Path) -> Result<()> {
    fs::rename(temporary, path).map_err(|reason| {
        let _ = fs::remove_file(temporary);
        Error::io("writing", path, reason)
    })?;
    sync_folder(path)
}

/// Syncs the folder, so that the new name survives a power cut.
fn sync_folder(path: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder; the content is safe anyway.
        Err(reason) if matches!(reason.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result.map_err(|reason| Error::io("syncing", folder, reason)),
    }
}

/// Removes a file, if it exists.
pub(super) fn remove_if_present(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => Err(Error::io("removing", path, reason)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_kill_before_the_rename_leaves_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        write_atomically(&path, b"old").unwrap();
        stage(&path, b"new, staged").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        // The next process overwrites the temporary file.
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["checkpoint.safetensors"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_under_the_temporary_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, b"precious").unwrap();
        let path = folder.path().join("model");
        std::os::unix::fs::symlink(&victim, temporary_path(&path)).unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
