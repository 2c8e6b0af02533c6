//! The broker's end of the controller: each call is a message to the [`crate::driver`]'s thread and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::effects::{ConfigMap, FailedReplica};
use crate::ids::{BrokerEpoch, BrokerId, NO_LEADER};
use crate::rejection::Rejection;
use crate::requests::{
    AlterPartitions, AlteredPartition, Answers, ControllerError, CreatedTopic, DeletedTopic, ElectLeaders,
    NewPartitions, NewTopic, OngoingReassignment, ProducerIdBlock, Reassignment, TopicConfigChange, TopicRef,
};
use crate::sessions::Sessions;
use crate::startup::StartError;
use crate::store::{Store, StoreError};
use crate::znodes;

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
        broker: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
        reply: Reply<ProducerIdBlock>,
    },
    AlterPartitions {
        asked: AlterPartitions,
        reply: Reply<Answers<AlteredPartition>>,
    },
    ControlledShutdown {
        broker: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
        reply: Reply<Vec<(Arc<str>, i32)>>,
    },
    ElectLeaders {
        asked: ElectLeaders,
        reply: Reply<Vec<ElectionOutcome>>,
    },
    AlterReassignments {
        asked: Vec<Reassignment>,
        reply: Reply<Answers<()>>,
    },
    ListReassignments {
        of: Option<Vec<(Arc<str>, i32)>>,
        reply: Reply<Vec<OngoingReassignment>>,
    },
    ReplicasOffline {
        replicas: Vec<FailedReplica>,
        reply: Reply<()>,
    },
    Shutdown {
        reply: Reply<()>,
    },
}

/// What everybody in this process may know of this broker's place in the cluster.
pub(crate) struct Place {
    sessions: Arc<Sessions>,
    is_controller: AtomicBool,
    /// -1 while nobody is, as far as this broker has heard.
    controller: AtomicI32,
    broker_epoch: AtomicI64,
    /// A log directory has failed, and nobody has been told.
    pub(crate) owes_log_dir_event: AtomicBool,
    /// The broker is about to stop.
    is_leaving: AtomicBool,
}

impl Place {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Arc<Place> {
        Arc::new(Place {
            sessions,
            is_controller: AtomicBool::new(false),
            controller: AtomicI32::new(NO_LEADER),
            broker_epoch: AtomicI64::new(-1),
            owes_log_dir_event: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        })
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, broker_epoch: BrokerEpoch, controller: BrokerId, is_controller: bool) {
        self.broker_epoch.store(broker_epoch.0, Ordering::SeqCst);
        self.controller.store(controller, Ordering::SeqCst);
        self.is_controller.store(is_controller, Ordering::SeqCst);
    }

    /// Nobody is known to be the controller.
    pub(crate) fn vacate(&self) {
        self.is_controller.store(false, Ordering::SeqCst);
        self.controller.store(NO_LEADER, Ordering::SeqCst);
    }
}

/// Asks the controller. Cheap to clone. A call that is dropped half-way is carried out all the same.
#[derive(Clone)]
pub struct ControllerHandle {
    requests: mpsc::Sender<Request>,
    /// Whether it shall stop, told apart from the requests, which may have to wait for the store.
    stopping: Arc<watch::Sender<bool>>,
    place: Arc<Place>,
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
    pub(crate) fn channel(capacity: usize, place: Arc<Place>) -> (ControllerHandle, Asked) {
        let (sender, requests) = mpsc::channel(capacity);
        let (stop, stopping) = watch::channel(false);
        let handle = ControllerHandle {
            requests: sender,
            stopping: Arc::new(stop),
            place,
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
        broker: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
    ) -> Result<ProducerIdBlock, ControllerError> {
        self.ask(|reply| Request::AllocateProducerIdBlock {
            broker,
            broker_epoch,
            reply,
        })
        .await
    }

    /// Changes ISRs as the leaders on one broker want it.
    pub async fn alter_partitions(&self, asked: AlterPartitions) -> Result<Answers<AlteredPartition>, ControllerError> {
        self.ask(|reply| Request::AlterPartitions { asked, reply }).await
    }

    /// Moves leadership away from a broker that is about to stop, whose epoch this must be if it is given; gives what it still leads.
    pub async fn controlled_shutdown(
        &self,
        broker: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
    ) -> Result<Vec<(Arc<str>, i32)>, ControllerError> {
        self.ask(|reply| Request::ControlledShutdown {
            broker,
            broker_epoch,
            reply,
        })
        .await
    }

    /// Elects leaders; gives the outcome of each partition, without those that needed none where all were asked for.
    pub async fn elect_leaders(&self, asked: ElectLeaders) -> Result<Vec<ElectionOutcome>, ControllerError> {
        self.ask(|reply| Request::ElectLeaders { asked, reply }).await
    }

    /// Gives partitions other replicas, or takes that back.
    pub async fn alter_reassignments(&self, asked: Vec<Reassignment>) -> Result<Answers<()>, ControllerError> {
        self.ask(|reply| Request::AlterReassignments { asked, reply }).await
    }

    /// The reassignments that are going on, of these partitions or of all.
    pub async fn list_reassignments(
        &self,
        of: Option<Vec<(Arc<str>, i32)>>,
    ) -> Result<Vec<OngoingReassignment>, ControllerError> {
        self.ask(|reply| Request::ListReassignments { of, reply }).await
    }

    /// What is set for a topic now, as the store has it; nothing for one that is not known.
    ///
    /// # Errors
    /// The store's, and a znode that cannot be understood.
    pub async fn topic_configs(&self, topic: &str) -> Result<ConfigMap, StartError> {
        let path = znodes::topic_config(topic);
        match self.place.sessions.get(&path).await {
            Ok((data, _)) => Ok(znodes::decode_config(&path, &data)?),
            Err(StoreError::NoNode { .. }) => Ok(ConfigMap::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this broker is the controller.
    pub fn is_controller(&self) -> bool {
        self.place.is_controller.load(Ordering::SeqCst)
    }

    /// Who is the controller, as far as this broker has heard.
    pub fn controller(&self) -> Option<BrokerId> {
        let controller = self.place.controller.load(Ordering::SeqCst);
        (controller >= 0).then_some(controller)
    }

    /// The epoch of this broker's present registration.
    pub fn broker_epoch(&self) -> BrokerEpoch {
        BrokerEpoch(self.place.broker_epoch.load(Ordering::SeqCst))
    }

    /// Whether the store is an ensemble, which other brokers use as well.
    pub fn is_cluster(&self) -> bool {
        self.place.sessions.is_ensemble()
    }

    /// Tells that this broker's replicas of these partitions went offline with their log directory: others lead, or nobody,
    /// until the broker starts anew.
    pub async fn report_offline_replicas(&self, replicas: Vec<FailedReplica>) -> Result<(), ControllerError> {
        self.ask(|reply| Request::ReplicasOffline { replicas, reply }).await
    }

    /// To be called before the listeners close: from now on a registration that is taken away is not made anew, and this broker does
    /// not stand for election again. Nobody could reach it.
    pub fn leave(&self) {
        self.place.is_leaving.store(true, Ordering::SeqCst);
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
