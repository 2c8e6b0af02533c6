//! Any bytes on the port, where Sordini does better than Kafka or something else; against Kafka these would say nothing.

use crate::bad_bytes::{METADATA, closes, connect, frame, noise, request};
use integration_tests::child::await_some;
use integration_tests::cluster::{Broker, Target};
use integration_tests::wire::{Body, Connection};
use std::fs;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn start(overrides: &[(&str, &str)]) -> Broker {
    Broker::start_target(Target::Sordini, overrides)
}

/// Anonymous resident memory of the broker, in bytes.
fn resident(broker: &Broker) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", broker.id())).expect("a running broker has a status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .expect("RssAnon");
    line.trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .expect("a number of kB")
        * 1024
}

#[test]
fn an_old_produce_is_offered_and_closed() {
    // Kafka 3.9 serves it, Kafka 4 refuses it as we do.
    let broker = start(&[]);
    let (_, offered) = connect(&broker).api_versions().expect("ApiVersions");
    let produce = offered
        .iter()
        .find(|(key, _, _)| *key == 0)
        .expect("Produce is offered");
    assert_eq!(produce.1, 0, "Produce is offered from 0 (KAFKA-18659)");
    for version in 0..3 {
        closes(
            &broker,
            "an old Produce",
            &request(0, version, &Body::new().i16(1).i32(1000).i32(0).0),
        );
    }
    let refusals = broker
        .log()
        .lines()
        .filter(|line| line.contains("raw-socket") && line.contains("Produce"))
        .count();
    assert!(refusals >= 1, "no line about it:\n{}", broker.log());
}

#[test]
fn a_refused_request_leaves_one_line() {
    let broker = start(&[]);
    for _ in 0..50 {
        closes(&broker, "an unknown version", &request(METADATA, 99, &[0, 0]));
    }
    let line = await_some("a line about it", LIMIT, || {
        broker
            .log()
            .lines()
            .find(|line| line.contains("raw-socket"))
            .map(str::to_owned)
    });
    assert!(line.contains("Metadata") && line.contains("99"), "{line}");
    let lines = broker.log().lines().filter(|line| line.contains("raw-socket")).count();
    assert!(lines < 10, "{lines} lines of one thing:\n{}", broker.log());
}

#[test]
fn requests_that_differ_do_not_fill_the_log_either() {
    let broker = start(&[]);
    for version in 1000..1300 {
        closes(&broker, "an unknown version", &request(METADATA, version, &[0, 0]));
    }
    await_some("a line about the others", LIMIT, || {
        let log = broker.log();
        let sum = log
            .lines()
            .find(|line| line.contains(" more lines like it from here in "));
        sum.map(|sum| assert!(sum.contains("Metadata (key 3), version 1"), "{sum}"))
    });
    let lines = broker.log().lines().filter(|line| line.contains("raw-socket")).count();
    assert!(lines < 100, "{lines} lines of one kind:\n{}", broker.log());
}

#[test]
fn what_is_not_offered_is_named_whatever_its_header_is() {
    let broker = start(&[]);
    let header = |key, version| Body::new().i16(key).i16(version);
    closes(&broker, "key and version alone", &frame(&header(METADATA, 99).0));
    closes(&broker, "no client id", &frame(&header(METADATA, 98).i32(7).0));
    closes(&broker, "a key that is not served", &frame(&header(61, 0).i32(7).0));
    closes(&broker, "no key", &frame(&header(999, 3).i32(7).0));
    closes(
        &broker,
        "no tagged fields",
        &frame(&header(61, 1).i32(7).string("known").0),
    );
    for expected in [
        "(client \"\", unknown): Metadata (key 3), version 99, is not offered",
        "Metadata (key 3), version 98, is not offered",
        "(key 61), version 0, is not offered",
        "there is no request with key 999 (version 3)",
        "(client \"known\", unknown): DescribeProducers (key 61), version 1, is not offered",
    ] {
        await_some(expected, LIMIT, || broker.log().contains(expected).then_some(()));
    }
}

