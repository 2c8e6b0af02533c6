//! Opening a log: what is there is taken over where the log was closed cleanly, and verified past the recovery point where not.
//!
//! What recovery keeps is the longest valid prefix: it ends before the first batch that is torn, is followed by zeros or garbage,
//! does not match its checksum, or goes back in offsets. Of the indexes it keeps what describes records below the recovery point.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::TopicPartition;
use protocol::wire::TopicId;

use crate::batch::{BATCH_HEADER_LEN, BatchHeader, end_txn_marker};
use crate::checkpoint::{decode_epochs, decode_partition_metadata, encode_partition_metadata};
use crate::disk::Disk;
use crate::error::{LogDirHealth, OpenError};
use crate::leader_epoch_cache::{EpochEntry, LeaderEpochCache};
use crate::log::{LEADER_EPOCH_CHECKPOINT, Log, PARTITION_METADATA, Unsynced};
use crate::log_config::LogConfig;
use crate::log_files::LogFiles;
use crate::log_home::LogHome;
use crate::old_format::OldRecordFormat;
use crate::open_files::OpenFiles;
use crate::producer_snapshot::Snapshots;
use crate::producer_state::ProducerState;
use crate::scan::{BatchScan, Found, Located, ReadMode, VerifiedScan};
use crate::segment::Segment;

/// What opening a log needs.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The partition.
    pub partition: TopicPartition,
    /// The partition's own directory, `<log dir>/<topic>-<partition>`.
    pub dir: PathBuf,
    /// The topic's id: written where the directory does not name one, compared where it does.
    pub topic_id: Option<TopicId>,
    /// Its settings.
    pub config: Arc<LogConfig>,
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The broker's bound on open files.
    pub open_files: Arc<OpenFiles>,
    /// Whether the log directory works.
    pub health: Arc<LogDirHealth>,
    /// From `log-start-offset-checkpoint`; 0 where it names none.
    pub log_start_offset: i64,
    /// From `recovery-point-offset-checkpoint`; 0 where it names none.
    pub recovery_point: i64,
    /// Whether the broker was stopped cleanly, so that nothing has to be recovered.
    pub clean_shutdown: bool,
}

impl Log {
    /// Opens the log, creating it where it is missing, and recovers what a crash has left of it.
    pub fn open(options: LogOptions, now_ms: i64) -> Result<Self, OpenError> {
        let LogOptions {
            partition,
            dir,
            config,
            disk,
            open_files,
            health,
            ..
        } = options;
        health.check()?;
        let home = LogHome::new(partition, dir, disk, open_files, health);
        let files = LogFiles::list(&home).map_err(|error| open_error(&home, "list the files", error))?;
        let created = files.created;
        let segments = files.segments.iter().map(|(&base, facts)| {
            (
                base,
                Arc::new(Segment::existing(&home, base, &config, facts.size, facts.modified_ms)),
            )
        });
        let mut log = Self {
            segments: segments.collect(),
            snapshots: Snapshots::new(&home, files.snapshots.clone()),
            home,
            config,
            topic_id: None,
            log_start_offset: options.log_start_offset,
            log_end_offset: options.log_start_offset,
            recovery_point: options.recovery_point,
            last_flushed_ms: now_ms,
            producers: ProducerState::new(0),
            epochs: LeaderEpochCache::default(),
            stored_epochs: Vec::new(),
            unsynced: Unsynced {
                created,
                names: created,
                changed: created,
                ..Unsynced::default()
            },
            truncations: 0,
            flushes: 0,
            deleted: VecDeque::new(),
            closed: false,
        };
        log.load_topic_id(options.topic_id, options.clean_shutdown)?;
        match log.load(&files, options.clean_shutdown, now_ms) {
            Ok(()) => Ok(log),
            Err(error) => Err(open_error(&log.home, "open", error)),
        }
    }

