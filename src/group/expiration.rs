//! The end of offsets and of groups: expiration (KIP-211), deleted topics, DeleteGroups.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::decision::{Completion, Decision, Note, Now, Rejection, TopicPartition};
use super::record::{OffsetAndMetadata, Record};
use super::state::{Group, GroupConfig, GroupState};
use super::subscription::CONSUMER_PROTOCOL_TYPE;

impl Group {
    /// Decides which offsets have expired, and whether anything is left of the group. To be asked every
    /// `offsets.retention.check.interval.ms`.
    pub fn handle_expiration(&self, config: &GroupConfig, now: Now) -> Decision {
        let mut decision = Decision::default();
        self.remove_offsets(&mut decision, &self.expired_offsets(config, now), now);
        decision
    }

    /// Decides what goes with deleted partitions.
    pub fn handle_partitions_deleted(&self, partitions: &[TopicPartition], now: Now) -> Decision {
        let mut decision = Decision::default();
        let ours: Vec<_> = partitions
            .iter()
            .filter(|partition| {
                self.persisted.offset(&partition.topic, partition.partition).is_some()
                    || self.has_pending_commit(partition)
            })
            .cloned()
            .collect();
        if !ours.is_empty() {
            self.remove_offsets(&mut decision, &ours, now);
        }
        decision
    }

    /// Decides about the deletion of the whole group, which must have no members.
    pub fn handle_delete(&self, now: Now) -> Result<Decision<()>, Rejection> {
        match self.state {
            GroupState::Dead => Err(Rejection::GroupIdNotFound),
            GroupState::Stable | GroupState::PreparingRebalance | GroupState::CompletingRebalance => {
                Err(Rejection::NonEmptyGroup)
            }
            GroupState::Empty => {
                let mut decision = Decision::respond(());
                let mut partitions: BTreeSet<_> = self.committed_partitions().into_iter().collect();
                partitions.extend(self.persisted.appended_partitions());
                partitions.extend(self.offsets_in_flight.keys().cloned());
                decision.records.extend(partitions.into_iter().map(tombstone));
                self.end_group(&mut decision, now);
                Ok(decision)
            }
        }
    }

    /// Removes these offsets, and the group with them if nothing is left of it.
    pub(super) fn remove_offsets<R>(&self, decision: &mut Decision<R>, partitions: &[TopicPartition], now: Now) {
        decision.records.extend(
            partitions
                .iter()
                .filter(|partition| self.holds(partition))
                .cloned()
                .map(tombstone),
        );
        if self.state == GroupState::Empty && self.pending_members.is_empty() && self.nothing_left_without(partitions) {
            self.end_group(decision, now);
        } else if !decision.records.is_empty() {
            decision.completion = Some(Completion::OffsetsRemoved);
        }
    }

    fn nothing_left_without(&self, partitions: &[TopicPartition]) -> bool {
        // Most groups that are asked about have more than that.
        if self.persisted.offset_count() > partitions.len() {
            return false;
        }
        let removed: BTreeSet<&TopicPartition> = partitions.iter().collect();
        self.offsets_in_flight
            .keys()
            .all(|partition| removed.contains(partition))
            && self
                .persisted
                .appended_partitions()
                .iter()
                .all(|partition| removed.contains(partition))
            && self
                .committed_partitions()
                .iter()
                .all(|partition| removed.contains(partition))
    }

    fn holds(&self, partition: &TopicPartition) -> bool {
        self.persisted.offset(&partition.topic, partition.partition).is_some() || self.has_pending_commit(partition)
    }

    fn end_group<R>(&self, decision: &mut Decision<R>, now: Now) {
        // A group of generation 0 has only stored offsets: the log holds no other record of it.
        if self.generation_id > 0 {
            decision.records.push(Record::Group(None));
        }
        decision.notes.push(Note::Dead { now });
        if !decision.records.is_empty() {
            decision.completion = Some(Completion::Deletion);
        }
    }

    fn expired_offsets(&self, config: &GroupConfig, now: Now) -> Vec<TopicPartition> {
        let nothing = BTreeSet::new();
        match (&self.protocol_type, &self.subscribed_topics) {
            // Nobody is there: retention runs from when the last member went.
            (Some(_), _) if self.state == GroupState::Empty => self.expired_since(config, now, &nothing, |value| {
                self.state_timestamp_ms.unwrap_or(value.commit_timestamp_ms)
            }),
            // Consumers are there: what they are not subscribed to expires.
            (Some(protocol_type), Some(subscribed))
                if **protocol_type == *CONSUMER_PROTOCOL_TYPE && self.state == GroupState::Stable =>
            {
                self.expired_since(config, now, subscribed, |value| value.commit_timestamp_ms)
            }
            (Some(_), _) => Vec::new(),
            // Offset storage only.
            (None, _) => self.expired_since(config, now, &nothing, |value| value.commit_timestamp_ms),
        }
    }

    fn expired_since(
        &self,
        config: &GroupConfig,
        now: Now,
        subscribed: &BTreeSet<Arc<str>>,
        since_ms: impl Fn(&OffsetAndMetadata) -> i64,
    ) -> Vec<TopicPartition> {
        let is_expired = |value: &OffsetAndMetadata| match value.expire_timestamp_ms {
            None => now.timestamp_ms.saturating_sub(since_ms(value)) >= config.offsets_retention_ms,
            // A client before OffsetCommit v5 has said itself how long.
            Some(expire_timestamp_ms) => now.timestamp_ms >= expire_timestamp_ms,
        };
        let mut expired = Vec::new();
        for (topic, partitions) in self
            .persisted
            .offsets()
            .iter()
            .filter(|(topic, _)| !subscribed.contains(*topic))
        {
            for (partition, _) in partitions.iter().filter(|(_, value)| is_expired(value)) {
                let partition = TopicPartition {
                    topic: topic.clone(),
                    partition: *partition,
                };
                if !self.has_pending_commit(&partition) {
                    expired.push(partition);
                }
            }
        }
        expired
    }
}

fn tombstone(partition: TopicPartition) -> Record {
    Record::Offset {
        topic: partition.topic,
        partition: partition.partition,
        value: None,
    }
}
