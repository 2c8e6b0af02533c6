use super::*;
use crate::compression::CompressionType;

fn batch(codec: CompressionType, count: i32) -> bytes::Bytes {
    let mut builder = BatchBuilder::new()
        .base_offset(1000)
        .partition_leader_epoch(7)
        .compression(codec, None)
        .producer(5, 2, 40);
    for index in 0..count {
        let value = format!("value {index}");
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"a", Some(b"1")), (b"b", None)];
        builder.append_with_headers(
            2000 + i64::from(index),
            (index % 2 == 0).then_some(b"key".as_slice()),
            (index % 3 != 0).then_some(value.as_bytes()),
            headers,
        );
    }
    builder.build().unwrap()
}

#[test]
fn a_built_batch_says_what_was_put_in() {
    for codec in CompressionType::ALL {
        let bytes = batch(codec, 10);
        let batch = RecordBatch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        assert_eq!(
            (batch.base_offset(), batch.last_offset(), batch.next_offset()),
            (1000, 1009, 1010)
        );
        assert_eq!((batch.partition_leader_epoch(), batch.records_count()), (7, 10));
        assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (2000, 2009));
        assert_eq!((batch.producer_id(), batch.producer_epoch()), (5, 2));
        assert_eq!((batch.base_sequence(), batch.last_sequence()), (40, 49));
        assert_eq!(batch.attributes().compression_type().unwrap(), codec);
        let inflated = batch.inflate(1 << 20).unwrap();
        let records: Vec<_> = Records::new(10, &inflated).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(records.len(), 10);
        assert_eq!(records[2].key, Some(b"key".as_slice()));
        assert_eq!(records[2].value, Some(b"value 2".as_slice()));
        assert_eq!((records[3].key, records[3].value), (None, None));
        assert_eq!((records[9].offset_delta, records[9].timestamp_delta), (9, 9));
        let headers: Vec<_> = records[9]
            .headers
            .iter()
            .map(|header| (header.key, header.value))
            .collect();
        assert_eq!(headers, [(b"a".as_slice(), Some(b"1".as_slice())), (b"b", None)]);
    }
}

#[test]
fn skimming_sees_the_same_records() {
    for codec in CompressionType::ALL {
        let bytes = batch(codec, 5000);
        let batch = RecordBatch::parse(&bytes).unwrap();
        let inflated = batch.inflate(1 << 20).unwrap();
        let skimmer = RecordSkimmer::new(codec, 5000, batch.records_bytes(), 1 << 20).unwrap();
        let mut seen = 0;
        for (shape, record) in skimmer.zip(Records::new(5000, &inflated).unwrap()) {
            let (shape, record) = (shape.unwrap(), record.unwrap());
            assert_eq!(shape.size_in_bytes, record.size_in_bytes);
            assert_eq!(
                (shape.offset_delta, shape.timestamp_delta),
                (record.offset_delta, record.timestamp_delta)
            );
            assert_eq!(
                (shape.key_size, shape.value_size),
                (record.key.map(<[u8]>::len), record.value.map(<[u8]>::len))
            );
            seen += 1;
        }
        assert_eq!(seen, 5000);
    }
}

#[test]
fn a_count_that_lies_is_an_error_at_the_end() {
    let bytes = batch(CompressionType::Lz4, 10);
    let batch = RecordBatch::parse(&bytes).unwrap();
    let inflated = batch.inflate(1 << 20).unwrap();
    for (count, expected) in [(9, RecordError::Trailing), (11, RecordError::Short)] {
        let last = Records::new(count, &inflated).unwrap().last().unwrap();
        assert_eq!(last.unwrap_err(), expected);
        let last = RecordSkimmer::new(CompressionType::Lz4, count, batch.records_bytes(), 1 << 20)
            .unwrap()
            .last();
        let Some(Err(BatchError::Record(error))) = last else {
            panic!("{count} records accepted")
        };
        assert_eq!(error, expected);
    }
    assert_eq!(Records::new(-1, &inflated).unwrap_err(), RecordError::RecordsCount(-1));
}

