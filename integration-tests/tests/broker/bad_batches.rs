//! Batches that Kafka refuses, each with Kafka's error code and nothing stored. The codes are those that Apache Kafka 3.9.1
//! gives to these very bytes (`TARGET=kafka-3.9.1`).

use flate2::Compression;
use flate2::write::GzEncoder;
use integration_tests::batch::{Batch, now_ms, record};
use integration_tests::cluster::{Broker, broker_for_clients};
use integration_tests::requests::PRODUCE;
use integration_tests::wire::{Body, Connection};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const OFFSETS_TOPIC: &str = "__consumer_offsets";
const GZIP: i16 = 1;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

const UNKNOWN_SERVER_ERROR: i16 = -1;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TOPIC_EXCEPTION: i16 = 17;
const INVALID_REQUIRED_ACKS: i16 = 21;
const INVALID_TIMESTAMP: i16 = 32;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
const INVALID_RECORD: i16 = 87;

/// A broker, a connection and a topic of one test's own.
struct Bench {
    _broker: Arc<Broker>,
    connection: Connection,
    topic: String,
}

impl Bench {
    fn new(configs: &[(&str, &str)]) -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let broker = broker_for_clients();
        let mut connection = Connection::open(broker.address()).expect("connect");
        let topic = format!("bad-batches-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        connection.create_topic(&topic, 1, configs);
        Bench {
            _broker: broker,
            connection,
            topic,
        }
    }

    #[track_caller]
    fn refused(&mut self, what: &str, expected: i16, records: &[u8]) {
        let before = self.end();
        let produced = self.connection.produce(&self.topic, 0, -1, records).expect(what);
        assert_eq!(produced.error, expected, "{what}: {:?}", produced.message);
        assert_eq!(produced.base_offset, -1, "{what}: base offset");
        assert_eq!(self.end(), before, "{what}: log end offset");
    }

    /// The same for many; says all that went otherwise at once.
    #[track_caller]
    fn all_refused(&mut self, cases: &[(&str, i16, Vec<u8>)]) {
        let before = self.end();
        let mut otherwise = Vec::new();
        for (what, expected, records) in cases {
            match self.connection.produce(&self.topic, 0, -1, records) {
                Ok(produced) if produced.error == *expected => {}
                Ok(produced) => otherwise.push(format!("{what}: {produced:?} instead of {expected}")),
                Err(error) => panic!("{what}: {error}; and before that {otherwise:#?}"),
            }
        }
        assert!(otherwise.is_empty(), "{otherwise:#?}");
        assert_eq!(self.end(), before, "log end offset");
    }

    #[track_caller]
    fn accepted(&mut self, what: &str, base_offset: i64, batch: &Batch) {
        let produced = self.connection.produce(&self.topic, 0, -1, &batch.bytes()).expect(what);
        assert_eq!(
            (produced.error, produced.base_offset),
            (0, base_offset),
            "{what}: {:?}",
            produced.message
        );
    }

