//! Rebuilds the groups of a partition from its log, when this broker has become its leader.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::batch::{self, BatchError, BatchKind};
use super::cell::{Cell, OffsetsPartition};
use super::coordinator::Shared;
use super::decision::{Note, Now};
use super::offsets_log::OffsetsLogError;
use super::record::{DecodedRecord, Record, RecordError, decode};
use super::state::Group;

/// How long to wait before a log that could not be read is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a partition could not be loaded.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Log(#[from] OffsetsLogError),
    #[error("at offset {offset}: {source}")]
    Record { offset: i64, source: RecordError },
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// Loads a partition and opens it. A log that cannot be read now is tried again until leadership goes; one that cannot
/// be understood stays closed: an offset that we cannot read is not «no offset».
pub(super) async fn run(shared: Arc<Shared>, partition: Arc<OffsetsPartition>) {
    let name = format!("__consumer_offsets-{}", partition.partition);
    while shared.leads(&partition) {
        match load(&shared, partition.partition).await {
            Ok(groups) => {
                let (count, offsets) = (
                    groups.len(),
                    groups
                        .values()
                        .map(|group| group.persisted().offset_count())
                        .sum::<usize>(),
                );
                open(&shared, &partition, groups);
                log::debug!("{name}: loaded {count} groups with {offsets} offsets");
                return;
            }
            Err(LoadError::Log(OffsetsLogError::NotLeader)) => {
                // Either the log has not heard of this election yet, or this room not of the next one, which ends the loop.
                log::debug!("{name}: this broker does not lead it, trying again");
                partition.not_leader();
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(LoadError::Log(error)) if error != OffsetsLogError::Damaged => {
                log::warn!("{name}: cannot be read ({error}), trying again");
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => {
                log::error!("{name}: its groups are not available: {error}");
                partition.load_failed();
                return;
            }
        }
    }
}

async fn load(shared: &Shared, partition: i32) -> Result<HashMap<Arc<str>, Group>, LoadError> {
    let mut loader = Loader::new(shared.now());
    let (mut offset, _) = shared.log.bounds(partition)?;
    loop {
        // The end moves while this broker appends nothing itself, because leadership may be a moment old.
        let (_, log_end_offset) = shared.log.bounds(partition)?;
        if offset >= log_end_offset {
            return Ok(loader.finish());
        }
        let chunk = shared
            .log
            .read(partition, offset, shared.config.load_buffer_bytes)
            .await?;
        let next_offset = loader.take(&chunk, offset)?;
        if next_offset <= offset {
            return Ok(loader.finish());
        }
        offset = next_offset;
    }
}

fn open(shared: &Arc<Shared>, partition: &Arc<OffsetsPartition>, groups: HashMap<Arc<str>, Group>) {
    let cells: HashMap<_, _> = groups
        .into_iter()
        .map(|(group_id, group)| (group_id, Cell::new(group, &shared.memory)))
        .collect();
    let all: Vec<_> = cells.values().cloned().collect();
    if !partition.loaded(shared, cells) {
        return;
    }
    for cell in all {
        let mut inner = cell.lock();
        let now = shared.now();
        let decision = inner.group.handle_restored(&shared.config.group, now);
        shared.perform(partition, &cell, &mut inner, decision, now);
    }
}

/// The fold of a partition's batches.
struct Loader {
    now: Now,
    groups: HashMap<Arc<str>, Group>,
    /// Offsets of open transactions, by producer id, with the offset of their records.
    transactions: HashMap<i64, Vec<(Arc<str>, Record, i64)>>,
    /// Where the newest commit that counts lies in the log, of what was committed while transactions were open: one of a transaction
    /// that ends later is older than it.
    committed_at: HashMap<CommittedOffset, i64>,
}

/// Group, topic and partition.
type CommittedOffset = (Arc<str>, Arc<str>, i32);

impl Loader {
    fn new(now: Now) -> Self {
        Loader {
            now,
            groups: HashMap::new(),
            transactions: HashMap::new(),
            committed_at: HashMap::new(),
        }
    }

    /// Takes whole batches, and says at which offset the next one begins.
    fn take(&mut self, chunk: &Bytes, from: i64) -> Result<i64, LoadError> {
        let mut next_offset = from;
        for batch in batch::read(chunk) {
            let batch = batch?;
            next_offset = batch.next_offset;
            match batch.kind {
                BatchKind::TransactionEnd { commit } => self.end_transaction(batch.producer_id, commit),
                BatchKind::OtherControl => {}
                BatchKind::Data { transactional } => {
                    for record in batch.records.into_iter().filter(|record| record.offset >= from) {
                        self.take_record(record, transactional.then_some(batch.producer_id))?;
                    }
                }
            }
        }
        Ok(next_offset)
    }

    fn take_record(&mut self, record: batch::LoggedRecord, transaction: Option<i64>) -> Result<(), LoadError> {
        let offset = record.offset;
        let Some(key) = record.key else {
            log::warn!("__consumer_offsets: the record at offset {offset} has no key, skipped");
            return Ok(());
        };
        match decode(&key, record.value.as_ref()).map_err(|source| LoadError::Record { offset, source })? {
            DecodedRecord::Known { group_id, record } => match transaction {
                Some(producer_id) => {
                    self.transactions
                        .entry(producer_id)
                        .or_default()
                        .push((group_id, record, offset));
                }
                None => self.apply(group_id, record, offset),
            },
            DecodedRecord::UnknownKey { version } => {
                log::warn!("__consumer_offsets: key version {version} at offset {offset} is not known, skipped");
            }
            DecodedRecord::UnreadableKey(error) => {
                log::error!("__consumer_offsets: the key of the record at offset {offset}: {error}; skipped");
            }
        }
        Ok(())
    }

    fn end_transaction(&mut self, producer_id: i64, commit: bool) {
        let records = self.transactions.remove(&producer_id).unwrap_or_default();
        if commit {
            for (group_id, record, offset) in records {
                // A tombstone is applied as well: Kafka only forgets one of a transaction, which it never writes.
                if !self.is_outdated(&group_id, &record, offset) {
                    self.apply(group_id, record, offset);
                }
            }
        }
        if self.transactions.is_empty() {
            self.committed_at.clear();
        }
    }

    /// Whether a commit that lies further back in the log counts already (Kafka's `CommitRecordMetadataAndOffset.olderThan`).
    fn is_outdated(&self, group_id: &Arc<str>, record: &Record, offset: i64) -> bool {
        let Record::Offset { topic, partition, .. } = record else {
            return false;
        };
        let committed = (group_id.clone(), topic.clone(), *partition);
        self.committed_at.get(&committed).is_some_and(|at| *at > offset)
    }

    fn note_committed(&mut self, group_id: &Arc<str>, record: &Record, offset: i64) {
        if let Record::Offset {
            topic,
            partition,
            value,
        } = record
        {
            let committed = (group_id.clone(), topic.clone(), *partition);
            match value {
                Some(_) => drop(self.committed_at.insert(committed, offset)),
                None => drop(self.committed_at.remove(&committed)),
            }
        }
    }

    fn apply(&mut self, group_id: Arc<str>, record: Record, offset: i64) {
        if !self.transactions.is_empty() {
            self.note_committed(&group_id, &record, offset);
        }
        let now = self.now;
        let group = self
            .groups
            .entry(group_id)
            .or_insert_with_key(|group_id| Group::new(group_id.clone(), now));
        group.apply(record, offset);
        // What the log of the leader holds counts: nobody else can take it back.
        group.note(Note::Committed {
            high_watermark: i64::MAX,
        });
    }

    fn finish(mut self) -> HashMap<Arc<str>, Group> {
        self.groups.retain(|_, group| !group.persisted().is_empty());
        for group in self.groups.values_mut() {
            group.restore(self.now);
        }
        self.groups
    }
}
