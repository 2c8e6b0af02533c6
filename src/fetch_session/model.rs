//! Partitions in memory, with the waiters of real ones, for the property tests of sessions.

use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::fetch::PartitionData;
use protocol::wire::Chunk;

use super::{FetchPartition, Watched};
use crate::partition::{Mark, NO_EPOCH, Seen, Waiters};

/// A partition's log in memory, with the waiters that a real one has.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) waiters: Arc<Waiters>,
    pub(super) start: usize,
    /// The size of the batch at each offset.
    pub(super) sizes: Vec<usize>,
    /// Base offsets of all segments but the first.
    pub(super) rolled_at: Vec<usize>,
    pub(super) leader_epoch: i32,
    pub(super) is_leader: bool,
}

/// What a read finds, or the error and whether it ends the wait.
pub(super) struct Found {
    pub(super) data: PartitionData,
    pub(super) watched: Option<Watched>,
    pub(super) ends_wait: bool,
}

impl Model {
    pub(super) fn end(&self) -> usize {
        self.sizes.len()
    }

    /// Where the segment of `offset` ends, and whether another one follows.
    fn segment_end(&self, offset: usize) -> (usize, bool) {
        match self.rolled_at.iter().find(|base| **base > offset) {
            Some(base) => (*base, true),
            None => (self.end(), false),
        }
    }

    pub(super) fn read(&self, wanted: &FetchPartition, mark: Mark, left: usize, min_one_message: bool) -> Found {
        let known = wanted.current_leader_epoch;
        let error = match known.cmp(&self.leader_epoch) {
            std::cmp::Ordering::Less if known != NO_EPOCH => Some(ErrorCode::FENCED_LEADER_EPOCH),
            std::cmp::Ordering::Greater => Some(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ if !self.is_leader => Some(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            _ => None,
        };
        let offset = wanted.fetch_offset as usize;
        let out_of_range = offset < self.start || offset > self.end();
        if let Some(error) = error.or(out_of_range.then_some(ErrorCode::OFFSET_OUT_OF_RANGE)) {
            return failed(wanted, error, true);
        }
        let (segment_end, on_older_segment) = self.segment_end(offset);
        let readable: usize = self.sizes[offset..segment_end].iter().sum();
        let first = self.sizes.get(offset).copied().unwrap_or(0);
        let max_bytes = (wanted.max_bytes as usize).min(left);
        let len = match (min_one_message, max_bytes < first) {
            (true, _) => max_bytes.max(first).min(readable),
            (false, true) => 0,
            (false, false) => max_bytes.min(readable),
        };
        Found {
            data: PartitionData {
                partition_index: wanted.partition,
                high_watermark: self.end() as i64,
                log_start_offset: self.start as i64,
                records: Some(Chunk::Memory(Bytes::from(vec![offset as u8; len]))),
                ..Default::default()
            },
            watched: Some(Watched {
                waiters: self.waiters.clone(),
                seen: Seen {
                    mark,
                    readable_bytes: readable as i64,
                    max_bytes: i64::from(wanted.max_bytes),
                    to_log_end: false,
                },
                is_at_end: offset == self.end(),
            }),
            ends_wait: on_older_segment,
        }
    }
}

pub(super) fn failed(wanted: &FetchPartition, error_code: ErrorCode, ends_wait: bool) -> Found {
    Found {
        data: PartitionData {
            partition_index: wanted.partition,
            error_code,
            high_watermark: -1,
            ..Default::default()
        },
        watched: None,
        ends_wait,
    }
}

#[derive(Debug, Clone)]
pub(super) enum Event {
    Append { partition: usize, size: usize, roll: bool },
    Trim { partition: usize },
    Elect { partition: usize, is_leader: bool },
    Delete { partition: usize },
    Create { partition: usize },
}

#[derive(Default)]
pub(super) struct World {
    pub(super) partitions: Vec<Option<Model>>,
}

impl World {
    /// Like the broker: first the change, then the word of it.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Append { partition, size, roll } => {
                let Some(model) = self.partitions[*partition].as_mut().filter(|m| m.is_leader) else {
                    return;
                };
                let roll = *roll && model.end() > 0;
                if roll {
                    model.rolled_at.push(model.end());
                }
                model.sizes.push(*size);
                model.waiters.became_readable(*size as i64, roll);
            }
            Event::Trim { partition } => {
                if let Some(model) = self.partitions[*partition].as_mut() {
                    model.start = (model.start + model.end()).div_ceil(2);
                    model.waiters.note_change();
                }
            }
            Event::Elect { partition, is_leader } => {
                if let Some(model) = self.partitions[*partition].as_mut() {
                    model.leader_epoch += 1;
                    model.is_leader = *is_leader;
                    model.waiters.changed();
                }
            }
            Event::Delete { partition } => {
                if let Some(model) = self.partitions[*partition].take() {
                    model.waiters.gone();
                }
            }
            Event::Create { partition } => {
                let led = || Model {
                    is_leader: true,
                    ..Default::default()
                };
                self.partitions[*partition].get_or_insert_with(led);
            }
        }
    }
}
