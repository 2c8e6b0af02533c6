//! The log against a plain vector, on a disk that fails: whatever is done to it and wherever it is cut off, what it reads back is what
//! was appended, up to a point that is not below what was flushed.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use storage::{AppendError, BatchHeader, Disk, Log, LogConfig, LogDirHealth, ReadRequest, SimDisk, ValidateOptions};
use support::{Spec, batch, options, validate};

#[derive(Clone, Copy, Debug)]
enum Step {
    Append {
        records: i32,
        value_size: usize,
        producer: Option<i64>,
    },
    AppendTogether {
        count: i32,
        value_size: usize,
    },
    Roll,
    Flush,
    DeleteRecords {
        percent: i64,
    },
    Retention,
    RemoveFiles,
    Truncate {
        back: i64,
    },
    NewEpoch,
    CleanRestart,
    Kill,
    PowerLoss,
}

fn step() -> impl Strategy<Value = Step> {
    let append = (1..5, 0..700_usize, prop::option::of(0..3_i64));
    prop_oneof![
        20 => append.prop_map(|(records, value_size, producer)| Step::Append { records, value_size, producer }),
        5 => (2..12, 0..700_usize).prop_map(|(count, value_size)| Step::AppendTogether { count, value_size }),
        1 => Just(Step::Roll),
        3 => Just(Step::Flush),
        1 => (0..100_i64).prop_map(|percent| Step::DeleteRecords { percent }),
        1 => Just(Step::Retention),
        1 => Just(Step::RemoveFiles),
        1 => (0..20_i64).prop_map(|back| Step::Truncate { back }),
        1 => Just(Step::NewEpoch),
        1 => Just(Step::CleanRestart),
        2 => Just(Step::Kill),
        2 => Just(Step::PowerLoss),
    ]
}

/// A stored batch: its bytes as they must come back.
#[derive(Clone, Debug)]
struct Stored {
    header: BatchHeader,
    bytes: Vec<u8>,
}

