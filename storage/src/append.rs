//! Appending: batches get their offsets, producers are checked, and what met is written at once.

use bytes::Bytes;

use crate::batch::{ATTRIBUTES_AT, BATCH_HEADER_LEN, BatchHeader, crc32c, end_txn_marker};
use crate::error::{AppendError, LogDirFailure};
use crate::log::Log;
use crate::producer_state::ProducerRejection;
use crate::segment::Placed;
use crate::validate::ValidatedBatch;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// The first record's offset.
    pub first_offset: i64,
    /// The last record's offset.
    pub last_offset: i64,
    /// The broker's time where `message.timestamp.type` is `LogAppendTime`, for a duplicate the stored timestamp, else −1.
    pub log_append_time_ms: i64,
    /// The log start offset.
    pub log_start_offset: i64,
    /// Whether the batch had been appended before: nothing was written, and the offsets are those of then.
    pub duplicate: bool,
    /// Whether a segment was rolled: a flush up to the active segment's base offset is due in the background.
    pub rolled: bool,
}

/// Batches that are accepted but not written.
#[derive(Debug, Default)]
struct Pending {
    parts: Vec<([u8; BATCH_HEADER_LEN], Bytes)>,
    placed: Vec<Placed>,
    bytes: usize,
}

impl Log {
    /// Appends a client's batch, giving it the next offsets and the leader's epoch.
    pub fn append_as_leader(
        &mut self,
        batch: ValidatedBatch,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        let mut results = self.append_all([batch], leader_epoch, now_ms);
        results.pop().expect("one result per batch")
    }

