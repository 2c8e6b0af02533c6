//! The small text files of a log directory and of a partition, in Kafka's formats.
//!
//! | file | content |
//! |---|---|
//! | `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `replication-offset-checkpoint`, `cleaner-offset-checkpoint` | `0`, the number of entries, then `<topic> <partition> <offset>` a line |
//! | `leader-epoch-checkpoint` | `0`, the number of entries, then `<epoch> <start offset>` a line |
//! | `partition.metadata` | `version: 0`, `topic_id: <uuid>` |
//! | `meta.properties` | `version=0`, `broker.id=<id>`, `cluster.id=<id>` |
//! | `.kafka_cleanshutdown` | `{"version":0,"brokerEpoch":<epoch>}` |

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::TopicPartition;
use protocol::wire::TopicId;

use crate::leader_epoch_cache::EpochEntry;

/// One of the four files of a log directory that hold an offset per partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OffsetCheckpoint {
    /// Below it everything is on disk.
    RecoveryPoint,
    /// The first offset that may be read.
    LogStartOffset,
    /// The high watermark.
    Replication,
    /// Up to where the log is compacted.
    Cleaner,
}

impl OffsetCheckpoint {
    /// The file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::RecoveryPoint => "recovery-point-offset-checkpoint",
            Self::LogStartOffset => "log-start-offset-checkpoint",
            Self::Replication => "replication-offset-checkpoint",
            Self::Cleaner => "cleaner-offset-checkpoint",
        }
    }
}

/// Why a checkpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCheckpoint {
    /// A version that this program does not know.
    #[error("version {found:?} instead of 0")]
    Version {
        /// What stands there.
        found: String,
    },
    /// A line that is none.
    #[error("malformed line {line:?}")]
    Line {
        /// The line.
        line: String,
    },
    /// More or fewer lines than announced.
    #[error("{found} entries instead of {announced}")]
    Count {
        /// What the second line says.
        announced: usize,
        /// What follows.
        found: usize,
    },
}

fn encode_lines<T>(entries: impl ExactSizeIterator<Item = T>, line: impl Fn(&mut String, T)) -> String {
    let mut out = format!("0\n{}\n", entries.len());
    for entry in entries {
        line(&mut out, entry);
        out.push('\n');
    }
    out
}

fn decode_lines<T>(text: &str, line: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, MalformedCheckpoint> {
    let malformed = |line: &str| MalformedCheckpoint::Line { line: line.to_owned() };
    let mut lines = text.lines();
    // A crash may cut a file that was not durable: within a number that would go unnoticed.
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(malformed(text.lines().last().unwrap_or_default()));
    }
    // A file that was created but never written holds no entries.
    let Some(version) = lines.next() else {
        return Ok(Vec::new());
    };
    if version != "0" {
        return Err(MalformedCheckpoint::Version {
            found: version.to_owned(),
        });
    }
    let Some(count) = lines.next() else {
        return Ok(Vec::new());
    };
    let announced: usize = count.parse().map_err(|_| malformed(count))?;
    let entries: Vec<T> = lines
        .map(|text| line(text).ok_or_else(|| malformed(text)))
        .collect::<Result<_, _>>()?;
    if entries.len() != announced {
        return Err(MalformedCheckpoint::Count {
            announced,
            found: entries.len(),
        });
    }
    Ok(entries)
}

/// Writes an offset checkpoint down.
pub fn encode_offsets<'a>(entries: impl ExactSizeIterator<Item = (&'a TopicPartition, i64)>) -> String {
    encode_lines(entries, |out, (partition, offset)| {
        write!(out, "{} {} {offset}", partition.topic, partition.partition).expect("writing to a string");
    })
}

/// Reads an offset checkpoint.
pub fn decode_offsets(text: &str) -> Result<BTreeMap<TopicPartition, i64>, MalformedCheckpoint> {
    let entries = decode_lines(text, |line| {
        let mut words = line.split_whitespace();
        let partition = TopicPartition::new(words.next()?, words.next()?.parse().ok()?);
        let offset = words.next()?.parse().ok()?;
        words.next().is_none().then_some((partition, offset))
    })?;
    Ok(entries.into_iter().collect())
}

/// Writes a leader epoch checkpoint down.
pub fn encode_epochs(entries: impl ExactSizeIterator<Item = EpochEntry>) -> String {
    encode_lines(entries, |out, entry| {
        write!(out, "{} {}", entry.epoch, entry.start_offset).expect("writing to a string");
    })
}

/// Reads a leader epoch checkpoint.
pub fn decode_epochs(text: &str) -> Result<Vec<EpochEntry>, MalformedCheckpoint> {
    decode_lines(text, |line| {
        let (epoch, start_offset) = line.split_once(char::is_whitespace)?;
        let entry = EpochEntry {
            epoch: epoch.parse().ok()?,
            start_offset: start_offset.trim().parse().ok()?,
        };
        (entry.epoch >= 0 && entry.start_offset >= 0).then_some(entry)
    })
}

/// Writes `partition.metadata` down.
pub fn encode_partition_metadata(topic_id: &TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Reads the topic's id from `partition.metadata`.
pub fn decode_partition_metadata(text: &str) -> Result<TopicId, MalformedCheckpoint> {
    let malformed = || MalformedCheckpoint::Line { line: text.to_owned() };
    let mut lines = text.lines();
    match lines
        .next()
        .and_then(|line| line.strip_prefix("version:"))
        .map(str::trim)
    {
        Some("0") => {}
        Some(found) => {
            return Err(MalformedCheckpoint::Version {
                found: found.to_owned(),
            });
        }
        None => return Err(malformed()),
    }
    let topic_id = lines
        .next()
        .and_then(|line| line.strip_prefix("topic_id:"))
        .ok_or_else(malformed)?;
    topic_id
        .trim()
        .parse()
        .ok()
        .filter(|id: &TopicId| !id.is_zero())
        .ok_or_else(malformed)
}

/// Who owns a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The broker's id.
    pub broker_id: i32,
    /// The cluster's id.
    pub cluster_id: String,
}