struct Model {
    disk: SimDisk,
    config: LogConfig,
    batches: Vec<Stored>,
    log_start_offset: i64,
    /// What the checkpoints say.
    recovery_point: i64,
    epoch: i32,
    sequences: BTreeMap<i64, i32>,
    now_ms: i64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let config = LogConfig {
            segment_bytes: 3000,
            index_interval_bytes: 200,
            retention_bytes: 6000,
            retention_ms: -1,
            file_delete_delay_ms: 5,
            ..LogConfig::default()
        };
        let disk = SimDisk::new(seed);
        disk.create_dir_all(Path::new("/logs")).unwrap();
        disk.fsync_dir(Path::new("/")).unwrap();
        let (batches, sequences) = (Vec::new(), BTreeMap::new());
        Self {
            disk,
            config,
            batches,
            log_start_offset: 0,
            recovery_point: 0,
            epoch: 0,
            sequences,
            now_ms: 1,
        }
    }

    fn open(&self, clean_shutdown: bool) -> Result<Log, String> {
        let mut options = options(Arc::new(self.disk.clone()), Path::new("/logs"), self.config.clone());
        options.health = LogDirHealth::new("/logs");
        options.log_start_offset = self.log_start_offset;
        options.recovery_point = self.recovery_point;
        options.clean_shutdown = clean_shutdown;
        Log::open(options, self.now_ms).map_err(|error| error.to_string())
    }

    fn end(&self) -> i64 {
        let end = self.batches.last().map_or(0, |batch| batch.header.last_offset() + 1);
        end.max(self.log_start_offset)
    }

    /// Makes a step; `Err` where the disk refused, which the program does not survive.
    fn make(&mut self, log: &mut Log, step: Step) -> Result<(), String> {
        self.now_ms += 1;
        let now_ms = self.now_ms;
        let text = |error: storage::LogDirFailure| error.to_string();
        match step {
            Step::Append {
                records,
                value_size,
                producer,
            } => self.append(log, &[(records, value_size, producer)])?,
            Step::AppendTogether { count, value_size } => {
                let producer = |n| Some(i64::from(n % 3)).filter(|id| *id > 0);
                let batches: Vec<_> = (0..count).map(|n| (n % 3 + 1, value_size, producer(n))).collect();
                self.append(log, &batches)?;
            }
            Step::Roll => log.roll(now_ms).map_err(text)?,
            Step::Flush => {
                log.flush(now_ms).map_err(text)?;
                self.recovery_point = log.recovery_point();
                assert_eq!(self.recovery_point, self.end().max(self.recovery_point));
            }
            Step::DeleteRecords { percent } => {
                let (start, end) = (log.log_start_offset(), log.log_end_offset());
                let offset = start + (end - start) * percent / 100;
                log.increment_log_start_offset(offset, end)
                    .map_err(|error| error.to_string())?;
                self.log_start_offset = log.log_start_offset();
            }
            Step::Retention => {
                log.oldest_segments().load().map_err(text)?;
                while log.delete_old_segments(log.log_end_offset(), now_ms).map_err(text)? > 0 {}
                self.log_start_offset = log.log_start_offset();
            }
            Step::RemoveFiles => log.remove_deleted_files(now_ms).map_err(text)?,
            Step::Truncate { back } => self.truncate(log, back).map_err(text)?,
            Step::NewEpoch => {
                self.new_epoch();
                log.assign_leader_epoch(self.epoch).map_err(text)?;
            }
            Step::CleanRestart => {
                log.close(now_ms).map_err(text)?;
                self.recovery_point = log.recovery_point();
                *log = self.open(true)?;
                self.check(log);
                assert_eq!(log.log_end_offset(), self.end());
            }
            Step::Kill => {
                self.disk.kill();
                *log = self.open(false)?;
                self.check(log);
                assert_eq!(log.log_end_offset(), self.end(), "a dead program loses nothing");
            }
            Step::PowerLoss => {
                self.disk.crash();
                *log = self.open(false)?;
                self.lose(log);
                self.check(log);
            }
        }
        Ok(())
    }

    fn truncate(&mut self, log: &mut Log, back: i64) -> Result<(), storage::LogDirFailure> {
        let offset = (log.log_end_offset() - back).max(log.log_start_offset());
        // The checkpoint is written down before what it vouches for goes.
        self.recovery_point = self.recovery_point.min(offset);
        self.batches.retain(|batch| batch.header.last_offset() < offset);
        let truncated = log.truncate_to(offset, self.now_ms);
        self.recovery_point = self.recovery_point.min(self.end());
        truncated?;
        // Until the next flush a power failure may bring back what was dropped.
        log.flush(self.now_ms)?;
        self.new_epoch();
        Ok(())
    }

    /// A new leader, and producers that begin anew.
    fn new_epoch(&mut self) {
        self.epoch += 1;
        self.sequences.clear();
    }

    /// Appends batches – records, bytes of each, producer – that met; among them one that is refused, which costs no other.
    fn append(&mut self, log: &mut Log, wanted: &[(i32, usize, Option<i64>)]) -> Result<(), String> {
        let (partition, now_ms) = (log.partition().clone(), self.now_ms);
        let options = ValidateOptions {
            partition: &partition,
            config: &self.config,
        };
        let mut batches = Vec::new();
        for &(records, value_size, producer) in wanted {
            let sequence = producer.map(|id| self.sequences.entry(id).or_insert(0));
            let spec = |sequence| Spec {
                records,
                value_size,
                timestamp: 1000 + now_ms,
                producer: producer.map_or((-1, -1, -1), |id| (id, self.epoch as i16, sequence)),
            };
            let first = sequence.as_deref().copied().unwrap_or(-1);
            batches.push((batch(spec(first)), true));
            if let Some(next) = sequence {
                *next += records;
                if wanted.len() > 1 {
                    batches.push((batch(spec(first + 1000)), false));
                }
            }
        }
        let validated = batches
            .iter()
            .map(|(bytes, _)| validate(bytes.clone(), &options, now_ms).unwrap());
        let results = log.append_all(validated, self.epoch, now_ms);
        for ((bytes, is_right), result) in batches.into_iter().zip(results) {
            let info = match result {
                Err(AppendError::OutOfOrderSequence { .. }) if !is_right => continue,
                result => result.map_err(|error| error.to_string())?,
            };
            assert!(is_right);
            let mut bytes = bytes.to_vec();
            bytes[..8].copy_from_slice(&info.first_offset.to_be_bytes());
            bytes[12..16].copy_from_slice(&self.epoch.to_be_bytes());
            let header = BatchHeader::parse(&bytes).unwrap();
            assert_eq!(header.base_offset, self.end().max(log.log_start_offset()));
            self.batches.push(Stored { header, bytes });
        }
        Ok(())
    }

    /// After a power failure: what is left must be a first part that holds all that was flushed.
    fn lose(&mut self, log: &Log) {
        let end = log.log_end_offset();
        assert!(
            end >= self.recovery_point.min(self.end()),
            "flushed up to {}, left up to {end}",
            self.recovery_point
        );
        self.batches.retain(|batch| batch.header.last_offset() < end);
        self.recovery_point = log.recovery_point();
        self.new_epoch();
    }

    /// Everything that can be read is what was appended.
    fn check(&mut self, log: &Log) {
        self.log_start_offset = self.log_start_offset.max(log.log_start_offset());
        assert_eq!(log.log_start_offset(), self.log_start_offset);
        let mut offset = log.log_start_offset();
        let mut expected = self
            .batches
            .iter()
            .filter(|batch| batch.header.last_offset() >= log.log_start_offset())
            .peekable();
        let max_offset = log.log_end_offset();
        while offset < log.log_end_offset() {
            let request = ReadRequest {
                offset,
                max_bytes: 700,
                min_one_message: true,
                max_offset,
                from_segment: None,
            };
            let data = log.read(&request).unwrap().records.as_memory().unwrap().clone();
            let mut rest = &data[..];
            while let Some(header) = BatchHeader::parse(rest)
                && header.size_in_bytes() <= rest.len()
            {
                let batch = expected.next().expect("no more than was appended");
                let found = &rest[..header.size_in_bytes()];
                assert!(found == batch.bytes, "{header:?} instead of {:?}", batch.header);
                rest = &rest[header.size_in_bytes()..];
                offset = header.last_offset() + 1;
            }
            assert!(rest.len() < data.len(), "nothing at {offset}: {}", self.describe(log));
        }
        assert!(
            expected.next().is_none(),
            "missing from {} on",
            expected.peek().map_or(-1, |b| b.header.base_offset)
        );
        self.check_producers(log);
        self.check_epochs(log);
    }

    fn describe(&self, log: &Log) -> String {
        let dir = log.dir();
        let mut files: Vec<_> = self
            .disk
            .list(&dir)
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        files.sort();
        let size = |name: &String| format!("{}={}", name, self.disk.metadata(&dir.join(name)).unwrap().len);
        let files: Vec<_> = files.iter().map(size).collect();
        let (start, end, flushed) = (log.log_start_offset(), log.log_end_offset(), log.recovery_point());
        format!(
            "{start}..{end}, flushed {flushed}, checkpointed {}, files {files:?}",
            self.recovery_point
        )
    }

    /// What the newest readable batch of a producer says is what is remembered. Of producers whose records were all deleted a power
    /// failure may leave an older state, or none.
    fn check_producers(&self, log: &Log) {
        let readable = |batch: &&Stored| batch.header.base_offset >= log.log_start_offset();
        let mut last = BTreeMap::new();
        for batch in self
            .batches
            .iter()
            .filter(readable)
            .filter(|batch| batch.header.producer_id >= 0)
        {
            last.insert(
                batch.header.producer_id,
                (batch.header.producer_epoch, batch.header.last_sequence()),
            );
        }
        for (id, state) in last {
            let entry = log
                .producers()
                .entry(id)
                .map(|entry| (entry.producer_epoch, entry.last_sequence()));
            assert_eq!(entry, Some(state), "producer {id}");
        }
    }

    fn check_epochs(&self, log: &Log) {
        for batch in self
            .batches
            .iter()
            .filter(|batch| batch.header.base_offset >= log.log_start_offset())
        {
            let epoch = log.leader_epochs().epoch_for_offset(batch.header.base_offset);
            assert_eq!(
                epoch,
                Some(batch.header.partition_leader_epoch),
                "epoch at {}: {:?}; {}",
                batch.header.base_offset,
                log.leader_epochs(),
                self.describe(log)
            );
        }
    }
}

