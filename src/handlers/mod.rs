//! One file per API key. Each states the versions that it serves, and nothing else does: ApiVersions lists what is here.

pub mod alter_configs;
pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sync_group;
pub mod to_code;

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
    &incremental_alter_configs::SERVED,
    &offset_delete::SERVED,
    &describe_cluster::SERVED,
];

/// How `key` is served, if it is.
pub fn served(key: ApiKey) -> Option<&'static Served> {
    SERVED.iter().copied().find(|served| served.key == key)
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
        for served in SERVED {
            assert!(
                served.listed_min <= served.min && served.min <= served.max,
                "{:?}",
                served.key
            );
        }
    }
}
