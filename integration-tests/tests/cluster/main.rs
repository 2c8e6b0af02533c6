//! Brokers with Apache ZooKeeper.

mod metadata_copy;
mod one_broker;
mod tree;
mod zookeeper_store;
