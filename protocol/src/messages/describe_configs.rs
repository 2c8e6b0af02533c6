//! DescribeConfigs (key 32, versions 0–4): configuration of topics and brokers. KIP-133, KIP-226, KIP-569.
//!
//! Kafka 3.9 knows 0–4, 4.3 1–4.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message DescribeConfigsRequest { versions: 0..=4, flexible: 4.. }
    message DescribeConfigsResponse { versions: 0..=4, flexible: 4.. }

    struct DescribeConfigsRequest {
        resources: Vec<DescribeConfigsResource>, versions: 0..;
        include_synonyms: bool, versions: 1..;
        include_documentation: bool, versions: 3..;
    }

    struct DescribeConfigsResource {
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
        configuration_keys: Option<Vec<Utf8Bytes>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct DescribeConfigsResponse {
        throttle_time_ms: i32, versions: 0..;
        results: Vec<DescribeConfigsResult>, versions: 0..;
    }

    struct DescribeConfigsResult {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
        configs: Vec<DescribeConfigsResourceResult>, versions: 0..;
    }

    struct DescribeConfigsResourceResult {
        name: Utf8Bytes, versions: 0..;
        value: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        read_only: bool, versions: 0..;
        is_default: bool, versions: 0..=0;
        config_source: i8, versions: 1.., default: -1, ignorable: true;
        is_sensitive: bool, versions: 0..;
        synonyms: Vec<DescribeConfigsSynonym>, versions: 1.., ignorable: true;
        config_type: i8, versions: 3.., ignorable: true;
        documentation: Option<Utf8Bytes>, versions: 3.., nullable: 3.., default: Some(Default::default()), ignorable: true;
    }

    struct DescribeConfigsSynonym {
        name: Utf8Bytes, versions: 1..;
        value: Option<Utf8Bytes>, versions: 1.., nullable: 1.., default: Some(Default::default());
        source: i8, versions: 1..;
    }
}
