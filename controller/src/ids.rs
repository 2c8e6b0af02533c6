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

/// A topic and one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: std::sync::Arc<str>,
    /// Partition number, from 0.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A topic's id (KIP-516): a version 4 UUID, written as 22 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// «No id»: topics from before inter-broker protocol 2.8.
    pub const ZERO: TopicId = TopicId([0; 16]);

    /// A version 4 UUID of 16 random bytes; `None` where Kafka would draw again (reserved, or text that starts with `-`).
    pub fn from_random(mut bytes: [u8; 16]) -> Option<TopicId> {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let id = TopicId(bytes);
        // The reserved ids 0 and 1 have no version bits, so the text is all that remains to be looked at.
        (!id.to_string().starts_with('-')).then_some(id)
    }

    /// Whether this is [`TopicId::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == TopicId::ZERO
    }

    /// Reads the 22 characters that [`fmt::Display`] writes; padding is accepted, as Kafka does.
    pub fn parse(text: &str) -> Option<TopicId> {
        let text = text.trim_end_matches('=');
        if text.len() != 22 {
            return None;
        }
        let mut bits: u32 = 0;
        let mut held = 0;
        let mut bytes = [0u8; 16];
        let mut filled = 0;
        for character in text.bytes() {
            let value = ALPHABET.iter().position(|&known| known == character)? as u32;
            bits = (bits << 6) | value;
            held += 6;
            if held >= 8 {
                held -= 8;
                if filled < bytes.len() {
                    bytes[filled] = (bits >> held) as u8;
                    filled += 1;
                }
                bits &= (1 << held) - 1;
            }
        }
        Some(TopicId(bytes))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(22);
        let number = u128::from_be_bytes(self.0);
        for index in 0..22 {
            // 21 groups of six bits, and two bits with four zeros behind them.
            let group = if index < 21 {
                (number >> (122 - 6 * index)) & 63
            } else {
                (number & 3) << 4
            };
            text.push(ALPHABET[group as usize] as char);
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_are_written_as_kafka_writes_them() {
        for text in [
            "13Nxwl61RTqlEtBCXSLqlw",
            "L3TZeETjRd6Fk16_nstkiQ",
            "AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(TopicId::parse(text).expect("22 characters").to_string(), text);
        }
        assert_eq!(
            TopicId::parse("13Nxwl61RTqlEtBCXSLqlw==")
                .map(|id| id.to_string())
                .as_deref(),
            Some("13Nxwl61RTqlEtBCXSLqlw")
        );
        assert_eq!(TopicId::parse("short"), None);
        assert_eq!(TopicId::parse("13Nxwl61RTqlEtBCXSLql*"), None);
    }

    #[test]
    fn random_ids_carry_version_and_variant() {
        let id = TopicId::from_random([0; 16]).expect("does not start with a dash");
        assert_eq!((id.0[6], id.0[8]), (0x40, 0x80));
        assert_eq!(TopicId::from_random([0xfb; 16]), None, "its text starts with '-'");
    }
}
