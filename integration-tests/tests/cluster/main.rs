//! Brokers with Apache ZooKeeper.

mod metadata_copy;
mod one_broker;
mod several_brokers;
mod tree;
mod zookeeper_store;
