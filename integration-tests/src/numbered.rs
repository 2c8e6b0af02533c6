//! Numbered records that a real client writes while a test does things to brokers, and whether all of them are there afterwards.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::brokers::Brokers;
use crate::child::{Child, bound_command, run};
use crate::client::programs_are_built;
use crate::cluster::repository;
use crate::temp_dir::TempDir;

/// What one partition has to get acknowledged before [`Numbered::await_more`] is content.
const MORE: u64 = 50;
/// Beyond the time for which the program itself goes on trying.
const LIMIT: Duration = Duration::from_secs(300);

/// `clients/python/numbered.py`: an idempotent producer with `acks=all`.
#[derive(Debug)]
pub struct Numbered {
    home: TempDir,
    bootstrap: String,
    topic: String,
    child: Child,
}

impl Numbered {
    /// Begins to write to a topic that is there; returns when every partition has acknowledged something.
    #[track_caller]
    pub fn start(brokers: &Brokers, topic: &str, partitions: i32) -> Numbered {
        programs_are_built();
        let home = TempDir::new("numbered");
        let bootstrap = brokers.bootstrap();
        let mut command = program("produce", &bootstrap, topic);
        command.arg(partitions.to_string()).arg(written(&home));
        let mut numbered = Numbered {
            child: Child::start(command),
            home,
            bootstrap,
            topic: topic.to_owned(),
        };
        numbered.await_more("after the start");
        numbered
    }

    /// Waits until every partition has got more acknowledged than when this was called.
    #[track_caller]
    pub fn await_more(&mut self, when: &str) {
        let before = self.acknowledged();
        let deadline = std::time::Instant::now() + LIMIT;
        while self.acknowledged() < before + MORE {
            if let Some(status) = self.child.ended() {
                panic!("{when} the producer has ended with {status}:\n{}", self.said());
            }
            let is_late = std::time::Instant::now() > deadline;
            assert!(!is_late, "{when} a partition stays at {before}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many records each partition has at least.
    fn acknowledged(&self) -> u64 {
        let said = self.child.stdout();
        let last = said.lines().rev().find_map(|line| line.strip_prefix("at least "));
        last.map_or(0, |number| number.parse().expect("a number"))
    }

    /// Ends it, and reads everything: no record may have failed, be lost, there twice or out of order. Gives what the program has said
    /// about gaps.
    #[track_caller]
    pub fn finish(mut self) -> String {
        self.child.signal(Signal::TERM);
        let status = self.child.wait(LIMIT);
        let is_well = status.is_some_and(|status| status.success());
        assert!(is_well, "the producer ended with {status:?}:\n{}", self.said());
        let mut check = program("check", &self.bootstrap, &self.topic);
        check.arg(written(&self.home));
        run(check, LIMIT).expect_success("the check of what was written");
        let said = self.child.stdout();
        let gaps = said.lines().filter(|line| line.starts_with("partition "));
        gaps.collect::<Vec<_>>().join("\n")
    }

    fn said(&self) -> String {
        let (stdout, stderr) = (self.child.stdout(), self.child.stderr());
        let shown = stdout.lines().filter(|line| !line.starts_with("at least "));
        format!("{}\n{stderr}", shown.collect::<Vec<_>>().join("\n"))
    }
}

fn written(home: &TempDir) -> PathBuf {
    home.path().join("written.json")
}

fn program(what: &str, bootstrap: &str, topic: &str) -> Command {
    let root = repository();
    let mut command = bound_command(root.join(".state/python/bin/python"));
    command.arg(root.join("integration-tests/clients/python/numbered.py"));
    command.args([what, bootstrap, topic]);
    command
}
