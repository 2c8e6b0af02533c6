//! Where entries come from: a file in YAML or in the form of `server.properties`, and `KEY=VALUE` on the command line.

use crate::error::{ConfigError, Origin};
use crate::load::{Entry, is_secret};
use crate::value::HIDDEN;

mod properties;
mod yaml;

/// What could be read of a source, and what could not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// In their order.
    pub entries: Vec<Entry>,
    /// One that names a key is about that key alone; beside one that names none, entries may be missing.
    pub errors: Vec<ConfigError>,
    /// Keys that the command line overrules, each with the reason: a warning where one is set.
    pub overruled: Vec<(&'static str, &'static str)>,
}

/// What some editors begin a file in UTF-8 with. To Java it is a part of the first key, which is then unknown.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the entries of a configuration file. Its name decides what it is: YAML ends in `.yaml` or `.yml`; anything else are
/// properties, as Kafka takes them from any file.
pub fn parse_file(name: &str, bytes: &[u8]) -> Parsed {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("yaml" | "yml") => match std::str::from_utf8(bytes) {
            Ok(text) => yaml::parse(name, text),
            Err(error) => Parsed {
                errors: vec![ConfigError::of_file(name, format!("is not UTF-8: {error}"))],
                ..Parsed::default()
            },
        },
        _ => properties::parse(name, &decode(bytes)),
    }
}

/// Reads the argument of `--override`.
pub fn parse_override(argument: &str) -> Result<Entry, ConfigError> {
    match argument.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(Entry {
            key: key.trim().to_owned(),
            value: Some(value.to_owned()),
            origin: Origin::Override,
        }),
        _ => {
            // Whoever forgot the equals sign may have written a secret behind the key.
            let end = argument.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
            let shown = match end.map(|end| argument.split_at(end)) {
                Some((key, _)) if is_secret(key) => format!("{key}{HIDDEN}"),
                _ => argument.to_owned(),
            };
            Err(ConfigError {
                key: String::new(),
                value: None,
                reason: format!("{shown} is not of the form KEY=VALUE"),
                nearest: None,
                origin: Some(Origin::Override),
            })
        }
    }
}

/// Java reads properties as ISO-8859-1; today people write UTF-8. What is not UTF-8 is taken as Java takes it.
fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(name: &str, bytes: &[u8]) -> Vec<(String, Option<String>)> {
        let Parsed { entries, errors, .. } = parse_file(name, bytes);
        assert_eq!(errors, [], "{name}");
        entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    #[test]
    fn the_name_of_a_file_decides_what_it_is() {
        let expected = [("a".to_owned(), Some("b: 1".to_owned()))];
        assert_eq!(pairs("conf/server.PROPERTIES", b"a = b: 1"), expected);
        assert_eq!(pairs("sordini.yaml", b"a: 'b: 1'"), expected);
        assert_eq!(pairs("x.yml", b"{a: 'b: 1'}"), expected);
        for name in ["server.conf", "/dev/stdin", "yaml"] {
            assert_eq!(pairs(name, b"a = b: 1"), expected);
        }
    }

    #[test]
    fn files_may_be_utf_8_and_properties_latin_1() {
        let expected = [("rack".to_owned(), Some("Köln".to_owned()))];
        assert_eq!(pairs("a.properties", "rack=Köln".as_bytes()), expected);
        assert_eq!(pairs("a.properties", b"rack=K\xf6ln"), expected);
        assert_eq!(pairs("a.yaml", "rack: Köln".as_bytes()), expected);
        assert!(
            parse_file("a.yaml", b"rack: K\xf6ln").errors[0]
                .reason
                .contains("is not UTF-8")
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_key() {
        let expected = [("broker.id".to_owned(), Some("1".to_owned()))];
        assert_eq!(pairs("a.properties", b"\xef\xbb\xbfbroker.id=1\n"), expected);
        assert_eq!(pairs("a.yaml", b"\xef\xbb\xbfbroker.id: 1\n"), expected);
        assert_eq!(
            pairs("a.properties", b"\xef\xbb\xbf# a comment\nbroker.id=1\n"),
            expected
        );
        assert_eq!(pairs("a.yaml", b"\xef\xbb\xbf"), []);
    }

    #[test]
    fn an_override_is_parted_at_its_first_equals_sign() {
        let entry = parse_override(" broker.rack =a=b").expect("well-formed");
        assert_eq!(
            (entry.key.as_str(), entry.value.as_deref()),
            ("broker.rack", Some("a=b"))
        );
        assert_eq!(
            parse_override("broker.rack=").expect("well-formed").value.as_deref(),
            Some("")
        );
        for argument in ["", "broker.rack", "=1", " =1"] {
            let error = parse_override(argument).expect_err("not of the form");
            assert_eq!(
                error.to_string(),
                format!("--override: {argument} is not of the form KEY=VALUE")
            );
        }
    }
    #[test]
    fn an_override_without_an_equals_sign_shows_no_secret() {
        for argument in ["ssl.key.password hunter2", "ssl.keystore.password:hunter2"] {
            let error = parse_override(argument).expect_err("not of the form").to_string();
            assert!(
                error.contains("password[hidden]") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
