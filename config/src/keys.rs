//! Every key of Apache Kafka 3.9.1, in tables by subject. A test compares them with Kafka's own definitions.

use crate::definition::Definition;

mod coordinators;
mod log;
mod raft;
mod remote;
mod replication;
mod security;
mod server;
mod topic;
mod zookeeper;

/// One key a line: name, type and default, what else is known of it, and what it does.
macro_rules! keys {
    ($($name:literal : $constructor:ident ( $($default:literal)? ) $(. $method:ident ( $($argument:expr),* ))* => $doc:literal ;)+) => {
        pub(super) const KEYS: &[Definition] = &[
            $($constructor($name $(, $default)?) $(. $method($($argument),*))* .doc($doc)),+
        ];
    };
}
use keys;

/// The tables of the broker's keys, in the order in which documentation shows them.
const BROKER: &[&[Definition]] = &[
    server::KEYS,
    log::KEYS,
    coordinators::KEYS,
    replication::KEYS,
    zookeeper::KEYS,
    security::KEYS,
    remote::KEYS,
    raft::KEYS,
];

/// Every key of the broker.
pub fn broker() -> impl Iterator<Item = &'static Definition> {
    BROKER.iter().flat_map(|table| table.iter())
}

/// Every key of a topic, by name.
pub fn topic() -> impl Iterator<Item = &'static Definition> {
    topic::KEYS.iter()
}

/// The broker key of this name.
pub fn find_broker(name: &str) -> Option<&'static Definition> {
    broker().find(|definition| definition.name == name)
}

/// The topic key of this name.
pub fn find_topic(name: &str) -> Option<&'static Definition> {
    topic().find(|definition| definition.name == name)
}