    fn end(&mut self) -> i64 {
        let (error, offset) = self.connection.list_offset(&self.topic, 0, -1);
        assert_eq!(error, 0, "ListOffsets");
        offset
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("compress");
    encoder.finish().expect("compress")
}

/// A right batch of three records, changed by `change`.
fn wrong(change: impl FnOnce(&mut Batch)) -> Vec<u8> {
    let mut batch = Batch::of(3, now_ms());
    change(&mut batch);
    batch.bytes()
}

#[test]
fn lying_headers() {
    let mut bench = Bench::new(&[]);
    bench.accepted("a right batch", 0, &Batch::of(3, now_ms()));
    let cases: [(&str, i16, Vec<u8>); 12] = [
        ("a wrong checksum", CORRUPT_MESSAGE, wrong(|b| b.crc_error = 1)),
        (
            "a length that is too large",
            INVALID_RECORD,
            wrong(|b| b.length_error = 7),
        ),
        (
            "a length that is too small",
            CORRUPT_MESSAGE,
            wrong(|b| b.length_error = -7),
        ),
        (
            "a length below the header",
            CORRUPT_MESSAGE,
            wrong(|b| b.length_error = -1_000),
        ),
        (
            "more records than there are",
            INVALID_RECORD,
            wrong(|b| (b.record_count, b.last_offset_delta) = (4, 3)),
        ),
        (
            "fewer records than there are",
            INVALID_RECORD,
            wrong(|b| (b.record_count, b.last_offset_delta) = (2, 1)),
        ),
        (
            "two thousand million records",
            INVALID_RECORD,
            wrong(|b| b.record_count = i32::MAX),
        ),
        ("a negative count", INVALID_RECORD, wrong(|b| b.record_count = -3)),
        (
            "no records",
            INVALID_RECORD,
            wrong(|b| {
                (b.record_count, b.last_offset_delta) = (0, -1);
                b.records.clear();
            }),
        ),
        (
            "offsets that do not add up",
            INVALID_RECORD,
            wrong(|b| b.last_offset_delta = 7),
        ),
        ("a control batch", INVALID_RECORD, wrong(|b| b.attributes |= CONTROL)),
        ("an unknown magic", CORRUPT_MESSAGE, wrong(|b| b.magic = 5)),
    ];
    bench.all_refused(&cases);
    bench.accepted("a right batch after all that", 3, &Batch::of(2, now_ms()));
}

#[test]
fn lying_records() {
    let mut bench = Bench::new(&[]);
    let cases: [(&str, i16, Vec<u8>); 6] = [
        (
            "a record that claims more bytes than the batch has",
            INVALID_RECORD,
            wrong(|b| b.records[0] = 0x7e),
        ),
        (
            "bytes behind the last record",
            INVALID_RECORD,
            wrong(|b| b.records.extend([0; 9])),
        ),
        (
            "gzip that is none",
            UNKNOWN_SERVER_ERROR,
            wrong(|b| b.attributes = GZIP),
        ),
        ("an unknown codec", UNKNOWN_SERVER_ERROR, wrong(|b| b.attributes = 7)),
        (
            "an unknown codec and offsets that do not add up",
            UNKNOWN_SERVER_ERROR,
            wrong(|b| (b.attributes, b.last_offset_delta) = (7, 9)),
        ),
        (
            "200 MiB of zeros in 200 KiB of gzip",
            INVALID_RECORD,
            wrong(|b| {
                b.attributes = GZIP;
                b.records = gzip(&vec![0; 200 << 20]);
            }),
        ),
    ];
    bench.all_refused(&cases);
    bench.accepted("a right batch after all that", 0, &Batch::of(2, now_ms()));
}

#[test]
fn not_one_batch() {
    let mut bench = Bench::new(&[]);
    let right = Batch::of(1, now_ms()).bytes();
    bench.all_refused(&[
        (
            "two batches at once",
            INVALID_RECORD,
            [right.clone(), right.clone()].concat(),
        ),
        ("half a batch", INVALID_RECORD, right[..right.len() / 2].to_vec()),
        ("less than a header", INVALID_RECORD, right[..10].to_vec()),
        ("nothing", INVALID_RECORD, Vec::new()),
    ]);
}

#[test]
fn too_large() {
    let mut bench = Bench::new(&[("max.message.bytes", "100")]);
    bench.refused(
        "a batch above max.message.bytes",
        MESSAGE_TOO_LARGE,
        &Batch::of(20, now_ms()).bytes(),
    );
    bench.accepted("a smaller one", 0, &Batch::of(1, now_ms()));
}

#[test]
fn timestamps() {
    let mut bench = Bench::new(&[
        ("message.timestamp.before.max.ms", "60000"),
        ("message.timestamp.after.max.ms", "60000"),
    ]);
    bench.refused(
        "too old",
        INVALID_TIMESTAMP,
        &Batch::of(2, now_ms() - 3_600_000).bytes(),
    );
    bench.refused(
        "too new",
        INVALID_TIMESTAMP,
        &Batch::of(2, now_ms() + 3_600_000).bytes(),
    );
    bench.accepted("now", 0, &Batch::of(2, now_ms()));
    let mut lying = Batch::of(2, now_ms());
    lying.max_timestamp += 1;
    bench.accepted("a maximum that is none: Kafka mends it", 2, &lying);
}

#[test]
fn log_append_time() {
    let mut bench = Bench::new(&[("message.timestamp.type", "LogAppendTime")]);
    let before = now_ms();
    let produced = bench
        .connection
        .produce(&bench.topic, 0, -1, &Batch::of(2, 1).bytes())
        .expect("produce");
    assert_eq!(produced.error, 0, "{:?}", produced.message);
    assert!(produced.log_append_time_ms >= before, "{produced:?} at {before}");
}

#[test]
fn no_key_where_keys_are_needed() {
    let mut bench = Bench::new(&[("cleanup.policy", "compact")]);
    let keyless = wrong(|b| b.records = (0..3).flat_map(|n| record(n, 0, None, b"v")).collect());
    bench.refused("a record without a key in a compacted topic", INVALID_RECORD, &keyless);
    bench.accepted("one with a key", 0, &Batch::of(1, now_ms()));
}

#[test]
fn wrong_requests() {
    let mut bench = Bench::new(&[]);
    let right = Batch::of(1, now_ms()).bytes();
    let elsewhere = bench
        .connection
        .produce(&bench.topic, 9, -1, &right)
        .expect("an unknown partition");
    assert_eq!(elsewhere.error, UNKNOWN_TOPIC_OR_PARTITION, "{elsewhere:?}");
    let acks = bench
        .connection
        .produce(&bench.topic, 0, 5, &right)
        .expect("impossible acks");
    assert_eq!(acks.error, INVALID_REQUIRED_ACKS, "{acks:?}");
    bench.connection.commit_offset("wrong-requests", &bench.topic, 0, 0);
    // What is no batch at all is said before anything else is wrong; what is wrong in the batch, after everything else.
    let mut produce = |topic: &str, acks, records: &[u8]| {
        let produced = bench.connection.produce(topic, 0, acks, records).expect("an answer");
        (produced.error, produced.log_start_offset)
    };
    let corrupt = wrong(|b| b.crc_error = 1);
    assert_eq!(produce(&bench.topic, 5, &[]), (INVALID_RECORD, -1));
    assert_eq!(produce(&bench.topic, 5, &corrupt), (INVALID_REQUIRED_ACKS, -1));
    assert_eq!(produce(OFFSETS_TOPIC, 5, &[]), (INVALID_RECORD, -1));
    assert_eq!(produce(OFFSETS_TOPIC, 5, &corrupt), (INVALID_REQUIRED_ACKS, -1));
    assert_eq!(produce(OFFSETS_TOPIC, 1, &corrupt), (INVALID_TOPIC_EXCEPTION, -1));
    assert_eq!(produce(&bench.topic, 1, &corrupt), (CORRUPT_MESSAGE, -1));
    let no_batch_offset = wrong(|b| b.last_offset_delta = -3);
    assert_eq!(produce(&bench.topic, 1, &no_batch_offset), (INVALID_RECORD, 0));
    let transactional = wrong(|b| b.attributes |= TRANSACTIONAL);
    let answer = bench
        .connection
        .produce(&bench.topic, 0, -1, &transactional)
        .expect("a transaction without its id");
    assert_eq!(answer.error, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "{answer:?}");
    assert_eq!(bench.end(), 0);
}

/// A length or a magic that no batch has refuses the request, whatever else it holds and wherever it was to go.
#[test]
fn what_cannot_be_a_batch_refuses_the_whole_request() {
    let mut bench = Bench::new(&[]);
    let right = Batch::of(1, now_ms()).bytes();
    let short = {
        let mut bytes = right.clone();
        bytes[8..12].copy_from_slice(&9_i32.to_be_bytes());
        bytes
    };
    let magic = wrong(|b| b.magic = 5);
    // In old formats the same bit means nothing; half a batch is none.
    let old = wrong(|b| (b.magic, b.attributes) = (1, TRANSACTIONAL));
    let half = wrong(|b| b.attributes = TRANSACTIONAL)[..40].to_vec();
    let transactional = wrong(|b| b.attributes = TRANSACTIONAL);
    let cases = [
        (&short, [CORRUPT_MESSAGE; 2]),
        (&magic, [CORRUPT_MESSAGE; 2]),
        (&transactional, [TRANSACTIONAL_ID_AUTHORIZATION_FAILED; 2]),
        (&old, [0, UNKNOWN_TOPIC_OR_PARTITION]),
        (&half, [0, UNKNOWN_TOPIC_OR_PARTITION]),
    ];
    for (wrong, expected) in cases {
        let head = Body::new().i16(-1).i16(-1).i32(30_000);
        let topic = head.i32(1).string(&bench.topic).i32(2);
        let body = topic.i32(0).bytes(&right).i32(7).bytes(wrong);
        let mut answer = bench.connection.ask(PRODUCE, 3, &body).expect("an answer");
        answer.take(4);
        answer.string();
        let mut codes: Vec<i16> = (0..answer.i32())
            .map(|_| {
                answer.take(4);
                let code = answer.i16();
                answer.take(16);
                code
            })
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, expected);
    }
    assert_eq!(bench.end(), 2, "log end offset");
}

