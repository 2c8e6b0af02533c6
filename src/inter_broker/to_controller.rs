//! What a broker asks of the controller: of its own where it is the controller, else of the broker that `/controller` names. Kafka's
//! `BrokerToControllerChannelManager`, for ZooKeeper.

use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use controller::ids::BrokerId;
use controller::{
    AlterPartitions, AlteredPartition, ControllerError, ControllerHandle, IsrChange, NewTopic, ProducerIdBlock,
    TopicRef,
};
use protocol::messages::allocate_producer_ids::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};
use protocol::messages::alter_partition::AlterPartitionResponse;
use protocol::messages::controlled_shutdown::{ControlledShutdownRequest, ControlledShutdownResponse};
use protocol::messages::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use protocol::wire::{Message, Utf8Bytes};
use protocol::{ApiKey, ErrorCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connection::{Connection, ConnectionError};
use super::dial::Dial;
use super::{isr_wire, versions};
use crate::handlers::to_code::ToCode;
use crate::metadata_cache::MetadataCache;

/// Before somebody else is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long leaders wait for an answer before they ask again.
const ALTER_TIMEOUT: Duration = Duration::from_secs(3);
/// In which version topics are created on demand: the last without topic ids in the answer.
const CREATE_TOPICS: i16 = 6;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody is the controller, as far as this broker has heard.
    #[error("there is no controller")]
    NoController,
    /// The broker that was asked is not the controller.
    #[error("broker {broker} is not the controller any more")]
    NotController {
        /// Who was asked.
        broker: BrokerId,
    },
    /// It was not reached, or has not answered.
    #[error("the controller, broker {broker}, has not answered: {error}")]
    Connection {
        /// Who was asked.
        broker: BrokerId,
        /// What happened.
        error: ConnectionError,
    },
    /// The whole request was refused.
    #[error("the controller answered {}", code.name())]
    Refused {
        /// By this code.
        code: ErrorCode,
    },
    /// This broker's own controller did not carry it out.
    #[error(transparent)]
    Own(ControllerError),
}

impl AskError {
    /// Whether somebody else may answer, or the same one later.
    fn passes(&self) -> bool {
        match self {
            AskError::NoController | AskError::NotController { .. } | AskError::Connection { .. } => true,
            AskError::Own(error) => matches!(error, ControllerError::NotController),
            AskError::Refused { code } => *code == ErrorCode::STALE_BROKER_EPOCH,
        }
    }
}

impl ToCode for AskError {
    fn to_code(&self) -> ErrorCode {
        match self {
            AskError::NoController | AskError::NotController { .. } => ErrorCode::NOT_CONTROLLER,
            AskError::Connection { .. } => ErrorCode::REQUEST_TIMED_OUT,
            AskError::Refused { code } => *code,
            AskError::Own(error) => error.to_code(),
        }
    }
}

/// A topic that another broker's controller did not create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCreated {
    /// The code.
    pub code: ErrorCode,
    /// What it said.
    pub message: String,
}

/// Asks whoever is the controller.
pub struct ToController {
    id: BrokerId,
    config: Arc<BrokerConfig>,
    metadata: Arc<MetadataCache>,
    dial: Arc<dyn Dial>,
    own: ControllerHandle,
    lines: Lines,
}

/// The connection to the controller that was asked last.
type Line = Mutex<Option<(BrokerId, Connection)>>;

/// A connection for each kind of request, as one of them may take long: leaders that wait for another ISR wait for nobody else.
#[derive(Default)]
struct Lines {
    alter_partition: Line,
    allocate_producer_ids: Line,
    controlled_shutdown: Line,
    create_topics: Line,
}

