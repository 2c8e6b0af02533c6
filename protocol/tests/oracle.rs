//! The oracle: Apache Kafka's own classes write what we read and read what we write, for every message in every version that
//! Kafka 3.9.1 or 4.3.1 knows. Needs a JDK and Kafka's jars (`scripts/setup` brings both) and fails without them.

mod oracle {
    pub mod compare;
    pub mod java;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::Bytes;
use oracle::compare::{as_known_to, plain, same_json, was_replaced};
use oracle::java::{RELEASES, Release, ask};
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::records::{BatchBuilder, RecordBatch, Records, TimestampType};
use protocol::testing::{Generator, Kind, Style, kinds};
use protocol::wire::{Reader, Utf8Bytes, Writer};
use protocol::{ApiKey, CompressionType, ErrorCode};
use serde_json::Value;

/// One line of `Oracle encode`.
struct Example {
    name: String,
    version: i16,
    variant: String,
    bytes: Bytes,
    json: Value,
}

fn examples(release: Release) -> Vec<Example> {
    let answer = ask(release, "encode", String::new());
    let mut examples = Vec::new();
    for line in answer.lines().filter(|line| line.starts_with("message\t")) {
        let [_, name, version, variant, bytes, json] = columns(line);
        examples.push(Example {
            name: name.to_owned(),
            version: version.parse().unwrap(),
            variant: variant.to_owned(),
            bytes: unhex(bytes),
            json: serde_json::from_str(json).unwrap(),
        });
    }
    assert!(
        examples.len() > 2000,
        "Kafka {release} wrote only {} messages",
        examples.len()
    );
    examples
}

fn columns<const N: usize>(line: &str) -> [&str; N] {
    let columns: Vec<&str> = line.split('\t').collect();
    columns
        .try_into()
        .unwrap_or_else(|columns: Vec<&str>| panic!("{} columns, not {N}: {line}", columns.len()))
}

fn unhex(text: &str) -> Bytes {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len() / 2)
        .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn by_name() -> BTreeMap<&'static str, Kind> {
    kinds().into_iter().map(|kind| (kind.name, kind)).collect()
}

/// Kafka 4 counts the versions of coordinator keys anew for each kind of key; ours are those of 3.9.
fn our_version(release: Release, name: &str, version: i16) -> i16 {
    if release == "4.3.1" && name == "GroupMetadataKey" {
        2
    } else {
        version
    }
}

#[test]
fn error_codes_and_header_versions_are_kafkas() {
    for release in RELEASES {
        let answer = ask(release, "facts", String::new());
        let mut errors = 0;
        for line in answer.lines() {
            if line.starts_with("error\t") {
                let [_, code, name, retriable] = columns(line);
                let code = ErrorCode(code.parse().unwrap());
                assert_eq!(code.known_name(), Some(name), "Kafka {release}: {code:?}");
                assert_eq!(code.is_retriable().to_string(), retriable, "Kafka {release}: {name}");
                errors += 1;
            } else {
                let [_, number, _, version, request, response] = columns(line);
                let key = ApiKey::from_number(number.parse().unwrap()).unwrap_or_else(|| panic!("{line}"));
                let version = version.parse().unwrap();
                assert!(key.knows(version), "{key} v{version}");
                assert_eq!(
                    key.request_header_version(version).to_string(),
                    request,
                    "{key} v{version}"
                );
                assert_eq!(
                    key.response_header_version(version).to_string(),
                    response,
                    "{key} v{version}"
                );
            }
        }
        if release == "4.3.1" {
            assert_eq!(errors, ErrorCode::ALL.len(), "every code of Kafka 4.3.1 and no other");
        }
    }
}

