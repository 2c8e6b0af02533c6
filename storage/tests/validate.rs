//! What a leader accepts of a client's batch, what it changes in it, and with which error it refuses the rest.

mod support;

use bytes::{Bytes, BytesMut};
use config::{CleanupPolicy, CompressionType as TopicCompressionType, MessageTimestampType};
use proptest::prelude::*;
use protocol::compression::CompressionType;
use protocol::records::{BatchBuilder, Record, RecordBatch, TimestampType, update_crc};
use storage::{
    Log, LogConfig, OnlyBatch, TopicPartition, ValidateError, ValidateOptions, ValidatedBatch, validate_if_cheap,
};
use support::{Spec, TempDir, batch, open, validate};

const NOW: i64 = 1_700_000_000_000;

fn check(records: Bytes, config: &LogConfig) -> Result<ValidatedBatch, ValidateError> {
    let partition = TopicPartition::new("topic", 0);
    validate(
        records,
        &ValidateOptions {
            partition: &partition,
            config,
        },
        NOW,
    )
}

/// A batch with one thing changed in it and a checksum that fits.
fn changed(spec: Spec, change: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::from(&batch(spec)[..]);
    change(&mut bytes);
    update_crc(&mut bytes).unwrap();
    bytes.freeze()
}

fn put(at: usize, value: impl AsRef<[u8]>) -> impl FnOnce(&mut BytesMut) {
    move |bytes| bytes[at..at + value.as_ref().len()].copy_from_slice(value.as_ref())
}

fn stored(batch: ValidatedBatch, config: LogConfig) -> (TempDir, Log, Bytes) {
    let dir = TempDir::new();
    let mut log = open(&dir.0, config);
    log.append_as_leader(batch, 5, NOW).unwrap();
    let request = storage::ReadRequest {
        offset: 0,
        max_bytes: usize::MAX,
        min_one_message: true,
        max_offset: i64::MAX,
        from_segment: None,
    };
    let records = log.read(&request).unwrap().records.as_memory().unwrap().clone();
    (dir, log, records)
}

fn is_invalid(result: Result<ValidatedBatch, ValidateError>, says: &str) {
    match result {
        Err(ValidateError::InvalidRecord { message, .. }) => assert!(message.contains(says), "{message}"),
        other => panic!("{says}: {other:?}"),
    }
}

fn is_corrupt(result: Result<ValidatedBatch, ValidateError>) {
    assert!(
        matches!(result, Err(ValidateError::CorruptMessage { .. })),
        "{result:?}"
    );
}

#[test]
fn a_good_batch_passes_untouched() {
    let sent = batch(Spec {
        records: 3,
        ..Spec::default()
    });
    let validated = check(sent.clone(), &LogConfig::default()).unwrap();
    assert_eq!(validated.size_in_bytes(), sent.len());
    assert_eq!(validated.log_append_time_ms(), -1);
    let (_dir, _log, records) = stored(validated, LogConfig::default());
    // Base offset and leader epoch apart.
    assert_eq!(records[16..], sent[16..]);
    assert_eq!(records[12..16], 5_i32.to_be_bytes());
}

