//! Kafka's own console tools, of both versions, as people use them.

use integration_tests::child::{Child, await_some, run};
use integration_tests::cluster::{Broker, broker_for_clients};
use integration_tests::tools::{TOOL_LIMIT, Tools};
use integration_tests::wire::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

macro_rules! tool_tests {
    ($($module:ident: $version:literal;)*) => {
        $(mod $module {
            tool_tests!(@each $version, topics, topic_configs, broker_configs, console_producer_and_consumer, console_formats,
                consumer_groups, reset_offsets, delete_groups, get_offsets, delete_records, log_dirs, perf_tools, verifiable,
                api_versions);
        })*
    };
    (@each $version:literal, $($test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            super::$test(&super::Bench::new($version, stringify!($test)));
        })*
    };
}

tool_tests! {
    v3_9: "3.9.1";
    v4_3: "4.3.1";
}

/// A broker, the tools that speak to it, and names of one test's own.
struct Bench {
    broker: Arc<Broker>,
    tools: Tools,
    topic: String,
    group: String,
}

impl Bench {
    fn new(version: &str, test: &str) -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let broker = broker_for_clients();
        let tools = Tools::new(version, &broker.bootstrap());
        let name = format!("{}-{number}", test.replace('_', "-"));
        Bench {
            tools,
            topic: format!("{name}-topic"),
            group: format!("{name}-group"),
            broker,
        }
    }

    fn create(&self, partitions: &str) {
        self.tools.expect(
            "kafka-topics",
            &["--create", "--topic", &self.topic, "--partitions", partitions],
        );
    }

    /// Produces `key-N:value-N` for every N of the range.
    fn produce(&self, numbers: std::ops::Range<usize>) {
        let mut command = self.tools.command("kafka-console-producer");
        command.args(["--bootstrap-server", &self.broker.bootstrap(), "--topic", &self.topic]);
        command.args(["--property", "parse.key=true", "--property", "key.separator=:"]);
        let input: String = numbers.map(|n| format!("key-{n}:value-{n}\n")).collect();
        Child::start_with_input(command, input.as_bytes())
            .finish(TOOL_LIMIT)
            .expect_success("kafka-console-producer");
    }

    fn consume(&self, count: usize, arguments: &[&str]) -> Vec<String> {
        let count = count.to_string();
        let mut all = vec![
            "--topic",
            &self.topic,
            "--max-messages",
            &count,
            "--timeout-ms",
            "60000",
        ];
        all.extend(arguments);
        let said = self.tools.expect("kafka-console-consumer", &all);
        said.lines().map(str::to_owned).collect()
    }

    /// Has the group consume and commit this many records, then leave.
    fn consume_in_group(&self, count: usize) {
        assert_eq!(
            self.consume(count, &["--group", &self.group, "--from-beginning"]).len(),
            count
        );
    }

    /// The columns of the group's line for one partition in `--describe`: current offset, log end offset, lag.
    fn described_group(&self, partition: &str) -> [String; 3] {
        let said = self
            .tools
            .expect("kafka-consumer-groups", &["--describe", "--group", &self.group]);
        let line = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut matching =
            line.filter(|columns| columns.get(1) == Some(&&*self.topic) && columns.get(2) == Some(&partition));
        let columns = matching
            .next()
            .unwrap_or_else(|| panic!("no line for partition {partition} in\n{said}"));
        [columns[3].to_owned(), columns[4].to_owned(), columns[5].to_owned()]
    }

    fn offsets(&self, time: &str) -> Vec<String> {
        let said = self
            .tools
            .expect("kafka-get-offsets", &["--topic", &self.topic, "--time", time]);
        let prefix = format!("{}:", self.topic);
        let mut lines: Vec<String> = said
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    }
}

