//! The consumer protocol embedded in JoinGroup and SyncGroup: what a member subscribes to and what it is assigned. Each
//! is preceded
//! by its version as an int16. KIP-429, KIP-792, KIP-881.

use bytes::Bytes;

use crate::wire::{NEVER, Utf8Bytes, messages};

messages! {
    message ConsumerProtocolSubscription { versions: 0..=3, flexible: NEVER }
    message ConsumerProtocolAssignment { versions: 0..=3, flexible: NEVER }

    struct ConsumerProtocolSubscription {
        topics: Vec<Utf8Bytes>, versions: 0..;
        user_data: Option<Bytes>, versions: 0.., nullable: 0..;
        owned_partitions: Vec<ConsumerProtocolSubscriptionTopicPartition>, versions: 1.., ignorable: true;
        generation_id: i32, versions: 2.., default: -1, ignorable: true;
        rack_id: Option<Utf8Bytes>, versions: 3.., nullable: 3.., ignorable: true;
    }

    struct ConsumerProtocolSubscriptionTopicPartition {
        topic: Utf8Bytes, versions: 1..;
        partitions: Vec<i32>, versions: 1..;
    }

    struct ConsumerProtocolAssignment {
        assigned_partitions: Vec<ConsumerProtocolAssignmentTopicPartition>, versions: 0..;
        user_data: Option<Bytes>, versions: 0.., nullable: 0..;
    }

    struct ConsumerProtocolAssignmentTopicPartition {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
