//! The few requests that raw-socket tests need, over [`Connection`].

use crate::batch::parse_records;
use crate::child::await_some;
use crate::wire::{Answer, Body, Connection};
use std::io;
use std::time::Duration;

/// Produce's API key.
pub const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const CREATE_TOPICS: i16 = 19;
const INIT_PRODUCER_ID: i16 = 22;

/// What a broker says about one produced partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Produced {
    /// 0 or Kafka's error code.
    pub error: i16,
    /// -1 on an error.
    pub base_offset: i64,
    /// -1 unless the broker's clock makes the timestamps.
    pub log_append_time_ms: i64,
    /// -1 on most errors.
    pub log_start_offset: i64,
    /// In words, where the broker has some.
    pub message: Option<String>,
}

impl Connection {
    /// Creates a topic and waits until this broker leads all its partitions.
    #[track_caller]
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let (error, message) = self.try_create_topic(name, partitions, configs);
        assert_eq!(error, 0, "create {name}: {message:?}");
        await_some("the broker leads the topic", Duration::from_secs(30), || {
            (0..partitions)
                .all(|partition| self.list_offset(name, partition, -1).0 == 0)
                .then_some(())
        });
    }

    /// Error code and message that CreateTopics gives.
    pub fn try_create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> (i16, Option<String>) {
        let mut body = Body::new()
            .i32(1)
            .string(name)
            .i32(partitions)
            .i16(1)
            .i32(0)
            .i32(configs.len() as i32);
        for (key, value) in configs {
            body = body.string(key).string(value);
        }
        let mut answer = self
            .ask(CREATE_TOPICS, 2, &body.i32(30_000).i8(0))
            .expect("CreateTopics");
        answer.take(8);
        answer.string();
        (answer.i16(), answer.string())
    }

    /// Error code and offset that ListOffsets gives for a timestamp (-1 latest, -2 earliest).
    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> (i16, i64) {
        let body = Body::new()
            .i32(-1)
            .i32(1)
            .string(topic)
            .i32(1)
            .i32(partition)
            .i64(timestamp);
        let mut answer = self.ask(LIST_OFFSETS, 1, &body).expect("ListOffsets");
        answer.take(4);
        answer.string();
        answer.take(8);
        let error = answer.i16();
        answer.take(8);
        (error, answer.i64())
    }

    /// Error code and records of a Fetch of version 4 at `offset` that waits for nothing.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> io::Result<(i16, Vec<u8>)> {
        let head = Body::new().i32(-1).i32(0).i32(0).i32(8 << 20).i8(0);
        let body = head.i32(1).string(topic).i32(1).i32(partition).i64(offset).i32(8 << 20);
        let mut answer = self.ask(FETCH, 4, &body)?;
        answer.take(8);
        answer.string();
        answer.take(8);
        let error = answer.i16();
        answer.take(16);
        let aborted = answer.i32().max(0) as usize;
        answer.take(aborted * 16);
        let length = answer.i32().max(0) as usize;
        Ok((error, answer.take(length).to_vec()))
    }

    /// Sends a Fetch that waits for ten minutes, and does not await the answer.
    pub fn begin_long_fetch(&mut self, topic: &str) -> io::Result<i32> {
        let head = Body::new().i32(-1).i32(600_000).i32(1).i32(1 << 20).i8(0);
        let body = head.i32(1).string(topic).i32(1).i32(0).i64(0).i32(1 << 20);
        self.send(FETCH, 4, false, &body)
    }

    /// How many partitions Metadata (version 1, which may create the topic) names.
    pub fn partitions(&mut self, topic: &str) -> i32 {
        let mut answer = self
            .ask(METADATA, 1, &Body::new().i32(1).string(topic))
            .expect("Metadata");
        for _ in 0..answer.i32() {
            answer.take(4);
            answer.string();
            answer.take(4);
            answer.string();
        }
        answer.take(4 + 4 + 2);
        answer.string();
        answer.i8();
        answer.i32()
    }

    /// Every record of one partition with its offset, from the earliest; the batches must not be compressed.
    #[track_caller]
    pub fn read_all(&mut self, topic: &str, partition: i32) -> Vec<(i64, Vec<u8>)> {
        let (error, mut next) = self.list_offset(topic, partition, -2);
        assert_eq!(error, 0, "earliest offset of {topic}-{partition}");
        let mut found = Vec::new();
        loop {
            let (error, bytes) = self.fetch(topic, partition, next).expect("Fetch");
            assert_eq!(error, 0, "fetch {topic}-{partition} at {next}");
            let records = parse_records(&bytes);
            let Some(last) = records.last() else { return found };
            next = last.0 + 1;
            found.extend(records);
        }
    }

    /// Commits one offset for a group without members; waits while the coordinator loads.
    pub fn commit_offset(&mut self, group: &str, topic: &str, partition: i32, offset: i64) {
        // The first question for a coordinator is what creates `__consumer_offsets`.
        self.ask(FIND_COORDINATOR, 1, &Body::new().string(group).i8(0))
            .expect("FindCoordinator");
        let head = Body::new().string(group).i32(-1).string("").i64(-1);
        let body = head.i32(1).string(topic).i32(1).i32(partition).i64(offset).string("");
        await_some("an offset is committed", Duration::from_secs(60), || {
            let mut answer = self.ask(OFFSET_COMMIT, 2, &body).expect("OffsetCommit");
            answer.take(4);
            answer.string();
            answer.take(8);
            expect_zero_but_loading("OffsetCommit", answer.i16()).then_some(())
        });
    }

    /// The offset that a group has committed, -1 for none; waits while the coordinator loads.
    pub fn committed_offset(&mut self, group: &str, topic: &str, partition: i32) -> i64 {
        let body = Body::new().string(group).i32(1).string(topic).i32(1).i32(partition);
        await_some("a committed offset", Duration::from_secs(60), || {
            let mut answer = self.ask(OFFSET_FETCH, 2, &body).expect("OffsetFetch");
            if answer.i32() == 0 {
                // The whole group is refused: nothing is said of partitions.
                assert!(
                    !expect_zero_but_loading("OffsetFetch", answer.i16()),
                    "{topic}-{partition} is not in the answer"
                );
                return None;
            }
            answer.string();
            answer.take(8);
            let offset = answer.i64();
            answer.string();
            (expect_zero_but_loading("OffsetFetch", answer.i16())
                && expect_zero_but_loading("OffsetFetch", answer.i16()))
            .then_some(offset)
        })
    }

    /// The ids of all brokers, and the address that each is told by, on this connection.
    pub fn brokers(&mut self) -> Vec<(i32, String, i32)> {
        let mut answer = self.ask(METADATA, 1, &Body::new().i32(0)).expect("Metadata");
        (0..answer.i32())
            .map(|_| {
                let (id, host, port) = (answer.i32(), answer.string().expect("a host"), answer.i32());
                answer.string();
                (id, host, port)
            })
            .collect()
    }

    /// A fresh producer id and its epoch.
    pub fn init_producer_id(&mut self) -> (i64, i16) {
        let body = Body::new().i16(-1).i32(60_000);
        await_some("a producer id", Duration::from_secs(30), || {
            let mut answer = self.ask(INIT_PRODUCER_ID, 1, &body).expect("InitProducerId");
            answer.take(4);
            (answer.i16() == 0).then(|| (answer.i64(), answer.i16()))
        })
    }

    /// Produces these bytes to one partition with version 8.
    pub fn produce(&mut self, topic: &str, partition: i32, acks: i16, records: &[u8]) -> io::Result<Produced> {
        let answer = self.ask(PRODUCE, 8, &produce_body(topic, partition, acks, records))?;
        Ok(produced(answer))
    }
}

/// The body of a Produce request of the versions 3 to 8.
pub fn produce_body(topic: &str, partition: i32, acks: i16, records: &[u8]) -> Body {
    let head = Body::new().i16(-1).i16(acks).i32(30_000);
    head.i32(1).string(topic).i32(1).i32(partition).bytes(records)
}

fn produced(mut answer: Answer) -> Produced {
    answer.take(4);
    answer.string();
    answer.take(8);
    let (error, base_offset, log_append_time_ms) = (answer.i16(), answer.i64(), answer.i64());
    let log_start_offset = answer.i64();
    let messages: Vec<Option<String>> = (0..answer.i32())
        .map(|_| {
            answer.take(4);
            answer.string()
        })
        .collect();
    let message = answer.string().or_else(|| messages.into_iter().flatten().next());
    Produced {
        error,
        base_offset,
        log_append_time_ms,
        log_start_offset,
        message,
    }
}

/// Whether the code says success; loading (14), absent (15) and moved (16) coordinators are worth another try.
fn expect_zero_but_loading(what: &str, error: i16) -> bool {
    assert!([0, 14, 15, 16].contains(&error), "{what}: error {error}");
    error == 0
}
