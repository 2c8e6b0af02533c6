//! One file per API key. Each states the versions that it serves, and nothing else does: ApiVersions lists what is here.

pub mod allocate_producer_ids;
pub mod alter_configs;
pub mod alter_partition;
pub mod alter_partition_reassignments;
pub mod api_versions;
pub mod controlled_shutdown;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leader_and_isr;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod stop_replica;
pub mod sync_group;
pub mod to_code;
pub mod update_metadata;

use protocol::ApiKey;

use crate::dispatch::Served;

/// Every key that this broker serves, in the order of their numbers.
pub static SERVED: &[&Served] = &[
    &produce::SERVED,
    &fetch::SERVED,
    &list_offsets::SERVED,
    &metadata::SERVED,
    &offset_commit::SERVED,
    &offset_fetch::SERVED,
    &find_coordinator::SERVED,
    &join_group::SERVED,
    &heartbeat::SERVED,
    &leave_group::SERVED,
    &sync_group::SERVED,
    &describe_groups::SERVED,
    &list_groups::SERVED,
    &api_versions::SERVED,
    &create_topics::SERVED,
    &delete_topics::SERVED,
    &delete_records::SERVED,
    &init_producer_id::SERVED,
    &offset_for_leader_epoch::SERVED,
    &describe_configs::SERVED,
    &alter_configs::SERVED,
    &describe_log_dirs::SERVED,
    &create_partitions::SERVED,
    &delete_groups::SERVED,
    &elect_leaders::SERVED,
    &incremental_alter_configs::SERVED,
    &alter_partition_reassignments::SERVED,
    &list_partition_reassignments::SERVED,
    &offset_delete::SERVED,
    &describe_cluster::SERVED,
];

/// What brokers ask each other: served where there may be others.
pub static SERVED_IN_CLUSTERS: &[&Served] = &[
    &leader_and_isr::SERVED,
    &stop_replica::SERVED,
    &update_metadata::SERVED,
    &controlled_shutdown::SERVED,
    &alter_partition::SERVED,
    &allocate_producer_ids::SERVED,
];

/// Every key that a broker serves that is in a cluster, or is not, in the order of their numbers.
pub fn all_served(is_in_cluster: bool) -> Vec<&'static Served> {
    let others = if is_in_cluster { SERVED_IN_CLUSTERS } else { &[] };
    let mut all: Vec<&Served> = SERVED.iter().chain(others).copied().collect();
    all.sort_by_key(|served| served.key as i16);
    all
}

/// How `key` is served, if it is.
pub fn served(key: ApiKey, is_in_cluster: bool) -> Option<&'static Served> {
    let others = if is_in_cluster { SERVED_IN_CLUSTERS } else { &[] };
    SERVED.iter().chain(others).copied().find(|served| served.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_order_and_versions_are_ranges() {
        assert!(
            SERVED
                .windows(2)
                .all(|pair| (pair[0].key as i16) < (pair[1].key as i16))
        );
        for served in SERVED.iter().chain(SERVED_IN_CLUSTERS) {
            assert!(
                served.listed_min <= served.min && served.min <= served.max,
                "{:?}",
                served.key
            );
        }
    }
}