fn topics(bench: &Bench) {
    let (tools, topic) = (&bench.tools, &*bench.topic);
    let said = tools.expect(
        "kafka-topics",
        &[
            "--create",
            "--topic",
            topic,
            "--partitions",
            "3",
            "--config",
            "segment.ms=600000",
        ],
    );
    assert!(said.contains(&format!("Created topic {topic}.")), "{said}");
    let again = tools.run("kafka-topics", &["--create", "--topic", topic]);
    assert!(
        !again.succeeded() && again.stdout.contains("already exists"),
        "{again:?}"
    );
    tools.expect("kafka-topics", &["--create", "--if-not-exists", "--topic", topic]);
    let listed = tools.expect("kafka-topics", &["--list"]);
    assert!(listed.lines().any(|line| line == topic), "{listed}");

    let described = tools.expect("kafka-topics", &["--describe", "--topic", topic]);
    assert!(
        described.contains("PartitionCount: 3") && described.contains("segment.ms=600000"),
        "{described}"
    );
    let partitions = described
        .lines()
        .filter(|line| line.contains("Leader: ") && line.contains("Isr: "))
        .count();
    assert_eq!(partitions, 3, "{described}");
    assert_eq!(
        tools.expect(
            "kafka-topics",
            &["--describe", "--topic", topic, "--under-replicated-partitions"]
        ),
        ""
    );

    tools.expect("kafka-topics", &["--alter", "--topic", topic, "--partitions", "5"]);
    await_some("five partitions", TOOL_LIMIT, || {
        let described = tools.expect("kafka-topics", &["--describe", "--topic", topic]);
        described.contains("PartitionCount: 5").then_some(())
    });
    tools.expect("kafka-topics", &["--delete", "--topic", topic]);
    let listed = tools.expect("kafka-topics", &["--list"]);
    assert!(!listed.lines().any(|line| line == topic), "{listed}");
    let gone = tools.run("kafka-topics", &["--describe", "--topic", topic]);
    assert!(
        !gone.succeeded() && gone.stdout.contains("does not exist as expected"),
        "{gone:?}"
    );
}

fn topic_configs(bench: &Bench) {
    let tools = &bench.tools;
    bench.create("1");
    let entity = ["--entity-type", "topics", "--entity-name", &*bench.topic];
    let configs = |rest: &[&str]| tools.run("kafka-configs", &[&entity, rest].concat());
    configs(&[
        "--alter",
        "--add-config",
        "retention.ms=3600000,cleanup.policy=[compact,delete]",
    ])
    .expect_success("add");
    let described = configs(&["--describe"]).expect_success("describe");
    assert!(
        described.contains("retention.ms=3600000") && described.contains("cleanup.policy=compact,delete"),
        "{described}"
    );
    configs(&["--alter", "--delete-config", "retention.ms"]).expect_success("delete");
    let described = configs(&["--describe"]).expect_success("describe");
    assert!(
        !described.contains("retention.ms=") && described.contains("cleanup.policy="),
        "{described}"
    );
    let all = configs(&["--describe", "--all"]).expect_success("describe --all");
    assert!(all.contains("retention.ms=604800000"), "{all}");
    let synonym = "segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}";
    assert!(all.contains(synonym), "{all}");
    let refused = configs(&["--alter", "--add-config", "retention.ms=soon"]);
    assert!(
        !refused.succeeded() && refused.stderr.contains("InvalidConfigurationException"),
        "{refused:?}"
    );
}

fn broker_configs(bench: &Bench) {
    let brokers = Connection::open(bench.broker.address()).expect("connect").brokers();
    let id = brokers[0].0.to_string();
    let all = bench.tools.expect(
        "kafka-configs",
        &["--entity-type", "brokers", "--entity-name", &id, "--describe", "--all"],
    );
    assert!(
        all.contains("group.initial.rebalance.delay.ms=0") && all.contains("STATIC_BROKER_CONFIG:"),
        "{all}"
    );
    assert!(all.contains("num.partitions=1"), "{all}");
}

fn console_producer_and_consumer(bench: &Bench) {
    bench.create("2");
    bench.produce(0..20);
    let mut lines = bench.consume(20, &["--from-beginning"]);
    lines.sort();
    let mut expected: Vec<String> = (0..20).map(|n| format!("value-{n}")).collect();
    expected.sort();
    assert_eq!(lines, expected);
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let mut command = bench.tools.command("kafka-console-producer");
        command.args([
            "--bootstrap-server",
            &bench.broker.bootstrap(),
            "--topic",
            &bench.topic,
            "--compression-codec",
            codec,
        ]);
        let producer = Child::start_with_input(command, format!("with-{codec}\n").as_bytes());
        producer.finish(TOOL_LIMIT).expect_success(codec);
    }
    let lines = bench.consume(24, &["--from-beginning"]);
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("with-")).count(),
        4,
        "{lines:?}"
    );
}