#[test]
fn we_read_what_java_writes_and_write_the_same() {
    let kinds = by_name();
    let mut seen: BTreeMap<String, BTreeSet<i16>> = BTreeMap::new();
    for release in RELEASES {
        for example in examples(release) {
            let Example {
                name,
                version,
                variant,
                bytes,
                json,
            } = &example;
            if name.ends_with("Header") {
                compare_header(&example);
                continue;
            }
            if was_replaced(release, name, *version) {
                continue;
            }
            let version = our_version(release, name, *version);
            let place = format!("{name} v{version} {variant} of Kafka {release}");
            let kind = kinds
                .get(&**name)
                .unwrap_or_else(|| panic!("{place} is not in the tables"));
            assert!(kind.versions.contains(&version), "{place} is not in the tables");
            let mut reader = Reader::new(bytes.clone());
            let message = (kind.decode)(&mut reader, version).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(reader.remaining(), 0, "{place} is longer than we read: {message:?}");
            same_json(&place, json, &message.to_json_any(version));
            let mut writer = Writer::new();
            message
                .encode_any(&mut writer, version)
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(
                hex(&writer.into_bytes().unwrap()),
                hex(bytes),
                "{place} is written differently"
            );
            seen.entry(name.clone()).or_default().insert(version);
        }
    }
    for (name, kind) in kinds {
        let versions: BTreeSet<i16> = kind.versions.collect();
        assert_eq!(
            seen.get(name),
            Some(&versions),
            "{name}: versions that Kafka has, versions that we have"
        );
    }
}

#[test]
fn defaults_are_kafkas() {
    let kinds = by_name();
    for release in RELEASES {
        let answer = ask(release, "defaults", String::new());
        let mut compared = 0;
        for line in answer.lines().filter(|line| line.starts_with("message\t")) {
            let [_, name, version, json] = columns(line);
            let version = our_version(release, name, version.parse().unwrap());
            if name.ends_with("Header") || was_replaced(release, name, version) {
                continue;
            }
            let place = format!("{name} v{version} by default in Kafka {release}");
            let ours = (kinds[name].defaults)(version).to_json_any(version);
            same_json(&place, &serde_json::from_str(json).unwrap(), &ours);
            compared += 1;
        }
        assert!(compared > 500, "{compared} defaults compared with Kafka {release}");
    }
}

#[test]
fn fields_that_a_version_lacks_are_refused_or_left_out_as_in_java() {
    let kinds = by_name();
    let mut ours = BTreeMap::new();
    for release in RELEASES {
        let answer = ask(release, "strays", String::new());
        let mut compared = 0;
        for line in answer.lines().filter(|line| line.starts_with("stray\t")) {
            let [_, name, version, structure, field, refused] = columns(line);
            let version = our_version(release, name, version.parse().unwrap());
            if name.ends_with("Header") || was_replaced(release, name, version) {
                continue;
            }
            let strays = ours
                .entry((name.to_owned(), version))
                .or_insert_with(|| (kinds[name].strays)(version));
            let structure = structure
                .strip_suffix("Data")
                .filter(|top| *top == name)
                .unwrap_or(structure);
            // Structures of requests and responses that share a name have that of the message in front.
            let stray = strays
                .iter()
                .find(|stray| stray.structure.ends_with(structure) && plain(stray.field) == plain(field));
            let place = format!("{name} v{version} of Kafka {release}: {structure}.{field}");
            let stray = stray.unwrap_or_else(|| panic!("{place} is in our version: {strays:?}"));
            assert_eq!(refused, stray.refused.to_string(), "{place} refused: in Java, here");
            compared += 1;
        }
        assert!(compared > 700, "{compared} fields compared with Kafka {release}");
    }
}

fn compare_header(example: &Example) {
    let Example {
        name,
        version,
        json,
        bytes,
        ..
    } = example;
    let mut reader = Reader::new(bytes.clone());
    let mut writer = Writer::new();
    if name == "RequestHeader" {
        let header = RequestHeader::decode(&mut reader, *version).unwrap();
        assert_eq!(json["requestApiKey"], header.request_api_key);
        assert_eq!(json["requestApiVersion"], header.request_api_version);
        assert_eq!(json["correlationId"], header.correlation_id);
        assert_eq!(
            json.get("clientId").and_then(Value::as_str),
            header.client_id.as_deref()
        );
        header.encode(&mut writer, *version).unwrap();
    } else {
        let header = ResponseHeader::decode(&mut reader, *version).unwrap();
        assert_eq!(json["correlationId"], header.correlation_id);
        header.encode(&mut writer, *version).unwrap();
    }
    assert_eq!(reader.remaining(), 0, "{name} v{version}");
    assert_eq!(writer.into_bytes().unwrap(), bytes, "{name} v{version}");
}

