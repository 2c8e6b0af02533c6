//! Brokers with Apache ZooKeeper.

mod metadata_copy;
mod one_broker;
mod several_brokers;
mod tree;
mod under_load;
mod zookeeper_store;
