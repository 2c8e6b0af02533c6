//! Records of `__consumer_offsets`: committed offsets and classic groups.

use bytes::Bytes;

use crate::wire::{NEVER, Utf8Bytes, Uuid, messages};

messages! {
    message OffsetCommitKey { versions: 0..=1, flexible: NEVER }
    message OffsetCommitValue { versions: 0..=4, flexible: 4.. }
    message GroupMetadataKey { versions: 2..=2, flexible: NEVER }
    message GroupMetadataValue { versions: 0..=4, flexible: 4.. }

    struct OffsetCommitKey {
        group: Utf8Bytes, versions: 0..;
        topic: Utf8Bytes, versions: 0..;
        partition: i32, versions: 0..;
    }

    struct OffsetCommitValue {
        offset: i64, versions: 0..;
        leader_epoch: i32, versions: 3.., default: -1, ignorable: true;
        metadata: Utf8Bytes, versions: 0..;
        commit_timestamp: i64, versions: 0..;
        expire_timestamp: i64, versions: 1..=1, default: -1, ignorable: true;
        topic_id: Uuid, versions: 4.., tag: 0, tagged: 4.., ignorable: true;
    }

    struct GroupMetadataKey {
        group: Utf8Bytes, versions: 2..;
    }

    struct GroupMetadataValue {
        protocol_type: Utf8Bytes, versions: 0..;
        generation: i32, versions: 0..;
        protocol: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        leader: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        current_state_timestamp: i64, versions: 2.., default: -1, ignorable: true;
        members: Vec<MemberMetadata>, versions: 0..;
    }

    struct MemberMetadata {
        member_id: Utf8Bytes, versions: 0..;
        group_instance_id: Option<Utf8Bytes>, versions: 3.., nullable: 3.., ignorable: true;
        client_id: Utf8Bytes, versions: 0..;
        client_host: Utf8Bytes, versions: 0..;
        rebalance_timeout: i32, versions: 1.., default: -1, ignorable: true;
        session_timeout: i32, versions: 0..;
        subscription: Bytes, versions: 0..;
        assignment: Bytes, versions: 0..;
    }
}
