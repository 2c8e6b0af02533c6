//! Numbers and ids that the controller deals in, one type each so that no epoch is taken for another.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $name {
            /// The next higher value.
            pub fn next(self) -> Self {
                $name(self.0 + 1)
            }
        }
    };
}

number!(
    /// How often a partition has changed its leader (or its leader changed its mind): `leader_epoch` of `…/state`.
    LeaderEpoch(i32)
);
number!(
    /// The znode version of `/brokers/topics/T/partitions/P/state`.
    PartitionEpoch(i32)
);
number!(
    /// How often a controller was elected: the number in `/controller_epoch`.
    ControllerEpoch(i32)
);
number!(
    /// The czxid of a broker's registration `/brokers/ids/N`.
    BrokerEpoch(i64)
);

/// A broker's id, as configured by `broker.id`.
pub type BrokerId = i32;

/// In the place of a leader's id: nobody leads (Kafka's `LeaderAndIsr.NO_LEADER`).
pub const NO_LEADER: BrokerId = -1;
/// In the place of a leader's id: the topic is being deleted (Kafka's `LeaderAndIsr.LEADER_DURING_DELETE`).
pub const LEADER_DURING_DELETE: BrokerId = -2;

pub use protocol::wire::TopicId;

/// A topic id of 16 random bytes: a version 4 UUID; `None` where Kafka would draw again, as its text would start with `-`
/// (its other reserved ids, 0 and 1, have no version bits and cannot come up).
pub fn random_topic_id(mut bytes: [u8; 16]) -> Option<TopicId> {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    // The first character holds the first six bits, and `-` is digit 62.
    (bytes[0] >> 2 != 62).then_some(protocol::wire::Uuid(bytes))
}

/// A cluster id of 16 random bytes: a version 4 UUID in 22 characters of URL-safe base64.
pub fn random_cluster_id(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    protocol::wire::Uuid(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_carry_version_and_variant() {
        let id = random_topic_id([0; 16]).expect("does not start with a dash");
        assert_eq!(id.to_string(), "AAAAAAAAQACAAAAAAAAAAA");
        assert_eq!(random_topic_id([0xfb; 16]), None, "its text would start with '-'");
        assert_eq!(random_cluster_id([0xfb; 16]).len(), 22);
    }
}
