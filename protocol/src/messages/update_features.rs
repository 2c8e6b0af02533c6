//! UpdateFeatures (key 57, versions 0–2): raise or lower finalized features. KIP-584, KIP-778.
//!
//! Kafka 3.9 knows 0–1, 4.3 0–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message UpdateFeaturesRequest { versions: 0..=2, flexible: 0.. }
    message UpdateFeaturesResponse { versions: 0..=2, flexible: 0.. }

    struct UpdateFeaturesRequest {
        timeout_ms: i32, versions: 0.., default: 60000;
        feature_updates: Vec<FeatureUpdateKey>, versions: 0..;
        validate_only: bool, versions: 1..;
    }

    struct FeatureUpdateKey {
        feature: Utf8Bytes, versions: 0..;
        max_version_level: i16, versions: 0..;
        allow_downgrade: bool, versions: 0..=0;
        upgrade_type: i8, versions: 1.., default: 1;
    }

    struct UpdateFeaturesResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        results: Vec<UpdatableFeatureResult>, versions: 0..=1, ignorable: true;
    }

    struct UpdatableFeatureResult {
        feature: Utf8Bytes, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
