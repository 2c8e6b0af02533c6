//! The one table of API keys: number, name, versions known, first flexible version, header versions.
//!
//! «Known» is what the message tables cover: Kafka 3.9 in ZooKeeper mode and 4.3 together. What a broker offers is another
//! matter and decided elsewhere.

use std::fmt;
use std::ops::RangeInclusive;

use crate::wire::{NEVER, Versions};

macro_rules! api_keys {
    ($($number:literal $name:ident $module:ident: $versions:expr, flexible: $flexible:expr;)*) => {
        /// An API key under Kafka's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        #[allow(missing_docs)]
        pub enum ApiKey {
            $($name = $number,)*
        }

        impl ApiKey {
            /// Every key, in ascending order.
            pub const ALL: &'static [ApiKey] = &[$(ApiKey::$name,)*];

            /// The key with this number.
            pub fn from_number(number: i16) -> Option<ApiKey> {
                match number {
                    $($number => Some(ApiKey::$name),)*
                    _ => None,
                }
            }

            /// Kafka's name, without `Request` or `Response`.
            pub fn name(self) -> &'static str {
                match self {
                    $(ApiKey::$name => stringify!($name),)*
                }
            }

            /// Every version that the message tables know.
            pub fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKey::$name => $crate::messages::$module::VERSIONS,)*
                }
            }

            /// Whether that version is flexible: compact lengths and tagged fields (KIP-482).
            pub fn is_flexible(self, version: i16) -> bool {
                match self {
                    $(ApiKey::$name => ($flexible).has(version),)*
                }
            }
        }
    };
}