impl ToController {
    /// Of broker `id`, which has this controller of its own.
    pub fn new(
        id: BrokerId,
        config: Arc<BrokerConfig>,
        metadata: Arc<MetadataCache>,
        dial: Arc<dyn Dial>,
        own: ControllerHandle,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            config,
            metadata,
            dial,
            own,
            lines: Lines::default(),
        })
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.config.request_timeout_ms).unwrap_or(30_000))
    }

    /// Changes ISRs; one answer each. Tried once: what is proposed may be something else by then.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn alter_partitions(
        &self,
        changes: Vec<IsrChange>,
    ) -> Result<Vec<Result<AlteredPartition, ErrorCode>>, AskError> {
        let broker_epoch = self.own.broker_epoch();
        if self.own.is_controller() {
            let asked = AlterPartitions {
                broker: self.id,
                broker_epoch,
                changes,
            };
            let answers = self.own.alter_partitions(asked).await.map_err(AskError::Own)?;
            let code = |answer: Result<AlteredPartition, controller::Rejection>| answer.map_err(|e| e.to_code());
            return Ok(answers.into_iter().map(code).collect());
        }
        let has_ids = changes.iter().all(|change| matches!(change.topic, TopicRef::Id(_)));
        let version = versions::alter_partition(&self.config, has_ids);
        let name = |id| self.metadata.topic_name(id);
        let Some(request) = isr_wire::request(self.id, broker_epoch, version, &changes, &name) else {
            return Err(AskError::NoController);
        };
        let response: AlterPartitionResponse = self
            .ask_once(
                &self.lines.alter_partition,
                ApiKey::AlterPartition,
                version,
                &request,
                ALTER_TIMEOUT,
            )
            .await?;
        match response.error_code {
            ErrorCode::NONE => Ok(isr_wire::answers(&changes, &response, &name)),
            code => Err(AskError::Refused { code }),
        }
    }

    /// The next producer ids of this broker.
    ///
    /// # Errors
    /// [`AskError`] after `request.timeout.ms`
    pub async fn allocate_producer_id_block(&self) -> Result<ProducerIdBlock, AskError> {
        self.until_answered(|| async {
            let broker_epoch = self.own.broker_epoch();
            if self.own.is_controller() {
                let block = self.own.allocate_producer_id_block(self.id, Some(broker_epoch)).await;
                return block.map_err(AskError::Own);
            }
            let request = AllocateProducerIdsRequest {
                broker_id: self.id,
                broker_epoch: broker_epoch.0,
            };
            let response: AllocateProducerIdsResponse = self
                .ask_once(
                    &self.lines.allocate_producer_ids,
                    ApiKey::AllocateProducerIds,
                    0,
                    &request,
                    self.request_timeout(),
                )
                .await?;
            match response.error_code {
                ErrorCode::NONE => Ok(ProducerIdBlock {
                    first: response.producer_id_start,
                    last: response.producer_id_start + i64::from(response.producer_id_len) - 1,
                }),
                code => Err(AskError::Refused { code }),
            }
        })
        .await
    }

    /// Hands over what this broker leads, as it is about to stop; gives how many partitions remain with it.
    ///
    /// # Errors
    /// [`AskError`] after `request.timeout.ms`
    pub async fn controlled_shutdown(&self) -> Result<usize, AskError> {
        self.until_answered(|| async {
            let broker_epoch = self.own.broker_epoch();
            if self.own.is_controller() {
                let remaining = self.own.controlled_shutdown(self.id, Some(broker_epoch)).await;
                return remaining.map(|remaining| remaining.len()).map_err(AskError::Own);
            }
            let request = ControlledShutdownRequest {
                broker_id: self.id,
                broker_epoch: broker_epoch.0,
            };
            let response: ControlledShutdownResponse = self
                .ask_once(
                    &self.lines.controlled_shutdown,
                    ApiKey::ControlledShutdown,
                    3,
                    &request,
                    self.request_timeout(),
                )
                .await?;
            match response.error_code {
                ErrorCode::NONE => Ok(response.remaining_partitions.len()),
                code => Err(AskError::Refused { code }),
            }
        })
        .await
    }

    /// Creates topics on demand; for each its number of partitions.
    ///
    /// # Errors
    /// [`AskError`] after `request.timeout.ms`
    pub async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<Vec<Result<i32, NotCreated>>, AskError> {
        self.until_answered(|| async {
            if self.own.is_controller() {
                let answers = self.own.create_topics(topics.clone(), false).await;
                let answers = answers.map_err(AskError::Own)?.into_iter();
                let refused = |rejection: controller::Rejection| NotCreated {
                    code: rejection.to_code(),
                    message: rejection.to_string(),
                };
                let created = answers.map(|answer| answer.map(|topic| topic.num_partitions).map_err(refused));
                return Ok(created.collect());
            }
            let request = create_topics(&topics, self.config.request_timeout_ms);
            let response: CreateTopicsResponse = self
                .ask_once(
                    &self.lines.create_topics,
                    ApiKey::CreateTopics,
                    CREATE_TOPICS,
                    &request,
                    self.request_timeout(),
                )
                .await?;
            if let Some(refused) = response
                .topics
                .iter()
                .find(|t| t.error_code == ErrorCode::NOT_CONTROLLER)
            {
                let code = refused.error_code;
                return Err(AskError::Refused { code });
            }
            Ok(topics.iter().map(|topic| created(topic, &response)).collect())
        })
        .await
    }

    async fn until_answered<T, F: Future<Output = Result<T, AskError>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, AskError> {
        let deadline = Instant::now() + self.request_timeout();
        loop {
            match ask().await {
                Err(error) if error.passes() && Instant::now() + PAUSE < deadline => {
                    log::debug!("{error}; the controller is asked again");
                    tokio::time::sleep(PAUSE).await;
                }
                answered => return answered,
            }
        }
    }

    /// Asks the broker that `/controller` names, for as long as it does.
    async fn ask_once<Q: Message, A: Message + Answered>(
        &self,
        line: &Line,
        key: ApiKey,
        version: i16,
        request: &Q,
        within: Duration,
    ) -> Result<A, AskError> {
        let broker = self.own.controller().ok_or(AskError::NoController)?;
        tokio::select! {
            biased;
            answer = self.ask(broker, line, key, version, request, within) => answer,
            () = self.replaced(broker) => Err(AskError::NotController { broker }),
        }
    }

    /// Resolves when `/controller` names another broker than this one, or none: that one may hang for long and answer nothing of use.
    async fn replaced(&self, broker: BrokerId) {
        while self.own.controller() == Some(broker) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask<Q: Message, A: Message + Answered>(
        &self,
        broker: BrokerId,
        line: &Line,
        key: ApiKey,
        version: i16,
        request: &Q,
        within: Duration,
    ) -> Result<A, AskError> {
        let failed = |error| AskError::Connection { broker, error };
        let mut kept = line.lock().await;
        // Taken out while it is in use: whoever gives up leaves none behind.
        let mut connection = match kept.take().filter(|(of, _)| *of == broker) {
            Some((_, connection)) => connection,
            None => {
                let listener = &self.config.inter_broker_listener_name;
                let endpoint = self.metadata.endpoint(broker, listener);
                let endpoint = endpoint.ok_or_else(|| {
                    failed(ConnectionError::NoEndpoint {
                        broker,
                        listener: listener.clone(),
                    })
                })?;
                let connected = Connection::connect(
                    self.dial.as_ref(),
                    (&endpoint.host, endpoint.port),
                    self.id,
                    CONNECT_TIMEOUT,
                )
                .await;
                connected.map_err(failed)?
            }
        };
        let answer: A = connection.ask(key, version, request, within).await.map_err(failed)?;
        if answer.error_code() == ErrorCode::NOT_CONTROLLER {
            return Err(AskError::NotController { broker });
        }
        *kept = Some((broker, connection));
        Ok(answer)
    }
}

