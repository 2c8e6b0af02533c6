//! Incremental fetch sessions (KIP-227) as a client on the wire sees them.

use integration_tests::batch::{Batch, now_ms};
use integration_tests::cluster::{Broker, broker_for_clients};
use integration_tests::wire::{Answer, Body, Connection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const FETCH: i16 = 1;
const DELETE_TOPICS: i16 = 20;
const VERSION: i16 = 11;
const LONG_MS: i32 = 600_000;

const UNKNOWN_SERVER_ERROR: i16 = -1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const INVALID_FETCH_SESSION_EPOCH: i16 = 71;

/// One request of a session.
#[derive(Clone)]
struct Request<'a> {
    topic: &'a str,
    /// Partitions and offsets.
    named: &'a [(i32, i64)],
    forgotten: &'a [i32],
    max_wait_ms: i32,
    min_bytes: i32,
    isolation_level: i8,
}

impl<'a> Request<'a> {
    fn of(topic: &'a str, named: &'a [(i32, i64)]) -> Self {
        Request {
            topic,
            named,
            forgotten: &[],
            max_wait_ms: 0,
            min_bytes: 1,
            isolation_level: 0,
        }
    }

    fn body(&self, session_id: i32, session_epoch: i32) -> Body {
        let mut body = Body::new()
            .i32(-1)
            .i32(self.max_wait_ms)
            .i32(self.min_bytes)
            .i32(1 << 20);
        body = body.i8(self.isolation_level).i32(session_id).i32(session_epoch);
        body = match self.named {
            [] => body.i32(0),
            named => body.i32(1).string(self.topic).i32(named.len() as i32),
        };
        for (partition, offset) in self.named {
            body = body.i32(*partition).i32(-1).i64(*offset).i64(-1).i32(1 << 20);
        }
        body = match self.forgotten {
            [] => body.i32(0),
            forgotten => body.i32(1).string(self.topic).i32(forgotten.len() as i32),
        };
        for partition in self.forgotten {
            body = body.i32(*partition);
        }
        body.string("")
    }
}

/// Partition, error, high watermark, whether there are records.
type Told = (i32, i16, i64, bool);

#[derive(Debug)]
struct Fetched {
    error: i16,
    session_id: i32,
    partitions: Vec<Told>,
}

fn parse(mut answer: Answer) -> Fetched {
    answer.i32();
    let (error, session_id) = (answer.i16(), answer.i32());
    let mut partitions = Vec::new();
    for _ in 0..answer.i32() {
        answer.string();
        for _ in 0..answer.i32() {
            let (partition, error, high_watermark) = (answer.i32(), answer.i16(), answer.i64());
            answer.take(8 + 8);
            let aborted = answer.i32().max(0) as usize;
            answer.take(aborted * 16 + 4);
            let length = answer.i32().max(0) as usize;
            answer.take(length);
            partitions.push((partition, error, high_watermark, length > 0));
        }
    }
    partitions.sort_unstable();
    Fetched {
        error,
        session_id,
        partitions,
    }
}

/// A session with a connection of its own, and one to produce on.
struct Bench {
    _broker: Arc<Broker>,
    connection: Connection,
    other: Connection,
    topic: String,
    id: i32,
    epoch: i32,
}

impl Bench {
    fn new(partitions: i32) -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let broker = broker_for_clients();
        let topic = format!("fetch-sessions-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = Connection::open(broker.address()).expect("connect");
        connection.create_topic(&topic, partitions, &[]);
        Bench {
            other: Connection::open(broker.address()).expect("connect"),
            _broker: broker,
            connection,
            topic,
            id: 0,
            epoch: 0,
        }
    }

    fn begin(&mut self, request: &Request<'_>) -> i32 {
        let body = request.body(self.id, self.epoch);
        self.epoch += 1;
        self.connection.send(FETCH, VERSION, false, &body).expect("send")
    }

    fn end(&mut self, correlation_id: i32) -> Fetched {
        let (got, answer) = self.connection.receive().expect("Fetch");
        assert_eq!(got, correlation_id);
        let fetched = parse(answer);
        if fetched.error == 0 {
            self.id = fetched.session_id;
        }
        fetched
    }

    fn fetch(&mut self, request: &Request<'_>) -> Fetched {
        let correlation_id = self.begin(request);
        self.end(correlation_id)
    }

    #[track_caller]
    fn told(&mut self, request: &Request<'_>) -> Vec<Told> {
        let fetched = self.fetch(request);
        assert_eq!(fetched.error, 0);
        assert_ne!(fetched.session_id, 0);
        fetched.partitions
    }

    fn produce(&mut self, partition: i32) {
        let batch = Batch::of(1, now_ms()).bytes();
        let produced = self.other.produce(&self.topic, partition, -1, &batch).expect("Produce");
        assert_eq!(produced.error, 0, "{:?}", produced.message);
    }

    fn delete_topic(&mut self) {
        let body = Body::new().i32(1).string(&self.topic).i32(60_000);
        let mut answer = self.other.ask(DELETE_TOPICS, 1, &body).expect("DeleteTopics");
        answer.take(4 + 4);
        answer.string();
        assert_eq!(answer.i16(), 0);
    }
}

