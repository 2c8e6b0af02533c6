//! The controller: topics, partitions, broker registration, on a znode store.
