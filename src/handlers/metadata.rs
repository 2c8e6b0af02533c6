//! Metadata (3), v0–12: brokers, topics, leaders. Creates missing topics where broker and client allow it; topic ids (KIP-516),
//! authorised operations (KIP-430).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use controller::{PartitionState, TopicState};
use protocol::ErrorCode;
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::wire::{TopicId, Utf8Bytes};

use crate::authorized_operations;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use controller::topics::{is_internal, validate_name};

/// How this key is served.
pub const SERVED: Served = served!(Metadata, 0..=12, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let version = context.version;
    let topics = match named_topics(&request, version) {
        Named::All => broker
            .metadata
            .topics()
            .iter()
            .map(|topic| describe(broker, context, topic))
            .collect(),
        Named::Invalid(topics) => topics,
        Named::Ids(ids) => ids.into_iter().map(|id| by_id(broker, context, id)).collect(),
        Named::Names(names) => by_name(broker, context, names, request.allow_auto_topic_creation).await,
    };
    let mut response = MetadataResponse {
        brokers: broker.nodes(context).into_iter().map(broker_entry).collect(),
        cluster_id: Some(broker.metadata.cluster_id().into()),
        controller_id: broker.metadata.controller_id(),
        topics,
        ..Default::default()
    };
    if (8..=10).contains(&version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = authorized_operations::CLUSTER;
    }
    if version >= 8 && request.include_topic_authorized_operations {
        for topic in response
            .topics
            .iter_mut()
            .filter(|topic| topic.error_code != ErrorCode::UNKNOWN_TOPIC_ID)
        {
            topic.topic_authorized_operations = authorized_operations::TOPIC;
        }
    }
    response
}

/// What a request names, each once, as in Kafka: an answer is no larger than one about all topics and the names that do not exist.
enum Named {
    All,
    Names(BTreeSet<Utf8Bytes>),
    Ids(BTreeSet<TopicId>),
    Invalid(Vec<MetadataResponseTopic>),
}

/// Version 0 asks for all topics by an empty list, later ones by null. Where one topic is named by id, only ids count.
fn named_topics(request: &MetadataRequest, version: i16) -> Named {
    let Some(topics) = &request.topics else {
        return Named::All;
    };
    if topics.is_empty() && version == 0 {
        return Named::All;
    }
    if version < 12 && topics.iter().any(|t| t.name.is_none() || !t.topic_id.is_zero()) {
        // Versions 10 and 11 have the fields but not the feature.
        let refused = topics.iter().map(|t| MetadataResponseTopic {
            error_code: ErrorCode::INVALID_REQUEST,
            name: Some(t.name.clone().unwrap_or_default()),
            topic_id: t.topic_id,
            ..Default::default()
        });
        return Named::Invalid(refused.collect());
    }
    let ids: BTreeSet<TopicId> = topics.iter().map(|t| t.topic_id).filter(|id| !id.is_zero()).collect();
    if ids.is_empty() {
        return Named::Names(topics.iter().filter_map(|t| t.name.clone()).collect());
    }
    Named::Ids(ids)
}

fn by_id(broker: &Broker, context: &RequestContext, id: TopicId) -> MetadataResponseTopic {
    match broker
        .metadata
        .topic_name(id)
        .and_then(|name| broker.metadata.topic(&name))
    {
        Some(topic) => describe(broker, context, &topic),
        None => MetadataResponseTopic {
            error_code: ErrorCode::UNKNOWN_TOPIC_ID,
            name: None,
            topic_id: id,
            ..Default::default()
        },
    }
}

async fn by_name(
    broker: &Arc<Broker>,
    context: &RequestContext,
    names: BTreeSet<Utf8Bytes>,
    client_allows_creation: bool,
) -> Vec<MetadataResponseTopic> {
    let missing = creatable(&names, |name| broker.metadata.topic(name).is_some());
    let create = broker.config.auto_create_topics_enable && client_allows_creation && !missing.is_empty();
    let failures: HashMap<String, ErrorCode> = if create {
        broker
            .auto_create_topics(missing, context.client_ip())
            .await
            .into_iter()
            .collect()
    } else {
        HashMap::new()
    };
    let answer = |name: Utf8Bytes| {
        if let Some(topic) = broker.metadata.topic(&name) {
            return describe(broker, context, &topic);
        }
        let failure = failures.get(&*name).copied();
        let error_code = failure.unwrap_or(match validate_name(&name).is_ok() {
            true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            false => ErrorCode::INVALID_TOPIC_EXCEPTION,
        });
        let is_internal = is_internal(&name);
        MetadataResponseTopic {
            error_code,
            name: Some(name),
            is_internal,
            ..Default::default()
        }
    };
    names.into_iter().map(answer).collect()
}

/// The names that a topic can have and none has yet: the controller is not asked about any other.
fn creatable(names: &BTreeSet<Utf8Bytes>, exists: impl Fn(&str) -> bool) -> Vec<String> {
    names
        .iter()
        .filter(|name| validate_name(name).is_ok() && !exists(name))
        .map(ToString::to_string)
        .collect()
}

fn describe(broker: &Broker, context: &RequestContext, topic: &TopicState) -> MetadataResponseTopic {
    MetadataResponseTopic {
        name: Some(Utf8Bytes::from(&*topic.topic)),
        topic_id: protocol::wire::Uuid(topic.topic_id.0),
        is_internal: is_internal(&topic.topic),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| describe_partition(broker, context, partition))
            .collect(),
        ..Default::default()
    }
}

fn describe_partition(
    broker: &Broker,
    context: &RequestContext,
    partition: &PartitionState,
) -> MetadataResponsePartition {
    let reachable = |id: i32| broker.metadata.endpoint(id, context.listener()).is_some();
    let alive = |ids: &[i32]| -> Vec<i32> {
        // Version 0 leaves out who is away, and says so by an error; later versions name every replica.
        ids.iter()
            .copied()
            .filter(|id| context.version > 0 || reachable(*id))
            .collect()
    };
    let has_leader = reachable(partition.leader);
    let error_code = match has_leader {
        true if context.version == 0 && !partition.replicas.iter().all(|id| reachable(*id)) => {
            ErrorCode::REPLICA_NOT_AVAILABLE
        }
        true => ErrorCode::NONE,
        false if broker.metadata.broker(partition.leader).is_some() && context.version >= 6 => {
            ErrorCode::LISTENER_NOT_FOUND
        }
        false => ErrorCode::LEADER_NOT_AVAILABLE,
    };
    MetadataResponsePartition {
        error_code,
        partition_index: partition.partition,
        leader_id: if has_leader { partition.leader } else { -1 },
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: alive(&partition.replicas),
        isr_nodes: alive(&partition.isr),
        offline_replicas: partition.offline_replicas.clone(),
    }
}

fn broker_entry(node: crate::broker::Node) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: node.id,
        host: Utf8Bytes::from(node.host),
        port: node.port,
        rack: node.rack.map(Utf8Bytes::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_topic_can_have_are_created() {
        let names = ["new", "here", "not a name", "", ".."].map(Utf8Bytes::from_static);
        assert_eq!(creatable(&names.into(), |name| name == "here"), ["new"]);
    }
}