fn console_formats(bench: &Bench) {
    bench.create("1");
    bench.produce(0..10);
    let shown = ["print.key", "print.partition", "print.offset", "print.timestamp"].map(|name| format!("{name}=true"));
    let mut arguments = vec!["--partition", "0", "--offset", "7"];
    for property in &shown {
        arguments.extend(["--property", property]);
    }
    let lines = bench.consume(1, &arguments);
    // Kafka 4 first says that it would like other options.
    let record = lines.last().expect("a record");
    assert!(record.starts_with("CreateTime:"), "{lines:?}");
    assert!(record.ends_with("Partition:0\tOffset:7\tkey-7\tvalue-7"), "{lines:?}");
}

fn consumer_groups(bench: &Bench) {
    let tools = &bench.tools;
    bench.create("1");
    bench.produce(0..10);
    let mut command = tools.command("kafka-console-consumer");
    command.args(["--bootstrap-server", &bench.broker.bootstrap(), "--topic", &bench.topic]);
    command.args(["--group", &bench.group, "--from-beginning"]);
    let consumer = Child::start(command);
    await_some("the consumer has all", TOOL_LIMIT, || {
        (consumer.stdout().lines().count() == 10).then_some(())
    });
    let listed = tools.expect("kafka-consumer-groups", &["--list"]);
    assert!(listed.lines().any(|line| line == bench.group), "{listed}");
    let state = tools.expect(
        "kafka-consumer-groups",
        &["--describe", "--group", &bench.group, "--state"],
    );
    assert!(state.contains("Stable") && state.contains("range"), "{state}");
    let members = tools.expect(
        "kafka-consumer-groups",
        &["--describe", "--group", &bench.group, "--members", "--verbose"],
    );
    let owned = if tools.version().starts_with('3') {
        "(0)".to_owned()
    } else {
        format!("{}:0", bench.topic)
    };
    assert!(
        members.contains("console-consumer-") && members.contains(&owned),
        "{members}"
    );
    let listed = tools.expect("kafka-consumer-groups", &["--list", "--state", "stable"]);
    assert!(listed.contains(&bench.group), "{listed}");
    let all = tools.expect("kafka-consumer-groups", &["--describe", "--all-groups"]);
    assert!(all.contains(&bench.group), "{all}");
}

fn reset_offsets(bench: &Bench) {
    bench.create("1");
    bench.produce(0..10);
    bench.consume_in_group(6);
    assert_eq!(bench.described_group("0"), ["6", "10", "4"]);
    for (by, expected) in [
        (&["--to-earliest"][..], "0"),
        (&["--to-latest"][..], "10"),
        (&["--to-offset", "3"][..], "3"),
        (&["--shift-by", "2"][..], "5"),
        (&["--to-datetime", "2020-01-01T00:00:00.000"][..], "0"),
    ] {
        let mut arguments = vec![
            "--reset-offsets",
            "--group",
            &bench.group,
            "--topic",
            &bench.topic,
            "--execute",
        ];
        arguments.extend(by);
        bench.tools.expect("kafka-consumer-groups", &arguments);
        assert_eq!(bench.described_group("0")[0], expected, "{by:?}");
    }
    assert_eq!(bench.consume(10, &["--group", &bench.group]).len(), 10);
}

fn delete_groups(bench: &Bench) {
    let tools = &bench.tools;
    bench.create("2");
    bench.produce(0..10);
    bench.consume_in_group(10);
    let one = format!("{}:0", bench.topic);
    tools.expect(
        "kafka-consumer-groups",
        &["--delete-offsets", "--group", &bench.group, "--topic", &one],
    );
    let said = tools.expect("kafka-consumer-groups", &["--delete", "--group", &bench.group]);
    assert!(said.contains("was successful"), "{said}");
    let listed = tools.expect("kafka-consumer-groups", &["--list"]);
    assert!(!listed.contains(&bench.group), "{listed}");
    let again = tools.run("kafka-consumer-groups", &["--delete", "--group", &bench.group]);
    let said = format!("{}{}", again.stdout, again.stderr);
    assert!(
        said.contains("GroupIdNotFoundException") || said.contains("could not be deleted"),
        "{said}"
    );
}

fn get_offsets(bench: &Bench) {
    bench.create("1");
    bench.produce(0..10);
    assert_eq!(bench.offsets("latest"), ["0:10"]);
    assert_eq!(bench.offsets("earliest"), ["0:0"]);
    assert_eq!(bench.offsets("max-timestamp").len(), 1);
    assert_eq!(bench.offsets("1"), ["0:0"]);
    assert_eq!(
        bench.offsets("99999999999999"),
        Vec::<String>::new(),
        "after the last record"
    );
}

