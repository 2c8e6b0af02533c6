//! `kill -9` under load, again and again: every acknowledged record is read back, at its offset and in order.

use integration_tests::batch::{Batch, now_ms, record};
use integration_tests::child::await_some;
use integration_tests::cluster::{Broker, Target};
use integration_tests::wire::Connection;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const PARTITIONS: i32 = 3;
/// Kafka takes seconds to come back, and is here only to prove the test.
const KILLS: fn(&Broker) -> u32 = |broker| if broker.target().is_sordini() { 20 } else { 3 };
const BATCHES_BETWEEN_KILLS: u64 = 200;
const LIMIT: Duration = Duration::from_secs(120);

/// One writer's view of its partition.
#[derive(Debug, Default)]
struct Written {
    /// Base offset and first number of every batch that was acknowledged.
    acknowledged: Vec<(i64, i64)>,
    /// The number after the last one that was ever sent.
    next: i64,
}

struct Writer<'a> {
    address: SocketAddr,
    topic: &'a str,
    partition: i32,
    /// Id and epoch of an idempotent writer.
    producer: Option<(i64, i16)>,
    stopping: &'a AtomicBool,
    acknowledged: &'a AtomicU64,
}

impl Writer<'_> {
    /// Writes batches of one to five numbered records until it is told to stop; a batch whose answer is lost is sent again.
    fn write(&self) -> Written {
        let mut written = Written::default();
        let mut connection = None;
        while !self.stopping.load(Ordering::Relaxed) {
            let count = i32::try_from(written.next % 5).expect("small") + 1;
            let batch = self.batch(written.next, count);
            let Some(base_offset) = self.send_until_acknowledged(&mut connection, &batch) else {
                break;
            };
            written.acknowledged.push((base_offset, written.next));
            written.next += i64::from(count);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn batch(&self, first: i64, count: i32) -> Vec<u8> {
        // Kafka forgets, when it recovers, a producer whose last timestamp is older than producer.id.expiration.ms.
        let mut batch = Batch::of(count, now_ms());
        let numbered = (0..i64::from(count)).map(|n| record(n, 0, None, (first + n).to_string().as_bytes()));
        batch.records = numbered.flatten().collect();
        if let Some((id, epoch)) = self.producer {
            batch = batch.by(id, epoch, i32::try_from(first).expect("a short test"));
        }
        batch.bytes()
    }

    fn send_until_acknowledged(&self, connection: &mut Option<Connection>, batch: &[u8]) -> Option<i64> {
        while !self.stopping.load(Ordering::Relaxed) {
            if connection.is_none() {
                *connection = Connection::open(self.address).ok();
            }
            let answer = connection
                .as_mut()
                .map(|open| open.produce(self.topic, self.partition, -1, batch));
            match answer {
                Some(Ok(produced)) if produced.error == 0 => return Some(produced.base_offset),
                // Between its start and the end of loading a broker may say that it does not lead yet.
                Some(Ok(produced)) if [3, 5, 6].contains(&produced.error) => {}
                Some(Ok(produced)) => panic!("{}-{}: {produced:?}", self.topic, self.partition),
                Some(Err(_)) | None => *connection = None,
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }
}

/// Runs the writers through all kills and gives what each wrote.
fn kill_under_load(broker: &mut Broker, topic: &str, idempotent: bool) -> Vec<Written> {
    let address = broker.address();
    let mut connection = Connection::open(address).expect("connect");
    connection.create_topic(topic, PARTITIONS, &[("segment.bytes", "100000")]);
    let (stopping, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let producer = idempotent.then(|| connection.init_producer_id());
                let writer = Writer {
                    address,
                    topic,
                    partition,
                    producer,
                    stopping: &stopping,
                    acknowledged: &acknowledged,
                };
                scope.spawn(move || writer.write())
            })
            .collect();
        // Whatever fails below, the writers must end, or this scope never does.
        let _stop = StopAtEnd(&stopping);
        for kill in 0..KILLS(broker) {
            let target = acknowledged.load(Ordering::Relaxed) + BATCHES_BETWEEN_KILLS;
            await_some(&format!("writers go on before kill {kill}"), LIMIT, || {
                let stuck = writers.iter().any(|writer| writer.is_finished());
                assert!(!stuck, "a writer gave up before kill {kill}");
                (acknowledged.load(Ordering::Relaxed) >= target).then_some(())
            });
            broker.kill();
            broker.restart();
        }
        let target = acknowledged.load(Ordering::Relaxed) + BATCHES_BETWEEN_KILLS;
        await_some("writers go on after the last kill", LIMIT, || {
            (acknowledged.load(Ordering::Relaxed) >= target).then_some(())
        });
        stopping.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .collect()
    })
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn numbers(broker: &Broker, topic: &str, partition: i32) -> Vec<(i64, i64)> {
    let mut connection = Connection::open(broker.address()).expect("connect");
    let records = connection.read_all(topic, partition).into_iter();
    records
        .map(|(offset, value)| {
            let number = String::from_utf8(value).expect("digits").parse().expect("a number");
            (offset, number)
        })
        .collect()
}

/// Offsets without gaps, every acknowledged batch where it was acknowledged.
#[track_caller]
fn expect_acknowledged(found: &[(i64, i64)], written: &Written, partition: i32) {
    for (expected, (offset, _)) in found.iter().enumerate() {
        assert_eq!(*offset, expected as i64, "offsets of partition {partition}");
    }
    for (base_offset, first) in &written.acknowledged {
        let at = found.get(usize::try_from(*base_offset).expect("an offset"));
        assert_eq!(
            at,
            Some(&(*base_offset, *first)),
            "partition {partition}: an acknowledged record"
        );
    }
}

#[test]
fn acknowledged_records_survive() {
    let mut broker = Broker::start();
    let written = kill_under_load(&mut broker, "crash", false);
    for (partition, written) in (0..).zip(&written) {
        let found = numbers(&broker, "crash", partition);
        expect_acknowledged(&found, written, partition);
        // Each writer has one batch in flight, so what it repeats follows what it repeated: nothing overtakes.
        let mut highest = -1;
        for (offset, number) in found {
            assert!(
                number <= highest + 1,
                "partition {partition}: {number} at {offset} after {highest}"
            );
            highest = highest.max(number);
        }
    }
}

#[test]
fn idempotent_records_survive_once() {
    let mut broker = Broker::start();
    let written = kill_under_load(&mut broker, "crash-once", true);
    for (partition, written) in (0..).zip(&written) {
        let found = numbers(&broker, "crash-once", partition);
        expect_acknowledged(&found, written, partition);
        for (offset, number) in found {
            assert_eq!(number, offset, "partition {partition}: each once and in order");
        }
    }
}

#[test]
fn committed_offsets_and_topics_survive() {
    let mut broker = Broker::start();
    let mut connection = Connection::open(broker.address()).expect("connect");
    let kills = if *broker.target() == Target::Sordini { 5 } else { 1 };
    for round in 0..kills {
        let topic = format!("round-{round}");
        connection.create_topic(&topic, 2, &[]);
        connection.commit_offset("survivors", &topic, 1, 100 + i64::from(round));
        broker.kill();
        broker.restart();
        connection = Connection::open(broker.address()).expect("connect again");
        for earlier in 0..=round {
            let topic = format!("round-{earlier}");
            await_some("the topic is led again", LIMIT, || {
                (connection.list_offset(&topic, 1, -1) == (0, 0)).then_some(())
            });
            let offset = connection.committed_offset("survivors", &topic, 1);
            assert_eq!(
                offset,
                100 + i64::from(earlier),
                "commit of round {earlier} in round {round}"
            );
        }
    }
}
