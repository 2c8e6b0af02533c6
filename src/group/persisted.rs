//! What `__consumer_offsets` holds of a group: the committed state, and the records above the high watermark.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decision::TopicPartition;
use super::record::{GroupMetadata, OffsetAndMetadata, Record};

/// The fold of a group's records. `apply` is the only way in; `commit_through` makes visible what is committed.
#[derive(Debug, Default, PartialEq)]
pub struct Persisted {
    metadata: Option<Arc<GroupMetadata>>,
    offsets: BTreeMap<Arc<str>, BTreeMap<i32, OffsetAndMetadata>>,
    /// By their offset in the log. Records may be reported out of order; their place in the log decides.
    appended: BTreeMap<i64, Record>,
    /// What the descriptions of the group and its members take in memory, `appended` included.
    group_bytes: usize,
}

impl Persisted {
    /// Takes a record that the log holds at `log_offset`.
    pub(super) fn apply(&mut self, record: Record, log_offset: i64) {
        self.group_bytes += group_bytes(&record);
        if let Some(again) = self.appended.insert(log_offset, record) {
            self.group_bytes -= group_bytes(&again);
        }
    }

    /// Makes every record below the high watermark visible.
    pub(super) fn commit_through(&mut self, high_watermark: i64) {
        while let Some(entry) = self
            .appended
            .first_entry()
            .filter(|entry| *entry.key() < high_watermark)
        {
            match entry.remove() {
                Record::Group(metadata) => {
                    let before = std::mem::replace(&mut self.metadata, metadata);
                    self.group_bytes -= before.map_or(0, |metadata| metadata.memory_bytes());
                }
                Record::Offset {
                    topic,
                    partition,
                    value: Some(value),
                } => {
                    self.offsets.entry(topic).or_default().insert(partition, value);
                }
                Record::Offset {
                    topic,
                    partition,
                    value: None,
                } => {
                    if let Some(partitions) = self.offsets.get_mut(&topic) {
                        partitions.remove(&partition);
                        if partitions.is_empty() {
                            self.offsets.remove(&topic);
                        }
                    }
                }
            }
        }
    }

    /// The newest committed description of the group and its members; `None` when the group only stores offsets.
    pub fn metadata(&self) -> Option<&Arc<GroupMetadata>> {
        self.metadata.as_ref()
    }

    /// What the descriptions of the group and its members take in memory.
    pub(super) fn group_bytes(&self) -> usize {
        self.group_bytes
    }

    /// The committed offset of a partition.
    pub fn offset(&self, topic: &str, partition: i32) -> Option<&OffsetAndMetadata> {
        self.offsets.get(topic)?.get(&partition)
    }

    /// All committed offsets, by topic and partition.
    pub fn offsets(&self) -> &BTreeMap<Arc<str>, BTreeMap<i32, OffsetAndMetadata>> {
        &self.offsets
    }

    /// How many offsets are committed.
    pub fn offset_count(&self) -> usize {
        self.offsets.values().map(BTreeMap::len).sum()
    }

    /// A commit of this partition is in the log, but not committed.
    pub(super) fn is_appended(&self, topic: &str, partition: i32) -> bool {
        self.appended.values().any(|record| {
            matches!(record, Record::Offset { topic: t, partition: p, .. } if **t == *topic && *p == partition)
        })
    }

    /// The partitions with commits or tombstones in the log that are not committed.
    pub(super) fn appended_partitions(&self) -> Vec<TopicPartition> {
        let partition = |record: &Record| match record {
            Record::Offset { topic, partition, .. } => Some(TopicPartition {
                topic: topic.clone(),
                partition: *partition,
            }),
            Record::Group(_) => None,
        };
        self.appended.values().filter_map(partition).collect()
    }

    /// The topic's name as it is held already, so that one name is kept once.
    pub(super) fn intern(&self, topic: &str) -> Arc<str> {
        self.offsets
            .get_key_value(topic)
            .map_or_else(|| Arc::from(topic), |(name, _)| name.clone())
    }

    /// Nothing at all is held.
    pub fn is_empty(&self) -> bool {
        self.metadata.is_none() && self.offsets.is_empty() && self.appended.is_empty()
    }
}

fn group_bytes(record: &Record) -> usize {
    match record {
        Record::Group(Some(metadata)) => metadata.memory_bytes(),
        Record::Group(None) | Record::Offset { .. } => 0,
    }
}
