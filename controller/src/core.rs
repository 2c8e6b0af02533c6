//! The controller's decisions: one event in, what to write, what to tell brokers and what to answer out.

use std::sync::Arc;

use crate::effects::Told;
use crate::ids::{BrokerId, TopicId};
use crate::rejection::Rejection;
use crate::replicas::Start;
use crate::requests::{
    AlteredPartition, CreatedTopic, DeletedTopic, IsrChange, NewPartitions, NewTopic, ProducerIdBlock, Reassignment,
    TopicConfigChange, TopicPolicy, TopicRef,
};
use crate::state::{ControllerState, Record};
use crate::{alter_partition, broker_lifecycle, brokers, controlled_shutdown, leader_election, reassignment, topics};

/// Something to decide. Chance comes in with the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This broker has become controller and loaded the state.
    BecameController,
    /// Create a topic.
    CreateTopic {
        /// The topic asked for.
        topic: NewTopic,
        /// The id that it gets.
        topic_id: TopicId,
        /// Where placement starts.
        start: Start,
        /// Only say whether it could be created.
        validate_only: bool,
    },
    /// Delete a topic. The answer is due after [`Event::ReplicasDeleted`].
    DeleteTopic {
        /// Which one.
        topic: TopicRef,
    },
    /// Brokers have registered: [`Record::BrokerRegistered`] came first.
    BrokersCame {
        /// Which ones.
        brokers: Vec<BrokerId>,
    },
    /// Registrations are gone: [`Record::BrokerUnregistered`] came first.
    BrokersGone {
        /// Of which brokers.
        brokers: Vec<BrokerId>,
    },
    /// A leader wants another ISR.
    AlterPartition {
        /// Its broker.
        broker: BrokerId,
        /// What it wants.
        change: IsrChange,
    },
    /// Elect a leader for a partition.
    ElectLeader {
        /// Its topic.
        topic: Arc<str>,
        /// Its number.
        partition: i32,
        /// Whoever is online, where nobody leads; otherwise the preferred leader.
        unclean: bool,
    },
    /// Give a partition other replicas, or take that back.
    Reassign(Reassignment),
    /// What is in sync with a partition has changed, which may end its reassignment.
    IsrChanged {
        /// Its topic.
        topic: Arc<str>,
        /// Its number.
        partition: i32,
    },
    /// A broker is about to stop: [`crate::state::Note::ShuttingDown`] came first.
    ControlledShutdown {
        /// Which one.
        broker: BrokerId,
    },
    /// A broker has deleted its replicas of a topic: [`crate::state::Note::ReplicasDeleted`] came first.
    ReplicasDeleted {
        /// The topic.
        topic: Arc<str>,
    },
    /// Add partitions to a topic.
    CreatePartitions {
        /// What is asked for.
        partitions: NewPartitions,
        /// Only say whether they could be added.
        validate_only: bool,
    },
    /// Replace a topic's configuration.
    AlterTopicConfigs {
        /// What it becomes.
        change: TopicConfigChange,
        /// Only say whether it would be accepted.
        validate_only: bool,
    },
    /// The configuration of a topic has changed, and allows unclean elections now.
    UncleanElectionAllowed {
        /// The topic.
        topic: Arc<str>,
    },
    /// Give a broker producer ids.
    AllocateProducerIdBlock {
        /// The broker.
        broker: BrokerId,
    },
    /// Replicas went offline with their log directory: see [`crate::state::Note::ReplicaOffline`], which comes first.
    ReplicasOffline {
        /// Their partitions.
        partitions: Vec<(Arc<str>, i32)>,
    },
}

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Nobody asked.
    None,
    /// To [`Event::CreateTopic`].
    Created(CreatedTopic),
    /// To [`Event::DeleteTopic`].
    Deleted(DeletedTopic),
    /// To [`Event::CreatePartitions`], [`Event::AlterTopicConfigs`], [`Event::ElectLeader`] and [`Event::Reassign`].
    Changed,
    /// To [`Event::AllocateProducerIdBlock`].
    Block(ProducerIdBlock),
    /// To [`Event::AlterPartition`].
    Altered(AlteredPartition),
    /// To [`Event::ControlledShutdown`]: what the broker leads still.
    Remaining(Vec<(Arc<str>, i32)>),
}

/// What an event leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// To be written and applied, in this order.
    pub records: Vec<Record>,
    /// For the brokers, once the records are durable.
    pub told: Told,
    /// For whoever asked, once the effects are applied.
    pub response: Response,
}

impl Decision {
    /// Nothing but an answer.
    pub fn answer(response: Response) -> Decision {
        Decision {
            records: Vec::new(),
            told: Told::default(),
            response,
        }
    }
}

/// Decides about one event; `now_ms` are milliseconds since 1970. Reads only; the records of the decision go through
/// [`ControllerState::apply`].
pub fn handle(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    event: Event,
    now_ms: i64,
) -> Result<Decision, Rejection> {
    match event {
        Event::BecameController => Ok(broker_lifecycle::become_controller(state, policy, now_ms)),
        Event::CreateTopic {
            topic,
            topic_id,
            start,
            validate_only,
        } => topics::create(state, policy, topic, topic_id, start, validate_only),
        Event::DeleteTopic { topic } => topics::delete(state, policy, &topic),
        Event::BrokersCame { brokers } => Ok(brokers::came(state, policy, &brokers)),
        Event::BrokersGone { brokers } => Ok(brokers::gone(state, policy, &brokers)),
        Event::AlterPartition { broker, change } => alter_partition::alter(state, broker, &change),
        Event::ElectLeader {
            topic,
            partition,
            unclean,
        } => leader_election::elect(state, &topic, partition, unclean),
        Event::Reassign(asked) => reassignment::alter(state, &asked),
        Event::IsrChanged { topic, partition } => {
            Ok(reassignment::advance(state, &topic, partition).unwrap_or_else(|| Decision::answer(Response::None)))
        }
        Event::ControlledShutdown { broker } => Ok(controlled_shutdown::hand_over(state, broker)),
        Event::ReplicasDeleted { topic } => Ok(topics::finish_deletion(state, &topic)),
        Event::CreatePartitions {
            partitions,
            validate_only,
        } => topics::add_partitions(state, policy, &partitions, validate_only),
        Event::AlterTopicConfigs { change, validate_only } => {
            topics::alter_configs(state, policy, change, validate_only, now_ms)
        }
        Event::UncleanElectionAllowed { topic } => {
            let topic = state.topic(&topic).filter(|topic| !topic.is_being_deleted);
            let decided = topic.map(|topic| broker_lifecycle::elect_offline(state, policy, topic));
            Ok(decided.unwrap_or_else(|| Decision::answer(Response::None)))
        }
        Event::AllocateProducerIdBlock { broker } => broker_lifecycle::allocate_producer_id_block(state, broker),
        Event::ReplicasOffline { partitions } => Ok(broker_lifecycle::take_offline(state, policy, &partitions)),
    }
}