#[test]
fn java_reads_what_we_write_and_writes_the_same() {
    let styles = [
        (Style::Full, 0),
        (Style::Nulls, 0),
        (Style::Empty, 0),
        (Style::Random, 1),
        (Style::Random, 2),
        (Style::Random, 3),
    ];
    let mut ours = Vec::new();
    let mut question = String::new();
    for kind in kinds() {
        for version in kind.versions.clone() {
            for (style, seed) in styles {
                let message = (kind.specimen)(&mut Generator::new(style, seed), version);
                let mut writer = Writer::new();
                message
                    .encode_any(&mut writer, version)
                    .unwrap_or_else(|error| panic!("{message:?}: {error}"));
                let bytes = hex(&writer.into_bytes().unwrap());
                writeln!(question, "{}\t{version}\t{bytes}", kind.name).unwrap();
                ours.push((kind.name, version, style, bytes, message.to_json_any(version)));
            }
        }
    }
    let mut read = BTreeSet::new();
    for release in RELEASES {
        let answer = ask(release, "decode", question.clone());
        let answers: Vec<&str> = answer.lines().filter(|line| !line.starts_with("absent")).collect();
        assert_eq!(answers.len(), ours.len());
        for (line, (name, version, style, bytes, json)) in answers.into_iter().zip(&ours) {
            let place = format!("{name} v{version} {style:?} read by Kafka {release}");
            if line.starts_with("unknown\t") || was_replaced(release, name, *version) {
                continue;
            }
            assert!(line.starts_with("message\t"), "{place}: {line}\n{bytes}\n{json}");
            let [_, their_name, their_version, left, their_bytes, their_json] = columns(line);
            assert_eq!(
                (their_name, their_version, left),
                (*name, &*version.to_string(), "0"),
                "{place}"
            );
            let their_json: Value = serde_json::from_str(their_json).unwrap();
            same_json(&place, &their_json, &as_known_to(release, name, json));
            assert_eq!(their_bytes, bytes, "{place} writes it differently");
            read.insert((*name, *version));
        }
    }
    let all: usize = kinds().iter().map(|kind| kind.versions.clone().count()).sum();
    assert_eq!(
        read.len(),
        all,
        "every message in every version was read by one of the releases"
    );
}

