//! Reading for consumers: decided under the log's lock, made without it.

use protocol::wire::Chunk;
use storage::{EpochEndOffset, FetchData, Log, ReadError, ReadMode, ReadOutcome, ReadPlan, ReadRequest};

use controller::BrokerEpoch;
use controller::ids::BrokerId;

use super::waiters::Mark;
use super::{LeaderError, NO_EPOCH, Partition};

/// How far a client may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// Up to the high watermark: consumers that read uncommitted.
    HighWatermark,
    /// Up to the last stable offset: consumers that read committed (KIP-98).
    LastStableOffset,
    /// All: followers, and debugging consumers.
    LogEnd,
}

/// The follower that fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderReplica {
    /// Its broker's id.
    pub id: BrokerId,
    /// Where its log begins.
    pub log_start_offset: i64,
    /// Its broker's epoch, where the request says it (KIP-903).
    pub broker_epoch: Option<BrokerEpoch>,
    /// When the request came, ms on this process's own clock.
    pub asked_ms: i64,
}

/// What a fetch wants of one partition.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Where to begin.
    pub fetch_offset: i64,
    /// The most to return.
    pub max_bytes: usize,
    /// The first batch comes whole, however large.
    pub min_one_message: bool,
    /// How far.
    pub readable: Readable,
    /// Whether this broker serves it as follower, too (KIP-392).
    pub from_followers: bool,
    /// Who follows by this fetch; `None` for those that do not, and where the fetch was read, and noted, before.
    pub replica: Option<ReaderReplica>,
    /// The leader epoch that the client knows.
    pub current_leader_epoch: i32,
    /// The leader epoch of the record before `fetch_offset` as the client has it; [`super::NO_EPOCH`] where it does not say (KIP-595).
    pub last_fetched_epoch: i32,
    /// Records of at least this many bytes come as a range of the file, fewer as a copy; `usize::MAX` for copies alone.
    pub sendfile_min_bytes: usize,
}

impl ReadLimits {
    /// For clients, where there is memory for copies. Measured on loopback, CPU-seconds per GB copied and sent from the file:
    /// 0.60 and 0.78 at 64 KiB, 0.58 and 0.46 at 128 KiB, 0.28 and 0.18 at 512 KiB.
    pub const SENDFILE_MIN_BYTES: usize = 96 * 1024;
}

/// What a fetch gets of one partition.
#[derive(Debug, Clone)]
pub struct PartitionRead {
    /// The records.
    pub records: Chunk,
    /// At the time of the read.
    pub high_watermark: i64,
    /// At the time of the read.
    pub last_stable_offset: i64,
    /// At the time of the read.
    pub log_start_offset: i64,
    /// Records at and above it are not for this client.
    pub end_offset: i64,
    /// Where this log parts from what the client has: it must go back to there, and gets no records.
    pub diverging_epoch: Option<EpochEndOffset>,
    /// From the fetch offset to the end, as far as both lie in one segment.
    pub readable_bytes: usize,
    /// Whether the end lies in a later segment than the fetch offset.
    pub on_older_segment: bool,
    /// To hand to [`super::Waiters::watch`].
    pub mark: Mark,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// Not the leader, or not in that epoch.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl Partition {
    /// Reads as leader, or, where the client may read from followers, as one. `None` in [`ReadMode::NoWait`] when that would wait for the disk.
    ///
    /// # Errors
    /// [`ReadFailure`]
    pub fn read(&self, limits: &ReadLimits, mode: ReadMode) -> Result<Option<PartitionRead>, ReadFailure> {
        match self.leader_state_in_epoch(limits.current_leader_epoch) {
            // The epoch was right: that is looked at first.
            Err(LeaderError::NotLeader { leader, .. }) if limits.from_followers && leader >= 0 => {}
            led => drop(led?),
        }
        let mut from_segment = None;
        loop {
            let Some((plan, read)) = self.locate(limits, from_segment, mode)? else {
                return Ok(None);
            };
            let Some(plan) = plan else {
                return Ok(Some(read));
            };
            match plan.run(mode, limits.sendfile_min_bytes)? {
                ReadOutcome::Data(data) => {
                    return Ok(Some(PartitionRead {
                        readable_bytes: data.readable_bytes,
                        on_older_segment: data.on_older_segment,
                        records: chunk(data),
                        ..read
                    }));
                }
                ReadOutcome::Cold => return Ok(None),
                ReadOutcome::NextSegment(next) => from_segment = Some(next),
            }
        }
    }

    /// `None` in [`ReadMode::NoWait`] when somebody holds the log for long; no plan where the log diverges from the client's.
    fn locate(
        &self,
        limits: &ReadLimits,
        from_segment: Option<i64>,
        mode: ReadMode,
    ) -> Result<Option<(Option<ReadPlan>, PartitionRead)>, ReadFailure> {
        let log = match mode {
            ReadMode::Blocking => self.log(),
            ReadMode::NoWait => match self.log_soon() {
                Some(log) => log,
                None => return Ok(None),
            },
        };
        let mut read = PartitionRead {
            records: Chunk::Memory(bytes::Bytes::new()),
            high_watermark: self.high_watermark(),
            last_stable_offset: self.last_stable_offset(),
            log_start_offset: log.log_start_offset(),
            end_offset: 0,
            diverging_epoch: self.diverging_epoch(&log, limits)?,
            readable_bytes: 0,
            on_older_segment: false,
            // Under the lock, as appends move it: what this read sees is not counted again.
            mark: self.waiters.mark(),
        };
        read.end_offset = match limits.readable {
            Readable::HighWatermark => read.high_watermark,
            Readable::LastStableOffset => read.last_stable_offset,
            Readable::LogEnd => log.log_end_offset(),
        };
        if read.diverging_epoch.is_some() {
            return Ok(Some((None, read)));
        }
        let plan = log.locate(&ReadRequest {
            offset: limits.fetch_offset,
            max_bytes: limits.max_bytes,
            min_one_message: limits.min_one_message,
            max_offset: read.end_offset,
            from_segment,
        })?;
        if let Some(replica) = limits.replica.filter(|_| from_segment.is_none()) {
            self.note_follower_fetch(&log, &replica, limits.fetch_offset);
            read.high_watermark = self.high_watermark();
        }
        Ok(Some((Some(plan), read)))
    }

    /// Compares what the client read last with this log's history. A client whose last epoch is unknown here cannot be told where to
    /// go on.
    fn diverging_epoch(&self, log: &Log, limits: &ReadLimits) -> Result<Option<EpochEndOffset>, ReadError> {
        if limits.last_fetched_epoch == NO_EPOCH || planted::is(planted::Bug::NoDivergence) {
            return Ok(None);
        }
        match log.end_offset_for_epoch(limits.last_fetched_epoch) {
            Some(end) if limits.fetch_offset >= log.log_start_offset() => {
                let diverges = end.epoch < limits.last_fetched_epoch || end.end_offset < limits.fetch_offset;
                Ok(diverges.then_some(end))
            }
            _ => Err(ReadError::OffsetOutOfRange {
                partition: self.topic_partition.clone(),
                requested: limits.fetch_offset,
                log_start_offset: log.log_start_offset(),
                log_end_offset: log.log_end_offset(),
            }),
        }
    }
}

/// An incomplete first batch is of no use to a client that can be told so by an empty answer (Fetch v3 and later).
fn chunk(data: FetchData) -> Chunk {
    match data.first_entry_incomplete {
        true => Chunk::Memory(bytes::Bytes::new()),
        false => data.records,
    }
}
