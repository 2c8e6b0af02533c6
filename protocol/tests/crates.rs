//! A second oracle: both releases of the `kafka-protocol` crate, where they know the version, must read every message that we write,
//! to its last byte, and write the same bytes again; and we must read those.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use protocol::testing::{Generator, Kind, Style, kinds};
use protocol::wire::{Reader, Writer};

/// Versions that the crate's table of keys names and its messages do not know.
const UNKNOWN: [(&str, i16); 3] = [
    ("OffsetCommitRequest", 10),
    ("OffsetFetchRequest", 10),
    ("InitProducerIdRequest", 6),
];

/// What became of our bytes on their way through a crate: `None` where it does not know the version.
type Echo = Option<Result<Bytes, String>>;

macro_rules! echo {
    ($name:ident, $crate_name:ident) => {
        fn $name(key: i16, is_request: bool, version: i16, bytes: Bytes) -> Echo {
            use $crate_name::messages::{ApiKey, RequestKind, ResponseKind};
            let key = ApiKey::try_from(key).ok()?;
            let known = key.valid_versions();
            if !(known.min..=known.max).contains(&version) {
                return None;
            }
            let mut rest = bytes;
            let mut out = BytesMut::new();
            Some(match is_request {
                true => match RequestKind::decode(key, &mut rest, version) {
                    Ok(request) => finish(request.encode(&mut out, version), out, rest),
                    Err(error) => Err(format!("is not read: {error:#}")),
                },
                false => match ResponseKind::decode(key, &mut rest, version) {
                    Ok(response) => finish(response.encode(&mut out, version), out, rest),
                    Err(error) => Err(format!("is not read: {error:#}")),
                },
            })
        }
    };
}

echo!(echo_of_3_8, kafka_protocol_3_8);
echo!(echo_of_4_1, kafka_protocol_4_1);

fn finish<E: Debug>(encoded: Result<(), E>, out: BytesMut, rest: Bytes) -> Result<Bytes, String> {
    match encoded {
        Err(error) => Err(format!("is not written: {error:?}")),
        Ok(()) if !rest.is_empty() => Err(format!("leaves {} bytes", rest.len())),
        Ok(()) => Ok(out.freeze()),
    }
}

fn write(kind: &Kind, version: i16, style: Style, seed: u64) -> Bytes {
    let message = (kind.specimen)(&mut Generator::new(style, seed), version);
    let mut writer = Writer::new();
    message.encode_any(&mut writer, version).expect("a specimen is encoded");
    writer.into_bytes().expect("in memory")
}

fn check(echo: fn(i16, bool, i16, Bytes) -> Echo, at_least: usize) {
    let mut complaints = Vec::new();
    let mut compared = 0;
    for kind in kinds() {
        let Some(key) = kind.api_key else { continue };
        for version in kind.versions.clone() {
            for (style, seed) in [
                (Style::Full, 1),
                (Style::Nulls, 2),
                (Style::Empty, 3),
                (Style::Random, 4),
                (Style::Random, 5),
            ] {
                let ours = write(&kind, version, style, seed);
                let Some(theirs) = echo(key.number(), kind.is_request, version, ours.clone()) else {
                    continue;
                };
                let name = kind.name;
                if UNKNOWN.contains(&(name, version)) && theirs.is_err() {
                    continue;
                }
                compared += 1;
                match theirs {
                    Err(error) => complaints.push(format!("{name} v{version} {style:?}: {error}")),
                    Ok(theirs) if theirs != ours => {
                        complaints.push(format!("{name} v{version} {style:?}: other bytes"))
                    }
                    Ok(theirs) => {
                        let again = (kind.decode)(&mut Reader::new(theirs), version);
                        assert!(again.is_ok(), "{name} v{version} {style:?}: {again:?}");
                    }
                }
            }
        }
    }
    assert!(
        complaints.is_empty(),
        "{} of {compared}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(compared >= at_least, "only {compared} messages were compared");
}

#[test]
fn the_crate_of_kafka_3_8_agrees() {
    check(echo_of_3_8, 2000);
}

#[test]
fn the_crate_of_kafka_4_1_agrees() {
    check(echo_of_4_1, 1500);
}