    /// Appends several batches that met, in order, with as few writes as possible; one result per batch.
    pub fn append_all(
        &mut self,
        batches: impl IntoIterator<Item = ValidatedBatch>,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Vec<Result<AppendInfo, AppendError>> {
        let mut pending = Pending::default();
        let admit = |batch: ValidatedBatch| self.admit(&batch, leader_epoch, now_ms, &mut pending);
        let mut results: Vec<_> = batches.into_iter().map(admit).collect();
        // A write that fails, here or before a roll, takes back what was promised for it.
        if let Err(failure) = self.write(&mut pending, now_ms) {
            for result in &mut results {
                if result
                    .as_ref()
                    .is_ok_and(|info| info.last_offset >= self.log_end_offset)
                {
                    *result = Err(failure.clone().into());
                }
            }
        }
        results
    }

    fn admit(
        &mut self,
        batch: &ValidatedBatch,
        leader_epoch: i32,
        now_ms: i64,
        pending: &mut Pending,
    ) -> Result<AppendInfo, AppendError> {
        self.check_open()?;
        self.check_size(batch.size_in_bytes())?;
        let (header, head, body) = batch.placed_at(pending.next_offset(self), leader_epoch);
        let info = AppendInfo {
            first_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time_ms: batch.log_append_time_ms(),
            log_start_offset: self.log_start_offset,
            duplicate: false,
            rolled: false,
        };
        if header.has_producer_id() && !planted::is(planted::Bug::NoDeduplication) {
            if let Some(stored) = self.producers.find_duplicate(&header) {
                let (first_offset, last_offset) = (stored.first_offset(), stored.last_offset);
                let log_append_time_ms = stored.timestamp;
                return Ok(AppendInfo {
                    first_offset,
                    last_offset,
                    log_append_time_ms,
                    duplicate: true,
                    ..info
                });
            }
            self.producers
                .check(&header)
                .map_err(|rejection| self.rejected(&header, rejection))?;
        }
        let rolled = self.accept(header, head, body, now_ms, pending)?;
        Ok(AppendInfo { rolled, ..info })
    }

    fn check_open(&self) -> Result<(), AppendError> {
        self.home.health().check()?;
        if self.closed {
            let partition = self.home.partition.clone();
            return Err(AppendError::Closed { partition });
        }
        Ok(())
    }

    fn check_size(&self, size: usize) -> Result<(), AppendError> {
        let segment_bytes = self.config.segment_bytes;
        if size > segment_bytes as usize {
            let partition = self.home.partition.clone();
            return Err(AppendError::RecordBatchTooLarge {
                partition,
                size,
                segment_bytes,
            });
        }
        Ok(())
    }

    fn rejected(&self, header: &BatchHeader, rejection: ProducerRejection) -> AppendError {
        let (partition, producer_id, offset) = (self.home.partition.clone(), header.producer_id, header.base_offset);
        match rejection {
            ProducerRejection::InvalidProducerEpoch { current_epoch } => {
                let producer_epoch = header.producer_epoch;
                AppendError::InvalidProducerEpoch {
                    partition,
                    producer_id,
                    offset,
                    producer_epoch,
                    current_epoch,
                }
            }
            ProducerRejection::OutOfOrderSequence { last_sequence } => {
                let sequence = header.base_sequence;
                AppendError::OutOfOrderSequence {
                    partition,
                    producer_id,
                    offset,
                    sequence,
                    last_sequence,
                }
            }
            ProducerRejection::InvalidTxnState => AppendError::InvalidTxnState {
                partition,
                producer_id,
                offset,
            },
        }
    }

    /// Takes a placed batch into what is pending, rolling where it does not fit any more; answers whether that happened.
    fn accept(
        &mut self,
        header: BatchHeader,
        head: [u8; BATCH_HEADER_LEN],
        body: Bytes,
        now_ms: i64,
        pending: &mut Pending,
    ) -> Result<bool, LogDirFailure> {
        let size = BATCH_HEADER_LEN + body.len();
        let active = self.active().clone();
        let (last_offset, max_timestamp) = (header.last_offset(), header.max_timestamp);
        let full = active.should_roll(&self.config, pending.bytes + size, last_offset, max_timestamp, now_ms);
        let rolls = self.home.check("look at the active segment", full)?;
        if rolls {
            self.write(pending, now_ms)?;
            self.roll_at(header.base_offset, now_ms)?;
        }
        self.assign_epoch_at(header.partition_leader_epoch, header.base_offset);
        self.producers.apply(&header, end_txn_marker(&header, &body));
        pending.parts.push((head, body));
        pending.placed.push(Placed { header, size });
        pending.bytes += size;
        Ok(rolls)
    }

    fn write(&mut self, pending: &mut Pending, now_ms: i64) -> Result<(), LogDirFailure> {
        let Some(last) = pending.placed.last() else {
            return Ok(());
        };
        let next_offset = last.header.last_offset() + 1;
        self.home.health().check()?;
        let bufs: Vec<&[u8]> = pending
            .parts
            .iter()
            .flat_map(|(head, body)| [head.as_slice(), body])
            .collect();
        let written = self.active().append(&bufs, &pending.placed, &self.config, now_ms);
        self.home.check("append", written)?;
        self.log_end_offset = next_offset;
        self.unsynced.changed = true;
        *pending = Pending::default();
        Ok(())
    }

    /// Appends what a leader sent, offsets and epochs as they are. A batch that is cut off at the end is left out, and so is what
    /// begins with a batch of a later epoch than `leader_epoch`, the one in which the leader was asked: it has followed another one
    /// since, and what comes before may have changed under this log (KAFKA-18723). Answers `None` where no whole batch is left.
    pub fn append_as_follower(
        &mut self,
        records: &Bytes,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Option<AppendInfo>, AppendError> {
        self.check_open()?;
        let mut batches = self.split(records)?;
        let of_later_epoch = |placed: &Placed| placed.header.partition_leader_epoch > leader_epoch;
        if let Some(at) = batches.iter().position(of_later_epoch) {
            batches.truncate(at);
        }
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(None);
        };
        let (first_offset, last_offset) = (first.header.base_offset, last.header.last_offset());
        if first_offset < self.log_end_offset {
            let (partition, log_end_offset) = (self.home.partition.clone(), self.log_end_offset);
            return Err(AppendError::UnexpectedOffset {
                partition,
                first_offset,
                last_offset,
                log_end_offset,
            });
        }
        let mut pending = Pending::default();
        let mut rolled = false;
        let mut at = 0;
        for Placed { header, size } in batches {
            let head = *records[at..].first_chunk().expect("split has seen the header");
            rolled |= self.accept(
                header,
                head,
                records.slice(at + BATCH_HEADER_LEN..at + size),
                now_ms,
                &mut pending,
            )?;
            at += size;
        }
        self.write(&mut pending, now_ms)?;
        let (log_append_time_ms, log_start_offset) = (-1, self.log_start_offset);
        Ok(Some(AppendInfo {
            first_offset,
            last_offset,
            log_append_time_ms,
            log_start_offset,
            duplicate: false,
            rolled,
        }))
    }

    /// The whole batches in `records`, checked: length, checksum, rising offsets.
    fn split(&self, records: &Bytes) -> Result<Vec<Placed>, AppendError> {
        let mut batches: Vec<Placed> = Vec::new();
        let mut at = 0;
        while records.len() - at >= BATCH_HEADER_LEN {
            let corrupt = || AppendError::CorruptBatch {
                partition: self.home.partition.clone(),
                position: at,
            };
            let header = BatchHeader::parse_stored(&records[at..]).ok_or_else(corrupt)?;
            let size = header.size_in_bytes();
            let Some(batch) = records[at..].get(..size) else { break };
            if crc32c(&batch[ATTRIBUTES_AT..]) != header.crc {
                return Err(corrupt());
            }
            self.check_size(size)?;
            if let Some(previous) = batches.last()
                && previous.header.last_offset() >= header.base_offset
            {
                let previous_last_offset = previous.header.last_offset();
                let (partition, last_offset) = (self.home.partition.clone(), header.last_offset());
                return Err(AppendError::OffsetsOutOfOrder {
                    partition,
                    last_offset,
                    previous_last_offset,
                });
            }
            batches.push(Placed { header, size });
            at += size;
        }
        Ok(batches)
    }
}

impl Pending {
    fn next_offset(&self, log: &Log) -> i64 {
        self.placed
            .last()
            .map_or(log.log_end_offset(), |last| last.header.last_offset() + 1)
    }
}
