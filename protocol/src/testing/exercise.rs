//! What the fuzzer and the mutation test do with arbitrary bytes.

use std::sync::LazyLock;

use bytes::Bytes;

use super::kinds::{Kind, kinds};
use crate::api_key::ApiKey;
use crate::compression::{CompressionType, Inflater};
use crate::header::{RequestHeader, ResponseHeader};
use crate::records::{Batches, RecordSkimmer, Records};
use crate::wire::{EncodeErrorKind, Reader, Writer};

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(kinds);

/// What content may inflate to.
const INFLATE_LIMIT: usize = 4 << 20;

/// Reads `input` as the first byte says: 0 a request's frame; 1 a response's, behind key and version; 2 a message without a
/// key, behind its number in the table and its version; 3 record batches; 4 to 8 compressed content. Whatever can be read
/// must be written again, and read and written once more to the same bytes.
///
/// # Panics
/// Something is wrong with this crate.
pub fn exercise(input: &[u8]) {
    let Some((&selector, rest)) = input.split_first() else {
        return;
    };
    let bytes = Bytes::copy_from_slice(rest);
    match selector {
        0 => exercise_request(bytes),
        1 => exercise_response(bytes),
        2 => exercise_plain(&bytes),
        3 => exercise_batches(&bytes),
        codec => exercise_compression(codec.wrapping_sub(4), &bytes),
    }
}

fn exercise_request(frame: Bytes) {
    let mut reader = Reader::new(frame);
    let budget = reader.budget();
    let Ok((number, version)) = RequestHeader::peek(&reader) else {
        return;
    };
    let Some(key) = ApiKey::from_number(number).filter(|key| key.knows(version)) else {
        return;
    };
    let header_version = key.request_header_version(version);
    let Ok(header) = RequestHeader::decode(&mut reader, header_version) else {
        return;
    };
    assert_eq!((header.request_api_key, header.request_api_version), (number, version));
    let mut writer = Writer::new();
    match header.encode(&mut writer, header_version) {
        Ok(()) => {
            let again = writer.into_bytes().expect("no files");
            assert_eq!(
                RequestHeader::decode(&mut Reader::new(again), header_version).as_ref(),
                Ok(&header)
            );
        }
        Err(error) => assert!(matches!(error.kind, EncodeErrorKind::TooLong(_)), "{error}"),
    }
    let kind = KINDS
        .iter()
        .find(|kind| kind.api_key == Some(key) && kind.is_request)
        .expect("every key is listed");
    exercise_body(kind, &mut reader, version, budget);
}

fn exercise_response(bytes: Bytes) {
    let mut reader = Reader::new(bytes);
    let budget = reader.budget();
    let Ok((number, version)) = RequestHeader::peek(&reader) else {
        return;
    };
    let Some(key) = ApiKey::from_number(number).filter(|key| key.knows(version)) else {
        return;
    };
    let mut reader = Reader::with_budget(reader.take_remaining().slice(4..), budget);
    if ResponseHeader::decode(&mut reader, key.response_header_version(version)).is_err() {
        return;
    }
    let kind = KINDS
        .iter()
        .find(|kind| kind.api_key == Some(key) && !kind.is_request)
        .expect("every key is listed");
    exercise_body(kind, &mut reader, version, budget);
}

fn exercise_plain(bytes: &Bytes) {
    let plain = KINDS.iter().filter(|kind| kind.api_key.is_none()).collect::<Vec<_>>();
    let [number, version, ..] = **bytes else { return };
    let kind = plain[usize::from(number) % plain.len()];
    let mut reader = Reader::new(bytes.slice(2..));
    let budget = reader.budget();
    exercise_body(kind, &mut reader, i16::from(version), budget);
}

fn exercise_body(kind: &Kind, reader: &mut Reader, version: i16, budget: usize) {
    let Ok(message) = (kind.decode)(reader, version) else {
        return;
    };
    assert!(reader.budget() <= budget, "{} v{version} gave budget back", kind.name);
    let mut writer = Writer::new();
    if let Err(error) = message.encode_any(&mut writer, version) {
        // A string that was no UTF-8 may have grown by the replacement characters.
        assert!(
            matches!(error.kind, EncodeErrorKind::TooLong(_)),
            "{} v{version}: {error}",
            kind.name
        );
        return;
    }
    let once = writer.into_bytes().expect("no files");
    let mut reader = Reader::with_budget(once.clone(), usize::MAX);
    let again = match (kind.decode)(&mut reader, version) {
        Ok(again) => again,
        Err(error) => panic!("{} v{version} does not read what it wrote: {error}", kind.name),
    };
    assert_eq!(reader.remaining(), 0, "{} v{version} leaves bytes", kind.name);
    let mut writer = Writer::new();
    again
        .encode_any(&mut writer, version)
        .expect("what was written once can be written again");
    let twice = writer.into_bytes().expect("no files");
    assert_eq!(
        once, twice,
        "{} v{version} writes something else the second time",
        kind.name
    );
    // Not-a-number differs from itself; its bytes were compared above.
    assert!(
        message.equals(&*again) || format!("{message:?}").contains("NaN"),
        "{} v{version}",
        kind.name
    );
}

fn exercise_batches(bytes: &[u8]) {
    let mut batches = Batches::new(bytes);
    while let Some(batch) = batches.next() {
        let Ok(batch) = batch else {
            assert!(batches.next().is_none());
            return;
        };
        assert!(batches.position() <= bytes.len());
        let _ = batch.check_crc();
        let Ok(codec) = batch.attributes().compression_type() else {
            continue;
        };
        let skimmed = RecordSkimmer::new(codec, batch.records_count(), batch.records_bytes(), INFLATE_LIMIT)
            .map(Iterator::collect);
        let skimmed: Result<Vec<_>, _> = skimmed.and_then(|shapes: Result<Vec<_>, _>| shapes);
        let Ok(inflated) = batch.inflate(INFLATE_LIMIT) else {
            // What does not inflate to its end must not pass when it is skimmed either, unless it holds nothing.
            assert!(skimmed.is_err() || batch.records_count() == 0);
            continue;
        };
        let records = Records::new(batch.records_count(), &inflated).map(Iterator::collect);
        let records: Result<Vec<_>, _> = records.and_then(|records: Result<Vec<_>, _>| records);
        if let (Ok(records), Ok(shapes)) = (&records, &skimmed) {
            assert_eq!(records.len(), shapes.len());
            for (record, shape) in records.iter().zip(shapes) {
                assert_eq!(
                    (record.size_in_bytes, record.offset_delta),
                    (shape.size_in_bytes, shape.offset_delta)
                );
                assert_eq!(record.headers.iter().count(), record.headers.len());
            }
        }
        assert_eq!(records.is_ok(), skimmed.is_ok(), "{records:?} {skimmed:?}");
    }
}

fn exercise_compression(codec: u8, bytes: &[u8]) {
    let Ok(codec) = CompressionType::from_id(codec) else {
        return;
    };
    let Ok(mut inflater) = Inflater::new(codec, bytes, INFLATE_LIMIT) else {
        return;
    };
    let mut total = 0;
    while let Ok(Some(chunk)) = inflater.next_chunk() {
        assert!(!chunk.is_empty());
        total += chunk.len();
        assert!(total <= INFLATE_LIMIT);
    }
}
