//! ApiVersions (key 18, versions 0–4): which keys and versions a broker offers. Its response header is always version
//! 0. KIP-35, KIP-511, KIP-584.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message ApiVersionsRequest { versions: 0..=4, flexible: 3.. }
    message ApiVersionsResponse { versions: 0..=4, flexible: 3.. }

    struct ApiVersionsRequest {
        client_software_name: Utf8Bytes, versions: 3.., ignorable: true;
        client_software_version: Utf8Bytes, versions: 3.., ignorable: true;
    }

    struct ApiVersionsResponse {
        error_code: ErrorCode, versions: 0..;
        api_keys: Vec<ApiVersion>, versions: 0..;
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        supported_features: Vec<SupportedFeatureKey>, versions: 3.., tag: 0, tagged: 3.., ignorable: true;
        finalized_features_epoch: i64, versions: 3.., tag: 1, tagged: 3.., default: -1, ignorable: true;
        finalized_features: Vec<FinalizedFeatureKey>, versions: 3.., tag: 2, tagged: 3.., ignorable: true;
        zk_migration_ready: bool, versions: 3.., tag: 3, tagged: 3.., ignorable: true;
    }

    struct ApiVersion {
        api_key: i16, versions: 0..;
        min_version: i16, versions: 0..;
        max_version: i16, versions: 0..;
    }

    struct SupportedFeatureKey {
        name: Utf8Bytes, versions: 3..;
        min_version: i16, versions: 3..;
        max_version: i16, versions: 3..;
    }

    struct FinalizedFeatureKey {
        name: Utf8Bytes, versions: 3..;
        max_version_level: i16, versions: 3..;
        min_version_level: i16, versions: 3..;
    }
}
