//! Writes the records of one partition's groups, in the order of their decisions, and tells the groups how that went.
//!
//! Decisions that meet share a batch. The next batch is appended while earlier ones wait for the high watermark.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::batch;
use super::cell::{Cell, OffsetsPartition, Outcome, Write};
use super::coordinator::Shared;
use super::decision::{Completion, Note};
use super::offsets_log::{LedPartition, OffsetsLogError};
use super::record::Record;

/// Decisions share a batch up to about this size, which is well below any sensible `max.message.bytes`.
const SHARED_BATCH_BYTES: usize = 64 * 1024;

/// A decision whose records are in the log.
struct Appended {
    write: Unsettled,
    last_offset: i64,
    deadline: Instant,
}

/// What is left of a `Write` once its records are in the log.
struct Unsettled {
    partition: Weak<OffsetsPartition>,
    cell: Arc<Cell>,
    completion: Completion,
    /// `None`: the client was told that it took too long.
    done: Option<oneshot::Sender<Outcome>>,
}

/// Runs until the partition is dropped and everything that was handed over has its outcome. Holds no partition: that
/// would keep the queue open for ever.
pub(super) async fn run(shared: Arc<Shared>, led: LedPartition, mut writes: mpsc::UnboundedReceiver<Write>) {
    let mut appended: VecDeque<Appended> = VecDeque::new();
    let mut open = true;
    while open || !appended.is_empty() {
        let oldest = appended.front().map(|front| front.last_offset);
        let deadline = appended
            .iter()
            .find(|entry| entry.write.done.is_some())
            .map(|entry| entry.deadline);
        tokio::select! {
            biased;
            committed = shared.log.committed(led, oldest.unwrap_or(-1)), if oldest.is_some() => {
                match committed {
                    Ok(high_watermark) => settle_committed(&shared, &mut appended, high_watermark),
                    Err(error) => appended.drain(..).for_each(|entry| fail(&shared, entry.write, error)),
                }
            }
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                time_out(&shared, &mut appended);
            }
            write = writes.recv(), if open => match write {
                Some(write) => append(&shared, led, gather(write, &mut writes), &mut appended).await,
                None => open = false,
            }
        }
    }
}

fn gather(first: Write, writes: &mut mpsc::UnboundedReceiver<Write>) -> Vec<Write> {
    let size = |write: &Write| size_in_bytes(named(write));
    let mut bytes = size(&first);
    let mut together = vec![first];
    while bytes < SHARED_BATCH_BYTES
        && let Ok(next) = writes.try_recv()
    {
        bytes += size(&next);
        together.push(next);
    }
    together
}

/// A write's records, each with the name of its group.
fn named(write: &Write) -> impl Iterator<Item = (&str, &Record)> + Clone {
    write.records.iter().map(|record| (&*write.group_id, record))
}

fn size_in_bytes<'a>(records: impl Iterator<Item = (&'a str, &'a Record)>) -> usize {
    records
        .map(|(group_id, record)| batch::size_in_bytes(group_id, record))
        .sum()
}

async fn append(shared: &Arc<Shared>, led: LedPartition, writes: Vec<Write>, appended: &mut VecDeque<Appended>) {
    match append_batch(shared, led, writes.iter().flat_map(named)).await {
        Ok(base_offset) => apply(shared, writes, base_offset, appended),
        // One of them may be too large by itself; the others are not to suffer for it.
        Err(OffsetsLogError::TooLarge) if writes.len() > 1 => {
            for write in writes {
                append_alone(shared, led, write, appended).await;
            }
        }
        Err(OffsetsLogError::TooLarge) => {
            for write in writes {
                append_refused(shared, led, write, OffsetsLogError::TooLarge, appended).await;
            }
        }
        Err(error) => {
            log::debug!(
                "__consumer_offsets-{}: append of {} decisions: {error}",
                led.partition,
                writes.len()
            );
            writes
                .into_iter()
                .for_each(|write| fail(shared, unsettled(write), error));
        }
    }
}

async fn append_alone(shared: &Arc<Shared>, led: LedPartition, write: Write, appended: &mut VecDeque<Appended>) {
    match append_batch(shared, led, named(&write)).await {
        Ok(base_offset) => apply(shared, vec![write], base_offset, appended),
        Err(error) => append_refused(shared, led, write, error, appended).await,
    }
}

/// What is left for a write that does not go into the log as it is.
async fn append_refused(
    shared: &Arc<Shared>,
    led: LedPartition,
    write: Write,
    error: OffsetsLogError,
    appended: &mut VecDeque<Appended>,
) {
    // Removals may be made one after another: each is true by itself, and the group's own comes last. What a client commits, or a
    // group's state, may not.
    let is_divisible = matches!(write.completion, Completion::OffsetsRemoved | Completion::Deletion);
    if is_divisible && error == OffsetsLogError::TooLarge {
        append_in_parts(shared, led, write, appended).await;
    } else {
        fail(shared, unsettled(write), error);
    }
}

