//! FindCoordinator (10), v0–6: which broker coordinates a group; the first question creates `__consumer_offsets`. Key
//! types (v1), several keys at once (KIP-699).
//!
//! Transactions have no coordinator here yet: their key type is refused like one that nobody knows.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::wire::Utf8Bytes;

use crate::broker::{Broker, Node};
use crate::dispatch::{RequestContext, Served, served};
use crate::topics::CONSUMER_OFFSETS;

/// How this key is served.
pub const SERVED: Served = served!(FindCoordinator, 0..=6, handle);

/// The key type of groups.
const GROUP: i8 = 0;
/// The key type of share groups (KIP-932), which Kafka 3.9 knows from version 6 on without serving it.
const SHARE: i8 = 2;

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if request.key_type == GROUP && broker.metadata.topic(CONSUMER_OFFSETS).is_none() {
        // Why it could not be created has been logged; the client asks again.
        broker.auto_create_topics(vec![CONSUMER_OFFSETS.to_string()]).await;
    }
    if context.version >= 4 {
        let coordinators = request
            .coordinator_keys
            .into_iter()
            .map(|key| {
                let found = find(broker, context, request.key_type, &key);
                coordinator(key, found)
            })
            .collect();
        return FindCoordinatorResponse {
            coordinators,
            ..Default::default()
        };
    }
    let found = find(broker, context, request.key_type, &request.key);
    let error_code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
    let node = found.unwrap_or_else(|_| no_node());
    FindCoordinatorResponse {
        error_code,
        error_message: Some(Utf8Bytes::from_static(message(error_code))),
        node_id: node.id,
        host: Utf8Bytes::from(node.host),
        port: node.port,
        ..Default::default()
    }
}

fn find(broker: &Broker, context: &RequestContext, key_type: i8, key: &str) -> Result<Node, ErrorCode> {
    match key_type {
        GROUP => {}
        SHARE if context.version >= 6 => return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        _ => return Err(ErrorCode::INVALID_REQUEST),
    }
    broker
        .metadata
        .partition(CONSUMER_OFFSETS, broker.groups.partition_for(key))
        .and_then(|partition| broker.node(context, partition.leader))
        .ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}

fn coordinator(key: Utf8Bytes, found: Result<Node, ErrorCode>) -> Coordinator {
    let error_code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
    let node = found.unwrap_or_else(|_| no_node());
    Coordinator {
        key,
        node_id: node.id,
        host: Utf8Bytes::from(node.host),
        port: node.port,
        error_code,
        error_message: match error_code {
            ErrorCode::INVALID_REQUEST => Some(Utf8Bytes::from_static(message(error_code))),
            _ => Some(Utf8Bytes::default()),
        },
    }
}

/// What stands for «no broker» on the wire.
fn no_node() -> Node {
    Node {
        id: -1,
        host: String::new(),
        port: -1,
        rack: None,
    }
}

fn message(error_code: ErrorCode) -> &'static str {
    match error_code {
        ErrorCode::NONE => "NONE",
        ErrorCode::INVALID_REQUEST => "There is no coordinator for keys of this type.",
        _ => "The coordinator is not available.",
    }
}
