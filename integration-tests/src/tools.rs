//! Kafka's own programs, run from the jars.

use crate::child::{Finished, bound_command, run};
use crate::cluster::repository;
use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

/// Long enough for any single tool on a busy machine.
pub const TOOL_LIMIT: Duration = Duration::from_secs(120);

/// The class path of Kafka `version`, fetched by the first test that asks.
pub fn class_path(version: &str) -> String {
    static KNOWN: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let known = known.get_or_insert_default();
    if let Some(found) = known.get(version) {
        return found.clone();
    }
    let mut command = Command::new(repository().join("scripts/kafka-jars"));
    command.arg(version);
    let found = run(command, Duration::from_secs(600))
        .expect_success("scripts/kafka-jars")
        .trim()
        .to_owned();
    known.insert(version.to_owned(), found.clone());
    found
}

/// A Java command for `main_class` on Kafka `version`'s class path, tuned to start quickly.
pub fn java(version: &str, main_class: &str) -> Command {
    java_on(&class_path(version), version, main_class)
}

/// The same on a class path of the caller's.
pub fn java_on(class_path: &str, version: &str, main_class: &str) -> Command {
    // Java does not look at TMPDIR, and leaves compression libraries and counters there when it is killed.
    let mut command = bound_command("sh");
    command.args([
        "-c",
        "exec java -Djava.io.tmpdir=\"${TMPDIR:-/tmp}\" -XX:-UsePerfData \"$@\"",
        "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
        "-Xmx512m",
    ]);
    let logging = repository().join("integration-tests/kafka");
    if version.starts_with('3') {
        command.arg(format!(
            "-Dlog4j.configuration=file:{}",
            logging.join("log4j.properties").display()
        ));
    } else {
        command.arg(format!(
            "-Dlog4j2.configurationFile={}",
            logging.join("log4j2.properties").display()
        ));
    }
    command.arg("-cp").arg(class_path).arg(main_class);
    command
}

/// Kafka's console tools of one version, pointed at one broker.
#[derive(Debug, Clone)]
pub struct Tools {
    version: String,
    bootstrap: String,
}

impl Tools {
    /// The tools of Kafka `version` for the broker at `bootstrap`.
    pub fn new(version: &str, bootstrap: &str) -> Tools {
        Tools {
            version: version.to_owned(),
            bootstrap: bootstrap.to_owned(),
        }
    }

    /// Kafka's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The command of the tool with this name (as `bin/NAME.sh` has it), without arguments.
    pub fn command(&self, name: &str) -> Command {
        java(&self.version, main_class(&self.version, name))
    }

    /// Runs a tool with `--bootstrap-server` and these arguments.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        let mut command = self.command(name);
        command.args(["--bootstrap-server", &self.bootstrap]).args(arguments);
        run(command, TOOL_LIMIT)
    }

    /// The same, and panics unless it succeeds; gives stdout.
    #[track_caller]
    pub fn expect(&self, name: &str, arguments: &[&str]) -> String {
        self.run(name, arguments)
            .expect_success(&format!("{name} {arguments:?} of {}", self.version))
    }
}

fn main_class(version: &str, name: &str) -> &'static str {
    let old = version.starts_with('3');
    match name {
        "kafka-topics" => "org.apache.kafka.tools.TopicCommand",
        "kafka-configs" => "kafka.admin.ConfigCommand",
        "kafka-console-producer" if old => "kafka.tools.ConsoleProducer",
        "kafka-console-producer" => "org.apache.kafka.tools.ConsoleProducer",
        "kafka-console-consumer" => "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "kafka-consumer-groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka-get-offsets" => "org.apache.kafka.tools.GetOffsetShell",
        "kafka-delete-records" => "org.apache.kafka.tools.DeleteRecordsCommand",
        "kafka-log-dirs" => "org.apache.kafka.tools.LogDirsCommand",
        "kafka-producer-perf-test" => "org.apache.kafka.tools.ProducerPerformance",
        "kafka-consumer-perf-test" => "org.apache.kafka.tools.ConsumerPerformance",
        "kafka-verifiable-producer" => "org.apache.kafka.tools.VerifiableProducer",
        "kafka-verifiable-consumer" => "org.apache.kafka.tools.VerifiableConsumer",
        "kafka-broker-api-versions" if old => "kafka.admin.BrokerApiVersionsCommand",
        "kafka-broker-api-versions" => "org.apache.kafka.tools.BrokerApiVersionsCommand",
        "kafka-dump-log" if old => "kafka.tools.DumpLogSegments",
        "kafka-dump-log" => "org.apache.kafka.tools.DumpLogSegments",
        _ => panic!("no tool of the name {name}"),
    }
}
