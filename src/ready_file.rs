//! `--ready-file`: there while the broker serves, and only then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The file, which does not exist until [`ReadyFile::write`].
pub struct ReadyFile {
    path: PathBuf,
    /// Beside it: whoever polls for the file must never see half of it.
    unfinished: PathBuf,
    /// What [`ReadyFile::write`] has put there.
    written: OnceLock<String>,
}

impl ReadyFile {
    /// Proves that the file can be written, and touches none that is there: it may be that of a broker that serves.
    ///
    /// # Errors
    /// When it cannot be, or when the path is something else than a plain file.
    pub fn prepare(path: &Path) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            // A device or a link to one must not be removed, whoever asks for it.
            Ok(there) if !there.is_file() => return Err(io::Error::other("exists and is no plain file")),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let file = Self {
            path: path.to_path_buf(),
            unfinished: PathBuf::from(name),
            written: OnceLock::new(),
        };
        std::fs::write(&file.unfinished, "")?;
        std::fs::remove_file(&file.unfinished)?;
        Ok(file)
    }

    /// Removes what a broker that was killed has left, since it says that one serves. Only for who has locked the directories and
    /// bound the ports: until then it may be the file of a broker that has them, and serves.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_stale(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Puts the file there.
    ///
    /// # Errors
    /// When it can no longer be written.
    pub fn write(&self, text: &str) -> io::Result<()> {
        std::fs::write(&self.unfinished, text)?;
        std::fs::rename(&self.unfinished, &self.path)?;
        self.written.get_or_init(|| text.to_owned());
        Ok(())
    }

    /// Takes it away, if it still holds what was written: another broker may have put its own there. One that somebody else has
    /// removed is no matter.
    pub fn remove(&self) {
        let Some(written) = self.written.get() else {
            return;
        };
        match std::fs::read(&self.path) {
            Ok(held) if held != written.as_bytes() => return,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Err(e) => return log::warn!("{}: {e}", self.path.display()),
        }
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
        file.remove();
        assert_eq!(names(), 1, "that of a broker that may serve");
        file.remove_stale().expect("removed");
        file.remove_stale().expect("nothing to remove");
        assert_eq!(names(), 0);
        file.write("localhost:9092\n").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "localhost:9092\n");
        assert_eq!(names(), 1);
        file.remove();
        file.remove();
        assert_eq!(names(), 0);
    }

    #[test]
    fn the_file_of_another_broker_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ready");
        let file = ReadyFile::prepare(&path).expect("can be written");
        file.write("localhost:9092\n").expect("written");
        std::fs::write(&path, "localhost:9093\n").expect("written");
        file.remove();
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "localhost:9093\n");
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
