//! Scenarios as text: lines that begin with `>` are what clients and time do, the lines below them what comes of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::*;

/// Plays the commands of a scenario and compares everything that happens with what it says.
pub fn check(scenario: &str) {
    check_with(config(), scenario);
}

/// As `check`, with a configuration.
pub fn check_with(config: GroupConfig, scenario: &str) {
    let lines: Vec<&str> = scenario
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut player = Player {
        driver: Driver::new(config),
        transcript: String::new(),
        ids: 0,
        waiters: BTreeMap::new(),
    };
    for command in lines.iter().filter_map(|line| line.strip_prefix("> ")) {
        writeln!(player.transcript, "> {command}").expect("strings take everything");
        player.play(command);
    }
    let actual: Vec<&str> = player.transcript.lines().collect();
    assert!(
        actual == lines,
        "what happened is not what the scenario says:\n{}",
        player.transcript
    );
}

struct Player {
    driver: Driver,
    transcript: String,
    ids: u64,
    /// Who asked.
    waiters: BTreeMap<Waiter, String>,
}

impl Player {
    fn say(&mut self, line: impl std::fmt::Display) {
        writeln!(self.transcript, "{line}").expect("strings take everything");
    }

    fn play(&mut self, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let options: BTreeMap<&str, &str> = words.iter().filter_map(|word| word.split_once('=')).collect();
        match words[0] {
            "join" => self.join(words[1], &options),
            "sync" => self.sync(words[1], &options),
            "heartbeat" => {
                let generation = options
                    .get("generation")
                    .map_or(self.driver.group.generation_id(), |g| number(g) as i32);
                let instance_id = options.get("instance").copied();
                let now = self.driver.now;
                let decision = self
                    .driver
                    .group
                    .handle_heartbeat(words[1], instance_id, generation, now);
                let said = decision.and_then(|decision| self.driver.perform(decision).expect("not parked"));
                self.say_result(words[1], said);
            }
            "leave" => self.leave(&words[1..]),
            "wait" => self.driver.wait(number(words[1])),
            "hold" => self.driver.hold = true,
            "write" => {
                self.driver.hold = false;
                self.driver.write(Ok(()));
            }
            "fail" => {
                self.driver.hold = false;
                self.driver.write(Err(Rejection::NotCoordinator));
            }
            "restart" => self.driver.reload(),
            "state" => self.state(),
            other => panic!("no such command: {other}"),
        }
        for (waiter, answer) in std::mem::take(&mut self.driver.answers) {
            let who = self
                .waiters
                .get(&waiter)
                .cloned()
                .unwrap_or_else(|| format!("{waiter:?}"));
            match answer {
                Answer::Join(answer) => self.say_joined(&who, &answer),
                Answer::Sync(answer) => self.say_synced(&who, &answer),
            }
        }
    }

    /// `join client [instance=I] [member=ID] [protocols=a,b] [rebalance=MS] [session=MS] [old] [v8]`
    fn join(&mut self, client: &str, options: &BTreeMap<&str, &str>) {
        let waiter = self.driver.waiter();
        let instance_id: Option<Arc<str>> = options.get("instance").map(|id| Arc::from(*id));
        let member_id: Arc<str> = Arc::from(options.get("member").copied().unwrap_or(""));
        let prefix = instance_id.clone().unwrap_or_else(|| Arc::from(client));
        if member_id.is_empty() {
            self.ids += 1;
        }
        let protocols = options.get("protocols").copied().unwrap_or("range");
        let version = options.get("version").map_or(9, |version| number(version));
        let join = Join {
            requires_known_member_id: version >= 4 && instance_id.is_none(),
            supports_skipping_assignment: version >= 9,
            new_member_id: Arc::from(format!("{prefix}-{}", self.ids)),
            protocols: protocols.split(',').map(|name| protocol(name, &["t"])).collect(),
            rebalance_timeout_ms: options.get("rebalance").map_or(60_000, |ms| number(ms) as i32),
            session_timeout_ms: options.get("session").map_or(10_000, |ms| number(ms) as i32),
            protocol_type: Arc::from(options.get("type").copied().unwrap_or("consumer")),
            instance_id,
            member_id,
            waiter,
            ..join_as(client)
        };
        self.waiters.insert(waiter, format!("join {client}"));
        let who = format!("join {client}");
        match self.driver.join(join.clone()) {
            Ok(Some(answer)) => self.say_joined(&who, &answer),
            Ok(None) => {}
            Err(rejection) => self.say_joined(&who, &JoinAnswer::rejected(join.member_id, rejection)),
        }
    }