api_keys! {
    0 Produce produce: 0..=13, flexible: 9..;
    1 Fetch fetch: 0..=18, flexible: 12..;
    2 ListOffsets list_offsets: 0..=11, flexible: 6..;
    3 Metadata metadata: 0..=13, flexible: 9..;
    4 LeaderAndIsr leader_and_isr: 0..=7, flexible: 4..;
    5 StopReplica stop_replica: 0..=4, flexible: 2..;
    6 UpdateMetadata update_metadata: 0..=8, flexible: 6..;
    7 ControlledShutdown controlled_shutdown: 0..=3, flexible: 3..;
    8 OffsetCommit offset_commit: 0..=10, flexible: 8..;
    9 OffsetFetch offset_fetch: 0..=10, flexible: 6..;
    10 FindCoordinator find_coordinator: 0..=6, flexible: 3..;
    11 JoinGroup join_group: 0..=9, flexible: 6..;
    12 Heartbeat heartbeat: 0..=4, flexible: 4..;
    13 LeaveGroup leave_group: 0..=5, flexible: 4..;
    14 SyncGroup sync_group: 0..=5, flexible: 4..;
    15 DescribeGroups describe_groups: 0..=6, flexible: 5..;
    16 ListGroups list_groups: 0..=5, flexible: 3..;
    17 SaslHandshake sasl_handshake: 0..=1, flexible: NEVER;
    18 ApiVersions api_versions: 0..=4, flexible: 3..;
    19 CreateTopics create_topics: 0..=7, flexible: 5..;
    20 DeleteTopics delete_topics: 0..=6, flexible: 4..;
    21 DeleteRecords delete_records: 0..=2, flexible: 2..;
    22 InitProducerId init_producer_id: 0..=6, flexible: 2..;
    23 OffsetForLeaderEpoch offset_for_leader_epoch: 0..=4, flexible: 4..;
    24 AddPartitionsToTxn add_partitions_to_txn: 0..=5, flexible: 3..;
    25 AddOffsetsToTxn add_offsets_to_txn: 0..=4, flexible: 3..;
    26 EndTxn end_txn: 0..=5, flexible: 3..;
    27 WriteTxnMarkers write_txn_markers: 0..=2, flexible: 1..;
    28 TxnOffsetCommit txn_offset_commit: 0..=5, flexible: 3..;
    29 DescribeAcls describe_acls: 0..=3, flexible: 2..;
    30 CreateAcls create_acls: 0..=3, flexible: 2..;
    31 DeleteAcls delete_acls: 0..=3, flexible: 2..;
    32 DescribeConfigs describe_configs: 0..=4, flexible: 4..;
    33 AlterConfigs alter_configs: 0..=2, flexible: 2..;
    34 AlterReplicaLogDirs alter_replica_log_dirs: 0..=2, flexible: 2..;
    35 DescribeLogDirs describe_log_dirs: 0..=5, flexible: 2..;
    36 SaslAuthenticate sasl_authenticate: 0..=2, flexible: 2..;
    37 CreatePartitions create_partitions: 0..=3, flexible: 2..;
    38 CreateDelegationToken create_delegation_token: 0..=3, flexible: 2..;
    39 RenewDelegationToken renew_delegation_token: 0..=2, flexible: 2..;
    40 ExpireDelegationToken expire_delegation_token: 0..=2, flexible: 2..;
    41 DescribeDelegationToken describe_delegation_token: 0..=3, flexible: 2..;
    42 DeleteGroups delete_groups: 0..=2, flexible: 2..;
    43 ElectLeaders elect_leaders: 0..=2, flexible: 2..;
    44 IncrementalAlterConfigs incremental_alter_configs: 0..=1, flexible: 1..;
    45 AlterPartitionReassignments alter_partition_reassignments: 0..=1, flexible: 0..;
    46 ListPartitionReassignments list_partition_reassignments: 0..=0, flexible: 0..;
    47 OffsetDelete offset_delete: 0..=0, flexible: NEVER;
    48 DescribeClientQuotas describe_client_quotas: 0..=1, flexible: 1..;
    49 AlterClientQuotas alter_client_quotas: 0..=1, flexible: 1..;
    50 DescribeUserScramCredentials describe_user_scram_credentials: 0..=0, flexible: 0..;
    51 AlterUserScramCredentials alter_user_scram_credentials: 0..=0, flexible: 0..;
    52 Vote vote: 0..=2, flexible: 0..;
    53 BeginQuorumEpoch begin_quorum_epoch: 0..=1, flexible: 1..;
    54 EndQuorumEpoch end_quorum_epoch: 0..=1, flexible: 1..;
    55 DescribeQuorum describe_quorum: 0..=2, flexible: 0..;
    56 AlterPartition alter_partition: 0..=3, flexible: 0..;
    57 UpdateFeatures update_features: 0..=2, flexible: 0..;
    58 Envelope envelope: 0..=0, flexible: 0..;
    59 FetchSnapshot fetch_snapshot: 0..=1, flexible: 0..;
    60 DescribeCluster describe_cluster: 0..=2, flexible: 0..;
    61 DescribeProducers describe_producers: 0..=0, flexible: 0..;
    62 BrokerRegistration broker_registration: 0..=4, flexible: 0..;
    63 BrokerHeartbeat broker_heartbeat: 0..=2, flexible: 0..;
    64 UnregisterBroker unregister_broker: 0..=0, flexible: 0..;
    65 DescribeTransactions describe_transactions: 0..=0, flexible: 0..;
    66 ListTransactions list_transactions: 0..=2, flexible: 0..;
    67 AllocateProducerIds allocate_producer_ids: 0..=0, flexible: 0..;
    68 ConsumerGroupHeartbeat consumer_group_heartbeat: 0..=1, flexible: 0..;
    69 ConsumerGroupDescribe consumer_group_describe: 0..=1, flexible: 0..;
    70 ControllerRegistration controller_registration: 0..=0, flexible: 0..;
    71 GetTelemetrySubscriptions get_telemetry_subscriptions: 0..=0, flexible: 0..;
    72 PushTelemetry push_telemetry: 0..=0, flexible: 0..;
    73 AssignReplicasToDirs assign_replicas_to_dirs: 0..=0, flexible: 0..;
    74 ListConfigResources list_config_resources: 0..=1, flexible: 0..;
    75 DescribeTopicPartitions describe_topic_partitions: 0..=0, flexible: 0..;
    76 ShareGroupHeartbeat share_group_heartbeat: 0..=1, flexible: 0..;
    77 ShareGroupDescribe share_group_describe: 0..=1, flexible: 0..;
    78 ShareFetch share_fetch: 0..=2, flexible: 0..;
    79 ShareAcknowledge share_acknowledge: 0..=2, flexible: 0..;
    80 AddRaftVoter add_raft_voter: 0..=1, flexible: 0..;
    81 RemoveRaftVoter remove_raft_voter: 0..=0, flexible: 0..;
    82 UpdateRaftVoter update_raft_voter: 0..=0, flexible: 0..;
    83 InitializeShareGroupState initialize_share_group_state: 0..=0, flexible: 0..;
    84 ReadShareGroupState read_share_group_state: 0..=0, flexible: 0..;
    85 WriteShareGroupState write_share_group_state: 0..=1, flexible: 0..;
    86 DeleteShareGroupState delete_share_group_state: 0..=0, flexible: 0..;
    87 ReadShareGroupStateSummary read_share_group_state_summary: 0..=1, flexible: 0..;
    88 StreamsGroupHeartbeat streams_group_heartbeat: 0..=0, flexible: 0..;
    89 StreamsGroupDescribe streams_group_describe: 0..=0, flexible: 0..;
    90 DescribeShareGroupOffsets describe_share_group_offsets: 0..=1, flexible: 0..;
    91 AlterShareGroupOffsets alter_share_group_offsets: 0..=0, flexible: 0..;
    92 DeleteShareGroupOffsets delete_share_group_offsets: 0..=0, flexible: 0..;
}

impl ApiKey {
    /// The number on the wire.
    pub fn number(self) -> i16 {
        self as i16
    }

    /// Whether the message tables know that version.
    pub fn knows(self, version: i16) -> bool {
        self.versions().contains(&version)
    }

    /// The first flexible version, if any.
    pub fn first_flexible_version(self) -> Option<i16> {
        self.versions().find(|&version| self.is_flexible(version))
    }

    /// The version of the request header in front of a request of this version.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self == ApiKey::ControlledShutdown && version == 0 {
            // The only request without a client id.
            0
        } else if self.is_flexible(version) {
            2
        } else {
            1
        }
    }

    /// The version of the response header in front of a response of this version.
    pub fn response_header_version(self, version: i16) -> i16 {
        // A client that learns only from this response which versions there are must be able to read it (KIP-511).
        i16::from(self != ApiKey::ApiVersions && self.is_flexible(version))
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl TryFrom<i16> for ApiKey {
    type Error = i16;

    fn try_from(number: i16) -> Result<Self, i16> {
        ApiKey::from_number(number).ok_or(number)
    }
}
