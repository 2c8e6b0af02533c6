//! What the core answers when it is asked: records to write, notes to take, answers to give.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
pub use protocol::TopicPartition;

use super::member::{Member, Protocol};
use super::record::Record;

/// The time of one call, on both clocks: timers must not jump when somebody sets the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; only differences mean something.
    pub monotonic_ms: i64,
    /// Milliseconds since the epoch, as they are written into records.
    pub timestamp_ms: i64,
}

/// What the leader assigned, by member id.
pub type Assignments = BTreeMap<Arc<str>, Bytes>;

/// A parked JoinGroup or SyncGroup request, named by the shell that will answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Waiter(pub u64);

/// The plan of a `handle_*` call. It has changed nothing yet: the caller appends `records`, takes `notes`, carries
/// out `effects`, and sends `response` when the records are committed (at once when there are none).
#[derive(Debug)]
pub struct Decision<R = ()> {
    /// To be appended to `__consumer_offsets` as one batch.
    pub records: Vec<Record>,
    /// Comes back through `handle_settled` when the records are committed or have failed. `None` without records.
    pub completion: Option<Completion>,
    /// Changes to what is not persisted, to be taken in this order and before anything else is asked of the group.
    pub notes: Vec<Note>,
    /// Parked requests to answer now.
    pub effects: Vec<Effect>,
    /// `None`: the request is parked under its waiter.
    pub response: Option<R>,
}

impl<R> Default for Decision<R> {
    fn default() -> Self {
        Decision {
            records: Vec::new(),
            completion: None,
            notes: Vec::new(),
            effects: Vec::new(),
            response: None,
        }
    }
}

impl<R> Decision<R> {
    /// A plan that only answers.
    pub fn respond(response: R) -> Self {
        Decision {
            response: Some(response),
            ..Decision::default()
        }
    }
}

/// Why records were written, so that what follows from their fate can be decided when it is known.
#[derive(Debug, Clone)]
pub enum Completion {
    /// The leader's assignment for a generation.
    Assignment {
        /// The generation that the assignment is for.
        generation_id: i32,
        /// Who gets what; every member of that generation is named.
        assignments: Arc<Assignments>,
    },
    /// A static member came back under a new member id while the group was stable.
    StaticReplacement(Arc<StaticReplacement>),
    /// The last member has gone.
    EmptyGeneration,
    /// Offsets were committed.
    Offsets(Vec<TopicPartition>),
    /// Offsets were deleted or have expired; the group lives on.
    OffsetsRemoved,
    /// The group and everything in it is deleted.
    Deletion,
}

/// What is needed to answer a static member that came back, or to undo its return.
#[derive(Debug)]
pub struct StaticReplacement {
    /// The group instance id that is the same before and after.
    pub instance_id: Arc<str>,
    /// The member id until now.
    pub old_member_id: Arc<str>,
    /// The member id from now on.
    pub new_member_id: Arc<str>,
    /// The parked JoinGroup.
    pub waiter: Waiter,
    /// The leader before the replacement; what clients before JoinGroup v9 are told.
    pub leader_before: Option<Arc<str>>,
    /// Whether the client understands `skip_assignment` (JoinGroup v9).
    pub supports_skipping_assignment: bool,
    /// The protocols until now.
    pub old_protocols: Vec<Protocol>,
    /// The rebalance timeout until now.
    pub old_rebalance_timeout_ms: i32,
    /// The session timeout until now.
    pub old_session_timeout_ms: i32,
}

