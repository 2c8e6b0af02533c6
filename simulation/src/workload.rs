//! Clients of the simulation: idempotent producers that number their records, and a reader of what is there in the end. They speak
//! Kafka's protocol to whoever they can reach.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use integration_tests::batch::{Batch, parse_records, record};
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use protocol::wire::{Chunk, Message, Utf8Bytes};
use protocol::{ApiKey, ErrorCode};
use sordini::inter_broker::{Connection, ConnectionError};

use crate::network::{PORT, SimulatedDial};

/// The topic of all records.
pub const TOPIC: &str = "numbered";
/// Before a request is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long an answer is awaited.
const LIMIT: Duration = Duration::from_secs(10);

/// What the clients know.
#[derive(Default)]
pub struct History {
    /// Acknowledged records: what each offset of a partition holds, where the answer has said the offset.
    pub acknowledged: BTreeMap<(i32, i64), String>,
    /// How many records of each producer are acknowledged, by partition and producer: all below this number.
    pub numbers: BTreeMap<(i32, i32), u64>,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// Nothing new is sent any more.
    pub is_over: bool,
    /// Producers that have nothing under way and send no more.
    pub finished: usize,
}

/// Shared by all clients and whoever checks.
pub type Shared = Arc<Mutex<History>>;

/// The history, which nobody leaves broken.
pub fn seen(history: &Shared) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client process.
pub struct Client {
    brokers: Vec<i32>,
    /// Who is asked next where nobody in particular is to be asked.
    next: usize,
    connections: BTreeMap<i32, Connection>,
    /// The latest leader epoch of each partition that was heard of: who says less knows less (KIP-320).
    epochs: BTreeMap<i32, i32>,
}

impl Client {
    /// One that knows these brokers.
    pub fn new(brokers: Vec<i32>) -> Self {
        Self {
            brokers,
            next: 0,
            connections: BTreeMap::new(),
            epochs: BTreeMap::new(),
        }
    }