fn delete_records(bench: &Bench) {
    bench.create("1");
    bench.produce(0..10);
    let directory = integration_tests::temp_dir::TempDir::new("delete-records");
    let file = directory.path().join("offsets.json");
    let wanted = format!(
        r#"{{"partitions":[{{"topic":"{}","partition":0,"offset":4}}],"version":1}}"#,
        bench.topic
    );
    std::fs::write(&file, wanted).expect("write the tool's input");
    let said = bench.tools.expect(
        "kafka-delete-records",
        &["--offset-json-file", &file.display().to_string()],
    );
    assert!(said.contains("low_watermark: 4"), "{said}");
    assert_eq!(bench.offsets("earliest"), ["0:4"]);
    assert_eq!(bench.consume(6, &["--from-beginning"])[0], "value-4");
}

fn log_dirs(bench: &Bench) {
    bench.create("2");
    bench.produce(0..10);
    let said = bench
        .tools
        .expect("kafka-log-dirs", &["--describe", "--topic-list", &bench.topic]);
    let json = said
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("no JSON in {said}"));
    for partition in 0..2 {
        assert!(
            json.contains(&format!(r#""partition":"{}-{partition}","size":"#, bench.topic)),
            "{json}"
        );
    }
    assert!(
        json.contains(&format!(r#""logDir":"{}""#, bench.broker.log_dir().display())),
        "{json}"
    );
    assert!(json.contains(r#""error":null"#), "{json}");
}

fn perf_tools(bench: &Bench) {
    bench.create("3");
    let bootstrap = format!("bootstrap.servers={}", bench.broker.bootstrap());
    let mut produce = bench.tools.command("kafka-producer-perf-test");
    produce.args([
        "--topic",
        &bench.topic,
        "--num-records",
        "20000",
        "--record-size",
        "500",
        "--throughput",
        "-1",
    ]);
    produce.args(["--producer-props", &bootstrap, "acks=all", "compression.type=lz4"]);
    let said = run(produce, TOOL_LIMIT).expect_success("kafka-producer-perf-test");
    assert!(said.contains("20000 records sent"), "{said}");
    let mut consume = bench.tools.command("kafka-consumer-perf-test");
    consume.args([
        "--bootstrap-server",
        &bench.broker.bootstrap(),
        "--topic",
        &bench.topic,
        "--messages",
        "20000",
    ]);
    let said = run(consume, TOOL_LIMIT).expect_success("kafka-consumer-perf-test");
    let columns: Vec<&str> = said.lines().last().expect("a line of figures").split(", ").collect();
    assert_eq!(columns.get(4).map(|count| count.trim()), Some("20000"), "{said}");
}

fn verifiable(bench: &Bench) {
    bench.create("3");
    let mut produce = bench.tools.command("kafka-verifiable-producer");
    produce.args(["--bootstrap-server", &bench.broker.bootstrap(), "--topic", &bench.topic]);
    produce.args(["--max-messages", "1000", "--acks", "-1"]);
    let said = run(produce, TOOL_LIMIT).expect_success("kafka-verifiable-producer");
    assert_eq!(
        said.matches(r#""name":"producer_send_success""#).count(),
        1000,
        "{said}"
    );
    let mut consume = bench.tools.command("kafka-verifiable-consumer");
    consume.args(["--bootstrap-server", &bench.broker.bootstrap(), "--topic", &bench.topic]);
    consume.args([
        "--group-id",
        &bench.group,
        "--max-messages",
        "1000",
        "--reset-policy",
        "earliest",
    ]);
    let said = run(consume, TOOL_LIMIT).expect_success("kafka-verifiable-consumer");
    let counts = said
        .lines()
        .filter(|line| line.contains(r#""name":"records_consumed""#));
    let total: u32 = counts.map(|line| number_after(line, r#""count":"#)).sum();
    assert_eq!(total, 1000, "{said}");
    assert!(
        said.contains(r#""name":"offsets_committed""#) && said.contains(r#""success":true"#),
        "{said}"
    );
}

fn number_after(text: &str, mark: &str) -> u32 {
    let rest = text.split(mark).nth(1).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .expect("a number")
}

fn api_versions(bench: &Bench) {
    let said = bench.tools.expect("kafka-broker-api-versions", &[]);
    assert!(said.contains(&bench.broker.bootstrap()), "{said}");
    assert!(
        said.contains("Produce(0): 0 to ") && said.contains("Fetch(1): "),
        "{said}"
    );
}
