//! librdkafka with its defaults, from this process.

use super::latency::sleep_precisely;
use super::{Outcome, Target};
use crate::batch::Words;
use crate::rows::Paced;
use crate::usage::Meter;
use anyhow::{Context, Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Nothing of a load takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
pub struct RdkafkaProduce {
    pub records: u64,
    pub value_bytes: usize,
    pub compression: &'static str,
}

/// Notes what was not delivered, and the latency of records that carry the time at which they were due.
#[derive(Clone)]
struct Deliveries {
    delivered: Arc<Mutex<Delivered>>,
    /// Due times are nanoseconds from here.
    epoch: Instant,
}

/// In place of a due time: nobody asks for this record's latency.
const UNTIMED: usize = 0;

#[derive(Default)]
struct Delivered {
    failed: Option<KafkaError>,
    latencies_ns: Vec<u64>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, due_ns: usize) {
        if result.is_ok() && due_ns == UNTIMED {
            return;
        }
        let latency_ns = self.epoch.elapsed().as_nanos() as u64 - due_ns as u64;
        let mut delivered = self.delivered.lock().expect("nobody panics with the lock");
        match result {
            Err((error, _)) => delivered.failed = Some(error.clone()),
            Ok(_) => delivered.latencies_ns.push(latency_ns),
        }
    }
}

impl Deliveries {
    fn new() -> Self {
        Deliveries {
            delivered: Arc::default(),
            epoch: Instant::now(),
        }
    }

    /// The latencies so far, or why a record was not delivered.
    fn finish(&self) -> Result<Vec<u64>> {
        let mut delivered = self.delivered.lock().expect("nobody panics with the lock");
        match delivered.failed.take() {
            Some(error) => Err(error).context("a record was not delivered"),
            None => Ok(std::mem::take(&mut delivered.latencies_ns)),
        }
    }
}

fn config(target: Target) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", target.address.to_string());
    config
}

/// As fast as it goes; a tenth more before it is measured.
pub fn produce(load: &RdkafkaProduce, target: Target, topic: &str) -> Result<Outcome> {
    let deliveries = Deliveries::new();
    let producer: BaseProducer<Deliveries> = config(target)
        .set("compression.codec", load.compression)
        .create_with_context(deliveries.clone())?;
    let mut words = Words(7);
    let values: Vec<_> = (0..64).map(|_| words.text(load.value_bytes)).collect();
    send_all(&producer, topic, &values, load.records / 10)?;
    let meter = Meter::start(target.pid)?;
    send_all(&producer, topic, &values, load.records)?;
    let usage = meter.stop()?;
    deliveries.finish()?;
    let value_bytes = load.records * load.value_bytes as u64;
    Ok(Outcome {
        records: load.records,
        value_bytes,
        usage,
        latencies_ns: Vec::new(),
    })
}

fn send_all(producer: &BaseProducer<Deliveries>, topic: &str, values: &[Vec<u8>], records: u64) -> Result<()> {
    for number in 0..records as usize {
        let value = &values[number % values.len()];
        let mut record = BaseRecord::<(), Vec<u8>, _>::with_opaque_to(topic, UNTIMED).payload(value);
        while let Err((error, refused)) = producer.send(record) {
            let full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            ensure!(full, "a record was not accepted: {error}");
            record = refused;
            producer.poll(Duration::from_millis(1));
        }
        if number.is_multiple_of(256) {
            producer.poll(Duration::ZERO);
        }
    }
    Ok(producer.flush(PATIENCE)?)
}

/// Records at an even rate with `linger.ms=0`; latency from the moment a record was due to its delivery report.
pub fn paced(load: &Paced, target: Target, topic: &str) -> Result<Outcome> {
    sleep_precisely()?;
    let deliveries = Deliveries::new();
    let producer: ThreadedProducer<Deliveries> = config(target)
        .set("linger.ms", "0")
        .set("acks", "1")
        .create_with_context(deliveries.clone())?;
    let value = Words(7).text(load.value_bytes);
    let interval = Duration::from_secs(1) / load.per_second;
    let send_paced = |count: usize| -> Result<()> {
        let start = Instant::now();
        for number in 0..count {
            let due = start + interval * number as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let due_ns = due.duration_since(deliveries.epoch).as_nanos() as usize;
            let record = BaseRecord::<(), Vec<u8>, _>::with_opaque_to(topic, due_ns).payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(producer.flush(PATIENCE)?)
    };
    send_paced(load.per_second as usize)?;
    deliveries.finish()?;
    let meter = Meter::start(target.pid)?;
    send_paced(load.records)?;
    let usage = meter.stop()?;
    let latencies_ns = deliveries.finish()?;
    let records = load.records as u64;
    Ok(Outcome {
        records,
        value_bytes: records * load.value_bytes as u64,
        usage,
        latencies_ns,
    })
}

/// Reads `records` records of `topic` from the beginning, without a group.
pub fn consume(target: Target, topic: &str, partitions: i32, records: u64, each: u64) -> Result<Outcome> {
    let consumer: BaseConsumer = config(target)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let next = || {
        consumer
            .poll(PATIENCE)
            .context("no record came")?
            .context("a record was not readable")
            .map(drop)
    };
    next()?;
    let meter = Meter::start(target.pid)?;
    for _ in 1..records {
        next()?;
    }
    let usage = meter.stop()?;
    Ok(Outcome {
        records: records - 1,
        value_bytes: (records - 1) * each,
        usage,
        latencies_ns: Vec::new(),
    })
}
