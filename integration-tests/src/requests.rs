//! The few requests that raw-socket tests need, over [`Connection`].

use crate::child::await_some;
use crate::wire::{Answer, Body, Connection};
use std::io;
use std::time::Duration;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
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
    /// In words, where the broker has some.
    pub message: Option<String>,
}

impl Connection {
    /// Creates a topic and waits until this broker leads all its partitions.
    #[track_caller]
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
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
        assert_eq!(answer.i16(), 0, "create {name}: {:?}", answer.string());
        await_some("the broker leads the topic", Duration::from_secs(30), || {
            (0..partitions)
                .all(|partition| self.list_offset(name, partition, -1).0 == 0)
                .then_some(())
        });
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

    /// The error code of a Fetch of version 4 at `offset` that waits for nothing.
    pub fn fetch_error(&mut self, topic: &str, partition: i32, offset: i64) -> i16 {
        let head = Body::new().i32(-1).i32(0).i32(0).i32(1 << 20).i8(0);
        let body = head.i32(1).string(topic).i32(1).i32(partition).i64(offset).i32(1 << 20);
        let mut answer = self.ask(FETCH, 4, &body).expect("Fetch");
        answer.take(8);
        answer.string();
        answer.take(8);
        answer.i16()
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
    answer.take(8);
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
        message,
    }
}