#[test]
fn there_is_exactly_one_batch_of_magic_2() {
    let config = LogConfig::default();
    let one = batch(Spec::default());
    is_invalid(check(Bytes::new(), &config), "at least one record batch");
    is_invalid(check(one.slice(..one.len() - 1), &config), "at least one record batch");
    is_invalid(
        check([&one[..], &one[..]].concat().into(), &config),
        "exactly one record batch",
    );
    for magic in [0, 1] {
        let mut old = one.to_vec();
        old[16] = magic;
        is_invalid(check(old.into(), &config), "magic version 2");
    }
    let mut unknown = one.to_vec();
    unknown[16] = 3;
    is_corrupt(check(unknown.into(), &config));
    let mut short = one.to_vec();
    short[8..12].copy_from_slice(&13_i32.to_be_bytes());
    is_corrupt(check(short.into(), &config));
    let mut negative = one.to_vec();
    negative[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
    is_corrupt(check(negative.into(), &config));
    // What is behind the batch and no batch itself is dropped.
    let with_rest: Bytes = [&one[..], &[0; 11]].concat().into();
    assert_eq!(check(with_rest, &config).unwrap().size_in_bytes(), one.len());
}

#[test]
fn checksum_and_size_are_checked() {
    let mut flipped = batch(Spec::default()).to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    is_corrupt(check(flipped.into(), &LogConfig::default()));
    let large = batch(Spec {
        value_size: 1000,
        ..Spec::default()
    });
    let config = LogConfig {
        max_message_bytes: large.len() as i32 - 1,
        ..LogConfig::default()
    };
    let too_large = ValidateError::RecordTooLarge {
        size: large.len(),
        max_message_bytes: large.len() as i32 - 1,
    };
    assert_eq!(check(large, &config).unwrap_err(), too_large);
}

#[test]
fn lying_headers_are_refused() {
    let spec = Spec {
        records: 3,
        ..Spec::default()
    };
    let config = LogConfig::default();
    is_invalid(
        check(changed(spec, put(0, 1_i64.to_be_bytes())), &config),
        "should be 0, but it is 1",
    );
    is_invalid(
        check(changed(spec, put(23, 3_i32.to_be_bytes())), &config),
        "Inconsistent batch offset range",
    );
    is_invalid(
        check(changed(spec, put(23, (-1_i32).to_be_bytes())), &config),
        "invalid offset range",
    );
    is_invalid(
        check(changed(spec, put(57, 0_i32.to_be_bytes())), &config),
        "Invalid reported count",
    );
    is_invalid(
        check(changed(spec, put(57, (-5_i32).to_be_bytes())), &config),
        "Invalid reported count",
    );
    is_invalid(
        check(changed(spec, put(21, 0x20_i16.to_be_bytes())), &config),
        "not allowed to write control",
    );
    let producer = Spec {
        producer: (7, 0, -1),
        ..spec
    };
    is_invalid(check(batch(producer), &config), "Invalid sequence number -1");
    // More records claimed than there are, and fewer.
    let claim = |count: i32| {
        changed(spec, move |bytes| {
            put(57, count.to_be_bytes())(bytes);
            put(23, (count - 1).to_be_bytes())(bytes);
        })
    };
    is_invalid(check(claim(4), &config), "");
    is_invalid(check(claim(2), &config), "");
    is_invalid(check(claim(i32::MAX), &config), "");
}

#[test]
fn lying_timestamps_and_offsets_are_set_right() {
    let spec = Spec {
        records: 3,
        timestamp: NOW,
        ..Spec::default()
    };
    let lying = changed(spec, put(35, (NOW + 99).to_be_bytes()));
    let validated = check(lying, &LogConfig::default()).unwrap();
    assert_eq!(validated.header().max_timestamp, NOW);
    let (_dir, _log, records) = stored(validated, LogConfig::default());
    RecordBatch::parse(&records).unwrap().check_crc().unwrap();

    let mut builder = BatchBuilder::new();
    for delta in [0, 5, 9] {
        builder.append_at(delta, NOW, Some(b"k"), Some(b"v"), &[]);
    }
    let mut bytes = BytesMut::from(&builder.build().unwrap()[..]);
    put(23, 2_i32.to_be_bytes())(&mut bytes);
    update_crc(&mut bytes).unwrap();
    let (_dir, _log, records) = stored(
        check(bytes.freeze(), &LogConfig::default()).unwrap(),
        LogConfig::default(),
    );
    let batch = RecordBatch::parse(&records).unwrap();
    let deltas: Vec<i32> = batch
        .records()
        .unwrap()
        .map(|record| record.unwrap().offset_delta)
        .collect();
    assert_eq!(deltas, [0, 1, 2]);
}

#[test]
fn timestamps_out_of_range_name_their_records() {
    let config = LogConfig {
        message_timestamp_before_max_ms: 1000,
        message_timestamp_after_max_ms: 500,
        ..LogConfig::default()
    };
    let mut builder = BatchBuilder::new();
    for timestamp in [NOW, NOW - 1001, NOW - 1000, NOW + 501, NOW + 500] {
        builder.append(timestamp, None, Some(b"v"));
    }
    let Err(ValidateError::InvalidTimestamp { record_errors }) = check(builder.build().unwrap(), &config) else {
        panic!("refused")
    };
    let indexes: Vec<i32> = record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(indexes, [1, 3]);
    assert!(
        record_errors[0].message.contains("should be within"),
        "{:?}",
        record_errors[0]
    );
    // A record without a timestamp is not out of range.
    let mut builder = BatchBuilder::new();
    builder.append(-1, None, Some(b"v"));
    check(builder.build().unwrap(), &config).unwrap();
}

#[test]
fn a_producer_does_not_set_log_append_time() {
    let config = LogConfig {
        message_timestamp_type: MessageTimestampType::LogAppendTime,
        ..LogConfig::default()
    };
    let mut builder = BatchBuilder::new().log_append_time(NOW);
    builder.append(NOW, None, Some(b"v"));
    let result = check(builder.build().unwrap(), &config);
    assert!(
        matches!(result, Err(ValidateError::InvalidTimestamp { .. })),
        "{result:?}"
    );
}

#[test]
fn log_append_time_is_set_where_the_topic_says_so() {
    let config = LogConfig {
        message_timestamp_type: MessageTimestampType::LogAppendTime,
        ..LogConfig::default()
    };
    let validated = check(
        batch(Spec {
            timestamp: 5,
            ..Spec::default()
        }),
        &config,
    )
    .unwrap();
    assert_eq!(validated.log_append_time_ms(), NOW);
    let (_dir, _log, records) = stored(validated, config);
    let batch = RecordBatch::parse(&records).unwrap();
    batch.check_crc().unwrap();
    assert_eq!(
        (batch.attributes().timestamp_type(), batch.max_timestamp()),
        (TimestampType::LogAppendTime, NOW)
    );
}

#[test]
fn compacted_topics_want_keys() {
    let cleanup_policy = CleanupPolicy {
        compact: true,
        delete: false,
    };
    let config = LogConfig {
        cleanup_policy,
        ..LogConfig::default()
    };
    for codec in CompressionType::ALL {
        let mut builder = BatchBuilder::new().compression(codec, None);
        builder.append(NOW, Some(b""), Some(b"v")).append(NOW, None, Some(b"v"));
        match check(builder.build().unwrap(), &config) {
            Err(ValidateError::InvalidRecord { record_errors, .. }) => {
                assert_eq!(
                    record_errors.iter().map(|error| error.batch_index).collect::<Vec<_>>(),
                    [1]
                );
            }
            other => panic!("{codec}: {other:?}"),
        }
    }
}

#[test]
fn codecs_are_kept_or_changed_as_the_topic_says() {
    let targets = [
        (TopicCompressionType::Producer, None),
        (TopicCompressionType::Uncompressed, Some(CompressionType::None)),
        (TopicCompressionType::Gzip, Some(CompressionType::Gzip)),
        (TopicCompressionType::Snappy, Some(CompressionType::Snappy)),
        (TopicCompressionType::Lz4, Some(CompressionType::Lz4)),
        (TopicCompressionType::Zstd, Some(CompressionType::Zstd)),
    ];
    for source in CompressionType::ALL {
        for (compression_type, target) in targets {
            let config = LogConfig {
                compression_type,
                ..LogConfig::default()
            };
            let mut builder = BatchBuilder::new().compression(source, None).producer(9, 2, 7);
            let headers: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"b")), (b"c", None)];
            builder.append_with_headers(NOW, Some(b"key"), Some(&[b'v'; 3000]), &headers);
            builder.append_with_headers(NOW + 5, None, None, &[]);
            let (_dir, _log, records) = stored(check(builder.build().unwrap(), &config).unwrap(), config);
            let batch = RecordBatch::parse(&records).unwrap();
            batch.check_crc().unwrap();
            assert_eq!(batch.attributes().compression_type().unwrap(), target.unwrap_or(source));
            assert_eq!(
                (batch.producer_id(), batch.producer_epoch(), batch.base_sequence()),
                (9, 2, 7)
            );
            assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (NOW, NOW + 5));
            let inflated = batch.inflate(1 << 20).unwrap();
            let mut rest = &inflated[..];
            let first = Record::read(&mut rest).unwrap();
            assert_eq!((first.key, first.value), (Some(&b"key"[..]), Some(&[b'v'; 3000][..])));
            assert_eq!(first.headers.len(), 2);
            let second = Record::read(&mut rest).unwrap();
            assert_eq!((second.key, second.value, second.timestamp_delta), (None, None, 5));
        }
    }
}