fn run(seed: u64, steps: &[Step]) {
    let mut model = Model::new(seed);
    let mut log = model.open(false).unwrap();
    for &step in steps {
        model.make(&mut log, step).unwrap();
    }
    model.check(&log);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_holds_what_a_vector_holds(seed in any::<u64>(), steps in prop::collection::vec(step(), 1..80)) {
        run(seed, &steps);
    }
}

/// The program dies in each of its changes to the disk in turn, and then the machine does, too.
#[test]
fn it_survives_a_crash_in_every_write() {
    let append = |value_size, producer| Step::Append {
        records: 2,
        value_size,
        producer,
    };
    let steps: Vec<Step> = (0..6)
        .flat_map(|n| {
            [
                append(600, Some(1)),
                append(100, None),
                append(900, Some(2)),
                Step::Flush,
                append(300, Some(1)),
                Step::NewEpoch,
                append(700, None),
                if n == 3 {
                    Step::Truncate { back: 3 }
                } else {
                    Step::Retention
                },
                Step::RemoveFiles,
                if n == 4 { Step::CleanRestart } else { Step::Roll },
            ]
        })
        .collect();
    let mut stop_at = 1;
    loop {
        let mut finished = false;
        for power_loss in [false, true] {
            finished = dies_at(stop_at, power_loss, &steps);
        }
        if finished {
            break;
        }
        stop_at += 1;
    }
    assert!(stop_at > 200, "only {stop_at} changes");
}

