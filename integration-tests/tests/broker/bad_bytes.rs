//! Any bytes on the port: the connection that sent them ends, all others go on, and memory stays bounded.

use integration_tests::cluster::Broker;
use integration_tests::wire::{Body, Connection};

pub(crate) const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;

pub(crate) fn connect(broker: &Broker) -> Connection {
    Connection::open(broker.address()).expect("connect")
}

pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    Body::new().bytes(bytes).0
}

/// A request header of version 1 and a body.
pub(crate) fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    frame(
        &Body::new()
            .i16(key)
            .i16(version)
            .i32(7)
            .string("raw-socket")
            .raw(body)
            .0,
    )
}

/// The bytes end their own connection, without an answer, and no other.
#[track_caller]
pub(crate) fn closes(broker: &Broker, what: &str, bytes: &[u8]) {
    let mut bystander = connect(broker);
    bystander.api_versions().expect("a bystander before");
    let mut connection = connect(broker);
    // The broker may close before it has read all: then the rest cannot be sent.
    let sent = connection.send_raw(bytes);
    let closed = connection.await_close();
    assert_eq!(closed, Ok(()), "{what} (sent: {sent:?})");
    let (error, _) = bystander.api_versions().expect("a bystander after");
    assert_eq!(error, 0, "{what}: a bystander after");
}

/// Bytes that look random and are the same every time.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(count).collect()
}

#[test]
fn frames_that_are_none() {
    let broker = Broker::start();
    closes(&broker, "a negative length", &(-1i32).to_be_bytes());
    closes(&broker, "a length of 2 GiB", &i32::MAX.to_be_bytes());
    closes(
        &broker,
        "a length above socket.request.max.bytes",
        &(200i32 << 20).to_be_bytes(),
    );
    closes(&broker, "an empty frame", &frame(b""));
    closes(&broker, "a frame of one byte", &frame(&[0]));
    closes(&broker, "HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    closes(
        &broker,
        "TLS",
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03],
    );
    closes(
        &broker,
        "a client id that is not UTF-8 and too long",
        &frame(&Body::new().i16(3).i16(1).i32(1).i16(30_000).0),
    );
    for seed in 0..40 {
        closes(&broker, &format!("noise {seed}"), &frame(&noise(20_000, seed)));
    }
}

#[test]
fn requests_that_are_none() {
    let broker = Broker::start();
    closes(&broker, "an unknown key", &request(999, 0, &[]));
    closes(&broker, "a negative key", &request(-5, 0, &[]));
    closes(&broker, "an unknown version", &request(METADATA, 99, &[]));
    closes(&broker, "a negative version", &request(METADATA, -1, &[]));
    closes(
        &broker,
        "a body that ends early",
        &request(METADATA, 1, &[0, 0, 0, 5, 0]),
    );
    closes(
        &broker,
        "an array of 2 thousand million",
        &request(METADATA, 1, &i32::MAX.to_be_bytes()),
    );
    closes(
        &broker,
        "a string of negative length",
        &request(METADATA, 1, &Body::new().i32(1).i16(-7).0),
    );
    let produce = Body::new().i16(-1).i16(1).i32(1000).i32(i32::MAX);
    closes(
        &broker,
        "a Produce of 2 thousand million topics",
        &request(0, 7, &produce.0),
    );
    let fetch = Body::new().i32(-1).i32(0).i32(1).i32(1).i8(0).i32(i32::MAX);
    closes(
        &broker,
        "a Fetch of 2 thousand million topics",
        &request(1, 4, &fetch.0),
    );
    let tags = Body::new().uvarint(0).uvarint(u32::MAX);
    closes(
        &broker,
        "four thousand million tagged fields",
        &request(API_VERSIONS, 3, &tags.0),
    );
}

#[test]
fn api_versions_of_the_future() {
    let broker = Broker::start();
    let mut connection = connect(&broker);
    let body = Body::new().uvarint(5).raw(b"soft").uvarint(2).raw(b"1").uvarint(0);
    let sent = connection.send(API_VERSIONS, 77, true, &body).expect("send");
    let (received, mut answer) = connection.receive().expect("an answer in version 0");
    assert_eq!(received, sent);
    assert_eq!(answer.i16(), UNSUPPORTED_VERSION);
    assert_eq!(answer.i32(), 1, "only ApiVersions' own range");
    let (key, lowest, highest) = (answer.i16(), answer.i16(), answer.i16());
    assert_eq!((key, lowest), (API_VERSIONS, 0));
    assert!(highest >= 3, "highest version {highest}");
    assert_eq!(answer.remaining(), 0);
    let (error, offered) = connection.api_versions().expect("the connection lives on");
    assert_eq!(error, 0);
    assert!(offered.len() > 10, "{offered:?}");
}

#[test]
fn half_a_frame() {
    let broker = Broker::start();
    let whole = request(METADATA, 1, &0i32.to_be_bytes());
    for sent in 1..whole.len() {
        let mut connection = connect(&broker);
        connection.send_raw(&whole[..sent]).expect("send a part");
        connection.finish_sending().expect("finish");
        assert_eq!(connection.await_close(), Ok(()), "after {sent} bytes");
    }
}

#[test]
fn a_frame_byte_by_byte() {
    let broker = Broker::start();
    let mut connection = connect(&broker);
    for byte in request(METADATA, 1, &0i32.to_be_bytes()) {
        connection.send_raw(&[byte]).expect("send a byte");
    }
    let (correlation_id, answer) = connection.receive().expect("an answer");
    assert_eq!(correlation_id, 7);
    assert!(answer.remaining() > 0);
}

#[test]
fn answers_leave_in_order() {
    let broker = Broker::start();
    let mut connection = connect(&broker);
    let sent: Vec<i32> = (0..200)
        .map(|n| match n % 2 {
            0 => connection.send(API_VERSIONS, 0, false, &Body::new()).expect("send"),
            _ => connection.send(METADATA, 1, false, &Body::new().i32(0)).expect("send"),
        })
        .collect();
    let received: Vec<i32> = (0..200).map(|_| connection.receive().expect("an answer").0).collect();
    assert_eq!(received, sent);
}

#[test]
fn idle_connections_end_at_the_deadline() {
    let broker = Broker::start_with(&[("connections.max.idle.ms", "8000")]);
    let mut idle: Vec<Connection> = (0..2_000).map(|_| connect(&broker)).collect();
    connect(&broker).api_versions().expect("others are served");
    for (number, connection) in idle.iter_mut().enumerate() {
        assert_eq!(connection.await_close(), Ok(()), "idle connection {number}");
    }
    connect(&broker).api_versions().expect("others are served");
}
