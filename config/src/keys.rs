//! Every key of Apache Kafka 3.9.1, in tables by subject. A test compares them with Kafka's own definitions.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::definition::Definition;

mod coordinators;
mod log;
mod newer;
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
    static BY_NAME: LazyLock<HashMap<&str, &Definition>> = LazyLock::new(|| by_name(broker()));
    BY_NAME.get(name).copied()
}

/// The topic key of this name.
pub fn find_topic(name: &str) -> Option<&'static Definition> {
    static BY_NAME: LazyLock<HashMap<&str, &Definition>> = LazyLock::new(|| by_name(topic()));
    BY_NAME.get(name).copied()
}

/// The names of keys that came after 3.9.1, in order, as of 4.3.1: known to be no mistakes, and nothing more.
pub fn newer() -> impl Iterator<Item = &'static str> {
    newer::KEYS.iter().copied()
}

/// Whether a key of this name came after 3.9.1.
pub fn is_newer(name: &str) -> bool {
    newer::KEYS.binary_search(&name).is_ok()
}

fn by_name(definitions: impl Iterator<Item = &'static Definition>) -> HashMap<&'static str, &'static Definition> {
    definitions.map(|definition| (definition.name, definition)).collect()
}