#[test]
fn a_batch_that_grows_by_recompression_may_be_too_large() {
    let mut builder = BatchBuilder::new().compression(CompressionType::Zstd, None);
    builder.append(NOW, None, Some(&[0; 100_000]));
    let sent = builder.build().unwrap();
    let compression_type = TopicCompressionType::Uncompressed;
    let config = LogConfig {
        compression_type,
        max_message_bytes: 50_000,
        ..LogConfig::default()
    };
    assert!(sent.len() < 1000);
    assert!(matches!(
        check(sent, &config),
        Err(ValidateError::RecordTooLarge { .. })
    ));
}

#[test]
fn a_bomb_is_refused() {
    for codec in &CompressionType::ALL[1..] {
        let mut builder = BatchBuilder::new().compression(*codec, None);
        builder.append(NOW, None, Some(&vec![0; 40 << 20]));
        let sent = builder.build().unwrap();
        // snappy and lz4 reach no hostile ratio: what they make of it is too large, or within what is allowed.
        let config = LogConfig {
            max_message_bytes: 100_000,
            ..LogConfig::default()
        };
        match check(sent, &config) {
            Err(ValidateError::TooMuchInflated { message, .. }) => assert!(message.contains("limit"), "{message}"),
            Err(ValidateError::RecordTooLarge { .. }) => {}
            other => panic!("{codec}: {other:?}"),
        }
    }
}

