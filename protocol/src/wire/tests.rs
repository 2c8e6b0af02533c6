use bytes::{Bytes, BytesMut};

use super::*;
use crate::error_code::ErrorCode;
use crate::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use crate::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use crate::messages::produce::ProduceRequest;

fn encode<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version).unwrap();
    writer.into_bytes().unwrap()
}

fn fetch_response(records: Chunk) -> FetchResponse {
    let partition = PartitionData {
        partition_index: 3,
        records: Some(records),
        ..Default::default()
    };
    let topic = FetchableTopicResponse {
        topic: "t".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    FetchResponse {
        responses: vec![topic],
        ..Default::default()
    }
}

#[test]
fn a_claimed_array_allocates_nothing() {
    // A Produce v8 body of twelve bytes that claims i32::MAX topics.
    let body = Bytes::from_static(&[0xff, 0xff, 0, 1, 0, 0, 0, 9, 0x7f, 0xff, 0xff, 0xff]);
    let error = ProduceRequest::decode(&mut Reader::new(body), 8).unwrap_err();
    assert_eq!(
        error.kind,
        DecodeErrorKind::ArrayTooLong {
            length: i32::MAX as usize,
            remaining: 0
        }
    );
    assert_eq!((error.structure(), error.field()), ("ProduceRequest", "topic_data"));
    assert_eq!(
        error.to_string(),
        "array of 2147483647 elements claimed with 0 bytes left (ProduceRequest.topic_data at byte 12)"
    );
}

#[test]
fn arrays_stay_within_the_budget() {
    // A million topics of one byte each would take 48 MB.
    let mut body = BytesMut::from(&[0x00, 0x0f, 0x42, 0x40][..]);
    body.resize(4 + 1_000_000, 0);
    let body = body.freeze();
    let mut reader = Reader::with_budget(body.clone(), 1 << 20);
    let error = MetadataRequest::decode(&mut reader, 1).unwrap_err();
    assert!(matches!(error.kind, DecodeErrorKind::Budget { .. }), "{error}");
    assert!(Reader::new(body).budget() < 17_000_000);
}

#[test]
fn budgets_are_charged_by_what_elements_take() {
    let topics = vec![MetadataRequestTopic::default(); 10];
    let body = encode(
        &MetadataRequest {
            topics: Some(topics),
            ..Default::default()
        },
        1,
    );
    let needed = 10 * size_of::<MetadataRequestTopic>();
    let mut reader = Reader::with_budget(body.clone(), needed);
    MetadataRequest::decode(&mut reader, 1).unwrap();
    assert_eq!((reader.budget(), reader.remaining()), (0, 0));
    assert!(MetadataRequest::decode(&mut Reader::with_budget(body, needed - 1), 1).is_err());
}

#[test]
fn too_many_tagged_fields_are_refused_and_unknown_ones_skipped() {
    let empty = encode(&MetadataRequest::default(), 9);
    let body = |count: u8| {
        let mut body = BytesMut::from(&empty[..empty.len() - 1]);
        body.extend_from_slice(&[count]);
        (0..count).for_each(|tag| body.extend_from_slice(&[tag, 2, 0xaa, 0xbb]));
        body.freeze()
    };
    let mut reader = Reader::new(body(64));
    assert_eq!(MetadataRequest::decode(&mut reader, 9), Ok(MetadataRequest::default()));
    assert_eq!(reader.remaining(), 0);
    let error = MetadataRequest::decode(&mut Reader::new(body(65)), 9).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooManyTaggedFields(65));
}

#[test]
fn a_tagged_field_takes_exactly_its_size() {
    // FetchRequest v12, cluster id (tag 0) "ab": size 3; then sizes that lie.
    let body = encode(
        &crate::messages::fetch::FetchRequest {
            cluster_id: Some("ab".into()),
            ..Default::default()
        },
        12,
    );
    let at = body.len() - 4;
    assert_eq!(body[at - 1..], [0, 3, 3, b'a', b'b']);
    for (size, expected) in [(2, "bytes needed"), (4, "bytes needed")] {
        let mut lying = BytesMut::from(&body[..]);
        lying[at] = size;
        let error = crate::messages::fetch::FetchRequest::decode(&mut Reader::new(lying.freeze()), 12).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut longer = BytesMut::from(&body[..]);
    longer[at] = 4;
    longer.extend_from_slice(b"x");
    let error = crate::messages::fetch::FetchRequest::decode(&mut Reader::new(longer.freeze()), 12).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TaggedSize { claimed: 4, used: 3 });
}

#[test]
fn what_a_version_lacks_must_not_be_set() {
    let request = MetadataRequest {
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let error = request.encode(&mut Writer::new(), 3).unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::NotInVersion(3));
    assert_eq!(error.field(), "allow_auto_topic_creation");
    assert!(request.encode(&mut Writer::new(), 4).is_ok());
    // This one may be left out in silence.
    let response = MetadataResponse {
        cluster_id: Some("c".into()),
        ..Default::default()
    };
    assert!(response.encode(&mut Writer::new(), 1).is_ok());
    assert_eq!(
        request.encode(&mut Writer::new(), 99).unwrap_err().kind,
        EncodeErrorKind::Version(99)
    );
    let error = MetadataRequest {
        topics: None,
        ..Default::default()
    }
    .encode(&mut Writer::new(), 0)
    .unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::Null(0));
}

