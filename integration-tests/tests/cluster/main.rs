//! Brokers with Apache ZooKeeper.

mod zookeeper_store;
