//! AlterPartitionReassignments (45), v0 (KIP-455): partitions get other replicas, or what is going on is taken back.

use std::sync::Arc;

use controller::Reassignment;
use protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartitionResponse,
    ReassignableTopicResponse,
};

use crate::api_error::{ApiError, code_and_message};
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};

/// How this key is served.
pub const SERVED: Served = served!(AlterPartitionReassignments, 0..=0, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let asked = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| Reassignment {
            topic: topic.name.to_string(),
            partition: partition.partition_index,
            replicas: partition.replicas.clone(),
        })
    });
    let asked: Vec<Reassignment> = asked.collect();
    let count = asked.len();
    let answers = match broker.controller.alter_reassignments(asked).await {
        Ok(answers) => answers,
        Err(error) => {
            let (error_code, error_message) = code_and_message(&Err::<(), _>(error.into()));
            return AlterPartitionReassignmentsResponse {
                error_code,
                error_message,
                ..Default::default()
            };
        }
    };
    log::info!(
        client:% = context.client_ip();
        "client {:?} asked for other replicas of {count} partitions",
        context.client_id()
    );
    let mut answers = answers.into_iter().map(|answer| answer.map_err(ApiError::from));
    let responses = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(answers.by_ref()).map(|(asked, answer)| {
            let (error_code, error_message) = code_and_message(&answer);
            ReassignablePartitionResponse {
                partition_index: asked.partition_index,
                error_code,
                error_message,
            }
        });
        ReassignableTopicResponse {
            name: topic.name.clone(),
            partitions: partitions.collect(),
        }
    });
    AlterPartitionReassignmentsResponse {
        responses: responses.collect(),
        error_message: None,
        ..Default::default()
    }
}
