//! FindCoordinator (10), v0–6: which broker coordinates a group; the first question creates `__consumer_offsets`. Key
//! types (v1), several keys at once (KIP-699).
//!
//! Transactions have no coordinator here yet: their key type is refused with `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`. It is what
//! `init_transactions` asks first, and the one code that clients take as final at once: on others librdkafka asks again until its
//! timeout.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::wire::Utf8Bytes;

use crate::broker::{Broker, Node};
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;
use crate::topics::CONSUMER_OFFSETS;

/// How this key is served.
pub const SERVED: Served = served!(FindCoordinator, 0..=6, handle);

/// The key type of groups.
const GROUP: i8 = 0;
/// The key type of transactional ids.
const TRANSACTION: i8 = 1;
/// The key type of share groups (KIP-932), which Kafka 3.9 knows from version 6 on without serving it.
const SHARE: i8 = 2;

/// How many keys of one request are looked for. A key of a few bytes is answered with a host, so there has to be an end; beyond it
/// the answer grows no faster than the request.
const MAX_KEYS: usize = 10_000;

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if request.key_type == GROUP && broker.metadata.topic(CONSUMER_OFFSETS).is_none() {
        // Why it could not be created has been logged; the client asks again.
        let names = vec![CONSUMER_OFFSETS.to_string()];
        broker.auto_create_topics(names, context.client_ip()).await;
    }
    if context.version >= 4 {
        let found = |key: &Utf8Bytes| find(broker, context, request.key_type, key);
        return FindCoordinatorResponse {
            coordinators: coordinators(request.coordinator_keys, found),
            ..Default::default()
        };
    }
    let found = find(broker, context, request.key_type, &request.key);
    let (node, error_code, message) = match found {
        Ok(node) => (node, ErrorCode::NONE, "NONE"),
        Err(reason) => (no_node(), reason.to_code(), reason.message()),
    };
    FindCoordinatorResponse {
        error_code,
        error_message: Some(Utf8Bytes::from_static(message)),
        node_id: node.id,
        host: Utf8Bytes::from(node.host),
        port: node.port,
        ..Default::default()
    }
}

/// Why no coordinator is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCoordinator {
    /// The topic of the groups is not there, its partition has no leader, or too many are asked for: clients ask again.
    NotAvailable,
    /// There are no transactions yet.
    Transactions,
    /// Nothing of this type has a coordinator.
    UnknownKeyType,
}

impl NoCoordinator {
    fn message(self) -> &'static str {
        match self {
            NoCoordinator::NotAvailable => "The coordinator is not available.",
            NoCoordinator::Transactions => "Transactions are not supported by this broker yet.",
            NoCoordinator::UnknownKeyType => "There is no coordinator for keys of this type.",
        }
    }
}

/// Each key once, at its first place: clients look answers up by their key. Kafka answers each place.
fn coordinators(
    keys: Vec<Utf8Bytes>,
    mut find: impl FnMut(&Utf8Bytes) -> Result<Node, NoCoordinator>,
) -> Vec<Coordinator> {
    let mut seen: HashSet<Utf8Bytes> = HashSet::new();
    let distinct = keys.into_iter().filter(|key| seen.insert(key.clone()));
    distinct
        .enumerate()
        .map(|(nth, key)| {
            let found = match nth < MAX_KEYS {
                true => find(&key),
                // Clients ask again, for those that are left.
                false => Err(NoCoordinator::NotAvailable),
            };
            coordinator(key, found)
        })
        .collect()
}

fn find(broker: &Broker, context: &RequestContext, key_type: i8, key: &str) -> Result<Node, NoCoordinator> {
    match key_type {
        GROUP => {}
        TRANSACTION => return Err(NoCoordinator::Transactions),
        SHARE if context.version >= 6 => return Err(NoCoordinator::NotAvailable),
        _ => return Err(NoCoordinator::UnknownKeyType),
    }
    broker
        .metadata
        .partition(CONSUMER_OFFSETS, broker.groups.partition_for(key))
        .and_then(|partition| broker.node(context, partition.leader))
        .ok_or(NoCoordinator::NotAvailable)
}

fn coordinator(key: Utf8Bytes, found: Result<Node, NoCoordinator>) -> Coordinator {
    let (node, error_code, message) = match found {
        Ok(node) => (node, ErrorCode::NONE, ""),
        Err(reason) => {
            let message = match reason {
                // As in Kafka: with a long answer it would stand there many times.
                NoCoordinator::NotAvailable => "",
                NoCoordinator::Transactions | NoCoordinator::UnknownKeyType => reason.message(),
            };
            (no_node(), reason.to_code(), message)
        }
    };
    Coordinator {
        key,
        node_id: node.id,
        host: Utf8Bytes::from(node.host),
        port: node.port,
        error_code,
        error_message: Some(Utf8Bytes::from_static(message)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            id: 1,
            host: "h".to_string(),
            port: 9092,
            rack: None,
        }
    }

    #[test]
    fn a_key_is_answered_once_at_its_first_place() {
        let keys = ["a", "b", "a", "a", "c", "b"].map(Utf8Bytes::from_static);
        let found = coordinators(keys.into(), |_| Ok(node()));
        let answered: Vec<_> = found.iter().map(|found| (&*found.key, found.node_id)).collect();
        assert_eq!(answered, [("a", 1), ("b", 1), ("c", 1)]);
    }

    #[test]
    fn an_answer_names_so_many_brokers_and_no_more() {
        let keys = (0..MAX_KEYS + 2).map(|nth| Utf8Bytes::from(nth.to_string()));
        let mut asked = 0;
        let found = coordinators(keys.collect(), |_| {
            asked += 1;
            Ok(node())
        });
        assert_eq!((asked, found.len()), (MAX_KEYS, MAX_KEYS + 2));
        let beyond = &found[MAX_KEYS];
        assert_eq!(
            (beyond.error_code, beyond.node_id, &*beyond.host),
            (ErrorCode::COORDINATOR_NOT_AVAILABLE, -1, "")
        );
    }
}