#[test]
fn batches_follow_one_another_until_one_is_cut_off() {
    let one = batch(CompressionType::None, 3);
    let mut bytes = [&one[..], &one[..]].concat();
    assert_eq!(
        Batches::new(&bytes)
            .map(|batch| batch.unwrap().records_count())
            .collect::<Vec<_>>(),
        [3, 3]
    );
    bytes.pop();
    let mut batches = Batches::new(&bytes);
    assert!(batches.next().unwrap().is_ok());
    let error = batches.next().unwrap().unwrap_err();
    let BatchError::Short { needed, remaining } = error else {
        panic!("{error}")
    };
    assert_eq!((needed, remaining), (one.len(), one.len() - 1));
    assert_eq!(batches.position(), one.len());
    assert!(batches.next().is_none());
}

#[test]
fn lies_of_a_header_are_errors() {
    let good = batch(CompressionType::None, 3);
    let with = |at: usize, bytes: &[u8]| {
        let mut batch = good.to_vec();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        RecordBatch::parse(&batch).map(|batch| batch.check_crc())
    };
    assert!(matches!(with(8, &48i32.to_be_bytes()), Err(BatchError::Length(48))));
    assert!(matches!(with(8, &(-5i32).to_be_bytes()), Err(BatchError::Length(-5))));
    assert!(matches!(
        with(8, &i32::MAX.to_be_bytes()),
        Err(BatchError::Short { .. })
    ));
    assert!(matches!(with(16, &[1]), Err(BatchError::Magic(1))));
    assert!(matches!(with(60, &[9]), Ok(Err(BatchError::Crc { .. }))));
    assert!(matches!(
        RecordBatch::parse(&good[..40]),
        Err(BatchError::Short {
            needed: 61,
            remaining: 40
        })
    ));
}

#[test]
fn patches_keep_the_checksum_true() {
    let mut bytes = batch(CompressionType::Zstd, 4).to_vec();
    set_base_offset(&mut bytes, 77);
    set_partition_leader_epoch(&mut bytes, 12);
    let view = RecordBatch::parse(&bytes).unwrap();
    view.check_crc().unwrap();
    assert_eq!((view.base_offset(), view.partition_leader_epoch()), (77, 12));
    set_last_offset(&mut bytes, 503).unwrap();
    assert_eq!(RecordBatch::parse(&bytes).unwrap().base_offset(), 500);
    set_max_timestamp(&mut bytes, TimestampType::LogAppendTime, 123_456).unwrap();
    let view = RecordBatch::parse(&bytes).unwrap();
    view.check_crc().unwrap();
    assert_eq!(view.attributes().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!((view.max_timestamp(), view.record_timestamp(3)), (123_456, 123_456));
}

#[test]
fn sequences_wrap_like_kafkas() {
    assert_eq!(increment_sequence(i32::MAX, 1), 0);
    assert_eq!(increment_sequence(i32::MAX - 2, 5), 2);
    assert_eq!(increment_sequence(10, 5), 15);
    assert_eq!(decrement_sequence(0, 1), i32::MAX);
    assert_eq!(decrement_sequence(2, 5), i32::MAX - 2);
}

#[test]
fn varints_reach_their_ends() {
    for value in [
        0,
        1,
        -1,
        63,
        -64,
        64,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        i64::MAX,
        i64::MIN,
    ] {
        let mut bytes = Vec::new();
        varint::write_varlong(&mut bytes, value);
        assert_eq!(varint::read_varlong(&mut bytes.as_slice()), Ok(value));
        if let Ok(small) = i32::try_from(value) {
            assert_eq!(varint::read_varint(&mut bytes.as_slice()), Ok(small));
        }
    }
    assert_eq!(varint::read_varint(&mut [0xff; 6].as_slice()), Err(RecordError::Varint));
    assert_eq!(
        varint::read_varlong(&mut [0xff; 11].as_slice()),
        Err(RecordError::Varint)
    );
    assert_eq!(varint::read_varlong(&mut [0xff; 3].as_slice()), Err(RecordError::Short));
}

#[test]
fn a_control_record_names_its_type() {
    assert_eq!(ControlRecordType::parse(&[0, 0, 0, 1]), Some(ControlRecordType::Commit));
    assert_eq!(
        ControlRecordType::parse(&ControlRecordType::Abort.to_key()),
        Some(ControlRecordType::Abort)
    );
    assert_eq!(
        ControlRecordType::parse(&[0, 0, 0, 99]),
        Some(ControlRecordType::Unknown(99))
    );
    assert_eq!(ControlRecordType::parse(&[0xff, 0xff, 0, 1]), None);
    assert_eq!(ControlRecordType::parse(&[0, 0, 0]), None);
}

#[test]
fn crc32c_is_castagnolis() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