    fn load_topic_id(&mut self, given: Option<TopicId>, clean_shutdown: bool) -> Result<(), OpenError> {
        let path = self.home.path(PARTITION_METADATA);
        let stored = match self.home.disk().read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            content => Some(self.home.check("read partition.metadata", content)?),
        };
        let partition = &self.home.partition;
        self.topic_id = match stored.map(|text| decode_partition_metadata(&String::from_utf8_lossy(&text))) {
            None => None,
            Some(Ok(topic_id)) => Some(topic_id),
            // A crash may tear the file where it had not become durable yet.
            Some(Err(_)) if !clean_shutdown => None,
            Some(Err(malformed)) => {
                return Err(OpenError::PartitionMetadata {
                    partition: partition.clone(),
                    malformed,
                });
            }
        };
        match (self.topic_id, given) {
            (Some(stored), Some(given)) if stored != given => Err(OpenError::InconsistentTopicId {
                partition: self.home.partition.clone(),
                stored,
                given,
            }),
            (None, Some(given)) => Ok(self.set_topic_id(given)?),
            _ => Ok(()),
        }
    }

    /// Names the topic that the log belongs to, where that was not known.
    pub fn set_topic_id(&mut self, topic_id: TopicId) -> Result<(), crate::error::LogDirFailure> {
        let text = encode_partition_metadata(&topic_id);
        let written = self
            .home
            .disk()
            .write_atomically(&self.home.path(PARTITION_METADATA), text.as_bytes(), false);
        self.home.check("write partition.metadata", written)?;
        self.topic_id = Some(topic_id);
        self.unsynced.mark().created = true;
        Ok(())
    }

    fn load(&mut self, files: &LogFiles, clean_shutdown: bool, now_ms: i64) -> io::Result<()> {
        self.refuse_old_start()?;
        self.load_epochs()?;
        for (base, facts) in &files.segments {
            if !facts.has_indexes {
                let segment = self.segments[base].clone();
                log::warn!("{}: an index is missing; building it anew", segment.path().display());
                self.rebuild_indexes(&segment)?;
                self.unsynced.changed = true;
            }
        }
        let checkpointed_start = self.log_start_offset;
        let clean = clean_shutdown && self.take_over_end()?;
        if clean {
            self.check_active_indexes()?;
        }
        if !clean && !self.segments.is_empty() {
            self.recover(now_ms)?;
        }
        if self.log_end_offset < checkpointed_start || self.segments.is_empty() {
            self.say_what_goes(checkpointed_start);
            self.begin_anew(checkpointed_start, now_ms)?;
        }
        let first = *self.segments.keys().next().expect("a log has a segment");
        self.log_start_offset = checkpointed_start.max(first);
        self.recovery_point = if clean {
            self.log_end_offset
        } else {
            self.recovery_point.min(self.log_end_offset)
        };
        self.epochs.truncate_from_end(self.log_end_offset);
        self.epochs.truncate_from_start(self.log_start_offset);
        self.load_producers(clean, now_ms)
    }

    /// `Err` where the log begins with records of an old format. It is where they are: formats only went up, and what recovery need
    /// not look at is otherwise first met by a reader.
    fn refuse_old_start(&self) -> io::Result<()> {
        let Some(segment) = self.segments.values().find(|segment| segment.size() > 0) else {
            return Ok(());
        };
        let file = segment.file()?;
        BatchScan::new(segment.as_ref(), file.as_ref(), ReadMode::Blocking, 0, segment.size()).refuse_old_format()
    }

    /// After a clean stop the last segment ends where its last batch does. Answers `false` where that is not so.
    fn take_over_end(&mut self) -> io::Result<bool> {
        let Some((_, active)) = self.segments.last_key_value() else {
            return Ok(true);
        };
        if active.size() == 0 {
            self.log_end_offset = active.base_offset();
            return Ok(true);
        }
        let (next_offset, end) = active.read_next_offset()?;
        self.log_end_offset = next_offset;
        Ok(end == active.size())
    }

    /// What is appended comes behind the last entries: those are not to lie behind the records.
    fn check_active_indexes(&mut self) -> io::Result<()> {
        let Some(active) = self.segments.values().next_back().cloned() else {
            return Ok(());
        };
        if !active.indexes_fit(self.log_end_offset)? {
            let path = active.path();
            log::warn!("{}: an index names what is not there; building it anew", path.display());
            self.rebuild_indexes(&active)?;
            self.unsynced.changed = true;
        }
        Ok(())
    }

    /// What [`Log::begin_anew`] leaves nothing of.
    fn say_what_goes(&self, begins_at: i64) {
        let (partition, dir, recovery_point) = (&self.home.partition, self.dir(), self.recovery_point);
        match self.segments.keys().next() {
            Some(first) => log::warn!(
                "{partition}: removing all records, offsets {first} to {}: log-start-offset-checkpoint beside {} says that it begins at {begins_at}",
                self.log_end_offset,
                dir.display()
            ),
            None if recovery_point > 0 => log::warn!(
                "{partition}: {} holds no segment, though records up to offset {recovery_point} were on disk: it begins empty, at offset {begins_at}",
                dir.display()
            ),
            None => {}
        }
    }

    /// Leaves nothing of the segments: they end before the offset from which the log may be read, or there are none.
    fn begin_anew(&mut self, base_offset: i64, now_ms: i64) -> io::Result<()> {
        for segment in std::mem::take(&mut self.segments).into_values() {
            for path in segment.mark_deleted()? {
                self.home.disk().remove_file(&path)?;
            }
            self.epochs.clear();
        }
        self.snapshots.retain(|_| false)?;
        self.segments.insert(
            base_offset,
            Segment::create(&self.home, base_offset, &self.config, now_ms)?,
        );
        self.log_end_offset = base_offset;
        self.unsynced.mark().names = true;
        Ok(())
    }

    fn load_epochs(&mut self) -> io::Result<()> {
        let stored = match self.home.disk().read(&self.home.path(LEADER_EPOCH_CHECKPOINT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            content => content?,
        };
        self.stored_epochs = decode_epochs(&String::from_utf8_lossy(&stored)).unwrap_or_else(|malformed| {
            let path = self.home.path(LEADER_EPOCH_CHECKPOINT);
            log::warn!("{}: {malformed}; reading the epochs from the records", path.display());
            Vec::new()
        });
        self.epochs = LeaderEpochCache::new(self.stored_epochs.iter().copied());
        // A crash may leave the file torn or empty; the records carry their epochs, too.
        if self.stored_epochs.is_empty() {
            for segment in self.segments.values() {
                let file = segment.file()?;
                let mut scan = BatchScan::new(segment.as_ref(), file.as_ref(), ReadMode::Blocking, 0, segment.size());
                while let Some(found) = scan.next()? {
                    assign_newer_epoch(&mut self.epochs, &found.header);
                }
            }
        }
        Ok(())
    }

    /// Builds a segment's indexes from its batches' headers.
    fn rebuild_indexes(&self, segment: &Segment) -> io::Result<()> {
        segment.reset_indexes()?;
        let file = segment.file()?;
        let mut scan = BatchScan::new(segment, file.as_ref(), ReadMode::Blocking, 0, segment.size());
        let mut next_offset = segment.base_offset();
        while let Some(found) = scan.next()? {
            if found.header.base_offset < next_offset {
                break;
            }
            next_offset = found.header.last_offset() + 1;
            segment.note_recovered(&found.header, found.position, &self.config)?;
        }
        if self.active().base_offset() != segment.base_offset() {
            segment.on_become_inactive()?;
        }
        // Who opens the log the next time trusts them.
        segment.flush()
    }

    /// Verifies everything past the recovery point and drops what does not hold.
    fn recover(&mut self, now_ms: i64) -> io::Result<()> {
        self.unsynced.mark().created = true;
        self.unsynced.names = true;
        let first = self
            .floor_segment(self.recovery_point)
            .or(self.segments.values().next())
            .expect("segments")
            .clone();
        let (position, offset) = self.trusted_part(&first)?;
        let recovery_point = self.recovery_point;
        let partition = self.home.partition.clone();
        self.load_state_before(&first, position, offset, now_ms)?;
        self.log_end_offset = offset;
        // From here on the records tell; what a truncation has not yet taken out of the file is not to be found again.
        self.epochs.truncate_from_end(offset);
        let segments: Vec<_> = self
            .segments
            .range(first.base_offset()..)
            .map(|(_, segment)| segment.clone())
            .collect();
        for (n, segment) in segments.iter().enumerate() {
            if n > 0 && self.lost_what_lies_before(segment) {
                let (end, path) = (self.log_end_offset, segment.path());
                log::warn!(
                    "{partition}: the log ends at offset {end}; removing what lies behind a hole, from {} on",
                    path.display()
                );
                return self.drop_from(segment.base_offset());
            }
            let position = if n == 0 { position } else { self.begin_segment(segment)? };
            let end = self.verify(segment, position)?;
            if end < segment.size() {
                log::warn!(
                    "{partition}: cutting {} bytes off {}: behind offset {} no whole and valid batch follows",
                    segment.size() - end,
                    segment.path().display(),
                    self.log_end_offset
                );
                let later = segments.len() - n - 1;
                if later > 0 {
                    let (from, until) = (segments[n + 1].base_offset(), segments[segments.len() - 1].path());
                    log::warn!(
                        "{partition}: removing the {later} segments behind it with what they hold from offset {from} on, up to {}",
                        until.display()
                    );
                }
                // In this order: cut first, and a crash in between would leave later segments behind a whole one.
                self.drop_from(segment.base_offset() + 1)?;
                segment.truncate_at(end, self.log_end_offset, now_ms)?;
                // The recovery point may pass this segment before it is flushed again: what was cut must not come back.
                return segment.flush();
            }
            if n + 1 < segments.len() {
                segment.on_become_inactive()?;
            }
        }
        // A log without new records needs no line: there are thousands of them.
        if self.log_end_offset > recovery_point {
            let end = self.log_end_offset;
            log::info!("{partition}: checked offsets {recovery_point} to {end}, which were not known to be on disk");
        }
        Ok(())
    }

    /// Whether records are missing between the log's end so far and a segment: where nothing is compacted and nothing was flushed,
    /// they are lost, and what follows is no continuation.
    fn lost_what_lies_before(&self, segment: &Segment) -> bool {
        let end = self.log_end_offset.max(self.log_start_offset);
        end < segment.base_offset() && end >= self.recovery_point && !self.config.cleanup_policy.compact
    }

    /// Removes the segments from `base_offset` on, the last one first.
    fn drop_from(&mut self, base_offset: i64) -> io::Result<()> {
        for segment in self.segments.split_off(&base_offset).into_values().rev() {
            for path in segment.mark_deleted()? {
                self.home.disk().remove_file(&path)?;
            }
        }
        self.home.disk().fsync_dir(&self.home.dir())
    }

    /// Where verification may begin in the segment that holds the recovery point, and the first offset there: the last batch
    /// below it that the index names. What the indexes say of the rest is dropped.
    fn trusted_part(&self, segment: &Segment) -> io::Result<(u64, i64)> {
        if self.recovery_point > segment.base_offset()
            && let Some(found) = self.last_indexed(segment)?
        {
            return Ok((found.position, found.header.base_offset));
        }
        segment.reset_indexes()?;
        Ok((0, segment.base_offset()))
    }

    fn last_indexed(&self, segment: &Segment) -> io::Result<Option<Found>> {
        let recovery_point = self.recovery_point;
        let entry = segment.with_indexes(|indexes| {
            let entries = indexes.time.plausible_entries(recovery_point)?;
            indexes.time.keep_entries(entries)?;
            let entries = indexes.offset.plausible_entries(recovery_point)?;
            indexes.offset.keep_entries(entries)
        })?;
        segment.restart_from_indexes();
        let Some(entry) = entry else { return Ok(None) };
        let file = segment.file()?;
        let position = u64::from(entry.position);
        let found = BatchScan::new(segment, file.as_ref(), ReadMode::Blocking, position, segment.size()).next()?;
        Ok(found.filter(|found| (segment.base_offset()..=entry.offset).contains(&found.header.base_offset)))
    }

    /// The producers' state as of where verification begins: a snapshot and what was written since.
    fn load_state_before(&mut self, segment: &Segment, position: u64, offset: i64, now_ms: i64) -> io::Result<()> {
        self.snapshots.retain(|snapshot| snapshot <= segment.base_offset())?;
        self.load_snapshot(segment.base_offset(), now_ms)?;
        let before = self
            .segments
            .range(..segment.base_offset())
            .map(|(_, segment)| (segment.clone(), segment.size()));
        let mut parts: Vec<_> = before.collect();
        parts.extend(
            self.segments
                .get(&segment.base_offset())
                .map(|segment| (segment.clone(), position)),
        );
        self.apply_headers(&parts)?;
        self.producers.set_map_end_offset(offset);
        Ok(())
    }

    fn load_snapshot(&mut self, end: i64, now_ms: i64) -> io::Result<()> {
        let first = self.segments.keys().next().copied().unwrap_or(end);
        let expiration_ms = self.config.producer_id_expiration_ms;
        self.producers = self.snapshots.load_latest(first, end, expiration_ms, now_ms)?;
        Ok(())
    }

    /// Feeds the producers' state with the batches behind its end, each segment up to the given size.
    fn apply_headers(&mut self, parts: &[(Arc<Segment>, u64)]) -> io::Result<()> {
        let from = self.producers.map_end_offset();
        // The segment that holds `from`, and all behind it.
        let first = parts
            .iter()
            .rposition(|(segment, _)| segment.base_offset() <= from)
            .unwrap_or(0);
        for (segment, end) in &parts[first..] {
            let file = segment.file()?;
            let start = if segment.base_offset() < from {
                segment.lower_bound(from, ReadMode::Blocking)?
            } else {
                0
            };
            let mut scan = BatchScan::new(segment.as_ref(), file.as_ref(), ReadMode::Blocking, start, *end);
            while let Some(Found { header, position }) = scan.next()? {
                if header.base_offset < from {
                    continue;
                }
                let mut records = Vec::new();
                if header.is_control() {
                    records.resize(header.size_in_bytes() - BATCH_HEADER_LEN, 0);
                    file.pread(&mut records, position + BATCH_HEADER_LEN as u64)?;
                }
                self.producers.apply(&header, end_txn_marker(&header, &records));
            }
        }
        Ok(())
    }

    fn begin_segment(&mut self, segment: &Segment) -> io::Result<u64> {
        segment.reset_indexes()?;
        self.producers.set_map_end_offset(segment.base_offset());
        self.snapshots.take(&self.producers)?;
        Ok(0)
    }

    /// Takes in batches from `position` on, as long as they are valid; answers where that ends.
    fn verify(&mut self, segment: &Segment, position: u64) -> io::Result<u64> {
        let file = segment.file()?;
        let mut next_offset = self.log_end_offset.max(segment.base_offset());
        let mut scan = VerifiedScan::new(segment, file.as_ref(), position, segment.size());
        let mut end = position;
        while let Some((header, records)) = scan.next()? {
            let relative = header.last_offset() - segment.base_offset();
            if header.base_offset < next_offset || relative > i64::from(i32::MAX) {
                break;
            }
            segment.note_recovered(&header, end, &self.config)?;
            assign_newer_epoch(&mut self.epochs, &header);
            self.producers.apply(&header, end_txn_marker(&header, records));
            next_offset = header.last_offset() + 1;
            end += header.size_in_bytes() as u64;
        }
        self.log_end_offset = next_offset;
        Ok(end)
    }

    fn load_producers(&mut self, clean: bool, now_ms: i64) -> io::Result<()> {
        let newest = self.snapshots.latest();
        let end = self.log_end_offset;
        let (segments, snapshots) = (&self.segments, &mut self.snapshots);
        snapshots.retain(|offset| offset <= end && (segments.contains_key(&offset) || Some(offset) == newest))?;
        // Without any snapshot a cleanly stopped log has never seen a producer that would matter.
        if clean && newest.is_none() {
            self.producers = ProducerState::new(end);
            return Ok(());
        }
        self.reload_producers(now_ms)
    }

    /// Brings the producers' state to the log end offset.
    pub(crate) fn reload_producers(&mut self, now_ms: i64) -> io::Result<()> {
        let end = self.log_end_offset;
        if self.producers.map_end_offset() != end {
            self.snapshots.retain(|offset| offset <= end)?;
            self.load_snapshot(end, now_ms)?;
            let parts: Vec<_> = self
                .segments
                .values()
                .map(|segment| (segment.clone(), segment.size()))
                .collect();
            self.apply_headers(&parts)?;
            self.producers.set_map_end_offset(end);
        }
        Ok(())
    }
}

/// Records of an old format keep this one log closed; any other error takes its directory offline.
fn open_error(home: &LogHome, action: &str, error: io::Error) -> OpenError {
    match OldRecordFormat::of(&error) {
        Some(found) => OpenError::OldRecordFormat {
            partition: home.partition.clone(),
            found: found.clone(),
        },
        None => OpenError::LogDir(home.failure(action, &error)),
    }
}

fn assign_newer_epoch(epochs: &mut LeaderEpochCache, header: &BatchHeader) {
    let epoch = header.partition_leader_epoch;
    if epoch >= 0 && epochs.latest_entry().is_none_or(|latest| epoch > latest.epoch) {
        epochs.assign(EpochEntry {
            epoch,
            start_offset: header.base_offset,
        });
    }
}