/// A change to the part of a group that is not persisted.
#[derive(Debug, Clone)]
pub enum Note {
    /// A member id was handed out (KIP-394); its owner has until the deadline to join with it.
    PendingMemberAdded {
        /// The member id.
        member_id: Arc<str>,
        /// On the monotonic clock.
        deadline_ms: i64,
    },
    /// A handed-out member id left or was too late.
    PendingMemberRemoved(Arc<str>),
    /// A member has joined.
    MemberAdded {
        /// The member, with its parked JoinGroup.
        member: Box<Member>,
        /// The protocol type that it came with; the group's, unless the group had none.
        protocol_type: Arc<str>,
    },
    /// A member has joined again with these data; `waiter` is its parked request.
    MemberUpdated {
        /// Which member.
        member_id: Arc<str>,
        /// In the order of its preference.
        protocols: Vec<Protocol>,
        /// How long a rebalance waits for it.
        rebalance_timeout_ms: i32,
        /// How long it may be silent.
        session_timeout_ms: i32,
        /// Its parked JoinGroup.
        waiter: Option<Waiter>,
    },
    /// A member left, was silent for too long, or did not rejoin.
    MemberRemoved(Arc<str>),
    /// A static member goes by another member id from now on. Its parked requests were fenced.
    StaticMemberReplaced {
        /// Its group instance id.
        instance_id: Arc<str>,
        /// The member id until now.
        old_member_id: Arc<str>,
        /// The member id from now on.
        new_member_id: Arc<str>,
        /// The end of its session unless it is heard of.
        deadline_ms: i64,
    },
    /// A member was heard of.
    SessionRenewed {
        /// Which member.
        member_id: Arc<str>,
        /// The end of its session unless it is heard of again.
        deadline_ms: i64,
    },
    /// A member awaits its assignment.
    SyncAwaited {
        /// Which member.
        member_id: Arc<str>,
        /// Its parked SyncGroup.
        waiter: Waiter,
    },
    /// A member has got its assignment at once.
    Synced(Arc<str>),
    /// Members have to rejoin, until the deadline.
    RebalancePrepared {
        /// When the rebalance goes on without those who are missing.
        deadline_ms: i64,
        /// Set for a group that was empty: more members are likely to come.
        initial: Option<InitialDelay>,
        /// The decision's time.
        now: Now,
    },
    /// A rebalance waits on, until the deadline.
    JoinExtended {
        /// The new deadline.
        deadline_ms: i64,
        /// Set while more members are likely to come.
        initial: Option<InitialDelay>,
    },
    /// All have joined, or time is up: the next generation begins, and its leader is to assign.
    GenerationStarted {
        /// Who assigns.
        leader: Arc<str>,
        /// The protocol that all members support.
        protocol_name: Arc<str>,
        /// When those who did not send SyncGroup are removed.
        sync_deadline_ms: i64,
        /// The decision's time.
        now: Now,
    },
    /// Nobody is left: an empty generation begins.
    GenerationEmptied {
        /// The decision's time.
        now: Now,
    },
    /// The assignment is committed: the group is stable.
    AssignmentTaken {
        /// Who gets what.
        assignments: Arc<Assignments>,
        /// The decision's time.
        now: Now,
    },
    /// The parked JoinGroup of this member is answered.
    JoinAnswered(Arc<str>),
    /// Offset commits are on their way to the log.
    OffsetsPending(Vec<TopicPartition>),
    /// Offset commits are committed or have failed.
    OffsetsSettled(Vec<TopicPartition>),
    /// The group is being deleted, or its partition is led elsewhere now.
    Dead {
        /// The decision's time.
        now: Now,
    },
    /// The deletion could not be written: the group is as empty as it was.
    Revived {
        /// The decision's time.
        now: Now,
    },
    /// Every record below this offset of the group's partition is committed.
    Committed {
        /// The high watermark: the first offset that is not committed.
        high_watermark: i64,
    },
}

/// The waiting of a group's first rebalance (`group.initial.rebalance.delay.ms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitialDelay {
    /// The delay that is running, in milliseconds.
    pub delay_ms: i64,
    /// How much longer it may be extended.
    pub remaining_ms: i64,
}

/// An answer to a parked request.
#[derive(Debug)]
pub enum Effect {
    /// Answers a JoinGroup.
    AnswerJoin(Waiter, JoinAnswer),
    /// Answers a SyncGroup.
    AnswerSync(Waiter, SyncAnswer),
}

