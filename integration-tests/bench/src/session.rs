//! Runs rows against running brokers.

use crate::batch::{self, Batch, Codec};
use crate::broker::{Broker, Installation, Kind};
use crate::loads::{Outcome, Target, connections, fetch, java, latency, librdkafka, produce};
use crate::rows::{Class, Load, Row};
use crate::samples::{Measure, mib, of_outcome};
use crate::usage::{PeakWatch, Resident, resident};
use crate::wire::Connection;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::time::Duration;

/// Values that each partition of a topic for reading holds: so many that the half second for which a consumer may wait at the end of
/// one partition, while it still has records of others, is not most of the time.
const HOT_BYTES: [(i32, u64); 2] = [(1, 400_000_000), (6, 200_000_000)];
const HOT_VALUE_BYTES: usize = 1024;
/// After its start a broker gets this long to come to rest before its idle memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Both brokers, started when first needed and kept for the whole run; only one is under load at a time.
pub struct Session {
    installation: Installation,
    running: HashMap<Kind, Running>,
    /// What topics for reading are filled with.
    hot_batch: Batch,
    loads_run: u32,
}

struct Running {
    broker: Broker,
    /// Records in each partition of the topics for reading that are filled, by number of partitions.
    hot: HashMap<i32, i64>,
    /// The largest figures since the last look.
    peak: Resident,
}

impl Session {
    pub fn new(installation: Installation) -> Result<Self> {
        let hot_batch = batch::build(16_384, HOT_VALUE_BYTES, Codec::None)?;
        Ok(Session {
            installation,
            running: HashMap::new(),
            hot_batch,
            loads_run: 0,
        })
    }

    /// Starts the broker that `row` needs, unless it runs already. Without it nothing can be measured.
    pub fn start(&mut self, row: &Row, kind: Kind) -> Result<()> {
        if !matches!(row.load, Load::FreshBroker { .. }) && !self.running.contains_key(&kind) {
            let broker = Broker::start(kind, &self.installation, "kept")?;
            self.running.insert(
                kind,
                Running {
                    broker,
                    hot: HashMap::new(),
                    peak: Resident::default(),
                },
            );
        }
        Ok(())
    }

    /// Runs one row on one broker, which was started.
    pub fn run(&mut self, row: &Row, kind: Kind) -> Result<Vec<(Measure, f64)>> {
        if let Load::FreshBroker { connections } = row.load {
            return self.fresh_broker(kind, connections);
        }
        self.loads_run += 1;
        if row.class() == Class::Latency {
            // Gigabytes that earlier loads have left to be written would stall this one, whoever's they are.
            rustix::fs::sync();
        }
        let classpath = &self.installation.kafka_classpath;
        let running = self.running.get_mut(&kind).context("the broker was not started")?;
        let watch = PeakWatch::start(running.broker.pid());
        let outcome = running.load(row, &self.hot_batch, self.loads_run, classpath);
        let peak = watch.finish()?;
        running.peak.anonymous = running.peak.anonymous.max(peak.anonymous);
        running.peak.file = running.peak.file.max(peak.file);
        Ok(of_outcome(outcome?))
    }

    /// The largest memory figures of `kind` since the last call; none if it ran no load.
    pub fn take_peak(&mut self, kind: Kind) -> Option<Resident> {
        let peak = std::mem::take(&mut self.running.get_mut(&kind)?.peak);
        (peak.anonymous > 0).then_some(peak)
    }

    /// Kills a broker on which a load failed; the next load starts another.
    pub fn abandon(&mut self, kind: Kind) {
        self.running.remove(&kind);
    }

    pub fn stop(self) -> Result<()> {
        self.running.into_values().try_for_each(|running| running.broker.stop())
    }

