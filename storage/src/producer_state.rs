//! What a partition remembers of idempotent producers: epoch, the last five batches, an open transaction. With it duplicates are
//! recognised and gaps refused (KIP-98). Pure.

use std::collections::HashMap;

use crate::batch::BatchHeader;

/// How many of a producer's last batches are remembered.
pub const NUM_BATCHES_TO_RETAIN: usize = 5;
/// How many producers a partition remembers at the most: some 12 MiB of them.
pub const MAX_PRODUCERS: usize = 50_000;

/// A batch that a producer has appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMetadata {
    /// The last record's sequence number.
    pub last_sequence: i32,
    /// The last record's offset.
    pub last_offset: i64,
    /// The last offset minus the first one.
    pub offset_delta: i32,
    /// The batch's largest timestamp.
    pub timestamp: i64,
}

impl BatchMetadata {
    /// The first record's offset.
    pub fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    /// The first record's sequence number; the sequence wraps from `i32::MAX` to 0.
    pub fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        if first < 0 {
            (first + i64::from(i32::MAX) + 1) as i32
        } else {
            first as i32
        }
    }
}

/// What is remembered of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerStateEntry {
    /// The producer.
    pub producer_id: i64,
    /// Its newest epoch; −1 before its first batch.
    pub producer_epoch: i16,
    /// The epoch of the transaction coordinator that wrote the last marker; −1 for none.
    pub coordinator_epoch: i32,
    /// When it last wrote: the timestamp of its last batch or marker.
    pub last_timestamp: i64,
    /// Where its open transaction begins.
    pub current_txn_first_offset: Option<i64>,
    batches: Vec<BatchMetadata>,
}

impl ProducerStateEntry {
    /// A producer that has written nothing.
    pub fn empty(producer_id: i64) -> Self {
        Self {
            producer_id,
            producer_epoch: -1,
            coordinator_epoch: -1,
            last_timestamp: -1,
            current_txn_first_offset: None,
            batches: Vec::new(),
        }
    }

    /// The same with one remembered batch.
    pub fn with_batch(mut self, batch: BatchMetadata) -> Self {
        self.batches = vec![batch];
        self
    }

    /// The remembered batches, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches
    }

    /// The last batch's last sequence number; −1 for none.
    pub fn last_sequence(&self) -> i32 {
        self.batches.last().map_or(-1, |batch| batch.last_sequence)
    }

    fn find_duplicate(&self, header: &BatchHeader) -> Option<BatchMetadata> {
        let is_same = |batch: &&BatchMetadata| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        };
        self.batches
            .iter()
            .find(is_same)
            .filter(|_| header.producer_epoch == self.producer_epoch)
            .copied()
    }

    fn set_epoch(&mut self, producer_epoch: i16) {
        if self.producer_epoch != producer_epoch {
            self.batches.clear();
            self.producer_epoch = producer_epoch;
        }
    }

    fn add_batch(&mut self, batch: BatchMetadata) {
        if self.batches.len() == NUM_BATCHES_TO_RETAIN {
            self.batches.remove(0);
        }
        self.batches.push(batch);
    }
}

/// What the end of a transaction says: the record of a control batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// The epoch of the coordinator that wrote it.
    pub coordinator_epoch: i32,
    /// The marker's timestamp.
    pub timestamp: i64,
}

/// Why a producer's batch may not be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerRejection {
    /// Its epoch is older than this one.
    InvalidProducerEpoch {
        /// The newest epoch seen.
        current_epoch: i16,
    },
    /// Its sequence does not follow this one.
    OutOfOrderSequence {
        /// The last sequence that is stored; −1 for none.
        last_sequence: i32,
    },
    /// It is outside the transaction that is open, or inside one that is not.
    InvalidTxnState,
}

/// All producers of a partition.
#[derive(Clone, Debug, Default)]
pub struct ProducerState {
    producers: HashMap<i64, ProducerStateEntry>,
    /// The state is what the log below this offset gives.
    map_end_offset: i64,
}

impl ProducerState {
    /// No producers, at this offset.
    pub fn new(map_end_offset: i64) -> Self {
        Self {
            producers: HashMap::new(),
            map_end_offset,
        }
    }

    /// The offset up to which the log has been taken in.
    pub fn map_end_offset(&self) -> i64 {
        self.map_end_offset
    }

    /// Says that there is nothing of producers between the present end and this offset.
    pub fn set_map_end_offset(&mut self, offset: i64) {
        self.map_end_offset = offset;
    }

