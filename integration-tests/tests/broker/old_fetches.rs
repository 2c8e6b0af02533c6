//! What a Fetch of an old version gets, and one with numbers that nobody sends.

use integration_tests::batch::{Batch, now_ms};
use integration_tests::cluster::broker_for_clients;
use integration_tests::wire::{Body, Connection};

const FETCH: i16 = 1;
const NONE: i16 = 0;
const UNKNOWN_SERVER_ERROR: i16 = -1;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;

/// What a request asks for, of partition 0.
struct Asked {
    version: i16,
    offset: i64,
    max_bytes: i32,
    partition_max_bytes: i32,
}

impl Asked {
    fn of(version: i16) -> Asked {
        Asked {
            version,
            offset: 0,
            max_bytes: 1 << 20,
            partition_max_bytes: 1 << 20,
        }
    }

    /// Error, high watermark, and bytes of records.
    fn send(&self, connection: &mut Connection, topic: &str) -> (i16, i64, usize) {
        let version = self.version;
        let mut body = Body::new().i32(-1).i32(0).i32(0).i32(self.max_bytes).i8(0);
        if version >= 7 {
            body = body.i32(0).i32(-1);
        }
        body = body.i32(1).string(topic).i32(1).i32(0);
        if version >= 9 {
            body = body.i32(-1);
        }
        body = body.i64(self.offset);
        if version >= 5 {
            body = body.i64(-1);
        }
        body = body.i32(self.partition_max_bytes);
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
        assert_eq!((answer.i32(), answer.i32()), (1, 0), "one partition");
        let (error, high_watermark) = (answer.i16(), answer.i64());
        answer.take(if version >= 5 { 16 } else { 8 });
        assert!(answer.i32() <= 0, "no aborted transactions");
        if version >= 11 {
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
