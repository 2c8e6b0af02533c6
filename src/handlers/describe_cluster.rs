//! DescribeCluster (60), v0–1: brokers, controller, authorised operations (KIP-700); v1 names the kind of endpoint (KIP-919).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use protocol::wire::Utf8Bytes;

use crate::authorized_operations;
use crate::broker::{Broker, Node};
use crate::dispatch::{RequestContext, Served, served};

/// What this file serves.
pub const SERVED: Served = served!(DescribeCluster, 0..=1, handle);

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if let Some((error_code, message)) = refusal(request.endpoint_type, context.version) {
        return DescribeClusterResponse {
            error_code,
            error_message: Some(message.into()),
            ..Default::default()
        };
    }
    let nodes = broker.nodes(context);
    let controller_id = broker.metadata.controller_id();
    DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: broker.metadata.cluster_id().into(),
        // A controller that this client cannot reach would only confuse it.
        controller_id: if nodes.iter().any(|n| n.id == controller_id) {
            controller_id
        } else {
            -1
        },
        brokers: nodes.into_iter().map(broker_entry).collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => authorized_operations::CLUSTER,
            false => authorized_operations::NOT_REQUESTED,
        },
        ..Default::default()
    }
}

/// Only brokers can be asked for here; version 0 cannot ask for anything else.
fn refusal(endpoint_type: i8, version: i16) -> Option<(ErrorCode, String)> {
    let (code, message) = match endpoint_type {
        BROKERS => return None,
        CONTROLLERS => (
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "The request asks for controllers, but this is an endpoint of brokers.".to_owned(),
        ),
        other => (
            ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
            format!("Unsupported endpoint type {other}"),
        ),
    };
    Some((if version == 0 { ErrorCode::INVALID_REQUEST } else { code }, message))
}

fn broker_entry(node: Node) -> DescribeClusterBroker {
    DescribeClusterBroker {
        broker_id: node.id,
        host: node.host.into(),
        port: node.port,
        rack: node.rack.map(Utf8Bytes::from),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brokers_can_be_asked_for() {
        let code = |endpoint_type| refusal(endpoint_type, 1).map(|(code, _)| code);
        assert_eq!(code(1), None);
        assert_eq!(code(2), Some(ErrorCode::MISMATCHED_ENDPOINT_TYPE));
        assert_eq!(code(0), Some(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE));
        assert_eq!(code(3), Some(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE));
    }
}