/// Appends a write in several batches, none larger than the log takes uncompressed as far as can be seen, and smaller ones until it
/// does take them.
async fn append_in_parts(shared: &Arc<Shared>, led: LedPartition, mut write: Write, appended: &mut VecDeque<Appended>) {
    let records = std::mem::take(&mut write.records);
    let mut left = records.as_slice();
    let mut part_len = left.len().div_ceil(2);
    let mut last_offset = None;
    let failure = loop {
        if left.is_empty() {
            break None;
        }
        let fitting = match room_in_bytes(shared, led) {
            Ok(room_bytes) => fitting(&write.group_id, left, room_bytes),
            Err(error) => break Some(error),
        };
        let (part, rest) = left.split_at(part_len.min(fitting).max(1));
        let in_batch = part.iter().map(|record| (&*write.group_id, record));
        match append_batch(shared, led, in_batch).await {
            Ok(base_offset) => {
                last_offset = Some(apply_records(&write.cell, part.iter().cloned(), base_offset) - 1);
                left = rest;
            }
            Err(OffsetsLogError::TooLarge) if part.len() > 1 => part_len = part.len().div_ceil(2),
            Err(error) => break Some(error),
        }
    };
    let deadline = deadline(shared);
    let Some(last_offset) = last_offset else {
        return fail(shared, unsettled(write), failure.unwrap_or(OffsetsLogError::Refused));
    };
    let mut entry = Appended {
        write: unsettled(write),
        last_offset,
        deadline,
    };
    if let Some(error) = failure {
        // What is in the log counts when it is committed, although the whole has failed.
        let failed = Unsettled {
            partition: entry.write.partition.clone(),
            cell: entry.write.cell.clone(),
            completion: entry.write.completion.clone(),
            done: entry.write.done.take(),
        };
        fail(shared, failed, error);
    }
    appended.push_back(entry);
}

/// How many of these records, from the first on, have room in one batch.
fn fitting(group_id: &str, records: &[Record], room_bytes: usize) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Record| {
        bytes += batch::size_in_bytes(group_id, record);
        bytes <= room_bytes
    };
    records.iter().take_while(fits).count()
}

fn room_in_bytes(shared: &Shared, led: LedPartition) -> Result<usize, OffsetsLogError> {
    let max_batch_bytes = shared.log.max_batch_bytes(led.partition)?;
    Ok(batch::room_in_bytes(max_batch_bytes, shared.config.compression))
}

/// Appends records in one batch, unless it is plain before they are encoded that they are too large for one.
async fn append_batch<'a>(
    shared: &Shared,
    led: LedPartition,
    records: impl Iterator<Item = (&'a str, &'a Record)> + Clone,
) -> Result<i64, OffsetsLogError> {
    if size_in_bytes(records.clone()) > room_in_bytes(shared, led)? {
        return Err(OffsetsLogError::TooLarge);
    }
    let batch = batch::build(records, shared.now().timestamp_ms, shared.config.compression).map_err(|error| {
        log::error!("__consumer_offsets-{}: no batch can be made: {error}", led.partition);
        OffsetsLogError::Refused
    })?;
    shared.log.append(led, batch).await
}

fn apply(shared: &Shared, writes: Vec<Write>, base_offset: i64, appended: &mut VecDeque<Appended>) {
    let deadline = deadline(shared);
    let mut next_offset = base_offset;
    for mut write in writes {
        let records = std::mem::take(&mut write.records).into_iter();
        next_offset = apply_records(&write.cell, records, next_offset);
        appended.push_back(Appended {
            write: unsettled(write),
            last_offset: next_offset - 1,
            deadline,
        });
    }
}

/// Applies records to their group, and says which offset follows them.
fn apply_records(cell: &Cell, records: impl Iterator<Item = Record>, base_offset: i64) -> i64 {
    let mut inner = cell.lock();
    let mut next_offset = base_offset;
    for record in records {
        inner.group.apply(record, next_offset);
        next_offset += 1;
    }
    next_offset
}

/// Until when what is appended now is to be committed.
fn deadline(shared: &Shared) -> Instant {
    Instant::now() + Duration::from_millis(shared.config.commit_timeout_ms)
}

fn unsettled(write: Write) -> Unsettled {
    Unsettled {
        partition: write.partition,
        cell: write.cell,
        completion: write.completion,
        done: Some(write.done),
    }
}

fn settle_committed(shared: &Arc<Shared>, appended: &mut VecDeque<Appended>, high_watermark: i64) {
    while appended.front().is_some_and(|front| front.last_offset < high_watermark) {
        let Some(Appended { write, .. }) = appended.pop_front() else {
            return;
        };
        match write.done {
            Some(done) => {
                shared.settle(
                    &write.partition,
                    &write.cell,
                    &write.completion,
                    Some(high_watermark),
                    Ok(()),
                );
                // A client that is gone has dropped its end.
                let _ = done.send(Ok(()));
            }
            None => write.cell.lock().group.note(Note::Committed { high_watermark }),
        }
    }
}

/// Tells those who have waited too long. Their records stay in the log and count when they are committed after all.
fn time_out(shared: &Arc<Shared>, appended: &mut VecDeque<Appended>) {
    let now = Instant::now();
    for entry in appended.iter_mut().filter(|entry| entry.deadline <= now) {
        if let Some(done) = entry.write.done.take() {
            let outcome = Err(OffsetsLogError::TimedOut);
            shared.settle(
                &entry.write.partition,
                &entry.write.cell,
                &entry.write.completion,
                None,
                outcome,
            );
            let _ = done.send(outcome);
        }
    }
}

fn fail(shared: &Arc<Shared>, write: Unsettled, error: OffsetsLogError) {
    if let Some(done) = write.done {
        shared.settle(&write.partition, &write.cell, &write.completion, None, Err(error));
        let _ = done.send(Err(error));
    }
}
