//! ListPartitionReassignments (46), v0 (KIP-455): which partitions are getting other replicas.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, OngoingPartitionReassignment,
    OngoingTopicReassignment,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::code_and_message;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};

/// How this key is served.
pub const SERVED: Served = served!(ListPartitionReassignments, 0..=0, handle);

async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let of = request.topics.as_ref().map(|topics| {
        let named = topics.iter().flat_map(|topic| {
            let name: Arc<str> = Arc::from(&*topic.name);
            topic
                .partition_indexes
                .iter()
                .map(move |partition| (name.clone(), *partition))
        });
        named.collect()
    });
    let ongoing = match broker.controller.list_reassignments(of).await {
        Ok(ongoing) => ongoing,
        Err(error) => {
            let (error_code, error_message) = code_and_message(&Err::<(), _>(error.into()));
            return ListPartitionReassignmentsResponse {
                error_code,
                error_message,
                ..Default::default()
            };
        }
    };
    let mut topics: BTreeMap<Arc<str>, Vec<OngoingPartitionReassignment>> = BTreeMap::new();
    for it in ongoing {
        topics.entry(it.topic).or_default().push(OngoingPartitionReassignment {
            partition_index: it.partition,
            replicas: it.replicas,
            adding_replicas: it.adding,
            removing_replicas: it.removing,
        });
    }
    let topic = |(name, partitions): (Arc<str>, Vec<OngoingPartitionReassignment>)| OngoingTopicReassignment {
        name: Utf8Bytes::from(&*name),
        partitions,
    };
    ListPartitionReassignmentsResponse {
        topics: topics.into_iter().map(topic).collect(),
        error_message: None,
        ..Default::default()
    }
}
