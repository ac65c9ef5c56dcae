//! A file that a command writes: there as a whole, or as it was before.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file in the making. Dropped before [`OutFile::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct OutFile {
    writer: BufWriter<File>,
    /// Where it is written and where it goes; none where it is written in place: a device, a pipe, a
    /// file in a folder that is not ours.
    made: Option<(PathBuf, PathBuf)>,
}

impl OutFile {
    /// Begins to write what will be at `path`. A file that is there keeps its mode.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_mode(path.as_ref(), 0o666, false)
    }

    /// The same, of a file that nobody else may read, whatever was there.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn create_secret(path: &Path) -> io::Result<Self> {
        Self::with_mode(path, 0o600, true)
    }

    fn with_mode(path: &Path, mode: u32, is_secret: bool) -> io::Result<Self> {
        // Through a link, to what it leads to.
        let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let known = fs::metadata(&place).ok();
        if known.as_ref().is_none_or(fs::Metadata::is_file) {
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            let beside = place.with_file_name(format!(".{name}.{}.new", std::process::id()));
            // Nothing that somebody else has put there is written to.
            if let Ok(file) = File::options().write(true).create_new(true).mode(mode).open(&beside) {
                if let Some(known) = known.filter(|_| !is_secret) {
                    file.set_permissions(known.permissions())?;
                }
                return Ok(Self { writer: BufWriter::new(file), made: Some((beside, place)) });
            }
        }
        Ok(Self { writer: BufWriter::new(File::create(place)?), made: None })
    }

    /// The next piece.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    /// Brings it to the disk, not yet to its place.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        if self.made.is_some() {
            self.writer.get_ref().sync_all()?;
        }
        Ok(())
    }

    /// Brings it to the disk and to its place.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.sync()?;
        if let Some((beside, place)) = &self.made {
            fs::rename(beside, place)?;
            self.made = None;
        }
        Ok(())
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.made {
            // What cannot be removed is a file with a dot and a number, which says whose it was.
            let _ = fs::remove_file(beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.csv");
        fs::write(&path, "old").unwrap();
        let mut file = OutFile::create(&path).unwrap();
        file.write(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        let mut file = OutFile::create(&path).unwrap();
        file.write(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert!(
            OutFile::create("/dev/full").unwrap().write(&[0; 100_000]).is_err(),
            "a device is written to"
        );
    }
}