/// Answers whether the program came to its end before.
fn dies_at(stop_at: u64, power_loss: bool, steps: &[Step]) -> bool {
    let mut model = Model::new(stop_at * 2 + u64::from(power_loss));
    model.disk.stop_at(model.disk.changes() + stop_at);
    let mut finished = true;
    let mut last = None;
    if let Ok(mut log) = model.open(false) {
        for &step in steps {
            last = Some(step);
            if model.make(&mut log, step).is_err() {
                finished = false;
                break;
            }
        }
    } else {
        finished = false;
    }
    if power_loss {
        model.disk.crash()
    } else {
        model.disk.kill()
    }
    let log = model
        .open(false)
        .unwrap_or_else(|error| panic!("stopped at {stop_at} in {last:?}: {error}"));
    // What the failed step was about may or may not have happened: an append that was not acknowledged, a batch that was to be
    // dropped; all that was acknowledged before must be there.
    println!("stopped at {stop_at} in {last:?}, power loss {power_loss}");
    model.settle(&log, power_loss);
    model.check(&log);
    finished
}

impl Model {
    /// Takes over what the log shows of the step that failed.
    fn settle(&mut self, log: &Log, power_loss: bool) {
        let end = log.log_end_offset();
        self.log_start_offset = self.log_start_offset.max(log.log_start_offset());
        if !power_loss {
            assert!(
                end >= self.end(),
                "stopped: acknowledged up to {}, left up to {end}",
                self.end()
            );
        }
        assert!(end >= self.recovery_point.min(self.end()));
        self.batches.retain(|batch| batch.header.last_offset() < end);
        let mut offset = self.end();
        while offset < end {
            let request = ReadRequest {
                offset,
                max_bytes: 1,
                min_one_message: true,
                max_offset: end,
                from_segment: None,
            };
            let data = log.read(&request).unwrap().records.as_memory().unwrap().to_vec();
            let header = BatchHeader::parse(&data).unwrap();
            assert_eq!(header.base_offset, offset);
            offset = header.last_offset() + 1;
            self.batches.push(Stored { header, bytes: data });
        }
    }
}
