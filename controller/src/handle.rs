//! The broker's end of the controller: each call is a message to the [`crate::driver`]'s thread and its answer.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::effects::FailedReplica;
use crate::effects::ConfigMap;
use crate::ids::{BrokerEpoch, BrokerId};
use crate::rejection::Rejection;
use crate::requests::{
    AlterPartitions, AlteredPartition, Answers, ControllerError, CreatedTopic, DeletedTopic, ElectLeaders,
    NewPartitions, NewTopic, OngoingReassignment, ProducerIdBlock, Reassignment, TopicConfigChange, TopicRef,
};

/// What became of the election of one partition.
pub type ElectionOutcome = ((Arc<str>, i32), Result<(), Rejection>);

/// Where the answer to a request goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ControllerError>>;

/// A request on its way to the driver.
pub(crate) enum Request {
    CreateTopics {
        topics: Vec<NewTopic>,
        validate_only: bool,
        reply: Reply<Answers<CreatedTopic>>,
    },
    DeleteTopics {
        topics: Vec<TopicRef>,
        reply: Reply<Answers<DeletedTopic>>,
    },
    CreatePartitions {
        topics: Vec<NewPartitions>,
        validate_only: bool,
        reply: Reply<Answers<()>>,
    },
    AlterTopicConfigs {
        changes: Vec<TopicConfigChange>,
        validate_only: bool,
        reply: Reply<Answers<()>>,
    },
    AllocateProducerIdBlock {
        reply: Reply<ProducerIdBlock>,
    },
    ReplicasOffline {
        replicas: Vec<FailedReplica>,
        reply: Reply<()>,
    },
    Shutdown {
        reply: Reply<()>,
    },
}

/// Asks the controller. Cheap to clone. A call that is dropped half-way is carried out all the same.
#[derive(Clone)]
pub struct ControllerHandle {
    requests: mpsc::Sender<Request>,
    /// Whether it shall stop, told apart from the requests, which may have to wait for the store.
    stopping: Arc<watch::Sender<bool>>,
}

/// The driver's end of the handles.
pub(crate) struct Asked {
    /// What is asked, in its order.
    pub requests: mpsc::Receiver<Request>,
    /// Becomes true when a shutdown is on its way.
    pub stopping: watch::Receiver<bool>,
}

impl ControllerHandle {
    /// A handle, and the end that the driver reads. Requests beyond `capacity` wait.
    pub(crate) fn channel(capacity: usize) -> (ControllerHandle, Asked) {
        let (sender, requests) = mpsc::channel(capacity);
        let (stop, stopping) = watch::channel(false);
        let handle = ControllerHandle {
            requests: sender,
            stopping: Arc::new(stop),
        };
        (handle, Asked { requests, stopping })
    }

    /// Creates topics; answers in the order of `topics`, once the broker leads their partitions and its metadata cache
    /// shows them. With `validate_only` nothing is created.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Result<Answers<CreatedTopic>, ControllerError> {
        self.ask(|reply| Request::CreateTopics {
            topics,
            validate_only,
            reply,
        })
        .await
    }

    /// Deletes topics; answers once they are out of the metadata cache and their logs have been removed. Should a log
    /// resist, the topic stays marked for deletion and is tried again at the next start.
    pub async fn delete_topics(&self, topics: Vec<TopicRef>) -> Result<Answers<DeletedTopic>, ControllerError> {
        self.ask(|reply| Request::DeleteTopics { topics, reply }).await
    }

    /// Adds partitions to topics; answers once the broker leads them.
    pub async fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Result<Answers<()>, ControllerError> {
        self.ask(|reply| Request::CreatePartitions {
            topics,
            validate_only,
            reply,
        })
        .await
    }

    /// Replaces the configuration of topics; answers once the broker has been told.
    pub async fn alter_topic_configs(
        &self,
        changes: Vec<TopicConfigChange>,
        validate_only: bool,
    ) -> Result<Answers<()>, ControllerError> {
        self.ask(|reply| Request::AlterTopicConfigs {
            changes,
            validate_only,
            reply,
        })
        .await
    }

    /// The next 1,000 producer ids, for one broker alone, whose epoch this must be if it is given.
    pub async fn allocate_producer_id_block(
        &self,
        _broker: BrokerId,
        _broker_epoch: Option<BrokerEpoch>,
    ) -> Result<ProducerIdBlock, ControllerError> {
        self.ask(|reply| Request::AllocateProducerIdBlock { reply }).await
    }

    /// Changes ISRs as the leaders on one broker want it.
    pub async fn alter_partitions(
        &self,
        _asked: AlterPartitions,
    ) -> Result<Answers<AlteredPartition>, ControllerError> {
        Err(ControllerError::NotController)
    }

    /// Moves leadership away from a broker that is about to stop; gives what it still leads.
    pub async fn controlled_shutdown(
        &self,
        _broker: BrokerId,
        _broker_epoch: Option<BrokerEpoch>,
    ) -> Result<Vec<(Arc<str>, i32)>, ControllerError> {
        Err(ControllerError::NotController)
    }

    /// Elects leaders; gives the outcome of each partition, without those that needed none where all were asked for.
    pub async fn elect_leaders(&self, _asked: ElectLeaders) -> Result<Vec<ElectionOutcome>, ControllerError> {
        Err(ControllerError::NotController)
    }

    /// Gives partitions other replicas, or takes that back.
    pub async fn alter_reassignments(&self, _asked: Vec<Reassignment>) -> Result<Answers<()>, ControllerError> {
        Err(ControllerError::NotController)
    }

    /// The reassignments that are going on, of these partitions or of all.
    pub async fn list_reassignments(
        &self,
        _of: Option<Vec<(Arc<str>, i32)>>,
    ) -> Result<Vec<OngoingReassignment>, ControllerError> {
        Err(ControllerError::NotController)
    }

    /// What is set for a topic now, as the store has it.
    pub async fn topic_configs(&self, _topic: &str) -> Result<ConfigMap, ControllerError> {
        Err(ControllerError::NotController)
    }

    /// Whether this broker is the controller.
    pub fn is_controller(&self) -> bool {
        true
    }

    /// Who is the controller, as far as this broker has heard.
    pub fn controller(&self) -> Option<BrokerId> {
        None
    }

    /// The epoch of this broker's present registration.
    pub fn broker_epoch(&self) -> BrokerEpoch {
        BrokerEpoch(-1)
    }

    /// Whether the store is an ensemble, which other brokers use as well.
    pub fn is_cluster(&self) -> bool {
        false
    }

    /// Tells that this broker's replicas of these partitions went offline with their log directory: others lead, or nobody,
    /// until the broker starts anew.
    pub async fn report_offline_replicas(&self, replicas: Vec<FailedReplica>) -> Result<(), ControllerError> {
        self.ask(|reply| Request::ReplicasOffline { replicas, reply }).await
    }

    /// Answers what was asked before, takes the broker's registration back, closes the store and ends the thread.
    pub async fn shutdown(&self) -> Result<(), ControllerError> {
        self.stopping.send_replace(true);
        match self.ask(|reply| Request::Shutdown { reply }).await {
            // It was given up while it waited for the store: what was asked for all the same.
            Err(ControllerError::Stopped) => Ok(()),
            stopped => stopped,
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ControllerError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(request(reply))
            .await
            .map_err(|_| ControllerError::Stopped)?;
        answer.await.map_err(|_| ControllerError::Stopped)?
    }
}
