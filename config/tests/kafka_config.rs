//! Our tables of keys against Kafka's own definitions.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use config::{Definition, Strictness, Valid, keys, load, sources, synonyms};

#[test]
fn keys_types_defaults_and_update_modes_are_kafkas() {
    let answers = support::ask("definitions", &[support::question("definitions", &[])]);
    let ours = rows("broker", keys::broker())
        .chain(rows("topic", keys::topic()))
        .chain(synonym_rows());
    let ours: BTreeSet<Vec<String>> = ours.collect();
    let kafkas: BTreeSet<Vec<String>> = answers[0].iter().cloned().map(comparable).collect();
    assert!(kafkas.len() > 350, "Kafka answered {kafkas:?}");
    let only = |left: &BTreeSet<Vec<String>>, right: &BTreeSet<Vec<String>>| {
        left.difference(right)
            .map(|row| row.join(" | "))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(
        ours == kafkas,
        "only ours:\n{}\nonly Kafka's:\n{}",
        only(&ours, &kafkas),
        only(&kafkas, &ours)
    );
}

#[test]
fn keys_of_a_newer_kafka_are_told_from_unknown_ones_and_their_secrets_hidden() {
    let newer: Vec<(String, bool)> = support::newer_keys()
        .into_iter()
        // Providers of values are no newer; only their definition is.
        .filter(|row| keys::find_broker(&row[0]).is_none() && row[0] != "config.providers")
        .map(|row| (row[0].clone(), row[1] == "PASSWORD"))
        .collect();
    let names: Vec<&str> = newer.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.len() > 50, "Kafka answered {names:?}");
    assert_eq!(names, keys::newer().collect::<Vec<_>>());
    for (name, secret) in newer {
        let argument = format!("{name}=hunter2");
        let entry = sources::parse_override(&argument).expect("well-formed");
        let loaded = load(vec![entry], Strictness::Lenient).expect("a warning");
        let value = loaded.warnings[0].value.as_deref();
        assert!(!secret || value == Some("[hidden]"), "{name} is shown as {value:?}");
    }
}

fn rows(kind: &str, definitions: impl Iterator<Item = &'static Definition>) -> impl Iterator<Item = Vec<String>> {
    definitions.map(move |definition| {
        let default = match definition.default {
            None => "null".to_owned(),
            Some(default) => format!("={default}"),
        };
        let row = [
            kind,
            definition.name,
            definition.value_type.name(),
            &default,
            &definition.valid.describe(),
            definition.update_mode.name(),
            definition.importance.name(),
            if definition.internal { "true" } else { "false" },
        ];
        row.map(str::to_owned).to_vec()
    })
}

fn synonym_rows() -> impl Iterator<Item = Vec<String>> {
    synonyms::topic_keys().map(|(topic_key, broker_keys)| {
        let row = ["synonym", topic_key].into_iter().chain(broker_keys.iter().copied());
        row.map(str::to_owned).collect()
    })
}

/// Two validators of Kafka describe themselves by a sentence and by a set without order; ours say the same shorter.
fn comparable(mut row: Vec<String>) -> Vec<String> {
    if let Some(valid) = row.get_mut(4) {
        if valid.starts_with("The default value of -1 means") {
            *valid = Valid::PositiveOrMinusOne.describe();
        }
        if let Some(texts) = valid
            .strip_prefix("(case insensitive) [")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let texts: BTreeSet<&str> = texts.split(", ").collect();
            *valid = format!(
                "(case insensitive) [{}]",
                texts.into_iter().collect::<Vec<_>>().join(", ")
            );
        }
    }
    row
}

#[test]
fn every_key_is_defined_once_and_documented() {
    for definitions in [keys::broker().collect::<Vec<_>>(), keys::topic().collect()] {
        let mut names = BTreeMap::new();
        for definition in definitions {
            assert_eq!(
                names.insert(definition.name, ()),
                None,
                "{} is defined twice",
                definition.name
            );
            assert!(
                definition.doc.ends_with('.'),
                "{} has no documentation",
                definition.name
            );
            if let Some(default) = definition.default {
                assert!(
                    definition.parse(default).is_ok(),
                    "the default of {} is not valid",
                    definition.name
                );
            }
        }
    }
}