#[test]
fn sequences() {
    let mut bench = Bench::new(&[]);
    let (id, epoch) = bench.connection.init_producer_id();
    let at = |sequence| Batch::of(3, now_ms()).by(id, epoch, sequence);
    bench.accepted("the first batch", 0, &at(0));
    bench.accepted("the second", 3, &at(3));
    bench.accepted("the second again: stored once", 3, &at(3));
    bench.accepted("the first again: stored once", 0, &at(0));
    bench.refused("one that leaves a gap", OUT_OF_ORDER_SEQUENCE_NUMBER, &at(100).bytes());
    bench.refused(
        "a newer epoch that does not begin at 0",
        OUT_OF_ORDER_SEQUENCE_NUMBER,
        &Batch::of(1, now_ms()).by(id, epoch + 1, 5).bytes(),
    );
    bench.accepted("a newer epoch", 6, &Batch::of(1, now_ms()).by(id, epoch + 1, 0));
    bench.refused("the older epoch", INVALID_PRODUCER_EPOCH, &at(6).bytes());
    let negative = Batch::of(1, now_ms()).by(id, epoch + 1, -5).bytes();
    bench.refused("a negative sequence", INVALID_RECORD, &negative);
    let (connection, topic) = (&mut bench.connection, &bench.topic);
    let gap = connection.produce(topic, 0, -1, &at(100).bytes()).expect("an answer");
    assert_eq!(gap.log_start_offset, 0, "named where the batch is to blame: {gap:?}");
    assert_eq!(bench.end(), 7);
}

#[test]
fn fetch_out_of_range() {
    let mut bench = Bench::new(&[]);
    bench.accepted("a batch", 0, &Batch::of(3, now_ms()));
    for (offset, expected) in [
        (0, 0),
        (3, 0),
        (4, OFFSET_OUT_OF_RANGE),
        (-1, OFFSET_OUT_OF_RANGE),
        (i64::MAX, OFFSET_OUT_OF_RANGE),
    ] {
        let (error, _) = bench.connection.fetch(&bench.topic, 0, offset).expect("Fetch");
        assert_eq!(error, expected, "fetch at {offset}");
    }
}
