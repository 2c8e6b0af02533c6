//! Where entries come from: a file in YAML or in the form of `server.properties`, and `KEY=VALUE` on the command line.

use crate::error::{ConfigError, Origin};
use crate::load::Entry;

mod properties;
mod yaml;

/// Reads the entries of a configuration file. Its name decides what it is: `.yaml` and `.yml`, or `.properties`.
pub fn parse_file(name: &str, bytes: &[u8]) -> Result<Vec<Entry>, Vec<ConfigError>> {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("yaml" | "yml") => match std::str::from_utf8(bytes) {
            Ok(text) => yaml::parse(name, text),
            Err(error) => Err(vec![ConfigError::of_file(name, format!("is not UTF-8: {error}"))]),
        },
        Some("properties") => properties::parse(name, &decode(bytes)),
        _ => Err(vec![ConfigError::of_file(
            name,
            "must end in .yaml, .yml or .properties".to_owned(),
        )]),
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
        _ => Err(ConfigError {
            key: String::new(),
            value: None,
            reason: format!("{argument} is not of the form KEY=VALUE"),
            nearest: None,
            origin: Some(Origin::Override),
        }),
    }
}

/// Java reads properties as ISO-8859-1; today people write UTF-8. What is not UTF-8 is taken as Java takes it.
fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}
