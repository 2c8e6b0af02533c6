//! A broker under test, and a client that speaks any version.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::messages::{
    create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse},
    delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse},
    describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse},
    find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
    join_group::{JoinGroupRequest, JoinGroupResponse},
    offset_commit::{OffsetCommitRequest, OffsetCommitResponse},
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        OffsetFetchResponse,
    },
};
use protocol::{ApiKey, ErrorCode, Message, Reader, Utf8Bytes, Writer};
use tempfile::TempDir;

/// A broker of its own, or the one that the environment names.
pub struct Server {
    child: Option<Child>,
    pub address: String,
    /// Where all that it writes lies: it is killed and removes nothing itself.
    _dir: Option<TempDir>,
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// With these keys overridden, where it is a broker of its own.
    pub fn start_with(overrides: &[&str]) -> Server {
        if let Ok(address) = std::env::var("GROUPS_AT") {
            return Server {
                child: None,
                address,
                _dir: None,
            };
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ready = dir.path().join("ready");
        let child = Command::new(env!("CARGO_BIN_EXE_sordini"))
            .args(["--ephemeral", "--override", "listeners=PLAINTEXT://127.0.0.1:0"])
            .args(["--override", "group.initial.rebalance.delay.ms=0"])
            .args(overrides.iter().flat_map(|key| ["--override", key]))
            .arg("--ready-file")
            .arg(&ready)
            .env("TMPDIR", dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match std::fs::read_to_string(&ready) {
                Ok(address) if address.ends_with('\n') || !address.is_empty() => {
                    return Server {
                        child: Some(child),
                        address: address.trim().to_string(),
                        _dir: Some(dir),
                    };
                }
                _ => assert!(Instant::now() < deadline, "the broker does not become ready"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn is_ours(&self) -> bool {
        self.child.is_some()
    }

    /// A connection, and the topic `t` with two partitions.
    pub fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).expect("the broker listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        let mut client = Client {
            stream,
            correlation_id: 0,
        };
        let topic = CreatableTopic {
            name: text("t"),
            num_partitions: 2,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 30_000,
            ..Default::default()
        };
        let created: CreateTopicsResponse = client.ask(ApiKey::CreateTopics, 5, &request);
        let code = created.topics[0].error_code;
        assert!(
            code == ErrorCode::NONE || code == ErrorCode::TOPIC_ALREADY_EXISTS,
            "{code:?}"
        );
        client.find("warm-up");
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself, which the test has noticed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub fn ask<Q: Message, R: Message>(&mut self, key: ApiKey, version: i16, request: &Q) -> R {
        self.send(key, version, request);
        self.receive(key, version)
    }

    /// Whether an answer is there.
    pub fn is_answered(&self) -> bool {
        self.stream.set_nonblocking(true).expect("the socket lives");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("the socket lives");
        !matches!(peeked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    pub fn send<Q: Message>(&mut self, key: ApiKey, version: i16, request: &Q) {
        self.correlation_id += 1;
        let header = RequestHeader {
            request_api_key: key.number(),
            request_api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(text("groups-test")),
        };
        let mut writer = Writer::new();
        header
            .encode(&mut writer, key.request_header_version(version))
            .expect("the header is short");
        request
            .encode(&mut writer, version)
            .unwrap_or_else(|error| panic!("{key:?} v{version}: {error}"));
        let body = writer.into_bytes().expect("there are no files in it");
        let frame = [&(body.len() as u32).to_be_bytes(), &body[..]].concat();
        self.stream.write_all(&frame).expect("the broker reads");
    }

    pub fn receive<R: Message>(&mut self, key: ApiKey, version: i16) -> R {
        let mut length = [0; 4];
        let read = self.stream.read_exact(&mut length);
        read.unwrap_or_else(|error| panic!("{key:?} v{version} is not answered: {error}"));
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).expect("the answer is whole");
        let mut reader = Reader::new(Bytes::from(answer));
        let header = ResponseHeader::decode(&mut reader, key.response_header_version(version)).expect("a header");
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = R::decode(&mut reader, version).unwrap_or_else(|error| panic!("{key:?} v{version}: {error}"));
        assert_eq!(reader.remaining(), 0, "{key:?} v{version}: bytes behind the answer");
        response
    }

    /// Waits until the group has a coordinator that serves it.
    pub fn find(&mut self, group_id: &str) {
        for _ in 0..3_000 {
            let request = FindCoordinatorRequest {
                coordinator_keys: vec![text(group_id)],
                ..Default::default()
            };
            let found: FindCoordinatorResponse = self.ask(ApiKey::FindCoordinator, 4, &request);
            let described = self.describe(group_id, 0).groups[0].error_code;
            if found.coordinators[0].error_code == ErrorCode::NONE && described == ErrorCode::NONE {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("group {group_id} has no coordinator");
    }

    pub fn describe(&mut self, group_id: &str, version: i16) -> DescribeGroupsResponse {
        let request = DescribeGroupsRequest {
            groups: vec![text(group_id)],
            include_authorized_operations: version >= 3,
        };
        self.ask(ApiKey::DescribeGroups, version, &request)
    }

    pub fn join(&mut self, version: i16, request: &JoinGroupRequest) -> JoinGroupResponse {
        let first: JoinGroupResponse = self.ask(ApiKey::JoinGroup, version, request);
        if first.error_code != ErrorCode::MEMBER_ID_REQUIRED {
            return first;
        }
        assert!(version >= 4 && request.group_instance_id.is_none());
        assert_eq!((first.generation_id, &*first.leader, first.members.len()), (-1, "", 0));
        self.ask(
            ApiKey::JoinGroup,
            version,
            &JoinGroupRequest {
                member_id: first.member_id,
                ..request.clone()
            },
        )
    }

    pub fn commit(&mut self, version: i16, request: &OffsetCommitRequest) -> Vec<ErrorCode> {
        let response: OffsetCommitResponse = self.ask(ApiKey::OffsetCommit, version, request);
        response
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|partition| partition.error_code)
            .collect()
    }

    /// Offset, leader epoch, metadata, error of each partition of `t`, and the group's error.
    pub fn fetch(&mut self, version: i16, group_id: &str, partitions: Option<&[i32]>) -> (Vec<Fetched>, ErrorCode) {
        let of_topic = |name: &str| OffsetFetchRequestTopic {
            name: text(name),
            partition_indexes: partitions.unwrap_or_default().to_vec(),
        };
        let batched = OffsetFetchRequestTopics {
            name: text("t"),
            partition_indexes: partitions.unwrap_or_default().to_vec(),
            ..Default::default()
        };
        let mut request = OffsetFetchRequest {
            require_stable: version >= 7,
            ..Default::default()
        };
        if version >= 8 {
            request.groups = vec![OffsetFetchRequestGroup {
                group_id: text(group_id),
                topics: partitions.map(|_| vec![batched]),
                ..Default::default()
            }];
        } else {
            request.group_id = text(group_id);
            request.topics = partitions.map(|_| vec![of_topic("t")]);
        }
        let response: OffsetFetchResponse = self.ask(ApiKey::OffsetFetch, version, &request);
        if version >= 8 {
            let group = &response.groups[0];
            let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
            let fetched = partitions.map(|p| Fetched {
                partition: p.partition_index,
                offset: p.committed_offset,
                leader_epoch: p.committed_leader_epoch,
                metadata: p.metadata.as_deref().unwrap_or("null").to_string(),
                error_code: p.error_code,
            });
            return (sorted(fetched), group.error_code);
        }
        let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
        let fetched = partitions.map(|p| Fetched {
            partition: p.partition_index,
            offset: p.committed_offset,
            leader_epoch: p.committed_leader_epoch,
            metadata: p.metadata.as_deref().unwrap_or("null").to_string(),
            error_code: p.error_code,
        });
        (sorted(fetched), response.error_code)
    }

    pub fn delete(&mut self, version: i16, group_id: &str) -> ErrorCode {
        let request = DeleteGroupsRequest {
            groups_names: vec![text(group_id), text(group_id)],
        };
        let response: DeleteGroupsResponse = self.ask(ApiKey::DeleteGroups, version, &request);
        assert_eq!(response.results.len(), 1, "a group that is named twice is deleted once");
        response.results[0].error_code
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fetched {
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
    pub error_code: ErrorCode,
}

fn sorted(fetched: impl Iterator<Item = Fetched>) -> Vec<Fetched> {
    let mut fetched: Vec<_> = fetched.collect();
    fetched.sort();
    fetched
}

pub fn text(value: &str) -> Utf8Bytes {
    Utf8Bytes::from(value)
}
