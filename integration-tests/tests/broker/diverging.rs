//! A client that says what it read last hears where its history parts from the leader's (KIP-595).

use integration_tests::batch::{Batch, now_ms};
use integration_tests::cluster::broker_for_clients;
use integration_tests::wire::{Body, Connection};

const FETCH: i16 = 1;
const VERSION: i16 = 12;
const OFFSET_OUT_OF_RANGE: i16 = 1;

/// Error, bytes of records, and the tagged `diverging_epoch`: its epoch and end offset.
type Told = (i16, usize, Option<(i32, i64)>);

fn fetch(connection: &mut Connection, topic: &str, offset: i64, last_fetched_epoch: i32) -> Told {
    let head = Body::new()
        .i32(-1)
        .i32(600_000)
        .i32(1)
        .i32(1 << 20)
        .i8(0)
        .i32(0)
        .i32(-1);
    let topics = head
        .uvarint(2)
        .uvarint(topic.len() as u32 + 1)
        .raw(topic.as_bytes())
        .uvarint(2);
    let partition = topics
        .i32(0)
        .i32(-1)
        .i64(offset)
        .i32(last_fetched_epoch)
        .i64(-1)
        .i32(1 << 20);
    // Tagged fields of partition and topic; nothing forgotten, no rack, no tagged fields.
    let body = partition.raw(&[0, 0, 1, 1, 0]);
    connection.send(FETCH, VERSION, true, &body).expect("send");
    let (_, mut answer) = connection.receive().expect("Fetch");
    // Tagged fields of the header; throttle time, error, session; one topic with its name; one partition.
    answer.take(1 + 4 + 2 + 4 + 1 + 1 + topic.len() + 1 + 4);
    let error = answer.i16();
    answer.take(3 * 8);
    let aborted = answer.take(1)[0];
    assert!(aborted <= 1, "{aborted}");
    answer.take(4);
    let records = uvarint(&mut answer).saturating_sub(1);
    answer.take(records);
    let diverging = match answer.take(1)[0] {
        0 => None,
        _ => {
            assert_eq!(answer.take(2)[0], 0, "the tag of diverging_epoch");
            Some((answer.i32(), answer.i64()))
        }
    };
    (error, records, diverging)
}

fn uvarint(answer: &mut integration_tests::wire::Answer) -> usize {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = answer.take(1)[0];
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[test]
fn a_history_that_parts_is_told_at_once() {
    let broker = broker_for_clients();
    let topic = "diverging";
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic(topic, 1, &[]);
    let batch = Batch::of(3, now_ms()).bytes();
    assert_eq!(connection.produce(topic, 0, -1, &batch).expect("Produce").error, 0);
    let mut fetch = |offset, epoch| fetch(&mut connection, topic, offset, epoch);
    let whole = fetch(0, -1);
    assert_eq!((whole.0, whole.2), (0, None));
    assert_eq!(fetch(0, 0), whole, "the epoch that the leader has, too");
    assert_eq!(fetch(7, 0), (0, 0, Some((0, 3))), "beyond the end of that epoch");
    assert_eq!(fetch(0, 5), (OFFSET_OUT_OF_RANGE, 0, None), "an epoch of the future");
    assert_eq!(
        fetch(7, -1),
        (OFFSET_OUT_OF_RANGE, 0, None),
        "without an epoch that is out of range"
    );
}