/// An answer that may say that the broker is not the controller.
trait Answered {
    fn error_code(&self) -> ErrorCode;
}

macro_rules! answered {
    ($($message:ty),*) => {$(
        impl Answered for $message {
            fn error_code(&self) -> ErrorCode {
                self.error_code
            }
        }
    )*};
}
answered!(
    AlterPartitionResponse,
    AllocateProducerIdsResponse,
    ControlledShutdownResponse
);

impl Answered for CreateTopicsResponse {
    fn error_code(&self) -> ErrorCode {
        let refused = self.topics.iter().map(|topic| topic.error_code);
        refused
            .into_iter()
            .find(|code| *code == ErrorCode::NOT_CONTROLLER)
            .unwrap_or(ErrorCode::NONE)
    }
}

fn create_topics(topics: &[NewTopic], timeout_ms: i32) -> CreateTopicsRequest {
    use protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
    let config = |(name, value): &(String, Option<String>)| CreatableTopicConfig {
        name: Utf8Bytes::from(name.clone()),
        value: value.clone().map(Utf8Bytes::from),
    };
    let topic = |topic: &NewTopic| CreatableTopic {
        name: Utf8Bytes::from(topic.name.clone()),
        num_partitions: topic.num_partitions,
        replication_factor: i16::try_from(topic.replication_factor).unwrap_or(-1),
        configs: topic.configs.iter().map(config).collect(),
        ..Default::default()
    };
    CreateTopicsRequest {
        topics: topics.iter().map(topic).collect(),
        timeout_ms,
        ..Default::default()
    }
}

fn created(topic: &NewTopic, response: &CreateTopicsResponse) -> Result<i32, NotCreated> {
    let found = response.topics.iter().find(|answer| *answer.name == *topic.name);
    match found {
        Some(answer) if answer.error_code == ErrorCode::NONE => Ok(answer.num_partitions),
        Some(answer) => Err(NotCreated {
            code: answer.error_code,
            message: answer.error_message.as_deref().unwrap_or_default().to_owned(),
        }),
        None => Err(NotCreated {
            code: ErrorCode::UNKNOWN_SERVER_ERROR,
            message: "the controller's answer does not name it".to_owned(),
        }),
    }
}