#[test]
fn what_was_meant_for_another_protocol_is_named() {
    let broker = start(&[]);
    let client_hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    closes(&broker, "HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    closes(&broker, "TLS", &client_hello);
    for expected in ["looks like HTTP", "looks like TLS"] {
        await_some(expected, LIMIT, || broker.log().contains(expected).then_some(()));
    }
}

#[test]
fn idle_connections_cost_little() {
    const IDLE: usize = 2_000;
    const BYTES_EACH: u64 = 4 * 1024;
    let broker = start(&[]);
    // Each has been served, so that whatever a request leaves behind counts.
    let served = || {
        let mut connection = connect(&broker);
        connection.api_versions().expect("served");
        connection
    };
    // What the first connections bring about is there for all of them.
    let warm: Vec<Connection> = (0..20).map(|_| served()).collect();
    let before = resident(&broker);
    let mut idle: Vec<Connection> = (0..IDLE).map(|_| served()).collect();
    // Half of them begin a large frame. Kafka would allocate it.
    for connection in idle.iter_mut().step_by(2) {
        connection.send_raw(&(1i32 << 20).to_be_bytes()).expect("begin a frame");
    }
    served();
    let each = resident(&broker).saturating_sub(before) / IDLE as u64;
    assert!(
        each < BYTES_EACH,
        "{each} bytes for each of {IDLE} connections that send nothing"
    );
    drop((warm, idle));
}

#[test]
fn a_slow_frame_ends_at_the_deadline() {
    // Kafka takes each byte for activity.
    let broker = start(&[("connections.max.idle.ms", "3000")]);
    let mut connection = connect(&broker);
    connection.send_raw(&1000i32.to_be_bytes()).expect("begin a frame");
    await_some("the end of a connection that sends a byte at a time", LIMIT, || {
        std::thread::sleep(Duration::from_millis(200));
        connection.send_raw(&[0]).is_err().then_some(())
    });
}

#[test]
fn large_claims_cost_no_memory() {
    // Kafka allocates what a frame claims, and dies of this.
    let broker = start(&[]);
    connect(&broker).api_versions().expect("warm up");
    let before = resident(&broker);
    let mut open = Vec::new();
    for _ in 0..200 {
        // 90 MiB are allowed, but only what arrives may cost memory.
        let mut connection = connect(&broker);
        connection.send_raw(&(90i32 << 20).to_be_bytes()).expect("a claim");
        connection.send_raw(&noise(1000, 1)).expect("a little of it");
        open.push(connection);
    }
    connect(&broker).api_versions().expect("others are served");
    let grown = resident(&broker).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for 200 claims of 90 MiB");
}

/// A Produce of 1 MiB is answered; that its topic is not there is of no interest.
#[track_caller]
fn serves_one_mib(broker: &Broker) {
    let mut connection = connect(broker);
    let answer = connection.produce("missing", 0, 1, &noise(1 << 20, 1));
    assert_ne!(answer.expect("an answer").error, 0);
}

#[test]
fn memory_of_a_burst_goes_back() {
    const MIB: u64 = 1 << 20;
    let broker = start(&[]);
    let piece = noise(1_000_000, 1);
    for _ in 0..3 {
        let mut burst: Vec<Connection> = (0..100).map(|_| connect(&broker)).collect();
        for connection in &mut burst {
            connection.send_raw(&(1i32 << 20).to_be_bytes()).expect("begin a frame");
            connection.send_raw(&piece).expect("most of it");
        }
        await_some("a burst", LIMIT, || (resident(&broker) > 80 * MIB).then_some(()));
    }
    // A look that falls into a burst is followed by a pause of a minute.
    await_some("the end of the burst", 3 * LIMIT, || {
        std::thread::sleep(Duration::from_millis(100));
        (resident(&broker) < 30 * MIB).then_some(())
    });
}

#[test]
fn claims_do_not_keep_memory_from_others() {
    let broker = start(&[]);
    let mut claims: Vec<Connection> = (0..10).map(|_| connect(&broker)).collect();
    for claim in &mut claims {
        claim.send_raw(&(100i32 << 20).to_be_bytes()).expect("a claim");
        claim.send_raw(&noise(70_000, 1)).expect("a little of it");
    }
    (0..20).for_each(|_| serves_one_mib(&broker));
    // Nobody had to go for that.
    assert!(!broker.log().contains("closing the connection"), "{}", broker.log());
}

#[test]
fn who_fills_the_memory_and_sends_no_more_goes_when_others_wait() {
    const LARGEST: usize = 10 << 20;
    let largest = LARGEST.to_string();
    let broker = start(&[
        ("socket.request.max.bytes", &largest),
        ("queued.max.request.bytes", &largest),
    ]);
    thread::scope(|scope| {
        for _ in 0..10 {
            let mut connection = connect(&broker);
            scope.spawn(move || {
                // All but the last byte, as far as the broker takes it.
                let sent = connection.send_raw(&frame(&noise(LARGEST - 4, 1))[..LARGEST - 1]);
                sent.and_then(|()| connection.receive())
            });
        }
        await_some("memory that is full", LIMIT, || {
            (resident(&broker) > LARGEST as u64).then_some(())
        });
        serves_one_mib(&broker);
        assert!(
            broker.log().contains("while others wait for the memory"),
            "{}",
            broker.log()
        );
        // Ends those who still wait.
        drop(broker);
    });
}

/// A broker that takes requests of 10 MiB, one at a time.
fn start_with_memory_for_one() -> Broker {
    let largest = (10 << 20).to_string();
    start(&[
        ("socket.request.max.bytes", &largest),
        ("queued.max.request.bytes", &largest),
    ])
}

#[test]
fn a_fetch_that_waits_gives_its_memory_to_others() {
    const FETCH: i16 = 1;
    const PADDING: i32 = (10 << 18) - 1_000;
    let broker = start_with_memory_for_one();
    let mut waits = connect(&broker);
    waits.create_topic("empty", 1, &[]);
    let head = Body::new()
        .i32(-1)
        .i32(i32::MAX)
        .i32(1)
        .i32(1 << 20)
        .i8(0)
        .i32(0)
        .i32(-1);
    let asked = head.i32(1).string("empty").i32(1).i32(0).i64(0).i64(-1).i32(1 << 20);
    // Without a session there is nothing to be forgotten; it only makes the request large.
    let forgotten = asked
        .i32(1)
        .string("empty")
        .i32(PADDING)
        .raw(&vec![0; 4 * PADDING as usize]);
    waits.send(FETCH, 7, false, &forgotten).expect("a Fetch");
    await_some("a Fetch that is here", LIMIT, || {
        (resident(&broker) > 9 << 20 || broker.log().contains("ERROR")).then_some(())
    });
    serves_one_mib(&broker);
    let (_, mut answer) = waits.receive().expect("an early answer");
    answer.take(4);
    assert_eq!(answer.i16(), 0);
}

#[test]
fn a_request_that_cannot_be_started_gives_its_memory_to_others() {
    let broker = start_with_memory_for_one();
    let mut stuck = connect(&broker);
    stuck.create_topic("empty", 1, &[]);
    stuck.begin_long_fetch("empty").expect("a Fetch");
    stuck
        .send_raw(&request(METADATA, 1, &noise(10_400_000, 1)))
        .expect("a large request");
    serves_one_mib(&broker);
    let (_, mut answer) = match stuck.receive() {
        Err(_) => return,
        Ok(answered) => answered,
    };
    panic!("it was answered: {}", answer.i32());
}

/// A limit of ours: what becomes of so many would be more than their bytes.
#[test]
fn a_request_names_no_more_partitions_than_a_broker_holds() {
    let broker = start(&[]);
    let many = Body::new().i16(-1).i16(1).i32(1000).i32(1).string("t").i32(200_001);
    let partitions = (0..200_001).fold(many, |many, index| many.i32(index).i32(-1));
    closes(
        &broker,
        "a Produce to more partitions than a broker holds",
        &request(0, 7, &partitions.0),
    );
    let fetch = Body::new().i32(-1).i32(0).i32(1).i32(1).i8(0);
    let many = fetch.i32(1).string("t").i32(200_001);
    let partitions = (0..200_001).fold(many, |many, index| many.i32(index).i64(0).i32(1));
    closes(
        &broker,
        "a Fetch of more partitions than a broker holds",
        &request(1, 4, &partitions.0),
    );
}
