//! `<offset>.snapshot`: the producers of a partition as of an offset. Version (int16) 1, CRC-32C of what follows (uint32), the number
//! of producers (int32), then for each: producer id (int64), epoch (int16), last sequence (int32), last offset (int64), offset delta
//! (int32), timestamp (int64), coordinator epoch (int32), first offset of the open transaction (int64, −1 for none).

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::batch::crc32c;
use crate::log_home::LogHome;
use crate::producer_state::{BatchMetadata, ProducerState, ProducerStateEntry, is_expired};

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const ENTRIES_AT: usize = 6;
const ENTRY_LEN: usize = 46;

/// Fields from the front of a slice.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

/// Writes the producers down; in the order of their ids, so that the same state gives the same bytes.
pub fn encode<'a>(producers: impl IntoIterator<Item = &'a ProducerStateEntry>) -> Vec<u8> {
    let mut producers: Vec<_> = producers.into_iter().collect();
    producers.sort_unstable_by_key(|entry| entry.producer_id);
    let mut out = Vec::with_capacity(ENTRIES_AT + 4 + producers.len() * ENTRY_LEN);
    out.extend(VERSION.to_be_bytes());
    out.extend([0; 4]);
    out.extend((producers.len() as i32).to_be_bytes());
    for entry in producers {
        let none = BatchMetadata {
            last_sequence: -1,
            last_offset: -1,
            offset_delta: 0,
            timestamp: -1,
        };
        let last = entry.batches().last().unwrap_or(&none);
        out.extend(entry.producer_id.to_be_bytes());
        out.extend(entry.producer_epoch.to_be_bytes());
        out.extend(last.last_sequence.to_be_bytes());
        out.extend(last.last_offset.to_be_bytes());
        out.extend(last.offset_delta.to_be_bytes());
        out.extend(entry.last_timestamp.to_be_bytes());
        out.extend(entry.coordinator_epoch.to_be_bytes());
        out.extend(entry.current_txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    let crc = crc32c(&out[ENTRIES_AT..]);
    out[CRC_AT..ENTRIES_AT].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Reads the producers back; `None` for anything but a whole snapshot with the right checksum.
pub fn decode(bytes: &[u8]) -> Option<Vec<ProducerStateEntry>> {
    let mut reader = Fields(bytes);
    let version = i16::from_be_bytes(reader.take()?);
    let crc = u32::from_be_bytes(reader.take()?);
    if version != VERSION || crc != crc32c(&bytes[ENTRIES_AT..]) {
        return None;
    }
    let count = i32::from_be_bytes(reader.take()?);
    // The count is not used to allocate: the bytes say how many entries there can be.
    if usize::try_from(count).ok()? != reader.0.len() / ENTRY_LEN {
        return None;
    }
    let mut producers = Vec::with_capacity(reader.0.len() / ENTRY_LEN);
    for _ in 0..count {
        producers.push(decode_entry(&mut reader)?);
    }
    Some(producers)
}

fn decode_entry(reader: &mut Fields<'_>) -> Option<ProducerStateEntry> {
    let mut entry = ProducerStateEntry::empty(i64::from_be_bytes(reader.take()?));
    entry.producer_epoch = i16::from_be_bytes(reader.take()?);
    let last_sequence = i32::from_be_bytes(reader.take()?);
    let last_offset = i64::from_be_bytes(reader.take()?);
    let offset_delta = i32::from_be_bytes(reader.take()?);
    entry.last_timestamp = i64::from_be_bytes(reader.take()?);
    entry.coordinator_epoch = i32::from_be_bytes(reader.take()?);
    entry.current_txn_first_offset = Some(i64::from_be_bytes(reader.take()?)).filter(|&offset| offset >= 0);
    let timestamp = entry.last_timestamp;
    Some(if last_offset >= 0 {
        entry.with_batch(BatchMetadata {
            last_sequence,
            last_offset,
            offset_delta,
            timestamp,
        })
    } else {
        entry
    })
}

/// The snapshot files of one log.
#[derive(Debug)]
pub(crate) struct Snapshots {
    home: Arc<LogHome>,
    offsets: BTreeSet<i64>,
    /// Those that are written but not yet made durable.
    unsynced: BTreeSet<i64>,
}

impl Snapshots {
    pub(crate) fn new(home: &Arc<LogHome>, offsets: BTreeSet<i64>) -> Self {
        Self {
            home: home.clone(),
            offsets,
            unsynced: BTreeSet::new(),
        }
    }

    fn path(&self, offset: i64) -> PathBuf {
        self.home.path(&format!("{offset:020}.snapshot"))
    }

    pub(crate) fn latest(&self) -> Option<i64> {
        self.offsets.last().copied()
    }

    /// Writes the state down where there is no snapshot at its offset yet. It is made durable with [`Snapshots::sync`].
    pub(crate) fn take(&mut self, state: &ProducerState) -> io::Result<()> {
        let offset = state.map_end_offset();
        if self.latest().is_some_and(|latest| latest >= offset) {
            return Ok(());
        }
        let disk = self.home.disk();
        let file = disk.create(&self.path(offset))?;
        file.truncate(0)?;
        file.pwritev(&[&encode(state.active_producers())], 0)?;
        self.offsets.insert(offset);
        self.unsynced.insert(offset);
        Ok(())
    }

    /// Snapshots that are not durable yet.
    pub(crate) fn unsynced(&self) -> Vec<(i64, PathBuf)> {
        self.unsynced
            .iter()
            .map(|&offset| (offset, self.path(offset)))
            .collect()
    }

    /// Takes note that these are durable now.
    pub(crate) fn note_synced(&mut self, snapshots: &[(i64, PathBuf)]) {
        for (offset, _) in snapshots {
            self.unsynced.remove(offset);
        }
    }

    /// The state as of the newest snapshot in `start..=end`, without the producers that have expired; an empty one at `start` where
    /// there is none. The records from `start` on must be there: an older snapshot would claim an old state to be the present one.
    /// Snapshots that cannot be read are removed.
    pub(crate) fn load_latest(
        &mut self,
        start: i64,
        end: i64,
        producer_id_expiration_ms: i64,
        now_ms: i64,
    ) -> io::Result<ProducerState> {
        while let Some(&offset) = self.offsets.range(start..=end).next_back() {
            if let Some(producers) = decode(&self.home.disk().read(&self.path(offset))?) {
                let mut state = ProducerState::new(offset);
                producers
                    .into_iter()
                    .filter(|entry| !is_expired(entry, producer_id_expiration_ms, now_ms))
                    .for_each(|entry| state.load(entry));
                return Ok(state);
            }
            self.remove(offset)?;
        }
        Ok(ProducerState::new(start))
    }

    /// Removes the snapshots for which `keep` does not hold.
    pub(crate) fn retain(&mut self, keep: impl Fn(i64) -> bool) -> io::Result<()> {
        let gone: Vec<i64> = self.offsets.iter().copied().filter(|&offset| !keep(offset)).collect();
        gone.into_iter().try_for_each(|offset| self.remove(offset))
    }

    fn remove(&mut self, offset: i64) -> io::Result<()> {
        self.offsets.remove(&offset);
        self.unsynced.remove(&offset);
        match self.home.disk().remove_file(&self.path(offset)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
