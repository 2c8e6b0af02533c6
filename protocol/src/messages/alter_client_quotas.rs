//! AlterClientQuotas (key 49, versions 0–1): change client quotas. KIP-546.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message AlterClientQuotasRequest { versions: 0..=1, flexible: 1.. }
    message AlterClientQuotasResponse { versions: 0..=1, flexible: 1.. }

    struct AlterClientQuotasRequest {
        entries: Vec<AlterClientQuotasRequestEntryData>, versions: 0..;
        validate_only: bool, versions: 0..;
    }

    struct AlterClientQuotasRequestEntryData {
        entity: Vec<AlterClientQuotasRequestEntityData>, versions: 0..;
        ops: Vec<OpData>, versions: 0..;
    }

    struct AlterClientQuotasRequestEntityData {
        entity_type: Utf8Bytes, versions: 0..;
        entity_name: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct OpData {
        key: Utf8Bytes, versions: 0..;
        value: f64, versions: 0..;
        remove: bool, versions: 0..;
    }

    struct AlterClientQuotasResponse {
        throttle_time_ms: i32, versions: 0..;
        entries: Vec<AlterClientQuotasResponseEntryData>, versions: 0..;
    }

    struct AlterClientQuotasResponseEntryData {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        entity: Vec<AlterClientQuotasResponseEntityData>, versions: 0..;
    }

    struct AlterClientQuotasResponseEntityData {
        entity_type: Utf8Bytes, versions: 0..;
        entity_name: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
