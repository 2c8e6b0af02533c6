//! Compares JSON field by field, where the two releases call a field by different names too.

use serde_json::Value;

use super::java::Release;

/// Names of 3.9 that 4.x changed without changing the bytes; ours are those of 4.x.
const RENAMED: [(&str, &str); 4] = [
    ("candidateepoch", "replicaepoch"),
    ("candidateid", "replicaid"),
    ("candidatedirectoryid", "replicadirectoryid"),
    ("clientmetricsresources", "configresources"),
];

/// Versions whose bytes Kafka changed without a new number: unstable in 3.9, where no broker served them by default.
pub fn was_replaced(release: Release, name: &str, version: i16) -> bool {
    // And what 3.9 calls ListClientMetricsResources has another name in 4.x and here.
    release == "3.9.1"
        && (name == "ReadShareGroupStateSummaryResponse" && version == 0
            || name.starts_with("ListClientMetricsResources"))
}

/// Tagged fields that 4.x added without a new version; 3.9 passes them on without knowing them.
const ADDED: [(&str, &[&str]); 2] = [
    ("OffsetCommitValue", &["topicId"]),
    (
        "TransactionLogValue",
        &[
            "previousProducerId",
            "nextProducerId",
            "nextProducerEpoch",
            "clientTransactionVersion",
        ],
    ),
];

/// A message of ours as that release can see it.
pub fn as_known_to(release: Release, name: &str, ours: &Value) -> Value {
    let mut known = ours.clone();
    if let (true, Some(object)) = (release == "3.9.1", known.as_object_mut()) {
        for (_, fields) in ADDED.iter().filter(|(added_to, _)| *added_to == name) {
            object.retain(|field, _| !fields.contains(&field.as_str()));
        }
    }
    known
}

/// A field's name, however it is written, as 4.x has it.
pub fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace('_', "").trim_start_matches("r#").to_owned();
    RENAMED
        .iter()
        .find(|(old, _)| *old == name)
        .map_or(name, |(_, new)| (*new).to_owned())
}

/// Panics with the path of the first difference.
pub fn same_json(path: &str, java: &Value, ours: &Value) {
    match (java, ours) {
        (Value::Object(java), Value::Object(ours)) => {
            let mut names: Vec<String> = ours.keys().map(|name| plain(name)).collect();
            for (name, value) in java {
                let mine = ours.iter().find(|(mine, _)| plain(mine) == plain(name));
                let Some((_, mine)) = mine else {
                    panic!("{path}.{name}: {value} in Java, missing here")
                };
                same_json(&format!("{path}.{name}"), value, mine);
                names.retain(|mine| *mine != plain(name));
            }
            assert!(names.is_empty(), "{path}: {names:?} here, missing in Java");
        }
        (Value::Array(java), Value::Array(ours)) => {
            assert_eq!(java.len(), ours.len(), "{path}: elements in Java, elements here");
            for (index, (java, ours)) in java.iter().zip(ours).enumerate() {
                same_json(&format!("{path}[{index}]"), java, ours);
            }
        }
        (java, ours) => assert_eq!(java, ours, "{path}: in Java, here"),
    }
}