#[test]
fn an_answer_has_what_changed_and_nothing_else() {
    let mut bench = Bench::new(3);
    let topic = bench.topic.clone();
    let nothing = Request::of(&topic, &[]);
    let all = bench.told(&Request::of(&topic, &[(0, 0), (1, 0), (2, 0)]));
    assert_eq!(all, [(0, 0, 0, false), (1, 0, 0, false), (2, 0, 0, false)]);
    assert_eq!(bench.told(&nothing), []);
    bench.produce(1);
    assert_eq!(bench.told(&nothing), [(1, 0, 1, true)]);
    assert_eq!(
        bench.told(&nothing),
        [(1, 0, 1, true)],
        "a client that does not move on gets them again"
    );
    assert_eq!(bench.told(&Request::of(&topic, &[(1, 1)])), []);
    bench.produce(0);
    bench.produce(1);
    let forgets = Request {
        forgotten: &[0],
        ..nothing.clone()
    };
    assert_eq!(bench.told(&forgets), [(1, 0, 2, true)]);
    assert_eq!(
        bench.told(&Request::of(&topic, &[(0, 1), (1, 2)])),
        [(0, 0, 1, false)],
        "known anew"
    );
    assert_eq!(bench.told(&nothing), []);
}

#[test]
fn a_fetch_that_names_nothing_waits_for_all_partitions_of_its_session() {
    let mut bench = Bench::new(20);
    let topic = bench.topic.clone();
    let all: Vec<(i32, i64)> = (0..20).map(|partition| (partition, 0)).collect();
    bench.told(&Request::of(&topic, &all));
    let one = Batch::of(1, now_ms()).bytes().len() as i32;
    let parked = Request {
        max_wait_ms: LONG_MS,
        min_bytes: 2 * one,
        ..Request::of(&topic, &[])
    };
    let correlation_id = bench.begin(&parked);
    bench.produce(7);
    bench.produce(19);
    let told = bench.end(correlation_id);
    assert_eq!(told.partitions, [(7, 0, 1, true), (19, 0, 1, true)]);
}

#[test]
fn a_session_follows_a_topic_that_is_deleted_and_created_anew() {
    let mut bench = Bench::new(2);
    let topic = bench.topic.clone();
    bench.told(&Request::of(&topic, &[(0, 0), (1, 0)]));
    let parked = Request {
        max_wait_ms: LONG_MS,
        ..Request::of(&topic, &[])
    };
    let correlation_id = bench.begin(&parked);
    bench.delete_topic();
    let gone = bench.end(correlation_id).partitions;
    let is_gone = |told: &Told| [UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER].contains(&told.1);
    assert!(!gone.is_empty() && gone.iter().all(is_gone), "{gone:?}");
    let mut told = gone;
    while told.iter().filter(|told| told.1 == UNKNOWN_TOPIC_OR_PARTITION).count() < 2 {
        told = bench.told(&Request::of(&topic, &[]));
    }
    bench.other.create_topic(&topic, 2, &[]);
    bench.produce(1);
    // Where both partitions are there again, each is told once more, the one with records each time.
    let mut heard = [false; 2];
    while heard != [true, true] {
        for (partition, error, high_watermark, has_records) in bench.told(&Request::of(&topic, &[])) {
            if error == 0 {
                heard[partition as usize] = true;
                assert_eq!((high_watermark, has_records), (i64::from(partition), partition == 1));
            }
        }
    }
    assert_eq!(bench.told(&Request::of(&topic, &[])), [(1, 0, 1, true)]);
    assert_eq!(bench.told(&Request::of(&topic, &[(1, 1)])), []);
}

#[test]
fn a_level_of_isolation_that_does_not_exist_is_refused_after_the_session_moved_on() {
    let mut bench = Bench::new(1);
    let topic = bench.topic.clone();
    let unknown = |topic, named| Request {
        isolation_level: 2,
        ..Request::of(topic, named)
    };
    let refused = bench.fetch(&unknown(&topic, &[(0, 0)]));
    assert_eq!((refused.error, refused.session_id), (UNKNOWN_SERVER_ERROR, 0));
    assert_eq!(refused.partitions, [(0, UNKNOWN_SERVER_ERROR, -1, false)]);
    // Nothing to read, so nobody looks at the level.
    bench.epoch = 0;
    let absent = bench.fetch(&unknown("fetch-sessions-absent", &[(0, 0)]));
    assert_eq!(absent.error, 0);
    assert_eq!(absent.partitions, [(0, UNKNOWN_TOPIC_OR_PARTITION, -1, false)]);
    (bench.id, bench.epoch) = (0, 0);
    bench.told(&Request::of(&topic, &[(0, 0)]));
    let refused = bench.fetch(&unknown(&topic, &[]));
    assert_eq!((refused.error, refused.session_id), (UNKNOWN_SERVER_ERROR, bench.id));
    assert_eq!(refused.partitions, []);
    bench.epoch = 1;
    let late = bench.fetch(&Request::of(&topic, &[]));
    assert_eq!(late.error, INVALID_FETCH_SESSION_EPOCH, "epoch 1 has been");
    assert_eq!(bench.told(&Request::of(&topic, &[])), []);
}
