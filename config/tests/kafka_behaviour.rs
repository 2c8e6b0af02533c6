//! What we accept and refuse, and in which words, against Kafka's own classes.

mod support;

use std::collections::BTreeMap;

use config::{BrokerConfig, Entry, Origin, Strictness, TopicConfig, TopicDefaults, ValueType, keys, load, sources};
use support::{Answer, ask, question};

/// Values that are at the edge of one type or range or the other.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "-1",
    "-2",
    "-3",
    "+5",
    " 7 ",
    "3",
    "4",
    "9",
    "10",
    "13",
    "14",
    "17",
    "18",
    "22",
    "23",
    "100",
    "1024",
    "-131072",
    "-131073",
    "32767",
    "32768",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "1.5",
    "0.5",
    "1e3",
    "1.0000001",
    "-0.1",
    "abc",
    "0x10",
    "1_000",
    "true",
    "TRUE",
    " false ",
    "yes",
    "compact",
    "delete",
    "compact, delete",
    "compact,,delete",
    "Compact",
    "producer",
    "uncompressed",
    "none",
    "gzip",
    "GZIP",
    "snappy",
    "lz4",
    "zstd",
    "CreateTime",
    "LogAppendTime",
    "createtime",
    "*",
    "0:1",
    "0:1,1:2",
    "0:1, 1:2",
    "0:1,*",
    "0:a",
    "0-1",
    "3.9",
    "3.9.1",
    "3.9-IV0",
    "3.9-IV7",
    "2.8",
    "2.8-IV0",
    "0.10",
    "0.10.2",
    "5.0",
    "classic",
    "consumer",
    "classic,consumer",
    "PLAINTEXT",
    "plaintext",
    "required",
    "bidirectional",
];

fn refusal(answer: &Answer) -> Option<&str> {
    match answer.as_slice() {
        [row] if row[0] == "refused" => Some(row[1].as_str()),
        _ => None,
    }
}

fn map(answer: &Answer) -> BTreeMap<String, String> {
    answer
        .iter()
        .map(|row| (row[0].clone(), row.get(1).cloned().unwrap_or_default()))
        .collect()
}

type Pairs = Vec<(String, String)>;

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn questions(kind: &str, cases: &[Pairs]) -> Vec<Vec<String>> {
    let borrowed = |case: &Pairs| {
        let case: Vec<(&str, &str)> = case.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        question(kind, &case)
    };
    cases.iter().map(borrowed).collect()
}

