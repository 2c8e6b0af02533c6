//! The records of `__consumer_offsets`, in Kafka's own format.
//!
//! A key starts with its version, which is also its kind: 0 and 1 name a committed offset, 2 names a group. A value starts
//! with its version. What is written are the versions that every coordinator since Kafka 2.3 reads; all older ones and
//! Kafka 4's are read.

use std::sync::Arc;

use bytes::Bytes;
use protocol::coordinator_records::group as wire;
use protocol::{DecodeError, EncodeError, Message, Reader, Utf8Bytes, Writer};

const OFFSET_COMMIT_KEY: i16 = 1;
const GROUP_METADATA_KEY: i16 = 2;
/// The only value version with an expire timestamp.
const OFFSET_COMMIT_VALUE_EXPIRING: i16 = 1;
/// The highest versions that are not flexible: coordinators before Kafka 3.5 read no newer ones.
const OFFSET_COMMIT_VALUE: i16 = 3;
const GROUP_METADATA_VALUE: i16 = 3;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The next offset that the consumer will read.
    pub offset: i64,
    /// The leader epoch of the last record that was read, if the client knows it (KIP-320).
    pub leader_epoch: Option<i32>,
    /// The client's own words.
    pub metadata: Box<str>,
    /// When it was committed.
    pub commit_timestamp_ms: i64,
    /// When it expires, if the client has said so (OffsetCommit v2–4).
    pub expire_timestamp_ms: Option<i64>,
}

/// A group and its members, as written when a generation got its assignment or the last member went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    /// `consumer`, `connect`, …
    pub protocol_type: Arc<str>,
    /// The generation.
    pub generation_id: i32,
    /// The chosen protocol; `None` without members.
    pub protocol_name: Option<Arc<str>>,
    /// The leader's member id; `None` without members.
    pub leader: Option<Arc<str>>,
    /// When the group came into its state; unknown in records of coordinators before Kafka 2.1.
    pub state_timestamp_ms: Option<i64>,
    /// The members.
    pub members: Vec<PersistedMember>,
}

/// A member, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersistedMember {
    /// Its member id.
    pub member_id: Arc<str>,
    /// Set for static members.
    pub instance_id: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address.
    pub client_host: Arc<str>,
    /// How long a rebalance waits for it.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// Its metadata for the chosen protocol.
    pub subscription: Bytes,
    /// What it was assigned.
    pub assignment: Bytes,
}

/// A record of one group. `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A committed offset.
    Offset {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The offset.
        value: Option<OffsetAndMetadata>,
    },
    /// The group itself.
    Group(Option<Arc<GroupMetadata>>),
}

/// A key and a value as they are in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    /// Never empty.
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// What a key and a value mean.
#[derive(Debug, PartialEq)]
pub enum DecodedRecord {
    /// A record of a group.
    Known {
        /// Which group.
        group_id: Arc<str>,
        /// What it says.
        record: Record,
    },
    /// A kind of record that is not known here: newer, and meant to be skipped.
    UnknownKey {
        /// The key's version.
        version: i16,
    },
    /// A key that no version of Kafka has written: nobody can say whose it is.
    UnreadableKey(RecordError),
}

/// Why a record cannot be understood.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// There are no two bytes of a version.
    #[error("a {what} of {length} bytes has no version")]
    NoVersion {
        /// `key` or `value`.
        what: &'static str,
        /// How long it is.
        length: usize,
    },
    /// A value of a version that is not known here.
    #[error("version {version} of {name} is not known")]
    UnknownValueVersion {
        /// The message's name.
        name: &'static str,
        /// The version.
        version: i16,
    },
    /// The bytes are not what their version says.
    #[error("{name} cannot be decoded")]
    Malformed {
        /// The message's name.
        name: &'static str,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A group with members has no protocol.
    #[error("group {group_id} has {members} members and no protocol")]
    MembersWithoutProtocol {
        /// Which group.
        group_id: Arc<str>,
        /// How many members.
        members: usize,
    },
}