#[test]
fn a_string_too_long_for_its_length_is_an_error() {
    let topic = MetadataRequestTopic {
        name: Some("x".repeat(32_768).into()),
        ..Default::default()
    };
    for version in [1, 9] {
        let request = MetadataRequest {
            topics: Some(vec![topic.clone()]),
            ..Default::default()
        };
        let error = request.encode(&mut Writer::new(), version).unwrap_err();
        assert_eq!(error.kind, EncodeErrorKind::TooLong(32_768));
    }
}

#[test]
fn records_are_slices_of_the_frame() {
    let records = Bytes::from(vec![7; 5000]);
    let body = encode(&fetch_response(Chunk::Memory(records)), 4);
    let range = body.as_ptr_range();
    let decoded = FetchResponse::decode(&mut Reader::new(body.clone()), 4).unwrap();
    let Some(Chunk::Memory(records)) = &decoded.responses[0].partitions[0].records else {
        panic!("{decoded:?}")
    };
    assert!(range.contains(&records.as_ptr()));
    assert!(range.contains(&decoded.responses[0].topic.as_bytes().as_ptr()));
    assert!(!range.contains(&decoded.responses[0].topic.detached().as_bytes().as_ptr()));
}

#[test]
fn file_ranges_and_large_bytes_are_not_copied() {
    let file = std::sync::Arc::new(std::fs::File::open("/dev/null").unwrap());
    let range = FileRange {
        file,
        position: 10,
        length: 300,
    };
    let mut writer = Writer::frame(100);
    fetch_response(Chunk::File(range.clone()))
        .encode(&mut writer, 4)
        .unwrap();
    let large = Bytes::from(vec![1; 9000]);
    fetch_response(Chunk::Memory(large.clone()))
        .encode(&mut writer, 4)
        .unwrap();
    fetch_response(Chunk::Memory(Bytes::from_static(b"small")))
        .encode(&mut writer, 4)
        .unwrap();
    let length = writer.len();
    let chunks = writer.into_frame().unwrap();
    assert_eq!(chunks.iter().map(Chunk::len).sum::<usize>(), length);
    assert_eq!(chunks.len(), 5);
    assert_eq!(chunks[1], Chunk::File(range));
    assert_eq!(chunks[3].as_memory().unwrap().as_ptr(), large.as_ptr());
    let prefix = chunks[0].as_memory().unwrap()[..4].try_into().unwrap();
    assert_eq!(i32::from_be_bytes(prefix) as usize, length - 4);
}

#[test]
fn varints_end_where_javas_do() {
    for (bytes, expected) in [
        (&[0x00][..], Ok(0)),
        (&[0x7f], Ok(127)),
        (&[0x80, 0x01], Ok(128)),
        (&[0xff, 0xff, 0xff, 0xff, 0x07], Ok(i32::MAX as u32)),
        (&[0xff, 0xff, 0xff, 0xff, 0x08], Err(DecodeErrorKind::Varint)),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], Err(DecodeErrorKind::Varint)),
        (
            &[0x80],
            Err(DecodeErrorKind::Short {
                needed: 1,
                remaining: 0,
            }),
        ),
    ] {
        let read = Reader::new(Bytes::from_static(bytes))
            .unsigned_varint()
            .map_err(|error| error.kind);
        assert_eq!(read, expected, "{bytes:x?}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_replaced_as_in_java() {
    let body = Bytes::from_static(&[0, 4, b'a', 0xff, 0xfe, b'b']);
    let string = Reader::new(body).string(false).unwrap().unwrap();
    assert_eq!(string, "a\u{fffd}\u{fffd}b");
}

#[test]
fn strings_compare_and_hash_like_str() {
    let set: std::collections::HashSet<Utf8Bytes> = ["a".into(), Utf8Bytes::from_static("é")].into();
    assert!(set.contains("é") && !set.contains("b"));
    let map: std::collections::BTreeMap<Utf8Bytes, i32> = [("x".into(), 1)].into();
    assert_eq!(map.get("x"), Some(&1));
    assert_eq!(
        format!("{:?} {:>3}", Utf8Bytes::from("q\""), Utf8Bytes::from("z")),
        "\"q\\\"\"   z"
    );
}

#[test]
fn uuids_are_written_as_kafka_writes_them() {
    assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(Uuid::METADATA_TOPIC_ID.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    let uuid = Uuid([0xff, 0xef, 0xfe, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(uuid.to_string(), "_-_-AwQFBgcICQoLDA0ODw");
    assert_eq!(uuid.to_string().parse(), Ok(uuid));
    assert_eq!("_-_-AwQFBgcICQoLDA0ODw==".parse(), Ok(uuid));
    for wrong in [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA/",
        "AAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert!(wrong.parse::<Uuid>().is_err(), "{wrong}");
    }
}

#[test]
fn error_codes_have_names() {
    assert_eq!(ErrorCode::default(), ErrorCode::NONE);
    assert_eq!(
        format!("{} {:?}", ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode(9999)),
        "NOT_LEADER_OR_FOLLOWER error 9999"
    );
    assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.is_retriable() && !ErrorCode::INVALID_RECORD.is_retriable());
}