#[test]
fn topic_overrides_are_accepted_and_refused_as_in_kafka() {
    let single = keys::topic().flat_map(|key| VALUES.iter().map(|value| pairs(&[(key.name, value)])));
    let several = [
        pairs(&[("no.such.key", "1")]),
        pairs(&[("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")]),
        pairs(&[("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "5")]),
        pairs(&[("remote.storage.enable", "true"), ("cleanup.policy", "compact")]),
        pairs(&[("remote.log.copy.disable", "true"), ("remote.storage.enable", "true")]),
        pairs(&[("segment.bytes", "x"), ("retention.ms", "y"), ("no.such.key", "1")]),
        pairs(&[]),
    ];
    let cases: Vec<Pairs> = single.chain(several).collect();
    let answers = ask("topic", &questions("topic", &cases));
    let mut different = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let overrides: BTreeMap<String, String> = case.iter().cloned().collect();
        let ours = TopicConfig::new(&TopicDefaults::default(), &overrides)
            .and_then(|_| BrokerConfig::default().describe_topic(&overrides));
        let ours = ours.map_err(|error| error.to_string()).map(|entries| {
            let shown = entries
                .into_iter()
                .map(|entry| (entry.name, entry.value.unwrap_or_default()));
            shown.collect::<BTreeMap<_, _>>()
        });
        let kafkas = match refusal(answer) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(map(answer)),
        };
        if ours != kafkas {
            let short = |outcome: &Result<BTreeMap<String, String>, String>| match outcome {
                Err(reason) => reason.clone(),
                Ok(values) => format!("{:?}", case.first().and_then(|(key, _)| values.get(key))),
            };
            different.push(format!(
                "{case:?}\n  ours:   {}\n  Kafka's: {}",
                short(&ours),
                short(&kafkas)
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        cases.len(),
        different.join("\n")
    );
}

fn ours(case: &Pairs) -> Result<BrokerConfig, String> {
    let entry = |(key, value): &(String, String)| Entry {
        key: key.clone(),
        value: Some(value.clone()),
        origin: Origin::Properties {
            file: "server.properties".into(),
            line: 1,
        },
    };
    match load(case.iter().map(entry).collect(), Strictness::Lenient) {
        Ok(loaded) => Ok(loaded.config),
        Err(refused) => Err(refused
            .errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")),
    }
}

/// Keys that we judge otherwise than Kafka, and why.
const DELIBERATE: &[(&str, &str)] = &[
    ("control.plane.listener.name", "a warning: there is no such listener"),
    ("zookeeper.connect", "what names no server is refused at once"),
    ("authorizer.class.name", "refused until there is authorisation"),
    (
        "zookeeper.metadata.migration.enable",
        "a warning: there is no Raft quorum",
    ),
    (
        "controller.listener.names",
        "a warning: people bring it along from a Raft quorum",
    ),
    (
        "controller.quorum.bootstrap.servers",
        "a warning: there is no Raft quorum",
    ),
    ("controller.quorum.voters", "a warning: there is no Raft quorum"),
    ("early.start.listeners", "a warning: there are no such listeners"),
    ("process.roles", "a warning: every broker is its own controller"),
    (
        "group.consumer.assignors",
        "a warning: the new group protocol comes later",
    ),
    (
        "group.coordinator.rebalance.protocols",
        "a warning: the new group protocol comes later",
    ),
    (
        "socket.receive.buffer.bytes",
        "refused at once and not when the first client connects",
    ),
    (
        "socket.send.buffer.bytes",
        "refused at once and not when the first client connects",
    ),
    (
        "group.min.session.timeout.ms",
        "Kafka starts and then refuses every member",
    ),
    (
        "group.max.session.timeout.ms",
        "Kafka starts and then refuses every member",
    ),
    (
        "inter.broker.protocol.version",
        "versions before 2.8 and after 3.9 are not spoken",
    ),
];

fn is_deliberate(case: &Pairs) -> bool {
    let class = |key: &str| keys::find_broker(key).is_some_and(|known| known.value_type == ValueType::Class);
    case.iter()
        .any(|(key, _)| class(key) || DELIBERATE.iter().any(|(other, _)| other == key))
}

const TWO: &str = "A://:1,B://:2";
const MAP: &str = "A:PLAINTEXT,B:PLAINTEXT,PLAINTEXT:PLAINTEXT";

/// Several keys that only together are right or wrong.
const COMBINATIONS: &[&[(&str, &str)]] = &[
    &[],
    &[("broker.id", "1"), ("node.id", "1")],
    &[("broker.id", "1"), ("node.id", "2")],
    &[("broker.id", "1001")],
    &[("broker.id", "1001"), ("broker.id.generation.enable", "false")],
    &[("broker.id", "1001"), ("reserved.broker.max.id", "2000")],
    &[("broker.id", "-1"), ("broker.id.generation.enable", "false")],
    &[("node.id", "5")],
    &[("log.dirs", "/a,/b"), ("log.dir", "/c")],
    &[("log.dirs", " , ")],
    &[("log.retention.ms", "0")],
    &[("log.retention.ms", "-5")],
    &[("log.retention.minutes", "3"), ("log.retention.hours", "4")],
    &[("log.retention.minutes", "0")],
    &[("log.retention.hours", "-1")],
    &[("log.retention.ms", "7"), ("log.retention.minutes", "3")],
    &[("log.roll.ms", "0")],
    &[("log.roll.ms", "9"), ("log.roll.hours", "1")],
    &[("log.roll.hours", "2"), ("log.roll.jitter.hours", "1")],
    &[("log.roll.jitter.ms", "-1")],
    &[("log.flush.scheduler.interval.ms", "77")],
    &[
        ("log.flush.scheduler.interval.ms", "77"),
        ("log.flush.interval.ms", "78"),
    ],
    &[("log.message.timestamp.difference.max.ms", "10")],
    &[
        ("log.message.timestamp.difference.max.ms", "10"),
        ("log.message.timestamp.before.max.ms", "20"),
    ],
    &[("log.cleaner.threads", "200")],
    &[("replica.fetch.wait.max.ms", "30001")],
    &[("replica.lag.time.max.ms", "499")],
    &[("offsets.commit.required.acks", "4")],
    &[("offsets.commit.required.acks", "3")],
    &[("queued.max.request.bytes", "100")],
    &[("queued.max.request.bytes", "100"), ("socket.request.max.bytes", "100")],
    &[("max.connections.per.ip", "0")],
    &[
        ("max.connections.per.ip", "0"),
        ("max.connections.per.ip.overrides", "127.0.0.1:3"),
    ],
    &[("max.connections.per.ip.overrides", "a b:3")],
    &[("connections.max.idle.ms", "100")],
    &[("connections.max.idle.ms", "-1")],
    &[("listeners", "PLAINTEXT://:9092,PLAINTEXT://:9093")],
    &[("listeners", TWO)],
    &[("listeners", TWO), ("listener.security.protocol.map", MAP)],
    &[
        ("listeners", TWO),
        ("listener.security.protocol.map", MAP),
        ("inter.broker.listener.name", "B"),
    ],
    &[
        ("listeners", TWO),
        ("listener.security.protocol.map", MAP),
        ("inter.broker.listener.name", "b"),
    ],
    &[
        ("listeners", TWO),
        ("listener.security.protocol.map", MAP),
        ("inter.broker.listener.name", "C"),
    ],
    &[
        ("listeners", "a://:1"),
        ("listener.security.protocol.map", MAP),
        ("inter.broker.listener.name", "A"),
    ],
    &[
        ("listeners", "A://:1,PLAINTEXT://:1"),
        ("listener.security.protocol.map", MAP),
    ],
    &[
        ("listeners", "A://:0,PLAINTEXT://:0"),
        ("listener.security.protocol.map", MAP),
    ],
    &[
        ("listeners", "A://127.0.0.1:1,PLAINTEXT://[::1]:1"),
        ("listener.security.protocol.map", MAP),
    ],
    &[
        ("listeners", "A://127.0.0.1:1,PLAINTEXT://127.0.0.2:1"),
        ("listener.security.protocol.map", MAP),
    ],
    &[
        ("listeners", "A://localhost:1,PLAINTEXT://[::1]:1"),
        ("listener.security.protocol.map", MAP),
    ],
    &[("listeners", "PLAINTEXT://[::1]:9092")],
    &[("listeners", "PLAINTEXT://localhost")],
    &[("listeners", "PLAINTEXT://local host:1")],
    &[("listeners", "://:1")],
    &[("listeners", "PLAINTEXT:9092")],
    &[("listeners", "")],
    &[("advertised.listeners", "PLAINTEXT://example.com:19092")],
    &[("advertised.listeners", "PLAINTEXT://0.0.0.0:9092")],
    &[
        ("advertised.listeners", "A://example.com:1"),
        ("listener.security.protocol.map", MAP),
    ],
    &[("advertised.listeners", "A://example.com:1")],
    &[
        ("listeners", "A://:1,PLAINTEXT://:2"),
        ("advertised.listeners", "A://h:5,PLAINTEXT://h:5"),
        ("listener.security.protocol.map", MAP),
    ],
    &[
        ("listeners", "A://:1,PLAINTEXT://:2"),
        ("advertised.listeners", "A://h:5"),
        ("listener.security.protocol.map", MAP),
    ],
    &[("listener.security.protocol.map", "PLAINTEXT:NOTHING")],
    &[("listener.security.protocol.map", "plaintext:plaintext")],
    &[
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("security.inter.broker.protocol", "PLAINTEXT"),
    ],
    &[("security.inter.broker.protocol", "SSL")],
    &[("listener.name.plaintext.max.connections", "5")],
    &[("some.key.of.a.plug-in", "5")],
];

#[test]
fn broker_keys_are_accepted_and_refused_as_in_kafka() {
    let single = keys::broker().flat_map(|key| VALUES.iter().map(|value| pairs(&[(key.name, value)])));
    let cases: Vec<Pairs> = single
        .filter(|case| !is_deliberate(case))
        .chain(COMBINATIONS.iter().map(|case| pairs(case)))
        .collect();
    let answers = ask("broker", &questions("broker", &cases));
    let mut different = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let kafkas = match refusal(answer) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(map(answer)),
        };
        let ours = ours(case).map(|config| topic_defaults(&config, &kafkas));
        let same = match (&ours, &kafkas) {
            (Ok(ours), Ok(kafkas)) => ours == kafkas,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if !same {
            different.push(format!("{case:?}\n  ours:   {ours:?}\n  Kafka's: {kafkas:?}"));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        cases.len(),
        different.join("\n")
    );
}

/// The defaults that a topic gets, of the keys that Kafka takes from the broker. Kafka works the two limits of timestamps out
/// here already, we when a topic is read.
fn topic_defaults(
    config: &BrokerConfig,
    kafkas: &Result<BTreeMap<String, String>, String>,
) -> BTreeMap<String, String> {
    let Ok(kafkas) = kafkas else { return BTreeMap::new() };
    let topic = TopicConfig::new(&config.topic_defaults, &BTreeMap::new()).expect("defaults are valid");
    let entries = config
        .describe_topic(&BTreeMap::new())
        .expect("defaults are valid")
        .into_iter();
    let value = |name: &str, shown: Option<String>| match name {
        "message.timestamp.before.max.ms" => topic.message_timestamp_before_max_ms.to_string(),
        "message.timestamp.after.max.ms" => topic.message_timestamp_after_max_ms.to_string(),
        _ => shown.unwrap_or_default(),
    };
    let taken = entries.filter(|entry| kafkas.contains_key(&entry.name));
    taken
        .map(|entry| (entry.name.clone(), value(&entry.name, entry.value)))
        .collect()
}

/// Texts of what matters in a properties file, by a small generator of its own, so that every run compares the same.
fn properties_texts() -> Vec<String> {
    const PIECES: &[&str] = &[
        "a",
        "b.c",
        "key",
        "=",
        ":",
        " ",
        "\t",
        "\u{c}",
        "\\",
        "\\\\",
        "\n",
        "\r",
        "\r\n",
        "\\\n",
        "\\\r\n",
        "#",
        "!",
        "\n#",
        "\n!",
        "\\n",
        "\\t",
        "\\u0041",
        "\\u00e9",
        "\\uD83D\\uDE00",
        "\\u12",
        "\\uzzzz",
        "é",
        "😀",
        "\n\n",
        "\\=",
        "\\:",
        "\\ ",
        "value",
        "\u{1}",
        "\u{85}",
        "\u{a0}",
    ];
    let mut state = 0x5eed_u64;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % limit
    };
    (0..3000)
        .map(|_| (0..below(14)).map(|_| PIECES[below(PIECES.len())]).collect())
        .collect()
}

#[test]
fn properties_files_are_read_as_java_reads_them() {
    // A backslash alone in the last line is an empty key for Java before "\n", and nothing before "\r\n"; for us it is nothing.
    let ends_alone = |text: &String| {
        text.trim_end()
            .rsplit(['\n', '\r'])
            .next()
            .is_some_and(|line| line.trim() == "\\")
    };
    let texts: Vec<String> = properties_texts()
        .into_iter()
        .filter(|text| !ends_alone(text))
        .collect();
    let hex = |text: &String| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let questions: Vec<Vec<String>> = texts.iter().map(|text| vec!["file".to_owned(), hex(text)]).collect();
    let mut different = Vec::new();
    for (text, answer) in texts.iter().zip(ask("file", &questions)) {
        let kafkas = if refusal(&answer).is_some() {
            None
        } else {
            Some(map(&answer))
        };
        let parsed = sources::parse_file("server.properties", text.as_bytes());
        let ours = parsed.errors.is_empty().then_some(parsed.entries).map(|entries| {
            // Java cannot print half a character and prints a question mark.
            let printed = |text: String| text.replace('\u{fffd}', "?");
            let pairs = entries
                .into_iter()
                .map(|entry| (printed(entry.key), printed(entry.value.unwrap_or_default())));
            pairs.collect::<BTreeMap<_, _>>()
        });
        if ours != kafkas {
            different.push(format!("{text:?}\n  ours:   {ours:?}\n  Java's: {kafkas:?}"));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        texts.len(),
        different.join("\n")
    );
}
