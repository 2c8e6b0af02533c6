//! Real brokers, real clients: what the tests under `tests/` share.
//!
//! Every test can also run against Apache Kafka (`TARGET=kafka-3.9.1 cargo test …`): a test that Kafka itself does not
//! pass says nothing about Sordini.

pub mod batch;
pub mod brokers;
pub mod child;
pub mod client;
pub mod cluster;
pub mod numbered;
pub mod requests;
pub mod stored;
pub mod temp_dir;
pub mod tools;
pub mod wire;
pub mod zookeeper;
