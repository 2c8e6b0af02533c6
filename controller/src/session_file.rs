//! Which ZooKeeper sessions this broker has held: an ephemeral znode of one of them is its own, left over from a process that ended
//! without closing its session, and may be replaced at once (KAFKA-7165 does so for the sessions of one process).

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

/// Its name in `metadata.log.dir`.
pub const FILE_NAME: &str = "sordini.sessions";
/// What is written, and the highest that is read.
const FORMAT_VERSION: u64 = 1;
/// Older ones are long over.
const KEPT: usize = 16;

/// The file, and what is in it. No other process has it open meanwhile: whose sessions would they be?
#[derive(Debug)]
pub struct SessionFile {
    path: PathBuf,
    sessions: Vec<i64>,
    _lock: File,
}

/// Why the file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionFileError {
    /// It could not be read or written.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another broker keeps its sessions there.
    #[error("{} is locked: another broker uses this metadata.log.dir", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} does not hold the sessions of a broker; delete it once no broker runs on this directory", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
    },
    /// A newer version has written it.
    #[error("{} has format version {found}; this version reads {FORMAT_VERSION}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

impl SessionFile {
    /// Reads the file in `directory`, which must exist; without one there have been no sessions.
    ///
    /// # Errors
    /// Where it cannot be read or understood.
    pub fn open(directory: &Path) -> Result<SessionFile, SessionFileError> {
        let path = directory.join(FILE_NAME);
        let lock = lock(&path)?;
        let sessions = match std::fs::read(&path) {
            Ok(text) => parse(&path, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io_error(&path, &error)),
        };
        Ok(SessionFile {
            path,
            sessions,
            _lock: lock,
        })
    }

    /// Whether this broker has held a session of this id.
    pub fn contains(&self, session: i64) -> bool {
        self.sessions.contains(&session)
    }

    /// Notes a session before anything is done in it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn note(&mut self, session: i64) -> Result<(), SessionFileError> {
        let mut sessions = self.sessions.clone();
        sessions.push(session);
        let surplus = sessions.len().saturating_sub(KEPT);
        sessions.drain(..surplus);
        let text = json!({"version": FORMAT_VERSION, "sessions": sessions}).to_string();
        replace(&self.path, text.as_bytes()).map_err(|error| io_error(&self.path, &error))?;
        self.sessions = sessions;
        Ok(())
    }
}

/// A file of its own is locked, as the other one is replaced again and again.
fn lock(path: &Path) -> Result<File, SessionFileError> {
    let lock = path.with_extension("sessions.lock");
    let file = File::create(&lock).map_err(|error| io_error(&lock, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SessionFileError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_error(&lock, &error)),
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Vec<i64>, SessionFileError> {
    let corrupted = || SessionFileError::Corrupted { path: path.to_owned() };
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|_| corrupted())?;
    let version = value["version"].as_u64().ok_or_else(corrupted)?;
    if version > FORMAT_VERSION {
        return Err(SessionFileError::NewerFormat {
            path: path.to_owned(),
            found: version,
        });
    }
    let sessions = value["sessions"].as_array().ok_or_else(corrupted)?;
    let sessions: Option<Vec<i64>> = sessions.iter().map(serde_json::Value::as_i64).collect();
    sessions.ok_or_else(corrupted)
}

/// After a crash the old contents are there or the new ones.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let new = path.with_extension("sessions.tmp");
    let mut file = File::create(&new)?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn io_error(path: &Path, error: &io::Error) -> SessionFileError {
    SessionFileError::Io {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_there_the_next_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = SessionFile::open(directory.path()).expect("nothing is there yet");
        for session in 0..20 {
            file.note(session - 2).expect("written");
        }
        let path = directory.path().join(FILE_NAME);
        let locked = SessionFile::open(directory.path()).expect_err("another broker's");
        assert_eq!(locked, SessionFileError::Locked { path });
        drop(file);
        let again = SessionFile::open(directory.path()).expect("read");
        assert!(again.contains(17) && again.contains(2));
        assert!(!again.contains(1), "the oldest are forgotten");
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE_NAME);
        for text in ["", "{}", "[1]", "{\"version\":1,\"sessions\":[\"x\"]}"] {
            std::fs::write(&path, text).expect("written");
            let refused = SessionFile::open(directory.path()).expect_err(text);
            assert_eq!(refused, SessionFileError::Corrupted { path: path.clone() }, "{text}");
        }
        std::fs::write(&path, "{\"version\":2,\"sessions\":{}}").expect("written");
        let refused = SessionFile::open(directory.path()).expect_err("newer");
        assert_eq!(refused, SessionFileError::NewerFormat { path, found: 2 });
    }
}
