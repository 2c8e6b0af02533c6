//! ElectLeaders (43), v0–2 (KIP-183, KIP-460): preferred leaders are elected, or, where nobody leads, whoever is online.

use std::collections::BTreeMap;
use std::sync::Arc;

use controller::ElectLeaders;
use protocol::ErrorCode;
use protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::ApiError;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};

/// How this key is served.
pub const SERVED: Served = served!(ElectLeaders, 0..=2, handle);

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

type Partition = (Arc<str>, i32);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse {
    if !matches!(request.election_type, PREFERRED | UNCLEAN) {
        return ElectLeadersResponse {
            // Kafka has no better code for a kind that does not exist.
            error_code: ErrorCode::UNKNOWN_SERVER_ERROR,
            ..Default::default()
        };
    }
    let partitions = request.topic_partitions.as_ref().map(|topics| {
        let named = topics.iter().flat_map(|topic| {
            let name: Arc<str> = Arc::from(&*topic.topic);
            topic.partitions.iter().map(move |partition| (name.clone(), *partition))
        });
        named.collect::<Vec<Partition>>()
    });
    let asked = ElectLeaders {
        unclean: request.election_type == UNCLEAN,
        partitions: partitions.clone(),
    };
    let elected = broker.controller.elect_leaders(asked).await;
    let outcomes: Vec<(Partition, Result<(), ApiError>)> = match elected {
        Ok(outcomes) => {
            let outcome = |(partition, outcome): controller::ElectionOutcome| (partition, outcome.map_err(Into::into));
            outcomes.into_iter().map(outcome).collect()
        }
        Err(error) => {
            let error = ApiError::from(error);
            let all = || {
                broker.metadata.topics().into_iter().flat_map(|topic| {
                    let numbers: Vec<i32> = topic.partitions.iter().map(|state| state.partition).collect();
                    numbers.into_iter().map(move |number| (topic.topic.clone(), number))
                })
            };
            let partitions = partitions.unwrap_or_else(|| all().collect());
            partitions
                .into_iter()
                .map(|partition| (partition, Err(error.clone())))
                .collect()
        }
    };
    let elected = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    if elected > 0 {
        log::info!(
            client:% = context.client_ip();
            "client {:?} had leaders of {elected} partitions elected",
            context.client_id()
        );
    }
    ElectLeadersResponse {
        replica_election_results: by_topic(outcomes),
        ..Default::default()
    }
}

fn by_topic(outcomes: Vec<(Partition, Result<(), ApiError>)>) -> Vec<ReplicaElectionResult> {
    let mut results: BTreeMap<Arc<str>, Vec<PartitionResult>> = BTreeMap::new();
    for ((topic, partition), outcome) in outcomes {
        let (error_code, error_message) = crate::api_error::code_and_message(&outcome);
        results.entry(topic).or_default().push(PartitionResult {
            partition_id: partition,
            error_code,
            error_message,
        });
    }
    let result = |(topic, partition_result): (Arc<str>, Vec<PartitionResult>)| ReplicaElectionResult {
        topic: Utf8Bytes::from(&*topic),
        partition_result,
    };
    results.into_iter().map(result).collect()
}