#[test]
fn what_no_codec_reads_has_no_code_of_its_own() {
    let spec = Spec::default();
    for codec in 1..=7_i16 {
        let result = check(changed(spec, put(21, codec.to_be_bytes())), &LogConfig::default());
        assert!(
            matches!(
                result,
                Err(ValidateError::Undecodable { .. } | ValidateError::InvalidRecord { .. })
            ),
            "{codec}: {result:?}"
        );
    }
}

#[test]
fn zstd_needs_produce_7() {
    let mut builder = BatchBuilder::new().compression(CompressionType::Zstd, None);
    builder.append(NOW, None, Some(b"v"));
    let records = builder.build().unwrap();
    assert!(OnlyBatch::find(&records, 7).is_ok());
    let result = OnlyBatch::find(&records, 6);
    assert!(
        matches!(result, Err(ValidateError::UnsupportedCompressionType { .. })),
        "{result:?}"
    );
}

#[test]
fn what_takes_long_is_left_to_others() {
    let (partition, config) = (TopicPartition::new("topic", 0), LogConfig::default());
    let options = ValidateOptions {
        partition: &partition,
        config: &config,
    };
    let mut builder = BatchBuilder::new().compression(CompressionType::Zstd, None);
    builder.append(NOW, None, Some(&[b'v'; 100_000]));
    let bomb = builder.build().unwrap();
    assert!(bomb.len() < 1_000, "{} bytes", bomb.len());
    let cheap = |records: &Bytes, options: &ValidateOptions<'_>, bound| {
        validate_if_cheap(OnlyBatch::find(records, 11)?, options, NOW, bound)
    };
    assert!(cheap(&bomb, &options, 100_000).unwrap().is_none());
    assert!(cheap(&bomb, &options, 101_000).unwrap().is_some());

    // Another codec means to write it anew.
    let gzip = LogConfig {
        compression_type: TopicCompressionType::Gzip,
        ..LogConfig::default()
    };
    let options = ValidateOptions {
        config: &gzip,
        ..options
    };
    assert!(cheap(&batch(Spec::default()), &options, 1 << 20).unwrap().is_none());
    // What is wrong with the batch itself is said at once; what is wrong with its records by who looks at them.
    let wrong = changed(Spec::default(), put(57, 7_i32.to_be_bytes()));
    assert!(cheap(&wrong, &options, 1 << 20).is_err());
    let lying = changed(Spec::default(), put(61, [0x7e]));
    assert!(cheap(&lying, &options, 1 << 20).unwrap().is_none());
    let producer = ValidateOptions {
        config: &config,
        ..options
    };
    assert!(cheap(&lying, &producer, 1 << 20).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes are refused or make a batch that reads back; nothing panics.
    #[test]
    fn any_change_is_refused_or_harmless(at in 0..200_usize, byte in any::<u8>(), fix in any::<bool>(), codec in 0..5_usize) {
        let mut builder = BatchBuilder::new().compression(CompressionType::ALL[codec], None);
        for n in 0..10_u8 {
            builder.append(NOW + i64::from(n), Some(&[n]), Some(&[b'v'; 20]));
        }
        let mut bytes = BytesMut::from(&builder.build().unwrap()[..]);
        if let Some(target) = bytes.get_mut(at) {
            *target = byte;
        }
        if fix && update_crc(&mut bytes).is_err() {
            return Ok(());
        }
        if let Ok(validated) = check(bytes.freeze(), &LogConfig::default()) {
            prop_assert_eq!(validated.header().records_count, 10);
        }
    }
}
