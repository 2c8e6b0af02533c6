//! Mutated frames, batches and contents, the same ones in every run; what the fuzzer finds by coverage this finds by numbers.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::records::BatchBuilder;
use protocol::testing::{Generator, Kind, Style, exercise, kinds};
use protocol::wire::Writer;
use protocol::{ApiKey, CompressionType};

/// One change of the bytes; positions count from wherever they fall.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(usize, u8),
    Put(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Truncate(usize),
    Duplicate(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Numbers that are lengths, counts and ends of their types.
    let bytes = prop_oneof![
        Just(vec![0xff; 4]),
        Just(vec![0x7f, 0xff, 0xff, 0xff]),
        Just(vec![0x80, 0, 0, 0]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0x07]),
        Just(vec![0xff; 10]),
        Just(vec![0, 0, 0, 0]),
        Just(vec![0]),
        prop::collection::vec(any::<u8>(), 1..9),
    ];
    let at = any::<usize>();
    prop_oneof![
        (at, any::<u8>()).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        (at, bytes.clone()).prop_map(|(at, bytes)| Mutation::Put(at, bytes)),
        (at, bytes).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (at, 1..20usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        at.prop_map(Mutation::Truncate),
        (at, 1..40usize).prop_map(|(at, length)| Mutation::Duplicate(at, length)),
    ]
}

/// The first byte says what the rest is and stays.
fn mutate(input: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations {
        let length = input.len();
        let at = |at: &usize| 1 + at % (length - 1).max(1);
        match mutation {
            _ if length < 2 => return,
            Mutation::Flip(position, bits) => input[at(position)] ^= bits,
            Mutation::Put(position, bytes) => {
                let position = at(position);
                let end = (position + bytes.len()).min(length);
                input.splice(position..end, bytes.iter().copied());
            }
            Mutation::Insert(position, bytes) => {
                let position = at(position);
                input.splice(position..position, bytes.iter().copied());
            }
            Mutation::Remove(position, count) => {
                let position = at(position);
                input.drain(position..(position + count).min(length));
            }
            Mutation::Truncate(position) => input.truncate(at(position)),
            Mutation::Duplicate(position, count) => {
                let position = at(position);
                let copy = input[position..(position + count).min(length)].to_vec();
                input.splice(position..position, copy);
            }
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn frame(kind: &Kind, number: usize, version: i16, seed: u64) -> Vec<u8> {
    let mut writer = Writer::new();
    match kind.api_key {
        Some(key) if kind.is_request => {
            writer.put_slice(&[0]);
            let header = RequestHeader {
                request_api_key: key.number(),
                request_api_version: version,
                correlation_id: 1,
                client_id: Some("c".into()),
            };
            header.encode(&mut writer, key.request_header_version(version)).unwrap();
        }
        Some(key) => {
            writer.put_slice(&[1]);
            writer.put_slice(&key.number().to_be_bytes());
            writer.put_slice(&version.to_be_bytes());
            ResponseHeader { correlation_id: 1 }
                .encode(&mut writer, key.response_header_version(version))
                .unwrap();
        }
        None => writer.put_slice(&[2, number as u8, version as u8]),
    }
    let style = [Style::Full, Style::Nulls, Style::Random][(seed % 3) as usize];
    (kind.specimen)(&mut Generator::new(style, seed), version)
        .encode_any(&mut writer, version)
        .unwrap();
    writer.into_bytes().unwrap().to_vec()
}

/// Kind, its number among those without a key, version.
fn all_versions(kinds: &[Kind]) -> Vec<(Kind, usize, i16)> {
    let mut plain = 0;
    let mut all = Vec::new();
    for kind in kinds {
        all.extend(kind.versions.clone().map(|version| (kind.clone(), plain, version)));
        plain += usize::from(kind.api_key.is_none());
    }
    all
}

#[test]
fn every_message_survives_being_written_and_read() {
    for (kind, number, version) in all_versions(&kinds()) {
        for seed in 0..9 {
            exercise(&frame(&kind, number, version, seed));
        }
    }
}

#[test]
fn mutated_frames_neither_panic_nor_contradict_themselves() {
    let all = all_versions(&kinds());
    let count = all.len();
    let strategy = (0..count, any::<u64>(), prop::collection::vec(mutation(), 1..6));
    let run = |(index, seed, mutations): (usize, u64, Vec<Mutation>)| {
        let (kind, number, version) = &all[index];
        let mut input = frame(kind, *number, *version, seed);
        mutate(&mut input, &mutations);
        exercise(&input);
        Ok(())
    };
    runner(20_000).run(&strategy, run).unwrap();
}

#[test]
fn every_prefix_of_a_frame_is_an_error_or_a_message() {
    for (kind, number, version) in all_versions(&kinds()) {
        let input = frame(&kind, number, version, 0);
        for end in 0..input.len() {
            exercise(&input[..end]);
        }
    }
}

fn batch(codec: CompressionType, count: u8) -> Bytes {
    let mut builder = BatchBuilder::new().compression(codec, None);
    for index in 0..count {
        let value = vec![index; usize::from(index)];
        builder.append_with_headers(
            i64::from(index),
            None,
            Some(&value),
            &[(b"h", Some(&value)), (b"i", None)],
        );
    }
    builder.build().unwrap()
}

#[test]
fn mutated_batches_and_contents_neither_panic_nor_contradict_themselves() {
    let strategy = (0..5u8, 0..60u8, any::<bool>(), prop::collection::vec(mutation(), 1..5));
    let run = |(codec, count, whole, mutations): (u8, u8, bool, Vec<Mutation>)| {
        let batch = batch(CompressionType::from_id(codec).unwrap(), count);
        let mut input = if whole {
            [&[3], &batch[..], &batch[..]].concat()
        } else {
            [&[4 + codec], &batch[protocol::records::BATCH_HEADER_SIZE..]].concat()
        };
        mutate(&mut input, &mutations);
        exercise(&input);
        Ok(())
    };
    runner(10_000).run(&strategy, run).unwrap();
}

#[test]
fn every_key_is_in_the_table_once() {
    for key in ApiKey::ALL {
        let kinds: Vec<_> = kinds().into_iter().filter(|kind| kind.api_key == Some(*key)).collect();
        assert_eq!(kinds.len(), 2, "{key}");
        for kind in kinds {
            assert_eq!(kind.versions, key.versions(), "{}", kind.name);
        }
        assert_eq!(ApiKey::from_number(key.number()), Some(*key));
    }
}