/// What Java says about a batch, or what we say in the same words.
fn describe(bytes: &[u8]) -> String {
    let batch = RecordBatch::parse(bytes).unwrap();
    batch.check_crc().unwrap();
    assert_eq!(batch.as_bytes().len(), bytes.len());
    let attributes = batch.attributes();
    let codec = attributes.compression_type().unwrap();
    let timestamps = match attributes.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let mut text = format!(
        "header\t{}\t{}\t{}\t{}\t{codec}\t{timestamps}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
        batch.base_offset(),
        batch.last_offset(),
        batch.size_in_bytes(),
        batch.partition_leader_epoch(),
        batch.max_timestamp(),
        batch.producer_id(),
        batch.producer_epoch(),
        batch.base_sequence(),
        attributes.is_transactional(),
        attributes.is_control(),
        batch.records_count(),
        batch.last_sequence()
    );
    let inflated = batch.inflate(1 << 20).unwrap();
    let show = |bytes: Option<&[u8]>| bytes.map_or("null".to_owned(), hex);
    for record in Records::new(batch.records_count(), &inflated).unwrap() {
        let record = record.unwrap();
        let offset = batch.base_offset() + i64::from(record.offset_delta);
        let timestamp = batch.record_timestamp(record.timestamp_delta);
        write!(text, "record\t{offset}\t{timestamp}\t{}\t", record.size_in_bytes).unwrap();
        write!(text, "{}\t{}\t", show(record.key), show(record.value)).unwrap();
        for header in record.headers.iter() {
            write!(text, "{}={},", hex(header.key), show(header.value)).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn we_read_javas_batches_of_every_codec() {
    for release in RELEASES {
        let answer = ask(release, "write-batches", String::new());
        let mut batches = 0;
        for part in answer.split("batch\t").skip(1) {
            let (head, description) = part.split_once('\n').unwrap();
            let bytes = unhex(head.rsplit('\t').next().unwrap());
            assert_eq!(
                describe(&bytes),
                description,
                "Kafka {release}, {}",
                head.split('\t').next().unwrap()
            );
            batches += 1;
        }
        assert_eq!(batches, 5 * 3 * 2);
    }
}

#[test]
fn java_reads_our_batches_of_every_codec() {
    let mut question = String::new();
    let mut expected = Vec::new();
    for codec in CompressionType::ALL {
        for count in [1, 10, 5000] {
            let mut builder = BatchBuilder::new()
                .base_offset(4242)
                .partition_leader_epoch(3)
                .producer(77, 5, i32::MAX - 3)
                .transactional(count == 10)
                .compression(codec, None);
            for index in 0..count {
                let value = format!("value {}", index * 17).repeat(index % 5 + 1);
                let headers: &[(&[u8], Option<&[u8]>)] = &[("é".as_bytes(), None), (b"h", Some(b"1"))];
                builder.append_with_headers(
                    1_700_000_000_000 + index as i64 * 3,
                    (index % 2 == 0).then_some(value.as_bytes()),
                    (index % 3 != 2).then_some(value.as_bytes()),
                    &headers[..index % 3],
                );
            }
            let bytes = builder.build().unwrap();
            writeln!(question, "{}", hex(&bytes)).unwrap();
            expected.push(describe(&bytes));
        }
    }
    for release in RELEASES {
        let answer = ask(release, "read-batches", question.clone());
        let answers: Vec<&str> = answer.split("batch\n").skip(1).collect();
        assert_eq!(answers, expected, "Kafka {release}");
    }
}

/// The fuzzer starts from frames that are valid; random bytes never get past the header.
#[test]
fn valid_frames_are_left_for_the_fuzzer() {
    let folder = oracle::java::target().join("fuzz-corpus");
    std::fs::create_dir_all(&folder).unwrap();
    let kinds = kinds();
    let plain: Vec<&Kind> = kinds.iter().filter(|kind| kind.api_key.is_none()).collect();
    let mut files = 0;
    for release in RELEASES {
        for Example {
            name,
            version,
            variant,
            bytes,
            ..
        } in examples(release)
        {
            let Some(kind) = kinds.iter().find(|kind| kind.name == name) else {
                continue;
            };
            let mut input = Writer::new();
            match kind.api_key {
                Some(key) if kind.is_request => {
                    input.put_slice(&[0]);
                    let (request_api_key, client_id) = (key.number(), Some(Utf8Bytes::from("fuzz")));
                    let header = RequestHeader {
                        request_api_key,
                        request_api_version: version,
                        correlation_id: 7,
                        client_id,
                    };
                    header.encode(&mut input, key.request_header_version(version)).unwrap();
                }
                Some(key) => {
                    input.put_slice(&[1]);
                    input.put_slice(&key.number().to_be_bytes());
                    input.put_slice(&version.to_be_bytes());
                    let header = ResponseHeader { correlation_id: 7 };
                    header.encode(&mut input, key.response_header_version(version)).unwrap();
                }
                None => {
                    let number = plain.iter().position(|plain| plain.name == name).unwrap();
                    input.put_slice(&[2, number as u8, version as u8]);
                }
            }
            input.put_slice(&bytes);
            let input = input.into_bytes().unwrap();
            protocol::testing::exercise(&input);
            std::fs::write(folder.join(format!("{name}-{version}-{variant}-{release}")), &input).unwrap();
            files += 1;
        }
        let batches = ask(release, "write-batches", String::new());
        for (number, line) in batches.lines().filter(|line| line.starts_with("batch\t")).enumerate() {
            let [_, codec, count, _, bytes] = columns(line);
            if count == "3000" {
                continue;
            }
            let input = [&[3], &*unhex(bytes)].concat();
            protocol::testing::exercise(&input);
            std::fs::write(folder.join(format!("batch-{number}-{codec}-{release}")), &input).unwrap();
            let codec: CompressionType = codec.parse().unwrap();
            let compressed = [&[4 + codec.id()], &input[1 + protocol::records::BATCH_HEADER_SIZE..]].concat();
            protocol::testing::exercise(&compressed);
            std::fs::write(folder.join(format!("content-{number}-{codec}-{release}")), &compressed).unwrap();
        }
    }
    assert!(files > 4000, "{files} files");
}