/// How many bytes key and value take, without encoding them: what is too large for a batch must be seen before it is made, since
/// each key repeats the group's name. Of a group's description it is what strings and bytes take, so never too much.
pub fn size_in_bytes(group_id: &str, record: &Record) -> usize {
    // Version, and the lengths of strings.
    const OFFSET_KEY: usize = 2 + 2 + 2 + 4;
    const GROUP_KEY: usize = 2 + 2;
    // Version, offset, leader epoch, length of the metadata, time of the commit; with an expire timestamp, no leader epoch.
    const OFFSET_VALUE: usize = 2 + 8 + 4 + 2 + 8;
    const OFFSET_VALUE_EXPIRING: usize = 2 + 8 + 2 + 8 + 8;
    match record {
        Record::Offset { topic, value, .. } => {
            let value_bytes = |value: &OffsetAndMetadata| {
                let fixed = match value.expire_timestamp_ms {
                    Some(_) => OFFSET_VALUE_EXPIRING,
                    None => OFFSET_VALUE,
                };
                fixed + value.metadata.len()
            };
            OFFSET_KEY + group_id.len() + topic.len() + value.as_ref().map_or(0, value_bytes)
        }
        Record::Group(metadata) => {
            let member_bytes = |member: &PersistedMember| {
                member.member_id.len()
                    + member.client_id.len()
                    + member.client_host.len()
                    + member.subscription.len()
                    + member.assignment.len()
            };
            let members = metadata.iter().flat_map(|metadata| &metadata.members);
            GROUP_KEY + group_id.len() + members.map(member_bytes).sum::<usize>()
        }
    }
}

/// The key and value of a group's record.
pub fn encode(group_id: &str, record: &Record) -> Result<EncodedRecord, EncodeError> {
    let group = Utf8Bytes::from(group_id);
    match record {
        Record::Offset {
            topic,
            partition,
            value,
        } => {
            let key = wire::OffsetCommitKey {
                group,
                topic: Utf8Bytes::from(&**topic),
                partition: *partition,
            };
            let value = value.as_ref().map(encode_offset).transpose()?;
            Ok(EncodedRecord {
                key: prefixed(&key, OFFSET_COMMIT_KEY)?,
                value,
            })
        }
        Record::Group(metadata) => {
            let key = wire::GroupMetadataKey { group };
            let value = metadata.as_deref().map(encode_group).transpose()?;
            Ok(EncodedRecord {
                key: prefixed(&key, GROUP_METADATA_KEY)?,
                value,
            })
        }
    }
}

fn encode_offset(value: &OffsetAndMetadata) -> Result<Bytes, EncodeError> {
    let version = if value.expire_timestamp_ms.is_some() {
        OFFSET_COMMIT_VALUE_EXPIRING
    } else {
        OFFSET_COMMIT_VALUE
    };
    let message = wire::OffsetCommitValue {
        offset: value.offset,
        leader_epoch: value.leader_epoch.unwrap_or(-1),
        metadata: Utf8Bytes::from(&*value.metadata),
        commit_timestamp: value.commit_timestamp_ms,
        expire_timestamp: value.expire_timestamp_ms.unwrap_or(-1),
        ..Default::default()
    };
    prefixed(&message, version)
}

fn encode_group(metadata: &GroupMetadata) -> Result<Bytes, EncodeError> {
    let member = |member: &PersistedMember| wire::MemberMetadata {
        member_id: Utf8Bytes::from(&*member.member_id),
        group_instance_id: member.instance_id.as_deref().map(Utf8Bytes::from),
        client_id: Utf8Bytes::from(&*member.client_id),
        client_host: Utf8Bytes::from(&*member.client_host),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
    };
    let message = wire::GroupMetadataValue {
        protocol_type: Utf8Bytes::from(&*metadata.protocol_type),
        generation: metadata.generation_id,
        protocol: metadata.protocol_name.as_deref().map(Utf8Bytes::from),
        leader: metadata.leader.as_deref().map(Utf8Bytes::from),
        current_state_timestamp: metadata.state_timestamp_ms.unwrap_or(-1),
        members: metadata.members.iter().map(member).collect(),
    };
    prefixed(&message, GROUP_METADATA_VALUE)
}

fn prefixed<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.put_slice(&version.to_be_bytes());
    message.encode(&mut writer, version)?;
    let bytes = writer.into_bytes();
    Ok(bytes.unwrap_or_else(|| panic!("{} holds a file range, but has no field for one", M::NAME)))
}

