//! ApiVersions (18), v0–4: what this broker serves (KIP-35), which client asks (KIP-511), which features there are (KIP-584).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey};
use protocol::wire::Utf8Bytes;

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, answer_in_version, served};
use crate::handlers;
use crate::network::{Answer, ClientSoftware};

/// How this key is served.
pub const SERVED: Served = served!(ApiVersions, 0..=4, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse {
    if context.version >= 3 {
        if !is_software_name(&request.client_software_name) || !is_software_name(&request.client_software_version) {
            return ApiVersionsResponse {
                error_code: ErrorCode::INVALID_REQUEST,
                ..Default::default()
            };
        }
        *context.connection.software.lock() = Some(ClientSoftware {
            name: request.client_software_name.detached(),
            version: request.client_software_version.detached(),
        });
    }
    let finalized = broker.metadata.features();
    let served = handlers::all_served(broker.controller.is_cluster());
    ApiVersionsResponse {
        error_code: ErrorCode::NONE,
        api_keys: served.into_iter().map(listed).collect(),
        finalized_features_epoch: finalized.epoch,
        finalized_features: finalized
            .levels
            .iter()
            .map(|(name, level)| FinalizedFeatureKey {
                name: Utf8Bytes::from(name),
                max_version_level: *level,
                min_version_level: *level,
            })
            .collect(),
        ..Default::default()
    }
}

/// The answer to a version of ApiVersions that is not served: version 0 of the response, with ApiVersions' own range alone, so
/// that the client can ask again.
pub fn unsupported_version(context: &RequestContext) -> Answer {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![listed(&SERVED)],
        ..Default::default()
    };
    answer_in_version(context, &response, 0)
}

fn listed(served: &Served) -> ApiVersion {
    ApiVersion {
        api_key: served.key as i16,
        min_version: served.listed_min,
        max_version: served.max,
    }
}

/// Letters, digits, and between them also `-` and `.`; as Kafka's `ApiVersionsRequest.isValid`.
fn is_software_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_what_kafka_accepts() {
        for good in ["librdkafka", "a", "apache-kafka-java", "2.8.0", "4.3.1-SNAPSHOT"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", ".", "a b", "a\n", "ä"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
