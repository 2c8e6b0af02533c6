//! The file of the embedded store: one redb database with three tables. Numbers of entries are big-endian.
//!
//! ```text
//! znodes      key    depth: u8 | path in UTF-8           depth = number of parts, so siblings lie side by side
//!             value  czxid i64 | mzxid i64 | pzxid i64 | ctime_ms i64 | mtime_ms i64 | ephemeral_owner i64 |
//!                    version i32 | cversion i32 | num_children i32 | data …
//! ephemerals  key    path                                deleted when the file is opened the next time
//! numbers     key    "format_version" | "zxid" | "session_id"         value  u64
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::{Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use crate::store::{Stat, StoreError};
use crate::znode_tree::{Base, Key, Node};

/// The file's name inside `metadata.log.dir`.
pub const FILE_NAME: &str = "sordini.metadata";

/// Version of the file's layout; a file with a higher one is refused.
pub const FORMAT_VERSION: u64 = 1;

/// Cache of the database in bytes; what is read often is small, and the tree's readers keep their own state.
const CACHE_BYTES: usize = 1 << 20;

const ZNODES: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("znodes");
const EPHEMERALS: TableDefinition<'static, &'static str, ()> = TableDefinition::new("ephemerals");
const NUMBERS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("numbers");

const NUMBER_FORMAT: &str = "format_version";
const NUMBER_ZXID: &str = "zxid";
const NUMBER_SESSION: &str = "session_id";

/// Why the file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A newer Sordini wrote it.
    #[error("{} has format version {found}, but this release reads up to {FORMAT_VERSION}: use a newer release", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// It is damaged, or not a metadata store.
    #[error("{} is damaged or not a metadata store: {reason}", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// It cannot be opened, read or written.
    #[error("{} cannot be opened: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        reason: String,
    },
}

/// The open file.
pub(crate) struct MetadataFile {
    database: Database,
}

/// What an earlier process left in the file.
pub(crate) struct Left {
    pub znodes: Durable,
    pub zxid: i64,
    pub session_id: i64,
    pub ephemerals: BTreeSet<String>,
}

impl MetadataFile {
    /// Opens or creates the file and checks it.
    pub fn open(path: &Path) -> Result<(MetadataFile, Left), OpenError> {
        let database = open_database(path)?;
        let corrupted = |error: redb::Error| OpenError::Corrupted {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let numbers = read_numbers(&database).map_err(corrupted)?;
        match numbers.get(NUMBER_FORMAT) {
            Some(&found) if found > FORMAT_VERSION => {
                return Err(OpenError::NewerFormat {
                    path: path.to_owned(),
                    found,
                });
            }
            None if !numbers.is_empty() => {
                return Err(OpenError::Corrupted {
                    path: path.to_owned(),
                    reason: "it has no format version".to_owned(),
                });
            }
            _ => {}
        }
        let number = |name: &str| numbers.get(name).copied().unwrap_or(0) as i64;
        let left = Left {
            znodes: Durable::read(&database).map_err(corrupted)?,
            zxid: number(NUMBER_ZXID),
            session_id: number(NUMBER_SESSION),
            ephemerals: read_ephemerals(&database).map_err(corrupted)?,
        };
        Ok((MetadataFile { database }, left))
    }

    /// Makes changes durable, and gives what the file holds then.
    pub fn write(
        &self,
        changes: &BTreeMap<Key, Option<Node>>,
        zxid: i64,
        session_id: i64,
    ) -> Result<Durable, redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut znodes = transaction.open_table(ZNODES)?;
            let mut ephemerals = transaction.open_table(EPHEMERALS)?;
            for (key, node) in changes {
                match node {
                    Some(node) => {
                        znodes.insert(key.0.as_slice(), encode(node).as_slice())?;
                        if node.stat.ephemeral_owner != 0 {
                            ephemerals.insert(key.path(), ())?;
                        }
                    }
                    None => {
                        znodes.remove(key.0.as_slice())?;
                        ephemerals.remove(key.path())?;
                    }
                }
            }
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert(NUMBER_FORMAT, FORMAT_VERSION)?;
            numbers.insert(NUMBER_ZXID, zxid as u64)?;
            numbers.insert(NUMBER_SESSION, session_id as u64)?;
        }
        transaction.commit()?;
        Durable::read(&self.database)
    }
}

