//! Real work through librdkafka by the `rdkafka` crate. A binary of its own, behind a feature: building librdkafka from C takes
//! minutes. Its newer sibling in Python does the longer list of scenarios.

use integration_tests::child::await_some;
use integration_tests::cluster::{Broker, broker_for_clients};
use integration_tests::stored::batches;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives one future on this thread.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

fn settings(broker: &Broker) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", broker.bootstrap());
    settings
}

fn admin(broker: &Broker) -> AdminClient<DefaultClientContext> {
    settings(broker).create().expect("an admin client")
}

fn create(broker: &Broker, topic: &str, partitions: i32) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let created = wait(admin(broker).create_topics([&new], &AdminOptions::new())).expect("CreateTopics");
    assert_eq!(created, [Ok(topic.to_owned())]);
    let asking = consumer(broker, "unused", &[]);
    await_some("the topic is led", LIMIT, || {
        (0..partitions)
            .all(|p| asking.fetch_watermarks(topic, p, LIMIT).is_ok())
            .then_some(())
    });
}

fn consumer(broker: &Broker, group: &str, options: &[(&str, &str)]) -> BaseConsumer {
    let mut settings = settings(broker);
    settings.set("group.id", group).set("auto.offset.reset", "earliest");
    for (key, value) in options {
        settings.set(*key, *value);
    }
    settings.create().expect("a consumer")
}

/// An hour ago, so that no broker finds the timestamps too new or too old.
fn base_timestamp() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a sane clock") * 1000 - 3_600_000
}

fn produce(
    broker: &Broker,
    topic: &str,
    base: i64,
    numbers: std::ops::Range<i64>,
    partitions: i64,
    options: &[(&str, &str)],
) {
    let mut settings = settings(broker);
    settings.set("linger.ms", "20");
    for (key, value) in options {
        settings.set(*key, *value);
    }
    let producer: BaseProducer = settings.create().expect("a producer");
    for i in numbers {
        let (key, value) = (format!("key-{i}"), format!("value-{i}-{}", "x".repeat(200)));
        let headers = OwnedHeaders::new().insert(Header {
            key: "number",
            value: Some(&i.to_string()),
        });
        let record = BaseRecord::to(topic).key(&key).payload(&value).headers(headers);
        let partition = i32::try_from(i % partitions).expect("a small number");
        producer
            .send(record.partition(partition).timestamp(base + i * 1000))
            .map_err(|(error, _)| error)
            .expect("send");
    }
    producer.flush(LIMIT).expect("flush");
    assert_eq!(producer.in_flight_count(), 0, "records without an answer");
}

fn assignment(topic: &str, partitions: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .expect("a partition");
    }
    list
}

/// Partition and offset of the next `count` messages, each compared with what was sent.
fn take(consumer: &BaseConsumer, base: i64, count: usize, partitions: i64) -> Vec<(i32, i64)> {
    let mut found = Vec::new();
    await_some(&format!("{count} messages"), LIMIT, || {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.expect("a message");
            let i = message.offset() * partitions + i64::from(message.partition());
            assert_eq!(message.key(), Some(format!("key-{i}").as_bytes()));
            assert_eq!(
                message.payload(),
                Some(format!("value-{i}-{}", "x".repeat(200)).as_bytes())
            );
            assert_eq!(message.timestamp().to_millis(), Some(base + i * 1000));
            let number = message.headers().expect("headers").get(0);
            assert_eq!((number.key, number.value), ("number", Some(i.to_string().as_bytes())));
            found.push((message.partition(), message.offset()));
        }
        (found.len() >= count).then_some(())
    });
    found
}

#[test]
fn codecs() {
    let (broker, base) = (broker_for_clients(), base_timestamp());
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["0", "1", "all"] {
            let topic = format!("rdkafka-{codec}-{acks}");
            create(&broker, &topic, 2);
            produce(
                &broker,
                &topic,
                base,
                0..60,
                2,
                &[("compression.type", codec), ("acks", acks)],
            );
            let reading = consumer(&broker, "rdkafka-codecs", &[]);
            reading.assign(&assignment(&topic, 2)).expect("assign");
            take(&reading, base, 60, 2);
            for partition in 0..2 {
                for batch in batches(&broker.log_dir(), &topic, partition) {
                    assert_eq!(batch.codec, codec, "{topic}-{partition} at {}", batch.base_offset);
                }
            }
        }
    }
}

