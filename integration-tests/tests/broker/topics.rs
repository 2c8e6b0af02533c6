//! Creating and deleting topics as a client on the wire sees it, where no client library would send such a request.

use integration_tests::cluster::broker_for_clients;
use integration_tests::wire::{Answer, Body, Connection};

const DELETE_TOPICS: i16 = 20;
const VERSION: i16 = 6;

const INVALID_REQUEST: i16 = 42;

/// Name and error code of each topic of a DeleteTopics answer, sorted; topics are asked for by name, or by nothing at all.
fn delete(connection: &mut Connection, names: &[Option<&str>]) -> Vec<(Option<String>, i16)> {
    let mut body = Body::new().uvarint(names.len() as u32 + 1);
    for name in names {
        body = match name {
            Some(name) => body.uvarint(name.len() as u32 + 1).raw(name.as_bytes()),
            None => body.uvarint(0),
        };
        body = body.raw(&[0; 16]).uvarint(0);
    }
    let sent = connection.send(DELETE_TOPICS, VERSION, true, &body.i32(30_000).uvarint(0));
    let (received, mut answer) = connection.receive().expect("DeleteTopics");
    assert_eq!(sent.expect("the broker listens"), received, "correlation id");
    // The header's tagged fields, the throttle time.
    answer.take(1 + 4);
    let count = answer.i8() - 1;
    let mut results: Vec<_> = (0..count)
        .map(|_| {
            let name = compact_string(&mut answer);
            answer.take(16);
            let error = answer.i16();
            compact_string(&mut answer);
            answer.take(1);
            (name, error)
        })
        .collect();
    results.sort();
    results
}

/// Of fewer than 127 bytes.
fn compact_string(answer: &mut Answer) -> Option<String> {
    let length = usize::try_from(answer.i8()).expect("a short string").checked_sub(1)?;
    Some(String::from_utf8(answer.take(length).to_vec()).expect("text"))
}

#[test]
fn a_topic_that_is_named_by_nothing_does_not_spoil_the_others() {
    let broker = broker_for_clients();
    let mut connection = Connection::open(broker.address()).expect("the broker listens");
    let named = "named-among-nothing";
    connection.create_topic(named, 1, &[]);
    let results = delete(&mut connection, &[None, Some(named)]);
    assert_eq!(results, [(None, INVALID_REQUEST), (Some(named.to_string()), 0)]);
}
