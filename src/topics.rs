//! Names of topics that mean something to the broker.

/// Where consumer groups keep their offsets and members.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// Where transactions are kept. Not used yet, but reserved as in Kafka.
pub const TRANSACTION_STATE: &str = "__transaction_state";
/// Where Kafka's Raft controllers keep theirs. No topic of clients, and never made here.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Whether a topic belongs to the broker (Kafka's `Topic.isInternal`).
pub fn is_internal(topic: &str) -> bool {
    topic == CONSUMER_OFFSETS || topic == TRANSACTION_STATE
}

/// The longest name of a topic: its directory's name must stay a file name with `-<partition>` and a suffix.
const MAX_NAME_LENGTH: usize = 249;

/// Whether Kafka would take `name` for a topic (Kafka's `Topic.validate`).
pub fn is_valid_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !name.is_empty() && name != "." && name != ".." && name.len() <= MAX_NAME_LENGTH && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_kafka_accepts() {
        for good in ["a", "a.b_c-D9", "...", "__consumer_offsets", &"x".repeat(249)] {
            assert!(is_valid_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", "a\n", &"x".repeat(250)] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }
}
