//! StreamsGroupDescribe (key 89, version 0): state and members of streams groups. KIP-1071.
//!
//! Not in Kafka 3.9.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message StreamsGroupDescribeRequest { versions: 0..=0, flexible: 0.. }
    message StreamsGroupDescribeResponse { versions: 0..=0, flexible: 0.. }

    struct StreamsGroupDescribeRequest {
        group_ids: Vec<Utf8Bytes>, versions: 0..;
        include_authorized_operations: bool, versions: 0..;
    }

    struct StreamsGroupDescribeResponse {
        throttle_time_ms: i32, versions: 0..;
        groups: Vec<DescribedGroup>, versions: 0..;
    }

    struct DescribedGroup {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        group_id: Utf8Bytes, versions: 0..;
        group_state: Utf8Bytes, versions: 0..;
        group_epoch: i32, versions: 0..;
        assignment_epoch: i32, versions: 0..;
        topology: Option<Topology>, versions: 0.., nullable: 0..;
        members: Vec<Member>, versions: 0..;
        authorized_operations: i32, versions: 0.., default: i32::MIN;
    }

    struct Topology {
        epoch: i32, versions: 0..;
        subtopologies: Option<Vec<Subtopology>>, versions: 0.., nullable: 0..;
    }

    struct Subtopology {
        subtopology_id: Utf8Bytes, versions: 0..;
        source_topics: Vec<Utf8Bytes>, versions: 0..;
        repartition_sink_topics: Vec<Utf8Bytes>, versions: 0..;
        state_changelog_topics: Vec<TopicInfo>, versions: 0..;
        repartition_source_topics: Vec<TopicInfo>, versions: 0..;
    }

    struct TopicInfo {
        name: Utf8Bytes, versions: 0..;
        partitions: i32, versions: 0..;
        replication_factor: i16, versions: 0..;
        topic_configs: Vec<KeyValue>, versions: 0..;
    }

    struct KeyValue {
        key: Utf8Bytes, versions: 0..;
        value: Utf8Bytes, versions: 0..;
    }

    struct Member {
        member_id: Utf8Bytes, versions: 0..;
        member_epoch: i32, versions: 0..;
        instance_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        rack_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        client_id: Utf8Bytes, versions: 0..;
        client_host: Utf8Bytes, versions: 0..;
        topology_epoch: i32, versions: 0..;
        process_id: Utf8Bytes, versions: 0..;
        user_endpoint: Option<Endpoint>, versions: 0.., nullable: 0..;
        client_tags: Vec<KeyValue>, versions: 0..;
        task_offsets: Vec<TaskOffset>, versions: 0..;
        task_end_offsets: Vec<TaskOffset>, versions: 0..;
        assignment: Assignment, versions: 0..;
        target_assignment: Assignment, versions: 0..;
        is_classic: bool, versions: 0..;
    }

    struct Endpoint {
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
    }

    struct TaskOffset {
        subtopology_id: Utf8Bytes, versions: 0..;
        partition: i32, versions: 0..;
        offset: i64, versions: 0..;
    }

    struct Assignment {
        active_tasks: Vec<TaskIds>, versions: 0..;
        standby_tasks: Vec<TaskIds>, versions: 0..;
        warmup_tasks: Vec<TaskIds>, versions: 0..;
    }

    struct TaskIds {
        subtopology_id: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
