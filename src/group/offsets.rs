//! Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete.

use std::sync::Arc;

use super::decision::{Completion, Decision, Note, Now, Rejection, TopicPartition};
use super::record::{OffsetAndMetadata, Record};
use super::state::{Group, GroupConfig, GroupState};
use super::subscription::CONSUMER_PROTOCOL_TYPE;

/// An OffsetCommit request, version-independent.
#[derive(Debug, Clone)]
pub struct OffsetCommit {
    /// Empty for a consumer without group membership.
    pub member_id: Arc<str>,
    /// Set by static members.
    pub instance_id: Option<Arc<str>>,
    /// Negative for a consumer without group membership.
    pub generation_id: i32,
    /// What to commit.
    pub offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
}

/// What OffsetFetch says about one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchedOffset {
    /// Which partition.
    pub partition: TopicPartition,
    /// `Ok(None)`: nothing is committed.
    pub offset: Result<Option<OffsetAndMetadata>, Rejection>,
}

impl Group {
    /// Decides about an OffsetCommit. The response has one result for each offset, in their order; those that are
    /// `Ok` hold once the records are committed.
    pub fn handle_offset_commit(
        &self,
        commit: &OffsetCommit,
        config: &GroupConfig,
        now: Now,
    ) -> Result<Decision<Vec<Result<(), Rejection>>>, Rejection> {
        self.validate_offset_commit(commit)?;
        let mut decision = Decision::default();
        match self.state {
            GroupState::Empty => {}
            // A rebalance takes away partitions only when the member has rejoined, so it may commit until then.
            GroupState::Stable | GroupState::PreparingRebalance => {
                let member = self.members.get(&commit.member_id);
                decision.notes.extend(member.map(|member| member.renew_session(now)));
            }
            GroupState::CompletingRebalance => return Err(Rejection::RebalanceInProgress),
            GroupState::Dead => return Err(Rejection::CoordinatorNotAvailable),
        }
        let mut results = Vec::with_capacity(commit.offsets.len());
        let mut partitions = Vec::with_capacity(commit.offsets.len());
        for (partition, value) in &commit.offsets {
            if utf16_length(&value.metadata) > config.offset_metadata_max_bytes {
                results.push(Err(Rejection::OffsetMetadataTooLarge));
                continue;
            }
            let topic = self.persisted.intern(&partition.topic);
            partitions.push(TopicPartition {
                topic: topic.clone(),
                partition: partition.partition,
            });
            let value = Some(value.clone());
            decision.records.push(Record::Offset {
                topic,
                partition: partition.partition,
                value,
            });
            results.push(Ok(()));
        }
        if !partitions.is_empty() {
            decision.notes.push(Note::OffsetsPending(partitions.clone()));
            decision.completion = Some(Completion::Offsets(partitions));
        }
        decision.response = Some(results);
        Ok(decision)
    }

    fn validate_offset_commit(&self, commit: &OffsetCommit) -> Result<(), Rejection> {
        if self.state == GroupState::Dead {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        let is_simple = commit.generation_id < 0 && commit.member_id.is_empty() && commit.instance_id.is_none();
        if commit.generation_id < 0 && self.state == GroupState::Empty {
            // An administrator, or a consumer that assigns its partitions itself.
            return Ok(());
        }
        if is_simple {
            // A group with members is theirs.
            return Err(Rejection::UnknownMemberId);
        }
        self.validate_member(&commit.member_id, commit.instance_id.as_deref())?;
        if commit.generation_id != self.generation_id {
            return Err(Rejection::IllegalGeneration);
        }
        Ok(())
    }

    /// The committed offsets of these partitions, in their order; of all that there are when `partitions` is `None`.
    /// With `require_stable` a partition with a commit under way is refused: the client is to ask again.
    pub fn fetch_offsets(&self, partitions: Option<&[TopicPartition]>, require_stable: bool) -> Vec<FetchedOffset> {
        let all: Vec<TopicPartition>;
        let partitions = match partitions {
            Some(partitions) => partitions,
            None => {
                all = self.committed_partitions();
                &all
            }
        };
        partitions
            .iter()
            .map(|partition| {
                let committed = || self.persisted.offset(&partition.topic, partition.partition).cloned();
                let offset = if self.state == GroupState::Dead {
                    Ok(None)
                } else if require_stable && self.has_pending_commit(partition) {
                    Err(Rejection::UnstableOffsetCommit)
                } else {
                    Ok(committed())
                };
                FetchedOffset {
                    partition: partition.clone(),
                    offset,
                }
            })
            .collect()
    }

    pub(super) fn committed_partitions(&self) -> Vec<TopicPartition> {
        if self.state == GroupState::Dead {
            return Vec::new();
        }
        let of_topic = |(topic, partitions): (&Arc<str>, &std::collections::BTreeMap<i32, OffsetAndMetadata>)| {
            let topic = topic.clone();
            let partitions: Vec<i32> = partitions.keys().copied().collect();
            partitions.into_iter().map(move |partition| TopicPartition {
                topic: topic.clone(),
                partition,
            })
        };
        self.persisted.offsets().iter().flat_map(of_topic).collect()
    }

    pub(super) fn has_pending_commit(&self, partition: &TopicPartition) -> bool {
        self.offsets_in_flight.contains_key(partition)
            || self.persisted.is_appended(&partition.topic, partition.partition)
    }

    /// Decides about an OffsetDelete. The response has one result for each partition, in their order.
    pub fn handle_offset_delete(
        &self,
        partitions: &[TopicPartition],
        now: Now,
    ) -> Result<Decision<Vec<Result<(), Rejection>>>, Rejection> {
        let is_consumer_group = self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE);
        let results: Vec<_> = match self.state {
            GroupState::Dead => return Err(Rejection::GroupIdNotFound),
            GroupState::Empty => partitions.iter().map(|_| Ok(())).collect(),
            // Only of consumers is it known what they are subscribed to.
            _ if is_consumer_group => partitions
                .iter()
                .map(|partition| self.unsubscribed(partition))
                .collect(),
            _ => return Err(Rejection::NonEmptyGroup),
        };
        let deleted = partitions.iter().zip(&results).filter(|(_, result)| result.is_ok());
        let deleted: Vec<_> = deleted.map(|(partition, _)| partition.clone()).collect();
        let mut decision = Decision::respond(results);
        if !deleted.is_empty() {
            self.remove_offsets(&mut decision, &deleted, now);
        }
        Ok(decision)
    }

    fn unsubscribed(&self, partition: &TopicPartition) -> Result<(), Rejection> {
        match &self.subscribed_topics {
            Some(topics) if !topics.contains(&partition.topic) => Ok(()),
            _ => Err(Rejection::GroupSubscribedToTopic),
        }
    }
}

/// The length of a string as Java counts it, which is what `offset.metadata.max.bytes` limits in Kafka.
pub fn utf16_length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}