/// The answer to a JoinGroup, version-independent.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinAnswer {
    /// `None` is success.
    pub error: Option<Rejection>,
    /// The member id that the client is to use, or the one that it sent.
    pub member_id: Arc<str>,
    /// -1 with an error.
    pub generation_id: i32,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol that was chosen.
    pub protocol_name: Option<Arc<str>>,
    /// The leader's member id; `None` with an error.
    pub leader: Option<Arc<str>>,
    /// The leader is not to assign: the group keeps the assignment that it has.
    pub skip_assignment: bool,
    /// All members with their metadata, for the leader only.
    pub members: Vec<JoinedMember>,
}

impl JoinAnswer {
    /// A refusal.
    pub fn rejected(member_id: Arc<str>, error: Rejection) -> Self {
        JoinAnswer {
            error: Some(error),
            member_id,
            generation_id: super::NO_GENERATION,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinedMember {
    /// Its member id.
    pub member_id: Arc<str>,
    /// Set for a static member.
    pub instance_id: Option<Arc<str>>,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// The answer to a SyncGroup, version-independent.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncAnswer {
    /// `None` is success.
    pub error: Option<Rejection>,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol that was chosen.
    pub protocol_name: Option<Arc<str>>,
    /// What the leader assigned to this member.
    pub assignment: Bytes,
}

impl SyncAnswer {
    /// A refusal.
    pub fn rejected(error: Rejection) -> Self {
        SyncAnswer {
            error: Some(error),
            protocol_type: None,
            protocol_name: None,
            assignment: Bytes::new(),
        }
    }
}

/// An expected refusal: what the client is told instead of what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The group id is empty where it may not be.
    #[error("the group id is not valid")]
    InvalidGroupId,
    /// The coordinator is starting, stopping, or the group is just being deleted.
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    /// The group's partition is being read.
    #[error("the coordinator is loading the group")]
    CoordinatorLoadInProgress,
    /// The group's partition is led by another broker.
    #[error("this broker is not the group's coordinator")]
    NotCoordinator,
    /// The request asks for more than any client needs.
    #[error("the member's protocols are too many or too large")]
    InvalidRequest,
    /// The session timeout lies outside of what the broker allows.
    #[error("the session timeout is outside of group.min.session.timeout.ms and group.max.session.timeout.ms")]
    InvalidSessionTimeout,
    /// The group has as many members as `group.max.size` allows.
    #[error("the group is full")]
    GroupMaxSizeReached,
    /// The client is to join again with the member id of the answer (KIP-394).
    #[error("a member id is required to join")]
    MemberIdRequired,
    /// No such member.
    #[error("the group does not know the member")]
    UnknownMemberId,
    /// Another member has taken over the group instance id.
    #[error("another member uses the group instance id now")]
    FencedInstanceId,
    /// The generation is not the current one.
    #[error("the generation is not the group's current one")]
    IllegalGeneration,
    /// The member is to rejoin.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// The protocol type or none of the protocols fits the group.
    #[error("the protocols do not fit those of the group")]
    InconsistentGroupProtocol,
    /// The group has members.
    #[error("the group is not empty")]
    NonEmptyGroup,
    /// There is no such group.
    #[error("there is no such group")]
    GroupIdNotFound,
    /// A member consumes the topic.
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,
    /// The metadata string is longer than `offset.metadata.max.bytes`.
    #[error("the offset's metadata is too long")]
    OffsetMetadataTooLarge,
    /// A commit for this partition is under way and the client asked for stable offsets only.
    #[error("a commit is under way")]
    UnstableOffsetCommit,
    /// The records were refused for their size.
    #[error("the commit is too large")]
    InvalidCommitOffsetSize,
    /// The records were not committed in time.
    #[error("the records were not committed in time")]
    RequestTimedOut,
    /// The log refused the records in a way that the group protocol has no word for.
    #[error("the records could not be written")]
    UnknownServerError,
}
