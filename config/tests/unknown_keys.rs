//! Keys that this version does not have: which are mistakes, and which are people's own from elsewhere.

use config::{BrokerConfig, Strictness, load_parsed, sources};

#[test]
fn a_key_is_looked_up_whatever_its_value() {
    let yaml = "nmu.partitions:\nfoo: {}\nlog: {}\nnum.partitions: ~\nlog.retention.ms: null\n";
    let refused =
        load_parsed(sources::parse_file("s.yaml", yaml.as_bytes()), Strictness::Lenient).expect_err("unknown");
    let lines: Vec<String> = refused.errors.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "s.yaml:2: foo: unknown key", "nothing is near enough");
    assert!(
        lines[1].starts_with("s.yaml:3: log: a mapping without keys"),
        "{lines:?}"
    );
    assert_eq!(
        lines[2],
        "s.yaml:1: nmu.partitions: unknown key; the nearest known key is num.partitions"
    );
    let known = "num.partitions: ~\nlog.retention.ms: null\n";
    let loaded = load_parsed(sources::parse_file("s.yaml", known.as_bytes()), Strictness::Strict).expect("defaults");
    assert_eq!(loaded.config, BrokerConfig::default());
}

#[test]
fn a_key_of_a_newer_kafka_is_a_warning_wherever_it_stands() {
    let key = "group.share.assignors";
    for (file, text) in [
        ("s.yaml", format!("{key}: a\n")),
        ("s.properties", format!("{key}=a\n")),
    ] {
        let parsed = || sources::parse_file(file, text.as_bytes());
        let loaded = load_parsed(parsed(), Strictness::Lenient).expect("a warning");
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        let expected = format!("{file}:1: {key}=a: has no effect here: it came with a newer Kafka than 3.9");
        assert_eq!(warnings, [expected]);
        assert!(load_parsed(parsed(), Strictness::Strict).is_err());
    }
    let one_listeners = format!("listener.name.a.{key}=a");
    let entry = sources::parse_override(&one_listeners).expect("well-formed");
    let parsed = sources::Parsed {
        entries: vec![entry],
        ..sources::Parsed::default()
    };
    assert_eq!(
        load_parsed(parsed, Strictness::Lenient)
            .expect("a warning")
            .warnings
            .len(),
        1
    );
}
