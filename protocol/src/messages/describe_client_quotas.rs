//! DescribeClientQuotas (key 48, versions 0–1): list client quotas. KIP-546.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message DescribeClientQuotasRequest { versions: 0..=1, flexible: 1.. }
    message DescribeClientQuotasResponse { versions: 0..=1, flexible: 1.. }

    struct DescribeClientQuotasRequest {
        components: Vec<ComponentData>, versions: 0..;
        strict: bool, versions: 0..;
    }

    struct ComponentData {
        entity_type: Utf8Bytes, versions: 0..;
        match_type: i8, versions: 0..;
        r#match: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct DescribeClientQuotasResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        entries: Option<Vec<EntryData>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct EntryData {
        entity: Vec<EntityData>, versions: 0..;
        values: Vec<ValueData>, versions: 0..;
    }

    struct EntityData {
        entity_type: Utf8Bytes, versions: 0..;
        entity_name: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct ValueData {
        key: Utf8Bytes, versions: 0..;
        value: f64, versions: 0..;
    }
}
