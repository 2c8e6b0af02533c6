//! Which replica a consumer should read from (KIP-392): `replica.selector.class` as far as Kafka brings classes along.

use controller::ids::BrokerId;

/// Kafka's `RackAwareReplicaSelector`.
const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
/// Kafka's `LeaderSelector`.
const LEADER: &str = "org.apache.kafka.common.replica.LeaderSelector";

/// How the replica is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaSelector {
    /// Always the leader.
    Leader,
    /// One in the consumer's rack.
    RackAware,
}

impl ReplicaSelector {
    /// By the name of Kafka's class; another class cannot be loaded here, and the leader is chosen.
    pub fn new(class: Option<&str>) -> ReplicaSelector {
        match class {
            Some(RACK_AWARE) => ReplicaSelector::RackAware,
            None | Some(LEADER | "") => ReplicaSelector::Leader,
            Some(other) => {
                log::warn!(
                    "replica.selector.class={other}: Java classes are not loaded, so consumers read from leaders; {RACK_AWARE} is known"
                );
                ReplicaSelector::Leader
            }
        }
    }

    /// The follower that a consumer in `rack` should read from; `None` for the leader. `followers` are those that may be read from, with
    /// their log end offsets: of several in the rack the one that has most.
    pub fn select(
        self,
        rack: &str,
        leader_rack: Option<&str>,
        followers: impl Iterator<Item = (BrokerId, i64)>,
        rack_of: impl Fn(BrokerId) -> Option<String>,
    ) -> Option<BrokerId> {
        if self == ReplicaSelector::Leader || rack.is_empty() || leader_rack == Some(rack) {
            return None;
        }
        let here = followers.filter(|(id, _)| rack_of(*id).as_deref() == Some(rack));
        here.max_by_key(|(id, log_end_offset)| (*log_end_offset, *id))
            .map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(class: Option<&str>, rack: &str) -> Option<BrokerId> {
        let followers = [(2, 10), (3, 20), (4, 30)];
        let rack_of = |id: BrokerId| Some(if id == 4 { "c" } else { "b" }.to_owned());
        ReplicaSelector::new(class).select(rack, Some("a"), followers.into_iter(), rack_of)
    }

    #[test]
    fn consumers_read_in_their_own_rack_where_that_is_wanted() {
        assert_eq!(select(Some(RACK_AWARE), "b"), Some(3), "it has more than broker 2");
        assert_eq!(select(Some(RACK_AWARE), "a"), None, "the leader is there");
        assert_eq!(select(Some(RACK_AWARE), "d"), None, "nobody is there");
        assert_eq!(
            select(Some(RACK_AWARE), ""),
            None,
            "the consumer does not say where it is"
        );
        assert_eq!(select(None, "b"), None);
        assert_eq!(select(Some("com.example.Mine"), "b"), None);
    }
}
