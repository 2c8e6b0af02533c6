//! Records of every version that there ever was.

use protocol::coordinator_records::group as wire;
use protocol::{Message, Utf8Bytes, Writer};

use super::*;

fn bytes<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.put_slice(&version.to_be_bytes());
    message.encode(&mut writer, version).expect("the version is known");
    writer.into_bytes().expect("there are no files in it")
}

fn offset_key(version: i16) -> Bytes {
    bytes(
        &wire::OffsetCommitKey {
            group: "g".into(),
            topic: "t".into(),
            partition: 5,
        },
        version,
    )
}

#[test]
fn what_is_written_is_what_kafka_writes() {
    let value = OffsetAndMetadata {
        offset: 258,
        leader_epoch: None,
        metadata: Box::from("m"),
        commit_timestamp_ms: 1,
        expire_timestamp_ms: None,
    };
    let record = |value| Record::Offset {
        topic: Arc::from("t"),
        partition: 5,
        value,
    };
    let encoded = encode("g", &record(Some(value.clone()))).unwrap();
    assert_eq!(&encoded.key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x05");
    let v3 = b"\0\x03\0\0\0\0\0\0\x01\x02\xff\xff\xff\xff\0\x01m\0\0\0\0\0\0\0\x01";
    assert_eq!(encoded.value.as_deref(), Some(&v3[..]));
    let expiring = OffsetAndMetadata {
        expire_timestamp_ms: Some(2),
        ..value
    };
    let v1 = b"\0\x01\0\0\0\0\0\0\x01\x02\0\x01m\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02";
    assert_eq!(
        encode("g", &record(Some(expiring))).unwrap().value.as_deref(),
        Some(&v1[..])
    );
    assert_eq!(encode("g", &record(None)).unwrap().value, None);
    let group = encode("g", &Record::Group(None)).unwrap();
    assert_eq!((&group.key[..], group.value), (&b"\0\x02\0\x01g"[..], None));
}

#[test]
fn offsets_of_every_version_are_read() {
    for (key_version, value_version) in [(0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4)] {
        let wire_value = wire::OffsetCommitValue {
            offset: 7,
            leader_epoch: if value_version >= 3 { 4 } else { -1 },
            metadata: Utf8Bytes::from_static("m"),
            commit_timestamp: 11,
            expire_timestamp: if value_version == 1 { 12 } else { -1 },
            ..Default::default()
        };
        let decoded = decode(&offset_key(key_version), Some(&bytes(&wire_value, value_version))).unwrap();
        let expected = OffsetAndMetadata {
            offset: 7,
            leader_epoch: (value_version >= 3).then_some(4),
            metadata: Box::from("m"),
            commit_timestamp_ms: 11,
            expire_timestamp_ms: (value_version == 1).then_some(12),
        };
        let record = Record::Offset {
            topic: Arc::from("t"),
            partition: 5,
            value: Some(expected),
        };
        assert_eq!(
            decoded,
            DecodedRecord::Known {
                group_id: Arc::from("g"),
                record
            },
            "value version {value_version}"
        );
    }
}

#[test]
fn groups_of_every_version_are_read() {
    let key = bytes(&wire::GroupMetadataKey { group: "g".into() }, 2);
    for version in 0..=4 {
        let member = wire::MemberMetadata {
            member_id: "m".into(),
            group_instance_id: (version >= 3).then(|| "i".into()),
            client_id: "c".into(),
            client_host: "/1.2.3.4".into(),
            rebalance_timeout: if version >= 1 { 300 } else { -1 },
            session_timeout: 100,
            subscription: Bytes::from_static(b"s"),
            assignment: Bytes::from_static(b"a"),
        };
        let value = wire::GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 9,
            protocol: Some("range".into()),
            leader: Some("m".into()),
            current_state_timestamp: if version >= 2 { 77 } else { -1 },
            members: vec![member],
        };
        let DecodedRecord::Known {
            record: Record::Group(Some(group)),
            ..
        } = decode(&key, Some(&bytes(&value, version))).unwrap()
        else {
            panic!("version {version} is no group")
        };
        assert_eq!(group.state_timestamp_ms, (version >= 2).then_some(77));
        assert_eq!(
            group.members[0].rebalance_timeout_ms,
            if version >= 1 { 300 } else { 100 }
        );
        assert_eq!(group.members[0].instance_id.as_deref(), (version >= 3).then_some("i"));
        let mut driver = Driver::new(config());
        driver.group.apply(Record::Group(Some(group)), 0);
        driver.group.note(Note::Committed { high_watermark: 1 });
        driver.group.restore(driver.now);
        assert_eq!(
            (driver.group.state(), driver.group.generation_id()),
            (GroupState::Stable, 9)
        );
        assert_eq!(driver.heartbeat("m", 9), Ok(()));
    }
}

#[test]
fn what_is_not_understood_is_not_taken_for_nothing() {
    let newer_key = Bytes::from_static(b"\0\x03\0\x01g");
    assert!(matches!(
        decode(&newer_key, None),
        Ok(DecodedRecord::UnknownKey { version: 3 })
    ));
    let newer_value = Bytes::from_static(b"\0\x09whatever");
    assert!(matches!(
        decode(&offset_key(1), Some(&newer_value)),
        Err(RecordError::UnknownValueVersion { version: 9, .. })
    ));
    assert!(matches!(
        decode(&Bytes::from_static(b"\0"), None),
        Ok(DecodedRecord::UnreadableKey(RecordError::NoVersion { .. }))
    ));
    assert!(matches!(
        decode(&Bytes::from_static(b"\0\x01\xff"), None),
        Ok(DecodedRecord::UnreadableKey(RecordError::Malformed { .. }))
    ));
    let torn = Bytes::from_static(b"\0\x03\0\0");
    assert!(matches!(
        decode(&offset_key(1), Some(&torn)),
        Err(RecordError::Malformed { .. })
    ));
    let memberless = wire::GroupMetadataValue {
        members: vec![wire::MemberMetadata::default()],
        protocol: None,
        ..Default::default()
    };
    let key = bytes(&wire::GroupMetadataKey { group: "g".into() }, 2);
    assert!(matches!(
        decode(&key, Some(&bytes(&memberless, 3))),
        Err(RecordError::MembersWithoutProtocol { .. })
    ));
}

#[test]
fn a_group_above_a_lowered_limit_rebalances_when_it_is_loaded() {
    let mut driver = Driver::new(config());
    driver.stable_consumer(&["t"]);
    driver.config.max_size = 0;
    driver.reload();
    assert_eq!(driver.group.state(), GroupState::PreparingRebalance);
}
