//! Every version of every key of classic groups, over the wire, against the binary.
//!
//! `GROUPS_AT=host:port` points it at another broker instead – Apache Kafka 3.9 in ZooKeeper mode, which proves the
//! expectations – whose `group.initial.rebalance.delay.ms` should be 0.

mod client;

use bytes::Bytes;
use protocol::messages::{
    find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
    heartbeat::{HeartbeatRequest, HeartbeatResponse},
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
    leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity},
    list_groups::{ListGroupsRequest, ListGroupsResponse},
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete::{
        OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    },
    sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse},
};
use protocol::{ApiKey, ErrorCode, Utf8Bytes};

use client::{Client, Fetched, Server, text};

fn join_request(group_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: text(group_id),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        protocol_type: text("consumer"),
        protocols: vec![JoinGroupRequestProtocol {
            name: text("range"),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"),
        }],
        ..Default::default()
    }
}

fn commit_request(group_id: &str, partitions: &[(i32, i64, &str)]) -> OffsetCommitRequest {
    let partition = |(partition_index, committed_offset, metadata): &(i32, i64, &str)| OffsetCommitRequestPartition {
        partition_index: *partition_index,
        committed_offset: *committed_offset,
        committed_leader_epoch: 0,
        committed_metadata: Some(text(metadata)),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: text(group_id),
        topics: vec![OffsetCommitRequestTopic {
            name: text("t"),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn a_member_lives_in_every_version() {
    let server = Server::start();
    let mut client = server.client();
    for version in 0..=9 {
        let group_id = format!("member-{version}-{}", std::process::id());
        client.find(&group_id);
        let joined = client.join(version, &join_request(&group_id));
        assert_eq!(
            (joined.error_code, joined.generation_id),
            (ErrorCode::NONE, 1),
            "JoinGroup v{version}"
        );
        assert_eq!(joined.leader, joined.member_id);
        assert!(joined.member_id.starts_with("groups-test-"), "{}", joined.member_id);
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        assert_eq!(joined.protocol_type.as_deref(), (version >= 7).then_some("consumer"));
        assert_eq!(joined.members.len(), 1);
        assert_eq!(joined.members[0].metadata, join_request("").protocols[0].metadata);
        member_syncs(&mut client, version.min(5), &group_id, &joined.member_id);
        member_beats(&mut client, version.min(4), &group_id, &joined.member_id);
        group_is_shown(&mut client, version.min(5), &group_id, &joined.member_id);
        let of_member = OffsetCommitRequest {
            generation_id_or_member_epoch: 1,
            member_id: joined.member_id.clone(),
            ..commit_request(&group_id, &[(0, 5, "")])
        };
        assert_eq!(
            client.commit(version.max(1), &of_member),
            [ErrorCode::NONE],
            "OffsetCommit v{version}"
        );
        let of_nobody = commit_request(&group_id, &[(0, 5, "")]);
        assert_eq!(
            client.commit(version.max(1), &of_nobody),
            [ErrorCode::UNKNOWN_MEMBER_ID]
        );
        assert_eq!(client.delete(version.min(2), &group_id), ErrorCode::NON_EMPTY_GROUP);
        member_leaves(&mut client, version.min(5), &group_id, &joined.member_id);
        assert_eq!(
            &*client.describe(&group_id, version.min(5)).groups[0].group_state,
            "Empty"
        );
        assert_eq!(client.delete(version.min(2), &group_id), ErrorCode::NONE);
        assert_eq!(client.delete(version.min(2), &group_id), ErrorCode::GROUP_ID_NOT_FOUND);
        assert_eq!(
            &*client.describe(&group_id, version.min(5)).groups[0].group_state,
            "Dead"
        );
    }
}

fn member_syncs(client: &mut Client, version: i16, group_id: &str, member_id: &Utf8Bytes) {
    let request = SyncGroupRequest {
        group_id: text(group_id),
        generation_id: 1,
        member_id: member_id.clone(),
        protocol_type: (version >= 5).then(|| text("consumer")),
        protocol_name: (version >= 5).then(|| text("range")),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: Bytes::from_static(b"everything"),
        }],
        ..Default::default()
    };
    for _ in 0..2 {
        let synced: SyncGroupResponse = client.ask(ApiKey::SyncGroup, version, &request);
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (ErrorCode::NONE, &b"everything"[..])
        );
        assert_eq!(synced.protocol_name.as_deref(), (version >= 5).then_some("range"));
    }
    let late = SyncGroupRequest {
        generation_id: 0,
        ..request.clone()
    };
    let refused: SyncGroupResponse = client.ask(ApiKey::SyncGroup, version, &late);
    assert_eq!(refused.error_code, ErrorCode::ILLEGAL_GENERATION);
    if version >= 5 {
        for other in [None, Some(text("sticky"))] {
            let other = SyncGroupRequest {
                protocol_name: other,
                ..request.clone()
            };
            let refused: SyncGroupResponse = client.ask(ApiKey::SyncGroup, version, &other);
            assert_eq!(refused.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
    }
}

fn member_beats(client: &mut Client, version: i16, group_id: &str, member_id: &Utf8Bytes) {
    for (member_id, generation_id, expected) in [
        (member_id.clone(), 1, ErrorCode::NONE),
        (member_id.clone(), 2, ErrorCode::ILLEGAL_GENERATION),
        (text("nobody"), 1, ErrorCode::UNKNOWN_MEMBER_ID),
    ] {
        let request = HeartbeatRequest {
            group_id: text(group_id),
            generation_id,
            member_id,
            ..Default::default()
        };
        let beat: HeartbeatResponse = client.ask(ApiKey::Heartbeat, version, &request);
        assert_eq!(beat.error_code, expected, "Heartbeat v{version}");
    }
}

fn group_is_shown(client: &mut Client, version: i16, group_id: &str, member_id: &Utf8Bytes) {
    let described = client.describe(group_id, version).groups.remove(0);
    assert_eq!(
        (&*described.group_state, &*described.protocol_type),
        ("Stable", "consumer")
    );
    assert_eq!(&*described.protocol_data, "range");
    let member = &described.members[0];
    assert_eq!((&member.member_id, &*member.client_id), (member_id, "groups-test"));
    assert!(member.client_host.starts_with('/'), "{}", member.client_host);
    assert_eq!(&member.member_assignment[..], b"everything");
    assert_eq!(
        described.authorized_operations,
        if version >= 3 { 328 } else { i32::MIN }
    );
    for (states, types, is_listed) in [
        (vec![], vec![], true),
        (vec!["sTABLE"], vec![], true),
        (vec!["Empty"], vec![], version < 4),
        (vec![], vec!["Classic"], true),
        (vec![], vec!["consumer"], version < 5),
    ] {
        let names = |names: &[&str], from: i16| -> Vec<Utf8Bytes> {
            names
                .iter()
                .filter(|_| version >= from)
                .map(|name| text(name))
                .collect()
        };
        let request = ListGroupsRequest {
            states_filter: names(&states, 4),
            types_filter: names(&types, 5),
        };
        let listed: ListGroupsResponse = client.ask(ApiKey::ListGroups, version, &request);
        assert_eq!(listed.error_code, ErrorCode::NONE);
        let ours = listed.groups.iter().find(|group| *group.group_id == *group_id);
        assert_eq!(ours.is_some(), is_listed, "ListGroups v{version} {states:?} {types:?}");
        if let Some(ours) = ours {
            assert_eq!(&*ours.protocol_type, "consumer");
            assert_eq!(&*ours.group_state, if version >= 4 { "Stable" } else { "" });
            assert_eq!(&*ours.group_type, if version >= 5 { "classic" } else { "" });
        }
    }
}

fn member_leaves(client: &mut Client, version: i16, group_id: &str, member_id: &Utf8Bytes) {
    for expected in [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID] {
        let mut request = LeaveGroupRequest {
            group_id: text(group_id),
            ..Default::default()
        };
        if version >= 3 {
            request.members = vec![MemberIdentity {
                member_id: member_id.clone(),
                ..Default::default()
            }];
        } else {
            request.member_id = member_id.clone();
        }
        let left: LeaveGroupResponse = client.ask(ApiKey::LeaveGroup, version, &request);
        if version >= 3 {
            assert_eq!(
                (left.error_code, left.members[0].error_code),
                (ErrorCode::NONE, expected)
            );
            assert_eq!(
                (&left.members[0].member_id, &left.members[0].group_instance_id),
                (member_id, &None)
            );
        } else {
            assert_eq!(left.error_code, expected);
        }
    }
}

#[test]
fn offsets_are_kept_in_every_version() {
    let server = Server::start();
    let mut client = server.client();
    for version in 1..=9 {
        let group_id = format!("offsets-{version}-{}", std::process::id());
        client.find(&group_id);
        let mut request = commit_request(&group_id, &[(0, 7, "words"), (9, 1, "")]);
        request.topics.push(OffsetCommitRequestTopic {
            name: text("missing"),
            ..request.topics[0].clone()
        });
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let mut codes = client.commit(version, &request);
        codes.sort();
        assert_eq!(
            codes,
            [ErrorCode::NONE, unknown, unknown, unknown],
            "OffsetCommit v{version}"
        );
        let too_long = commit_request(&group_id, &[(1, 1, &"x".repeat(4097))]);
        assert_eq!(
            client.commit(version, &too_long),
            [ErrorCode::OFFSET_METADATA_TOO_LARGE]
        );
        for fetch in 1..=9 {
            let known = Fetched {
                partition: 0,
                offset: 7,
                leader_epoch: if version >= 6 && fetch >= 5 { 0 } else { -1 },
                metadata: "words".into(),
                error_code: ErrorCode::NONE,
            };
            let nothing = Fetched {
                partition: 1,
                offset: -1,
                leader_epoch: -1,
                metadata: String::new(),
                ..known.clone()
            };
            let fetched = client.fetch(fetch, &group_id, Some(&[0, 1]));
            assert_eq!(
                fetched,
                (vec![known.clone(), nothing], ErrorCode::NONE),
                "OffsetFetch v{fetch}"
            );
            if fetch >= 2 {
                assert_eq!(client.fetch(fetch, &group_id, None), (vec![known], ErrorCode::NONE));
            }
        }
        let stale = OffsetCommitRequest {
            generation_id_or_member_epoch: 3,
            member_id: text("m"),
            ..commit_request(&group_id, &[(0, 8, "")])
        };
        assert_eq!(client.commit(version, &stale), [ErrorCode::UNKNOWN_MEMBER_ID]);
    }
}

#[test]
fn version_0_of_the_offsets_is_a_world_of_its_own() {
    let server = Server::start();
    let mut client = server.client();
    let expected = |partition, offset, error_code| Fetched {
        partition,
        offset,
        leader_epoch: -1,
        metadata: String::new(),
        error_code,
    };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let mut codes = client.commit(0, &commit_request("zero", &[(0, 7, "words"), (9, 1, "")]));
    codes.sort();
    assert_eq!(codes, [ErrorCode::NONE, unknown]);
    let fetched = client.fetch(0, "zero", Some(&[0, 1, 9]));
    let of = vec![
        expected(0, 7, ErrorCode::NONE),
        expected(1, -1, unknown),
        expected(9, -1, unknown),
    ];
    assert_eq!(fetched, (of, ErrorCode::NONE));
    client.find("zero");
    assert_eq!(
        client.fetch(1, "zero", Some(&[0])).0,
        [expected(0, -1, ErrorCode::NONE)]
    );
    let too_long = commit_request("zero", &[(1, 1, &"x".repeat(4097))]);
    assert_eq!(client.commit(0, &too_long), [ErrorCode::OFFSET_METADATA_TOO_LARGE]);
    if server.is_ours() {
        // Kafka would make a path of it.
        assert_eq!(
            client.commit(0, &commit_request("a/b", &[(1, 1, "")])),
            [ErrorCode::INVALID_GROUP_ID]
        );
    }
}

#[test]
fn offsets_are_deleted_one_by_one() {
    let server = Server::start();
    let mut client = server.client();
    let group_id = format!("deleted-{}", std::process::id());
    client.find(&group_id);
    let request = OffsetDeleteRequest {
        group_id: text(&group_id),
        topics: vec![OffsetDeleteRequestTopic {
            name: text("t"),
            partitions: [0, 9, 0]
                .map(|partition_index| OffsetDeleteRequestPartition { partition_index })
                .into(),
        }],
    };
    let missing: OffsetDeleteResponse = client.ask(ApiKey::OffsetDelete, 0, &request);
    assert_eq!(
        (missing.error_code, missing.topics.len()),
        (ErrorCode::GROUP_ID_NOT_FOUND, 0)
    );
    // What stands there more than once is committed, deleted and answered once, and the last holds.
    let often = commit_request(&group_id, &[(1, 6, ""), (0, 7, ""), (1, 8, "")]);
    assert_eq!(client.commit(9, &often), [ErrorCode::NONE; 2]);
    let deleted: OffsetDeleteResponse = client.ask(ApiKey::OffsetDelete, 0, &request);
    let mut codes: Vec<_> = deleted.topics.iter().flat_map(|topic| &topic.partitions).collect();
    codes.sort_by_key(|partition| partition.partition_index);
    let codes: Vec<_> = codes.iter().map(|partition| partition.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    let (left, _) = client.fetch(9, &group_id, None);
    assert_eq!(
        left.iter()
            .map(|fetched| (fetched.partition, fetched.offset))
            .collect::<Vec<_>>(),
        [(1, 8)]
    );
}

#[test]
fn coordinators_are_found_in_every_version() {
    let server = Server::start();
    let mut client = server.client();
    let port: i32 = server
        .address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port");
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version >= 4 {
            request.coordinator_keys = vec![text("warm-up"), text("another")];
        } else {
            request.key = text("warm-up");
        }
        let found: FindCoordinatorResponse = client.ask(ApiKey::FindCoordinator, version, &request);
        if version >= 4 {
            let keys: Vec<&str> = found.coordinators.iter().map(|coordinator| &*coordinator.key).collect();
            assert_eq!(keys, ["warm-up", "another"]);
            for found in &found.coordinators {
                assert_eq!(
                    (found.error_code, found.port),
                    (ErrorCode::NONE, port),
                    "FindCoordinator v{version}"
                );
            }
        } else {
            assert_eq!(
                (found.error_code, found.port),
                (ErrorCode::NONE, port),
                "FindCoordinator v{version}"
            );
        }
        if version >= 1 {
            let unknown = FindCoordinatorRequest { key_type: 7, ..request };
            let refused: FindCoordinatorResponse = client.ask(ApiKey::FindCoordinator, version, &unknown);
            let code = refused
                .coordinators
                .first()
                .map_or(refused.error_code, |found| found.error_code);
            assert_eq!(code, ErrorCode::INVALID_REQUEST, "FindCoordinator v{version}");
        }
    }
}

/// What Kafka does otherwise: it answers a key wherever it stands, and has coordinators of transactions.
#[test]
fn keys_are_answered_once_and_transactions_refused_for_good() {
    let server = Server::start();
    if !server.is_ours() {
        return;
    }
    let mut client = server.client();
    for version in 4..=6 {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![text("warm-up"), text("another"), text("warm-up")],
            ..Default::default()
        };
        let found: FindCoordinatorResponse = client.ask(ApiKey::FindCoordinator, version, &request);
        let keys: Vec<&str> = found.coordinators.iter().map(|found| &*found.key).collect();
        assert_eq!(keys, ["warm-up", "another"], "FindCoordinator v{version}");
    }
    for version in 1..=6 {
        let mut request = FindCoordinatorRequest {
            key_type: 1,
            ..Default::default()
        };
        match version {
            ..4 => request.key = text("t"),
            _ => request.coordinator_keys = vec![text("t")],
        }
        let refused: FindCoordinatorResponse = client.ask(ApiKey::FindCoordinator, version, &request);
        let (code, message) = match refused.coordinators.first() {
            Some(found) => (found.error_code, &found.error_message),
            None => (refused.error_code, &refused.error_message),
        };
        assert_eq!(
            (code, message.as_deref()),
            (
                ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                Some("Transactions are not supported by this broker yet.")
            ),
            "FindCoordinator v{version}"
        );
    }
}

#[test]
fn requests_that_no_group_can_serve() {
    let server = Server::start();
    let mut client = server.client();
    let refused = |client: &mut Client, version, request: JoinGroupRequest| {
        let joined: JoinGroupResponse = client.ask(ApiKey::JoinGroup, version, &request);
        assert_eq!((joined.generation_id, joined.members.len()), (-1, 0));
        let name = joined.protocol_name.as_deref();
        assert_eq!(name, if version >= 7 { None } else { Some("") }, "JoinGroup v{version}");
        joined.error_code
    };
    for version in [0, 3, 5, 6, 7, 9] {
        assert_eq!(
            refused(&mut client, version, join_request("")),
            ErrorCode::INVALID_GROUP_ID
        );
        let short = JoinGroupRequest {
            session_timeout_ms: 1,
            ..join_request("warm-up")
        };
        assert_eq!(refused(&mut client, version, short), ErrorCode::INVALID_SESSION_TIMEOUT);
        let stranger = JoinGroupRequest {
            member_id: text("x"),
            ..join_request("warm-up")
        };
        assert_eq!(refused(&mut client, version, stranger), ErrorCode::UNKNOWN_MEMBER_ID);
        let nothing = JoinGroupRequest {
            protocols: vec![],
            ..join_request("nothing")
        };
        assert_eq!(
            refused(&mut client, version, nothing),
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL
        );
    }
    let leave = LeaveGroupRequest {
        group_id: text("nowhere"),
        members: vec![MemberIdentity {
            member_id: text("m"),
            ..Default::default()
        }],
        ..Default::default()
    };
    let left: LeaveGroupResponse = client.ask(ApiKey::LeaveGroup, 5, &leave);
    assert_eq!(
        (left.error_code, left.members[0].error_code),
        (ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID)
    );
}

#[test]
fn a_parked_member_does_not_keep_the_memory_of_requests() {
    let server = Server::start_with(&["queued.max.request.bytes=1048576", "socket.request.max.bytes=1048576"]);
    if !server.is_ours() {
        return;
    }
    let (mut first, mut parked, mut other) = (server.client(), server.client(), server.client());
    let group_id = format!("parked-{}", std::process::id());
    first.find(&group_id);
    assert_eq!(first.join(3, &join_request(&group_id)).error_code, ErrorCode::NONE);
    let large = |group_id: &str| {
        let mut request = join_request(group_id);
        request.protocols[0].metadata = vec![0; 700 * 1024].into();
        request
    };
    // It waits for the first one, who does not rejoin. The memory of requests is too small for two of these.
    parked.send(ApiKey::JoinGroup, 3, &large(&group_id));
    let alone = format!("alone-{}", std::process::id());
    other.find(&alone);
    while first.describe(&group_id, 0).groups[0].members.len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(other.join(3, &large(&alone)).error_code, ErrorCode::NONE);
    assert!(!parked.is_answered(), "the other one had to wait for it");
}
