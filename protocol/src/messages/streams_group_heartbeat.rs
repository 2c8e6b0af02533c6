//! StreamsGroupHeartbeat (key 88, version 0): membership of a streams group. KIP-1071.
//!
//! Not in Kafka 3.9.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message StreamsGroupHeartbeatRequest { versions: 0..=0, flexible: 0.. }
    message StreamsGroupHeartbeatResponse { versions: 0..=0, flexible: 0.. }

    struct StreamsGroupHeartbeatRequest {
        group_id: Utf8Bytes, versions: 0..;
        member_id: Utf8Bytes, versions: 0..;
        member_epoch: i32, versions: 0..;
        endpoint_information_epoch: i32, versions: 0..;
        instance_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        rack_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        rebalance_timeout_ms: i32, versions: 0.., default: -1;
        topology: Option<Topology>, versions: 0.., nullable: 0..;
        active_tasks: Option<Vec<StreamsGroupHeartbeatRequestTaskIds>>, versions: 0.., nullable: 0..;
        standby_tasks: Option<Vec<StreamsGroupHeartbeatRequestTaskIds>>, versions: 0.., nullable: 0..;
        warmup_tasks: Option<Vec<StreamsGroupHeartbeatRequestTaskIds>>, versions: 0.., nullable: 0..;
        process_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        user_endpoint: Option<StreamsGroupHeartbeatRequestEndpoint>, versions: 0.., nullable: 0..;
        client_tags: Option<Vec<KeyValue>>, versions: 0.., nullable: 0..;
        task_offsets: Option<Vec<TaskOffset>>, versions: 0.., nullable: 0..;
        task_end_offsets: Option<Vec<TaskOffset>>, versions: 0.., nullable: 0..;
        shutdown_application: bool, versions: 0..;
    }

    struct Topology {
        epoch: i32, versions: 0..;
        subtopologies: Vec<Subtopology>, versions: 0..;
    }

    struct Subtopology {
        subtopology_id: Utf8Bytes, versions: 0..;
        source_topics: Vec<Utf8Bytes>, versions: 0..;
        source_topic_regex: Vec<Utf8Bytes>, versions: 0..;
        state_changelog_topics: Vec<TopicInfo>, versions: 0..;
        repartition_sink_topics: Vec<Utf8Bytes>, versions: 0..;
        repartition_source_topics: Vec<TopicInfo>, versions: 0..;
        copartition_groups: Vec<CopartitionGroup>, versions: 0..;
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

    struct CopartitionGroup {
        source_topics: Vec<i16>, versions: 0..;
        source_topic_regex: Vec<i16>, versions: 0..;
        repartition_source_topics: Vec<i16>, versions: 0..;
    }

    struct StreamsGroupHeartbeatRequestTaskIds {
        subtopology_id: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct StreamsGroupHeartbeatRequestEndpoint {
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
    }

    struct TaskOffset {
        subtopology_id: Utf8Bytes, versions: 0..;
        partition: i32, versions: 0..;
        offset: i64, versions: 0..;
    }

    struct StreamsGroupHeartbeatResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_id: Utf8Bytes, versions: 0..;
        member_epoch: i32, versions: 0..;
        heartbeat_interval_ms: i32, versions: 0..;
        acceptable_recovery_lag: i32, versions: 0..;
        task_offset_interval_ms: i32, versions: 0..;
        status: Option<Vec<Status>>, versions: 0.., nullable: 0.., default: Some(Default::default());
        active_tasks: Option<Vec<StreamsGroupHeartbeatResponseTaskIds>>, versions: 0.., nullable: 0..;
        standby_tasks: Option<Vec<StreamsGroupHeartbeatResponseTaskIds>>, versions: 0.., nullable: 0..;
        warmup_tasks: Option<Vec<StreamsGroupHeartbeatResponseTaskIds>>, versions: 0.., nullable: 0..;
        endpoint_information_epoch: i32, versions: 0..;
        partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>, versions: 0.., nullable: 0..;
    }

    struct Status {
        status_code: i8, versions: 0..;
        status_detail: Utf8Bytes, versions: 0..;
    }

    struct StreamsGroupHeartbeatResponseTaskIds {
        subtopology_id: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct EndpointToPartitions {
        user_endpoint: StreamsGroupHeartbeatResponseEndpoint, versions: 0..;
        active_partitions: Vec<TopicPartition>, versions: 0..;
        standby_partitions: Vec<TopicPartition>, versions: 0..;
    }

    struct StreamsGroupHeartbeatResponseEndpoint {
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
    }

    struct TopicPartition {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