/// Why `meta.properties` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedMetaProperties {
    /// A directory of a KRaft broker, or of something newer.
    #[error("version {found:?}: only directories of version 0 (ZooKeeper mode) can be used")]
    Version {
        /// What stands there.
        found: String,
    },
    /// A key is missing.
    #[error("{key} is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// The broker's id is no number.
    #[error("broker.id {found:?} is no number")]
    BrokerId {
        /// What stands there.
        found: String,
    },
}

/// Writes `meta.properties` down.
pub fn encode_meta_properties(meta: &MetaProperties) -> String {
    format!(
        "#\nversion=0\nbroker.id={}\ncluster.id={}\n",
        meta.broker_id, meta.cluster_id
    )
}

/// Reads `meta.properties` (version 0).
pub fn decode_meta_properties(text: &str) -> Result<MetaProperties, MalformedMetaProperties> {
    let properties: BTreeMap<&str, &str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', '!']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let version = properties.get("version").copied().unwrap_or("0");
    if version != "0" {
        return Err(MalformedMetaProperties::Version {
            found: version.to_owned(),
        });
    }
    let get = |key| {
        properties
            .get(key)
            .copied()
            .ok_or(MalformedMetaProperties::Missing { key })
    };
    let broker_id = get("broker.id")?;
    Ok(MetaProperties {
        broker_id: broker_id.parse().map_err(|_| MalformedMetaProperties::BrokerId {
            found: broker_id.to_owned(),
        })?,
        cluster_id: get("cluster.id")?.to_owned(),
    })
}

/// Writes `.kafka_cleanshutdown` down.
pub fn encode_clean_shutdown(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The broker epoch of `.kafka_cleanshutdown`; `None` for an older, empty file, which means a clean stop all the same.
pub fn decode_clean_shutdown(text: &str) -> Option<i64> {
    serde_json::from_str::<serde_json::Value>(text)
        .ok()?
        .get("brokerEpoch")?
        .as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_and_bad_files_are_refused() {
        let a = TopicPartition::new("a-b", 3);
        let b = TopicPartition::new("__consumer_offsets", 49);
        let text = encode_offsets([(&a, 7), (&b, 0)].into_iter());
        assert_eq!(text, "0\n2\na-b 3 7\n__consumer_offsets 49 0\n");
        assert_eq!(decode_offsets(&text), Ok(BTreeMap::from([(a, 7), (b, 0)])));
        assert_eq!(decode_offsets(""), Ok(BTreeMap::new()));
        assert_eq!(
            decode_offsets("1\n0\n"),
            Err(MalformedCheckpoint::Version { found: "1".into() })
        );
        assert_eq!(
            decode_offsets("0\n2\na 0 1\n"),
            Err(MalformedCheckpoint::Count { announced: 2, found: 1 })
        );
        assert_eq!(
            decode_offsets("0\n1\na 0\n"),
            Err(MalformedCheckpoint::Line { line: "a 0".into() })
        );
    }

    #[test]
    fn epochs_survive() {
        let entries = [
            EpochEntry {
                epoch: 0,
                start_offset: 0,
            },
            EpochEntry {
                epoch: 4,
                start_offset: 1 << 40,
            },
        ];
        let text = encode_epochs(entries.into_iter());
        assert_eq!(text, "0\n2\n0 0\n4 1099511627776\n");
        assert_eq!(decode_epochs(&text), Ok(entries.to_vec()));
        assert!(decode_epochs("0\n1\n-1 4\n").is_err());
    }

    #[test]
    fn partition_metadata_survives() {
        let id = TopicId::METADATA_TOPIC_ID;
        assert_eq!(decode_partition_metadata(&encode_partition_metadata(&id)), Ok(id));
        assert!(decode_partition_metadata("version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ").is_err());
        assert!(decode_partition_metadata("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA").is_err());
        assert!(decode_partition_metadata("").is_err());
    }

    #[test]
    fn meta_properties_survive_and_those_of_kraft_are_refused() {
        let meta = MetaProperties {
            broker_id: 5,
            cluster_id: "EEmZPJ3uTbeyxDP0zUCFBA".into(),
        };
        assert_eq!(decode_meta_properties(&encode_meta_properties(&meta)), Ok(meta.clone()));
        let kafkas = "#\n#Sun Nov 22 12:00:00 UTC 2026\nbroker.id=5\ncluster.id=EEmZPJ3uTbeyxDP0zUCFBA\nversion=0\n";
        assert_eq!(decode_meta_properties(kafkas), Ok(meta));
        assert!(decode_meta_properties("version=1\nnode.id=5\ncluster.id=x\n").is_err());
        assert!(decode_meta_properties("version=0\nbroker.id=x\ncluster.id=x\n").is_err());
        assert!(decode_meta_properties("version=0\nbroker.id=1\n").is_err());
    }

    #[test]
    fn the_clean_shutdown_mark_is_kafkas() {
        assert_eq!(encode_clean_shutdown(-1), r#"{"version":0,"brokerEpoch":-1}"#);
        assert_eq!(decode_clean_shutdown(r#"{"version":0,"brokerEpoch":77}"#), Some(77));
        assert_eq!(decode_clean_shutdown(""), None);
    }
}
