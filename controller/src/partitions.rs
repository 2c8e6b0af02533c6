//! One partition: where its replicas are, who leads, who is in sync; and the states it goes through.

use std::sync::Arc;

use crate::effects::{LeaderRecoveryState, PartitionState};
use crate::ids::{BrokerId, ControllerEpoch, LEADER_DURING_DELETE, LeaderEpoch, NO_LEADER, PartitionEpoch};

/// Where a partition's replicas are, and what a reassignment changes about that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplicaAssignment {
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Those that a reassignment removes.
    pub removing_replicas: Vec<BrokerId>,
}

impl ReplicaAssignment {
    /// An assignment that nothing is about to change.
    pub fn settled(replicas: Vec<BrokerId>) -> Self {
        ReplicaAssignment {
            replicas,
            ..Self::default()
        }
    }

    /// Whether a reassignment is going on.
    pub fn is_being_reassigned(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }
}

/// What a partition's `state` znode says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderAndIsr {
    /// Leader's id, or [`NO_LEADER`].
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// The znode's version.
    pub partition_epoch: PartitionEpoch,
    /// Controller that wrote it.
    pub controller_epoch: ControllerEpoch,
}

impl LeaderAndIsr {
    /// The first state of a new partition.
    pub fn first(leader: BrokerId, isr: Vec<BrokerId>, controller_epoch: ControllerEpoch) -> Self {
        LeaderAndIsr {
            leader,
            leader_epoch: LeaderEpoch(0),
            isr,
            leader_recovery_state: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(0),
            controller_epoch,
        }
    }

    /// The next state: every decision of a controller raises the leader epoch, every write the partition epoch.
    pub fn next(&self, leader: BrokerId, isr: Vec<BrokerId>, controller_epoch: ControllerEpoch) -> Self {
        LeaderAndIsr {
            leader,
            leader_epoch: match planted::is(planted::Bug::SameLeaderEpoch) {
                true => self.leader_epoch,
                false => self.leader_epoch.next(),
            },
            isr,
            leader_recovery_state: self.leader_recovery_state,
            partition_epoch: self.partition_epoch.next(),
            controller_epoch,
        }
    }
}

/// A partition as the controller holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partition {
    /// Its replicas.
    pub assignment: ReplicaAssignment,
    /// Its `state` znode; `None` while it has none (Kafka's state `NewPartition`).
    pub leader_and_isr: Option<LeaderAndIsr>,
}

impl Partition {
    /// The view of brokers. `is_online` says which replicas are up.
    pub(crate) fn state(&self, number: i32, is_new: bool, is_online: &dyn Fn(BrokerId) -> bool) -> PartitionState {
        let assignment = &self.assignment;
        let unwritten = LeaderAndIsr::first(NO_LEADER, Vec::new(), ControllerEpoch(0));
        let written = self.leader_and_isr.as_ref().unwrap_or(&unwritten);
        PartitionState {
            partition: number,
            controller_epoch: written.controller_epoch,
            leader: written.leader,
            leader_epoch: written.leader_epoch,
            partition_epoch: written.partition_epoch,
            isr: written.isr.clone(),
            replicas: assignment.replicas.clone(),
            adding_replicas: assignment.adding_replicas.clone(),
            removing_replicas: assignment.removing_replicas.clone(),
            offline_replicas: assignment
                .replicas
                .iter()
                .copied()
                .filter(|&replica| !is_online(replica))
                .collect(),
            leader_recovery_state: written.leader_recovery_state,
            is_new,
        }
    }

    /// The view of brokers while the partition is being deleted.
    pub(crate) fn state_during_delete(&self, number: i32, is_online: &dyn Fn(BrokerId) -> bool) -> PartitionState {
        PartitionState {
            leader: LEADER_DURING_DELETE,
            ..self.state(number, false, is_online)
        }
    }
}

/// A topic as the controller holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; zero for a topic from before inter-broker protocol 2.8.
    pub topic_id: crate::ids::TopicId,
    /// Version of `/brokers/topics/T`.
    pub version: i32,
    /// Partitions by number.
    pub partitions: std::collections::BTreeMap<i32, Partition>,
    /// What is set for it in `/config/topics/T`.
    pub configs: Arc<crate::effects::ConfigMap>,
    /// Version of that znode, if there is one.
    pub configs_version: Option<i32>,
    /// Whether `/admin/delete_topics/T` exists.
    pub is_being_deleted: bool,
}

impl Topic {
    /// A topic without partitions and configuration.
    pub fn new(name: Arc<str>, topic_id: crate::ids::TopicId) -> Topic {
        Topic {
            name,
            topic_id,
            version: 0,
            partitions: Default::default(),
            configs: Arc::default(),
            configs_version: None,
            is_being_deleted: false,
        }
    }
}