/// What a key and a value of the log mean. Nothing of the result keeps the bytes alive that were read.
pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<DecodedRecord, RecordError> {
    let (group_id, record) = match decode_key(key) {
        Ok(Key::Offset(key)) => {
            let record = Record::Offset {
                topic: Arc::from(&*key.topic),
                partition: key.partition,
                value: value.map(decode_offset).transpose()?,
            };
            (Arc::from(&*key.group), record)
        }
        Ok(Key::Group(key)) => {
            let group_id: Arc<str> = Arc::from(&*key.group);
            let metadata = value.map(|value| decode_group(&group_id, value)).transpose()?;
            (group_id, Record::Group(metadata.map(Arc::new)))
        }
        Ok(Key::Unknown(version)) => return Ok(DecodedRecord::UnknownKey { version }),
        Err(error) => return Ok(DecodedRecord::UnreadableKey(error)),
    };
    Ok(DecodedRecord::Known { group_id, record })
}

enum Key {
    Offset(wire::OffsetCommitKey),
    Group(wire::GroupMetadataKey),
    /// Of a newer version.
    Unknown(i16),
}

fn decode_key(key: &Bytes) -> Result<Key, RecordError> {
    let (version, body) = split_version(key, "key")?;
    Ok(match version {
        of_offset if wire::OffsetCommitKey::VERSIONS.contains(&of_offset) => Key::Offset(decode_body(body, version)?),
        of_group if wire::GroupMetadataKey::VERSIONS.contains(&of_group) => Key::Group(decode_body(body, version)?),
        unknown => Key::Unknown(unknown),
    })
}

fn decode_offset(value: &Bytes) -> Result<OffsetAndMetadata, RecordError> {
    let value: wire::OffsetCommitValue = decode_value(value)?.1;
    Ok(OffsetAndMetadata {
        offset: value.offset,
        leader_epoch: (value.leader_epoch != -1).then_some(value.leader_epoch),
        metadata: Box::from(&*value.metadata),
        commit_timestamp_ms: value.commit_timestamp,
        expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
    })
}

fn decode_group(group_id: &Arc<str>, value: &Bytes) -> Result<GroupMetadata, RecordError> {
    let (version, value): (i16, wire::GroupMetadataValue) = decode_value(value)?;
    if value.protocol.is_none() && !value.members.is_empty() {
        let members = value.members.len();
        return Err(RecordError::MembersWithoutProtocol {
            group_id: group_id.clone(),
            members,
        });
    }
    let member = |member: &wire::MemberMetadata| PersistedMember {
        member_id: Arc::from(&*member.member_id),
        instance_id: member.group_instance_id.as_deref().map(Arc::from),
        client_id: Arc::from(&*member.client_id),
        client_host: Arc::from(&*member.client_host),
        // Version 0 is of a time when one timeout served for both.
        rebalance_timeout_ms: if version == 0 {
            member.session_timeout
        } else {
            member.rebalance_timeout
        },
        session_timeout_ms: member.session_timeout,
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
    };
    Ok(GroupMetadata {
        protocol_type: Arc::from(&*value.protocol_type),
        generation_id: value.generation,
        protocol_name: value.protocol.as_deref().map(Arc::from),
        leader: value.leader.as_deref().map(Arc::from),
        state_timestamp_ms: (value.current_state_timestamp != -1).then_some(value.current_state_timestamp),
        members: value.members.iter().map(member).collect(),
    })
}

fn decode_value<M: Message>(value: &Bytes) -> Result<(i16, M), RecordError> {
    let (version, body) = split_version(value, "value")?;
    if !M::VERSIONS.contains(&version) {
        return Err(RecordError::UnknownValueVersion { name: M::NAME, version });
    }
    Ok((version, decode_body(body, version)?))
}

fn decode_body<M: Message>(body: Bytes, version: i16) -> Result<M, RecordError> {
    M::decode(&mut Reader::new(body), version).map_err(|source| RecordError::Malformed { name: M::NAME, source })
}

fn split_version(bytes: &Bytes, what: &'static str) -> Result<(i16, Bytes), RecordError> {
    match bytes.split_first_chunk::<2>() {
        Some((version, _)) => Ok((i16::from_be_bytes(*version), bytes.slice(2..))),
        None => Err(RecordError::NoVersion {
            what,
            length: bytes.len(),
        }),
    }
}