    /// The producers that are remembered, in no order.
    pub fn active_producers(&self) -> impl ExactSizeIterator<Item = &ProducerStateEntry> {
        self.producers.values()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// What is remembered of a producer.
    pub fn entry(&self, producer_id: i64) -> Option<&ProducerStateEntry> {
        self.producers.get(&producer_id)
    }

    /// Takes an entry in as a snapshot holds it.
    pub fn load(&mut self, entry: ProducerStateEntry) {
        self.producers.insert(entry.producer_id, entry);
    }

    /// The first offset of the oldest open transaction: nothing from there on is stable.
    pub fn first_undecided_offset(&self) -> Option<i64> {
        self.producers
            .values()
            .filter_map(|entry| entry.current_txn_first_offset)
            .min()
    }

    /// The batch that this one repeats, if it is one of the producer's last five.
    pub fn find_duplicate(&self, header: &BatchHeader) -> Option<BatchMetadata> {
        self.producers.get(&header.producer_id)?.find_duplicate(header)
    }

    /// Whether a client's batch may be appended; duplicates are looked for before.
    pub fn check(&self, header: &BatchHeader) -> Result<(), ProducerRejection> {
        let (current_epoch, last_sequence, in_txn) = match self.producers.get(&header.producer_id) {
            Some(entry) => (
                entry.producer_epoch,
                entry.last_sequence(),
                entry.current_txn_first_offset.is_some(),
            ),
            None => (-1, -1, false),
        };
        if header.producer_epoch < current_epoch {
            return Err(ProducerRejection::InvalidProducerEpoch { current_epoch });
        }
        // Without a current epoch – perhaps all of the producer's records are deleted – any sequence may come.
        let in_order = if current_epoch == -1 {
            true
        } else if header.producer_epoch != current_epoch {
            header.base_sequence == 0
        } else {
            i64::from(header.base_sequence) == i64::from(last_sequence) + 1
                || (header.base_sequence == 0 && last_sequence == i32::MAX)
        };
        if !in_order {
            return Err(ProducerRejection::OutOfOrderSequence { last_sequence });
        }
        if header.is_transactional() != in_txn {
            return Err(ProducerRejection::InvalidTxnState);
        }
        Ok(())
    }

    /// Takes in a batch that is in the log now. `marker` is what a control batch holds.
    pub fn apply(&mut self, header: &BatchHeader, marker: Option<EndTxnMarker>) {
        self.map_end_offset = header.last_offset() + 1;
        if !header.has_producer_id() {
            return;
        }
        if self.producers.len() >= MAX_PRODUCERS && !self.producers.contains_key(&header.producer_id) {
            self.forget_oldest();
        }
        let entry = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(|| ProducerStateEntry::empty(header.producer_id));
        entry.set_epoch(header.producer_epoch);
        if header.is_control() {
            // An empty control batch is what compaction leaves of a transaction that is gone.
            if let Some(marker) = marker {
                entry.coordinator_epoch = marker.coordinator_epoch;
                entry.last_timestamp = marker.timestamp;
                entry.current_txn_first_offset = None;
            }
            return;
        }
        entry.add_batch(BatchMetadata {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        entry.last_timestamp = header.max_timestamp;
        if header.is_transactional() {
            entry.current_txn_first_offset.get_or_insert(header.base_offset);
        }
    }

    /// Forgets the tenth that wrote longest ago, which the order in the log tells: timestamps are the clients'. A producer that is
    /// forgotten is taken for one whose records are gone; those with an open transaction stay.
    fn forget_oldest(&mut self) {
        let last_offset = |entry: &ProducerStateEntry| entry.batches.last().map_or(-1, |batch| batch.last_offset);
        let idle = self.producers.values();
        let idle = idle.filter(|entry| entry.current_txn_first_offset.is_none());
        let mut offsets: Vec<i64> = idle.map(last_offset).collect();
        if offsets.is_empty() {
            return;
        }
        let tenth = offsets.len() / 10;
        let (_, &mut newest_of_those, _) = offsets.select_nth_unstable(tenth);
        self.producers
            .retain(|_, entry| entry.current_txn_first_offset.is_some() || last_offset(entry) > newest_of_those);
    }

    /// Forgets the producers that have been idle for too long; those with an open transaction stay.
    pub fn remove_expired(&mut self, producer_id_expiration_ms: i64, now_ms: i64) {
        self.producers
            .retain(|_, entry| !is_expired(entry, producer_id_expiration_ms, now_ms));
    }
}

/// Whether the producer has been idle for so long that it is forgotten.
pub fn is_expired(entry: &ProducerStateEntry, producer_id_expiration_ms: i64, now_ms: i64) -> bool {
    entry.current_txn_first_offset.is_none() && now_ms - entry.last_timestamp >= producer_id_expiration_ms
}
