//! The names of `inter.broker.protocol.version` (Kafka's `MetadataVersion`).

/// Every version name that Kafka 3.9 knows, oldest first.
pub const NAMES: &[&str] = &[
    "0.8.0",
    "0.8.1",
    "0.8.2",
    "0.9.0",
    "0.10.0-IV0",
    "0.10.0-IV1",
    "0.10.1-IV0",
    "0.10.1-IV1",
    "0.10.1-IV2",
    "0.10.2-IV0",
    "0.11.0-IV0",
    "0.11.0-IV1",
    "0.11.0-IV2",
    "1.0-IV0",
    "1.1-IV0",
    "2.0-IV0",
    "2.0-IV1",
    "2.1-IV0",
    "2.1-IV1",
    "2.1-IV2",
    "2.2-IV0",
    "2.2-IV1",
    "2.3-IV0",
    "2.3-IV1",
    "2.4-IV0",
    "2.4-IV1",
    "2.5-IV0",
    "2.6-IV0",
    "2.7-IV0",
    "2.7-IV1",
    "2.7-IV2",
    "2.8-IV0",
    "2.8-IV1",
    "3.0-IV0",
    "3.0-IV1",
    "3.1-IV0",
    "3.2-IV0",
    "3.3-IV0",
    "3.3-IV1",
    "3.3-IV2",
    "3.3-IV3",
    "3.4-IV0",
    "3.5-IV0",
    "3.5-IV1",
    "3.5-IV2",
    "3.6-IV0",
    "3.6-IV1",
    "3.6-IV2",
    "3.7-IV0",
    "3.7-IV1",
    "3.7-IV2",
    "3.7-IV3",
    "3.7-IV4",
    "3.8-IV0",
    "3.9-IV0",
    "4.0-IV0",
    "4.0-IV1",
];

/// The version that a text such as `3.9`, `3.9.1` or `3.9-IV0` names: its place in [`NAMES`]; a release without its `IV`
/// part names the last one of that release.
pub fn find(text: &str) -> Option<usize> {
    let segments = if text.starts_with("0.") { 3 } else { 2 };
    let key = text
        .splitn(segments + 1, '.')
        .take(segments)
        .collect::<Vec<_>>()
        .join(".");
    let release = |name: &str| name.split('-').next() == Some(key.as_str());
    NAMES.iter().rposition(|name| *name == key || release(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_its_last_version() {
        let name = |text: &str| find(text).map(|place| NAMES[place]);
        assert_eq!(name("3.9"), Some("3.9-IV0"));
        assert_eq!(name("3.9.1"), Some("3.9-IV0"));
        assert_eq!(name("3.7"), Some("3.7-IV4"));
        assert_eq!(name("3.7-IV1"), Some("3.7-IV1"));
        assert_eq!(name("0.10.2.1"), Some("0.10.2-IV0"));
        assert_eq!(name("0.8.2"), Some("0.8.2"));
        for text in ["", "3", "3.9-IV9", "5.0", "x"] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
