//! What a Fetch of an old version gets, and one with numbers that nobody sends.

use integration_tests::batch::{Batch, now_ms};
use integration_tests::cluster::broker_for_clients;
use integration_tests::wire::{Answer, Body, Connection};

const FETCH: i16 = 1;
const NONE: i16 = 0;
const UNKNOWN_SERVER_ERROR: i16 = -1;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;

/// What a request asks for, of each partition.
struct Asked {
    version: i16,
    offset: i64,
    max_bytes: i32,
    partition_max_bytes: i32,
}

/// Error, high watermark, and bytes of records.
type Told = (i16, i64, usize);

impl Asked {
    fn of(version: i16) -> Asked {
        Asked {
            version,
            offset: 0,
            max_bytes: 1 << 20,
            partition_max_bytes: 1 << 20,
        }
    }

    /// Of partition 0.
    fn send(&self, connection: &mut Connection, topic: &str) -> Told {
        self.send_all(connection, topic, 1).remove(0)
    }

    /// Of the first `partitions`.
    fn send_all(&self, connection: &mut Connection, topic: &str, partitions: i32) -> Vec<Told> {
        let version = self.version;
        let mut body = Body::new().i32(-1).i32(0).i32(0).i32(self.max_bytes).i8(0);
        if version >= 7 {
            body = body.i32(0).i32(-1);
        }
        body = body.i32(1).string(topic).i32(partitions);
        for partition in 0..partitions {
            body = body.i32(partition);
            if version >= 9 {
                body = body.i32(-1);
            }
            body = body.i64(self.offset);
            if version >= 5 {
                body = body.i64(-1);
            }
            body = body.i32(self.partition_max_bytes);
        }
        if version >= 7 {
            body = body.i32(0);
        }
        if version >= 11 {
            body = body.string("");
        }
        let mut answer = connection.ask(FETCH, version, &body).expect("Fetch");
        answer.take(if version >= 7 { 4 + 2 + 4 } else { 4 });
        assert_eq!(answer.i32(), 1, "one topic");
        assert_eq!(answer.string().as_deref(), Some(topic));
        assert_eq!(answer.i32(), partitions);
        (0..partitions)
            .map(|partition| self.told(&mut answer, partition))
            .collect()
    }

    fn told(&self, answer: &mut Answer, partition: i32) -> Told {
        assert_eq!(answer.i32(), partition);
        let (error, high_watermark) = (answer.i16(), answer.i64());
        answer.take(if self.version >= 5 { 16 } else { 8 });
        assert!(answer.i32() <= 0, "no aborted transactions");
        if self.version >= 11 {
            answer.take(4);
        }
        let length = usize::try_from(answer.i32()).unwrap_or(0);
        assert_eq!(answer.take(length).len(), length);
        (error, high_watermark, length)
    }
}

#[test]
fn clients_that_do_not_know_zstandard_are_told_so() {
    let broker = broker_for_clients();
    let mut connection = Connection::open(broker.address()).expect("connect");
    for (topic, codec) in [("old-fetch-zstd", "zstd"), ("old-fetch-gzip", "gzip")] {
        connection.create_topic(topic, 1, &[("compression.type", codec)]);
        let batch = Batch::of(2, now_ms()).bytes();
        assert_eq!(connection.produce(topic, 0, -1, &batch).expect("Produce").error, NONE);
        for version in [4, 5, 9, 10, 11] {
            let (error, high_watermark, bytes) = Asked::of(version).send(&mut connection, topic);
            let told = (error, high_watermark, bytes > 0);
            let expected = match codec == "zstd" && version < 10 {
                true => (UNSUPPORTED_COMPRESSION_TYPE, -1, false),
                false => (NONE, 2, true),
            };
            assert_eq!(told, expected, "{topic}, version {version}");
        }
    }
}

#[test]
fn a_negative_size_is_an_error_only_where_there_is_something_to_read() {
    let broker = broker_for_clients();
    let mut connection = Connection::open(broker.address()).expect("connect");
    let topic = "negative-fetch";
    connection.create_topic(topic, 1, &[]);
    let batch = Batch::of(2, now_ms()).bytes();
    assert_eq!(connection.produce(topic, 0, -1, &batch).expect("Produce").error, NONE);
    let negative = [
        Asked {
            partition_max_bytes: -1,
            ..Asked::of(11)
        },
        Asked {
            max_bytes: -1,
            ..Asked::of(11)
        },
    ];
    for asked in negative {
        assert_eq!(asked.send(&mut connection, topic), (UNKNOWN_SERVER_ERROR, -1, 0));
        let at_end = Asked { offset: 2, ..asked };
        assert_eq!(at_end.send(&mut connection, topic), (NONE, 2, 0));
    }
}

/// After the first partition nothing is left of it, be it negative or not.
#[test]
fn a_negative_size_of_the_whole_answer_is_one_of_the_first_partition_only() {
    let broker = broker_for_clients();
    let mut connection = Connection::open(broker.address()).expect("connect");
    let topic = "negative-fetch-of-many";
    connection.create_topic(topic, 3, &[]);
    let batch = Batch::of(2, now_ms()).bytes();
    for partition in 0..3 {
        assert_eq!(
            connection.produce(topic, partition, -1, &batch).expect("Produce").error,
            NONE
        );
    }
    let asked = Asked {
        max_bytes: -1,
        ..Asked::of(11)
    };
    let whole = (NONE, 2, batch.len());
    let told = asked.send_all(&mut connection, topic, 3);
    assert_eq!(told, [(UNKNOWN_SERVER_ERROR, -1, 0), whole, (NONE, 2, 0)]);
}

#[test]
fn a_leader_is_no_follower_of_its_own() {
    let broker = broker_for_clients();
    let mut connection = Connection::open(broker.address()).expect("connect");
    let topic = "fetched-by-its-leader";
    connection.create_topic(topic, 1, &[]);
    let leader = connection.brokers()[0].0;
    let body = Body::new().i32(leader).i32(0).i32(0).i32(1 << 20).i8(0);
    let body = body.i32(1).string(topic).i32(1).i32(0).i64(0).i32(1 << 20);
    let mut answer = connection.ask(FETCH, 4, &body).expect("Fetch");
    answer.take(4 + 4);
    answer.string();
    answer.take(4 + 4);
    assert_eq!(answer.i16(), NOT_LEADER_OR_FOLLOWER);
}
