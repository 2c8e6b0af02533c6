//! Client programs in other languages: each takes a broker's address, a scenario and a prefix for names, and prints one
//! line `ok NAME` or `FAIL NAME reason` per check. `clients/README.md` says what each scenario does.

use crate::child::{bound_command, run};
use crate::cluster::{Broker, repository};
use crate::tools::{class_path, java_on};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SCENARIO_LIMIT: Duration = Duration::from_secs(600);

/// A client library and the language that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Apache Kafka's Java client of this version.
    Java(&'static str),
    /// librdkafka through Python's `confluent-kafka`.
    Confluent,
    /// The same program on librdkafka 2.8, which compresses only where ApiVersions pleases it (KAFKA-18659).
    OldConfluent,
    /// `kafka-python`, which is Python all the way down.
    KafkaPython,
    /// Go's `franz-go`.
    FranzGo,
    /// Node's `kafkajs`.
    KafkaJs,
}

impl Client {
    fn command(self) -> Command {
        let root = repository();
        let python = |program: &str| {
            let mut command = bound_command(root.join(".state/python/bin/python"));
            command.arg(root.join("integration-tests/clients/python").join(program));
            command
        };
        match self {
            Client::Java(version) => {
                let own = root.join(format!(".state/java-{version}"));
                java_on(
                    &format!("{}:{}", own.display(), class_path(version)),
                    version,
                    "RealWork",
                )
            }
            Client::Confluent => python("confluent.py"),
            Client::OldConfluent => {
                let mut command = python("confluent.py");
                command.env("PYTHONPATH", root.join(".state/librdkafka-2.8"));
                command
            }
            Client::KafkaPython => python("pure.py"),
            Client::FranzGo => bound_command(root.join(".state/go-client")),
            Client::KafkaJs => {
                let mut command = bound_command("node");
                command.arg(root.join("integration-tests/clients/node/real_work.js"));
                command
            }
        }
    }

    /// Runs `scenario` against `broker` and expects exactly these checks, all of them ok; gives the prefix of the names
    /// that it used.
    #[track_caller]
    pub fn expect(self, broker: &Broker, scenario: &str, checks: &[&str]) -> String {
        programs_are_built();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{scenario}-{}-{number}", std::process::id());
        let mut command = self.command();
        command.args([&broker.bootstrap(), scenario, &prefix]);
        let finished = run(command, SCENARIO_LIMIT);
        let mut seen: Vec<&str> = finished
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("ok "))
            .collect();
        let failed = finished.stdout.lines().any(|line| line.starts_with("FAIL "));
        let mut expected = checks.to_vec();
        seen.sort_unstable();
        expected.sort_unstable();
        assert!(
            !failed && finished.succeeded() && seen == expected,
            "{self:?} {scenario} ended with {:?}; expected {expected:?}\nstdout:\n{}\nstderr:\n{}",
            finished.status,
            finished.stdout,
            finished.stderr
        );
        prefix
    }
}

/// A client program that is older than its source proves nothing: the script builds only what has changed.
pub(crate) fn programs_are_built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let setup = Command::new(repository().join("scripts/setup"));
        run(setup, Duration::from_secs(900)).expect_success("scripts/setup");
    });
}