    fn fresh_broker(&self, kind: Kind, count: usize) -> Result<Vec<(Measure, f64)>> {
        let broker = Broker::start(kind, &self.installation, "fresh")?;
        std::thread::sleep(SETTLE);
        let idle = resident(broker.pid())?;
        let each = connections::memory_of_each(
            Target {
                address: broker.address,
                pid: broker.pid(),
            },
            count,
        )?;
        let measures = vec![
            (
                Measure::ApiVersionsAnsweredMs,
                broker.start_times.api_versions.as_secs_f64() * 1e3,
            ),
            (
                Measure::MetadataAnsweredMs,
                broker.start_times.metadata.as_secs_f64() * 1e3,
            ),
            (Measure::IdleAnonymousMib, mib(idle.anonymous)),
            (Measure::IdleMappedMib, mib(idle.file)),
            (Measure::KibPerConnection, each / 1024.0),
        ];
        broker.stop()?;
        Ok(measures)
    }
}

impl Running {
    fn load(&mut self, row: &Row, hot_batch: &Batch, number: u32, classpath: &str) -> Result<Outcome> {
        let target = Target {
            address: self.broker.address,
            pid: self.broker.pid(),
        };
        let partitions = row.partitions();
        match row.load {
            Load::Fetch(load) => {
                let (topic, end_offset) = self.hot_topic(partitions, hot_batch)?;
                fetch::run(&load, target, &topic, hot_batch, end_offset)
            }
            Load::RdkafkaConsume { .. } => {
                let (topic, end_offset) = self.hot_topic(partitions, hot_batch)?;
                let records = end_offset as u64 * partitions as u64;
                librdkafka::consume(target, &topic, partitions, records, HOT_VALUE_BYTES as u64)
            }
            Load::JavaConsume { .. } => {
                let (topic, end_offset) = self.hot_topic(partitions, hot_batch)?;
                let records = end_offset as u64 * partitions as u64;
                java::consume(
                    target,
                    classpath,
                    &topic,
                    &format!("bench-{number}"),
                    records,
                    HOT_VALUE_BYTES as u64,
                )
            }
            Load::Echo { value_bytes, records } => latency::echo(target, value_bytes, records),
            _ => self.write(row, target, &format!("load-{number}"), classpath),
        }
    }

    /// Runs a load that writes, on a topic of its own that is gone when the next load starts.
    fn write(&mut self, row: &Row, target: Target, topic: &str, classpath: &str) -> Result<Outcome> {
        let mut admin = Connection::open(target.address)?;
        admin.create_topic(topic, row.partitions())?;
        let outcome = match row.load {
            Load::Produce(load) => produce::run(&load, target, topic),
            Load::OneInFlight { value_bytes, records } => latency::one_in_flight(target, topic, value_bytes, records),
            Load::PacedSockets(load) => latency::paced(&load, target, topic),
            Load::PacedRdkafka(load) => librdkafka::paced(&load, target, topic),
            Load::RdkafkaProduce(load, _) => librdkafka::produce(&load, target, topic),
            Load::JavaProduce(load, _) => java::produce(&load, target, classpath, topic),
            Load::FreshBroker { .. }
            | Load::Echo { .. }
            | Load::Fetch(_)
            | Load::RdkafkaConsume { .. }
            | Load::JavaConsume { .. } => {
                unreachable!("{} does not write", row.name)
            }
        }?;
        admin.delete_topic(topic)?;
        self.broker.await_deletion(topic)?;
        Ok(outcome)
    }

    /// The topic for reading with `partitions` partitions and the records in each, filled when first asked for.
    fn hot_topic(&mut self, partitions: i32, batch: &Batch) -> Result<(String, i64)> {
        let topic = format!("hot-{partitions}");
        if !self.hot.contains_key(&partitions) {
            let target = Target {
                address: self.broker.address,
                pid: self.broker.pid(),
            };
            let bytes = HOT_BYTES
                .into_iter()
                .find(|(of, _)| *of == partitions)
                .map_or(0, |(_, bytes)| bytes);
            let batches = bytes.div_ceil(batch.value_bytes);
            Connection::open(target.address)?.create_topic(&topic, partitions)?;
            produce::fill(target, &topic, partitions, &batch.bytes, batches as usize)?;
            self.hot.insert(partitions, (batches * batch.records) as i64);
        }
        Ok((topic, self.hot[&partitions]))
    }
}