fn open_database(path: &Path) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    // The check costs a few milliseconds; without it, a flipped bit could make topics vanish, and their logs strays.
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(path.exists());
    // A damaged file can make the database panic instead of fail, so that is caught as well.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.create(path)));
    let path = path.to_owned();
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(OpenError::Locked { path }),
        Ok(Err(DatabaseError::Storage(redb::StorageError::Io(error)))) => match error.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => Err(OpenError::Corrupted {
                path,
                reason: error.to_string(),
            }),
            _ => Err(OpenError::Io {
                path,
                reason: error.to_string(),
            }),
        },
        Ok(Err(error)) => Err(OpenError::Corrupted {
            path,
            reason: error.to_string(),
        }),
        Err(_) => Err(OpenError::Corrupted {
            path,
            reason: "its pages contradict each other".to_owned(),
        }),
    }
}

fn read_numbers(database: &Database) -> Result<HashMap<String, u64>, redb::Error> {
    let Some(table) = existing(database.begin_read()?.open_table(NUMBERS))? else {
        return Ok(HashMap::new());
    };
    let mut numbers = HashMap::new();
    for entry in table.iter()? {
        let (name, number) = entry?;
        numbers.insert(name.value().to_owned(), number.value());
    }
    Ok(numbers)
}

fn read_ephemerals(database: &Database) -> Result<BTreeSet<String>, redb::Error> {
    let Some(table) = existing(database.begin_read()?.open_table(EPHEMERALS))? else {
        return Ok(BTreeSet::new());
    };
    let mut paths = BTreeSet::new();
    for entry in table.iter()? {
        paths.insert(entry?.0.value().to_owned());
    }
    Ok(paths)
}

/// A new file has no tables before its first commit.
fn existing<T>(table: Result<T, redb::TableError>) -> Result<Option<T>, redb::Error> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The last committed state of the file.
pub(crate) struct Durable {
    znodes: Option<ReadOnlyTable<&'static [u8], &'static [u8]>>,
}

impl Durable {
    fn read(database: &Database) -> Result<Durable, redb::Error> {
        Ok(Durable {
            znodes: existing(database.begin_read()?.open_table(ZNODES))?,
        })
    }
}

fn failed(error: redb::StorageError) -> StoreError {
    StoreError::Failed {
        reason: error.to_string(),
    }
}

impl Base for Durable {
    fn node(&self, key: &Key) -> Result<Option<Node>, StoreError> {
        let Some(znodes) = &self.znodes else { return Ok(None) };
        let value = znodes.get(key.0.as_slice()).map_err(failed)?;
        value.map(|value| decode(key, value.value())).transpose()
    }

    fn keys(&self, first: &Key, end: &Key) -> Result<Vec<Key>, StoreError> {
        let Some(znodes) = &self.znodes else {
            return Ok(Vec::new());
        };
        let range = znodes
            .range::<&[u8]>(first.0.as_slice()..end.0.as_slice())
            .map_err(failed)?;
        range
            .map(|entry| entry.map(|(key, _)| Key(key.value().to_vec())).map_err(failed))
            .collect()
    }
}

const STAT_BYTES: usize = 60;

/// Stat and data: six numbers of 8 bytes, three of 4, big-endian, then the data.
fn encode(node: &Node) -> Vec<u8> {
    let stat = &node.stat;
    let mut bytes = Vec::with_capacity(STAT_BYTES + node.data.len());
    for number in [
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.ctime_ms,
        stat.mtime_ms,
        stat.ephemeral_owner,
    ] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    for number in [stat.version, stat.cversion, stat.num_children] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&node.data);
    bytes
}

fn decode(key: &Key, bytes: &[u8]) -> Result<Node, StoreError> {
    let Some((head, data)) = bytes.split_at_checked(STAT_BYTES) else {
        let reason = format!(
            "the entry of {} has {} bytes, fewer than {STAT_BYTES}",
            key.path(),
            bytes.len()
        );
        return Err(StoreError::Failed { reason });
    };
    let long = |index: usize| i64::from_be_bytes(head[index * 8..index * 8 + 8].try_into().expect("8 bytes"));
    let int = |index: usize| i32::from_be_bytes(head[48 + index * 4..52 + index * 4].try_into().expect("4 bytes"));
    let stat = Stat {
        czxid: long(0),
        mzxid: long(1),
        pzxid: long(2),
        ctime_ms: long(3),
        mtime_ms: long(4),
        ephemeral_owner: long(5),
        version: int(0),
        cversion: int(1),
        num_children: int(2),
        data_length: data.len() as i32,
    };
    Ok(Node {
        data: Bytes::copy_from_slice(data),
        stat,
    })
}
