//! Which version of each request brokers send each other, by `inter.broker.protocol.version` (Kafka's `MetadataVersion` and
//! `ControllerChannelManager`). From 2.8 on, which is the oldest that this broker takes.

use config::BrokerConfig;
use config::metadata_version::find;

/// The newest of these that the cluster's version reaches: pairs of a name of a version and what is spoken from it on, newest first.
fn newest(config: &BrokerConfig, table: &[(&str, i16)], otherwise: i16) -> i16 {
    // The text was checked when it was loaded.
    let spoken = find(&config.inter_broker_protocol_version);
    let reached = table.iter().find(|(name, _)| spoken >= find(name));
    reached.map_or(otherwise, |(_, version)| *version)
}

/// Fetch, of followers.
pub fn fetch(config: &BrokerConfig) -> i16 {
    let table = [
        ("3.9-IV0", 17),
        ("3.7-IV4", 16),
        ("3.5-IV1", 15),
        ("3.5-IV0", 14),
        ("3.1-IV0", 13),
    ];
    newest(config, &table, 12)
}

/// ListOffsets, of followers.
pub fn list_offsets(config: &BrokerConfig) -> i16 {
    newest(config, &[("3.9-IV0", 9), ("3.5-IV0", 8), ("3.0-IV1", 7)], 6)
}

/// LeaderAndIsr
pub fn leader_and_isr(config: &BrokerConfig) -> i16 {
    newest(config, &[("3.4-IV0", 7), ("3.2-IV0", 6), ("2.8-IV1", 5)], 4)
}

/// UpdateMetadata
pub fn update_metadata(config: &BrokerConfig) -> i16 {
    newest(config, &[("3.4-IV0", 8), ("2.8-IV1", 7)], 6)
}

/// StopReplica
pub fn stop_replica(config: &BrokerConfig) -> i16 {
    newest(config, &[("3.4-IV0", 4)], 3)
}

/// AlterPartition; without topic ids where a topic has none. The newest that brokers of that release know.
pub fn alter_partition(config: &BrokerConfig, has_ids: bool) -> i16 {
    let known = newest(config, &[("3.5-IV0", 3), ("3.3-IV0", 2), ("3.2-IV0", 1)], 0);
    if has_ids { known } else { known.min(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(version: &str) -> BrokerConfig {
        let entry = config::Entry {
            key: "inter.broker.protocol.version".to_owned(),
            value: Some(version.to_owned()),
            origin: config::Origin::Override,
        };
        let loaded = config::load(vec![entry], config::Strictness::Lenient);
        loaded.expect("a version that is known").config
    }

    #[test]
    fn versions_are_those_that_kafka_speaks() {
        let all = |config: &BrokerConfig| {
            [
                fetch(config),
                list_offsets(config),
                leader_and_isr(config),
                update_metadata(config),
                stop_replica(config),
            ]
        };
        assert_eq!(all(&config("3.9")), [17, 9, 7, 8, 4]);
        assert_eq!(all(&config("3.7-IV3")), [15, 8, 7, 8, 4]);
        assert_eq!(all(&config("3.3")), [13, 7, 6, 7, 3]);
        assert_eq!(all(&config("3.0-IV0")), [12, 6, 5, 7, 3]);
        assert_eq!(all(&config("2.8-IV0")), [12, 6, 4, 6, 3]);
    }
}