    /// `sync ID [generation=N] [a=what …]`
    fn sync(&mut self, member_id: &str, options: &BTreeMap<&str, &str>) {
        let waiter = self.driver.waiter();
        let generation_id = options
            .get("generation")
            .map_or(self.driver.group.generation_id(), |g| number(g) as i32);
        let is_assigned = |name: &&str| !matches!(*name, "generation" | "instance");
        let assignments = options
            .iter()
            .filter(|(name, _)| is_assigned(name))
            .map(|(id, what)| (Arc::from(*id), Bytes::copy_from_slice(what.as_bytes())))
            .collect();
        let instance_id = options.get("instance").map(|id| Arc::from(*id));
        let who = format!("sync {member_id}");
        self.waiters.insert(waiter, who.clone());
        let sync = Sync {
            assignments,
            instance_id,
            waiter,
            ..sync_of(&Arc::from(member_id), generation_id)
        };
        match self.driver.sync(sync) {
            Ok(Some(answer)) => self.say_synced(&who, &answer),
            Ok(None) => {}
            Err(rejection) => self.say_synced(&who, &SyncAnswer::rejected(rejection)),
        }
    }

    /// `leave ID…`, where `instance=I` stands for a static member.
    fn leave(&mut self, who: &[&str]) {
        let leaver = |name: &&str| match name.strip_prefix("instance=") {
            Some(instance_id) => Leaver {
                member_id: Arc::from(""),
                instance_id: Some(Arc::from(instance_id)),
            },
            None => Leaver {
                member_id: Arc::from(*name),
                instance_id: None,
            },
        };
        let leavers: Vec<Leaver> = who.iter().map(leaver).collect();
        match self.driver.leave(&leavers) {
            Ok(results) => who
                .iter()
                .zip(results)
                .for_each(|(name, result)| self.say_result(name, result)),
            Err(rejection) => self.say_result("leave", Err(rejection)),
        }
    }

    fn state(&mut self) {
        let group = &self.driver.group;
        let members: Vec<_> = group
            .members()
            .values()
            .map(|member| format!("{}={}", member.member_id, String::from_utf8_lossy(&member.assignment)))
            .collect();
        let line = format!(
            "{} generation {} leader {} members [{}]",
            group.state().name(),
            group.generation_id(),
            group.leader().map_or("-", |leader| leader),
            members.join(" ")
        );
        self.say(line);
    }

    fn say_result(&mut self, who: &str, result: Result<(), Rejection>) {
        match result {
            Ok(()) => self.say(format!("{who}: ok")),
            Err(rejection) => self.say(format!("{who}: {rejection:?}")),
        }
    }

    fn say_joined(&mut self, who: &str, answer: &JoinAnswer) {
        let id = &answer.member_id;
        match answer.error {
            Some(error) => self.say(format!("{who}: {error:?} {id}").trim_end()),
            None => {
                let members: Vec<&str> = answer.members.iter().map(|member| &*member.member_id).collect();
                let members = if members.is_empty() {
                    String::new()
                } else {
                    format!(" [{}]", members.join(" "))
                };
                let skip = if answer.skip_assignment { " skip" } else { "" };
                self.say(format!(
                    "{who}: {id} generation {} {} leader {}{members}{skip}",
                    answer.generation_id,
                    answer.protocol_name.as_deref().unwrap_or("-"),
                    answer.leader.as_deref().unwrap_or("-"),
                ));
            }
        }
    }

    fn say_synced(&mut self, who: &str, answer: &SyncAnswer) {
        match answer.error {
            Some(error) => self.say(format!("{who}: {error:?}")),
            None => self.say(format!("{who}: {}", String::from_utf8_lossy(&answer.assignment)).trim_end()),
        }
    }
}

fn number(word: &str) -> i64 {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}