#[test]
fn idempotent() {
    let (broker, base, topic) = (broker_for_clients(), base_timestamp(), "rdkafka-idempotent");
    create(&broker, topic, 3);
    produce(
        &broker,
        topic,
        base,
        0..1000,
        3,
        &[("enable.idempotence", "true"), ("linger.ms", "1")],
    );
    let reading = consumer(&broker, "rdkafka-idempotent", &[]);
    reading.assign(&assignment(topic, 3)).expect("assign");
    take(&reading, base, 1000, 3);
    for partition in 0..3 {
        assert!(
            batches(&broker.log_dir(), topic, partition)
                .iter()
                .all(|batch| batch.producer_id >= 0)
        );
    }
}

#[test]
fn groups_commit_and_resume() {
    let (broker, base, topic) = (broker_for_clients(), base_timestamp(), "rdkafka-group");
    create(&broker, topic, 1);
    produce(&broker, topic, base, 0..100, 1, &[]);
    let member = || {
        let member = consumer(&broker, "rdkafka-resume", &[("enable.auto.commit", "false")]);
        member.subscribe(&[topic]).expect("subscribe");
        member
    };
    let first = member();
    take(&first, base, 50, 1);
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(topic, 0, Offset::Offset(50))
        .expect("a partition");
    first.commit(&at, CommitMode::Sync).expect("commit");
    drop(first);
    let second = member();
    let offsets: Vec<i64> = take(&second, base, 50, 1)
        .into_iter()
        .map(|(_, offset)| offset)
        .collect();
    assert_eq!(offsets, (50..100).collect::<Vec<_>>());
}

#[test]
fn two_members_share() {
    let (broker, base, topic) = (broker_for_clients(), base_timestamp(), "rdkafka-shared");
    create(&broker, topic, 4);
    produce(&broker, topic, base, 0..40, 4, &[]);
    for strategy in ["range", "cooperative-sticky"] {
        let options = [("partition.assignment.strategy", strategy)];
        let member = || {
            let member = consumer(&broker, &format!("rdkafka-{strategy}"), &options);
            member.subscribe(&[topic]).expect("subscribe");
            member
        };
        let owned = |member: &BaseConsumer| {
            drop(member.poll(Duration::from_millis(50)).transpose().expect("no error"));
            member.assignment().expect("an assignment").count()
        };
        let first = member();
        await_some("one owns all", LIMIT, || (owned(&first) == 4).then_some(()));
        let second = member();
        await_some("both own two", LIMIT, || {
            (owned(&first) == 2 && owned(&second) == 2).then_some(())
        });
        drop(second);
        await_some("the one that stays owns all", LIMIT, || {
            (owned(&first) == 4).then_some(())
        });
    }
}

#[test]
fn times_and_watermarks() {
    let (broker, base, topic) = (broker_for_clients(), base_timestamp(), "rdkafka-times");
    create(&broker, topic, 1);
    produce(&broker, topic, base, 0..100, 1, &[]);
    let asking = consumer(&broker, "rdkafka-times", &[]);
    assert_eq!(asking.fetch_watermarks(topic, 0, LIMIT).expect("watermarks"), (0, 100));
    for (timestamp, expected) in [
        (base + 30_500, Offset::Offset(31)),
        (1, Offset::Offset(0)),
        (base + 99_001, Offset::End),
    ] {
        let mut times = TopicPartitionList::new();
        times
            .add_partition_offset(topic, 0, Offset::Offset(timestamp))
            .expect("a partition");
        let found = asking.offsets_for_times(times, LIMIT).expect("offsets for times");
        assert_eq!(found.elements()[0].offset(), expected, "at {timestamp}");
    }
}

#[test]
fn administration() {
    let (broker, topic) = (broker_for_clients(), "rdkafka-admin");
    let (admin, options) = (admin(&broker), AdminOptions::new());
    create(&broker, topic, 1);
    let again = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
    let refused = wait(admin.create_topics([&again], &options)).expect("CreateTopics");
    assert_eq!(refused, [Err((topic.to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);
    let grown = wait(admin.create_partitions([&NewPartitions::new(topic, 3)], &options)).expect("CreatePartitions");
    assert_eq!(grown, [Ok(topic.to_owned())]);
    let described =
        wait(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options)).expect("DescribeConfigs");
    let resource = described
        .into_iter()
        .next()
        .expect("one resource")
        .expect("its configs");
    let configs = resource.entry_map();
    assert_eq!(configs["retention.ms"].value.as_deref(), Some("604800000"));
    assert_eq!(
        wait(admin.delete_topics(&[topic], &options)).expect("DeleteTopics"),
        [Ok(topic.to_owned())]
    );
    let again = wait(admin.delete_topics(&[topic], &options)).expect("DeleteTopics");
    assert_eq!(
        again,
        [Err((topic.to_owned(), RDKafkaErrorCode::UnknownTopicOrPartition))]
    );
}
