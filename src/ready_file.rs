//! `--ready-file`: there while the broker serves, and only then.

use std::io;
use std::path::{Path, PathBuf};

/// The file, which does not exist until [`ReadyFile::write`].
pub struct ReadyFile {
    path: PathBuf,
    /// Beside it: whoever polls for the file must never see half of it.
    unfinished: PathBuf,
}

impl ReadyFile {
    /// Removes what a broker that was killed has left, since it says that one serves, and proves that the file can be written.
    ///
    /// # Errors
    /// When it cannot be, or when the path is something else than a plain file.
    pub fn prepare(path: &Path) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            // A device or a link to one must not be removed, whoever asks for it.
            Ok(there) if !there.is_file() => return Err(io::Error::other("exists and is no plain file")),
            Ok(_) => std::fs::remove_file(path)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let file = Self {
            path: path.to_path_buf(),
            unfinished: PathBuf::from(name),
        };
        std::fs::write(&file.unfinished, "")?;
        std::fs::remove_file(&file.unfinished)?;
        Ok(file)
    }

    /// Puts the file there.
    ///
    /// # Errors
    /// When it can no longer be written.
    pub fn write(&self, text: &str) -> io::Result<()> {
        std::fs::write(&self.unfinished, text)?;
        std::fs::rename(&self.unfinished, &self.path)
    }

    /// Takes it away; one that somebody else has removed is no matter.
    pub fn remove(&self) {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => log::warn!("{}: {e}", self.path.display()),
            Ok(()) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_only_between_writing_and_removing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ready");
        std::fs::write(&path, "of a broker that was killed\n").expect("written");
        let file = ReadyFile::prepare(&path).expect("can be written");
        let names = || std::fs::read_dir(dir.path()).expect("there").count();
        assert_eq!(names(), 0);
        file.write("localhost:9092\n").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "localhost:9092\n");
        assert_eq!(names(), 1);
        file.remove();
        file.remove();
        assert_eq!(names(), 0);
    }

    #[test]
    fn what_cannot_be_a_ready_file_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).expect("linked");
        for path in [dir.path(), &link, &dir.path().join("missing/ready")] {
            assert!(ReadyFile::prepare(path).is_err(), "{}", path.display());
        }
        assert!(link.is_symlink() && dir.path().is_dir());
    }
}
