//! Kafka's configuration keys: types, defaults, ranges, sources; pure.