    async fn ask<Q: Message, A: Message>(
        &mut self,
        broker: i32,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> Result<A, ConnectionError> {
        let mut connection = match self.connections.remove(&broker) {
            Some(connection) => connection,
            None => Connection::connect(&SimulatedDial, (&format!("broker{broker}"), PORT), -1, LIMIT).await?,
        };
        let answer = connection.ask(key, version, request, LIMIT).await?;
        self.connections.insert(broker, connection);
        Ok(answer)
    }

    fn any(&mut self) -> i32 {
        self.next += 1;
        self.brokers[self.next % self.brokers.len()]
    }

    /// Makes the topic, whoever is the controller.
    pub async fn create_topic(&mut self, partitions: i32) {
        let topic = CreatableTopic {
            name: Utf8Bytes::from(TOPIC.to_owned()),
            num_partitions: partitions,
            replication_factor: 3,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 10_000,
            ..Default::default()
        };
        loop {
            let broker = self.any();
            let answer: Result<CreateTopicsResponse, _> = self.ask(broker, ApiKey::CreateTopics, 5, &request).await;
            let code = answer
                .ok()
                .and_then(|answer| answer.topics.first().map(|topic| topic.error_code));
            if matches!(code, Some(ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS)) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Who leads a partition, as somebody says.
    async fn leader(&mut self, partition: i32) -> Option<i32> {
        let broker = self.any();
        let topic = MetadataRequestTopic {
            name: Some(Utf8Bytes::from(TOPIC.to_owned())),
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer: MetadataResponse = self.ask(broker, ApiKey::Metadata, 9, &request).await.ok()?;
        let partitions = &answer.topics.first()?.partitions;
        let found = partitions.iter().find(|it| it.partition_index == partition)?;
        let latest = self.epochs.entry(partition).or_insert(found.leader_epoch);
        let is_stale = found.leader_epoch < *latest;
        *latest = found.leader_epoch.max(*latest);
        Some(found.leader_id).filter(|leader| *leader > 0 && !is_stale)
    }

    async fn producer_id(&mut self) -> (i64, i16) {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        loop {
            let broker = self.any();
            let answer: Result<InitProducerIdResponse, _> = self.ask(broker, ApiKey::InitProducerId, 3, &request).await;
            if let Ok(answer) = answer
                && answer.error_code == ErrorCode::NONE
            {
                return (answer.producer_id, answer.producer_epoch);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn produce(&mut self, leader: i32, partition: i32, batch: &[u8]) -> Option<(ErrorCode, i64)> {
        let data = PartitionProduceData {
            index: partition,
            records: Some(Chunk::from(bytes::Bytes::copy_from_slice(batch))),
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 8_000,
            topic_data: vec![TopicProduceData {
                name: Utf8Bytes::from(TOPIC.to_owned()),
                partition_data: vec![data],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer: ProduceResponse = self.ask(leader, ApiKey::Produce, 9, &request).await.ok()?;
        let answered = answer.responses.first()?.partition_responses.first()?;
        Some((answered.error_code, answered.base_offset))
    }

    /// What a broker holds of a partition from an offset on, as it shows it to consumers.
    ///
    /// # Errors
    /// In words.
    pub async fn fetch(&mut self, broker: i32, partition: i32, offset: i64) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let asked = FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 1024 * 1024,
            ..Default::default()
        };
        let request = FetchRequest {
            max_wait_ms: 0,
            min_bytes: 0,
            topics: vec![FetchTopic {
                topic: Utf8Bytes::from(TOPIC.to_owned()),
                partitions: vec![asked],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer: Result<FetchResponse, _> = self.ask(broker, ApiKey::Fetch, 11, &request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let found = answer
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partitions.into_iter().next());
        let found = found.ok_or("no partition in the answer")?;
        match found.error_code {
            ErrorCode::NONE => {
                let records = found.records.as_ref().and_then(|records| records.as_memory());
                Ok(parse_records(records.map_or(&[][..], |bytes| bytes)))
            }
            code => Err(format!("{code:?}")),
        }
    }
}

/// Writes numbered records to one partition until the history is over.
pub async fn produce(mut client: Client, partition: i32, producer: i32, history: Shared) {
    let (producer_id, producer_epoch) = client.producer_id().await;
    let mut number = 0_u64;
    while !seen(&history).is_over {
        let value = format!("{partition}-{producer}-{number}");
        let records = record(0, 0, None, value.as_bytes());
        let mut batch = Batch::of(1, 1_700_000_000_000);
        batch.records = records;
        let sequence = i32::try_from(number).unwrap_or(i32::MAX);
        let batch = batch.by(producer_id, producer_epoch, sequence).bytes();
        let offset = send(&mut client, partition, &batch, &history).await;
        number += 1;
        note(&history, (partition, producer), number, value, offset);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    seen(&history).finished += 1;
}

/// A record is acknowledged: `number` are now.
fn note(history: &Shared, (partition, producer): (i32, i32), number: u64, value: String, offset: Option<i64>) {
    let mut history = seen(history);
    history.numbers.insert((partition, producer), number);
    if let Some(offset) = offset
        && let Some(other) = history.acknowledged.insert((partition, offset), value.clone())
        && other != value
    {
        let violation = format!("partition {partition}: offset {offset} was given to {other} and to {value}");
        history.violations.push(violation);
    }
}

/// Until it is acknowledged; its offset, where that is said.
async fn send(client: &mut Client, partition: i32, batch: &[u8], history: &Shared) -> Option<i64> {
    loop {
        if let Some(leader) = client.leader(partition).await {
            match client.produce(leader, partition, batch).await {
                Some((ErrorCode::NONE, offset)) => return Some(offset).filter(|offset| *offset >= 0),
                Some((ErrorCode::DUPLICATE_SEQUENCE_NUMBER, _)) => return None,
                Some((
                    code @ (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                    | ErrorCode::UNKNOWN_PRODUCER_ID
                    | ErrorCode::INVALID_PRODUCER_EPOCH),
                    _,
                )) => {
                    let violation =
                        format!("partition {partition}: broker {leader} answers {code:?}: a record is lost");
                    let mut history = seen(history);
                    if !history.violations.contains(&violation) {
                        history.violations.push(violation);
                    }
                }
                Some(_) | None => {}
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
