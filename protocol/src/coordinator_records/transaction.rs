//! Records of `__transaction_state`.

use crate::wire::{NEVER, Utf8Bytes, messages};

messages! {
    message TransactionLogKey { versions: 0..=0, flexible: NEVER }
    message TransactionLogValue { versions: 0..=1, flexible: 1.. }

    struct TransactionLogKey {
        transactional_id: Utf8Bytes, versions: 0..;
    }

    struct TransactionLogValue {
        producer_id: i64, versions: 0..;
        previous_producer_id: i64, versions: 1.., tag: 0, tagged: 1.., default: -1;
        next_producer_id: i64, versions: 1.., tag: 1, tagged: 1.., default: -1;
        producer_epoch: i16, versions: 0..;
        client_transaction_version: i16, versions: 1.., tag: 2, tagged: 1..;
        transaction_timeout_ms: i32, versions: 0..;
        transaction_status: i8, versions: 0..;
        transaction_partitions: Option<Vec<PartitionsSchema>>, versions: 0.., nullable: 0.., default: Some(Default::default());
        transaction_last_update_timestamp_ms: i64, versions: 0..;
        transaction_start_timestamp_ms: i64, versions: 0..;
        next_producer_epoch: i16, versions: 1.., tag: 3, tagged: 1.., default: -1;
    }

    struct PartitionsSchema {
        topic: Utf8Bytes, versions: 0..;
        partition_ids: Vec<i32>, versions: 0..;
    }
}
