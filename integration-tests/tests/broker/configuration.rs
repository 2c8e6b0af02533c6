//! The command line and the configuration of the real binary: what it refuses, and that it touches nothing then.

use std::fs;
use std::process::{Command, Output};

use integration_tests::cluster::sordini_command;
use integration_tests::temp_dir::TempDir;

fn sordini() -> Command {
    sordini_command(&[])
}

fn run(command: &mut Command) -> (Output, Vec<String>) {
    let output = command.output().expect("the binary starts");
    let lines = String::from_utf8_lossy(&output.stderr)
        .lines()
        .map(str::to_owned)
        .collect();
    (output, lines)
}

#[test]
fn every_error_is_named_at_once_and_nothing_is_touched() {
    let home = TempDir::new("configuration");
    let (file, data) = (home.path().join("broken.yaml"), home.path().join("data"));
    let text = format!(
        "broker.id: one\nlog:\n  dirs: [{}]\nnmu.partitions: 3\nlisteners: PLAINTEXT://:70000\n",
        data.display()
    );
    fs::write(&file, text).expect("the directory is writable");
    let (output, lines) = run(sordini()
        .arg("--config")
        .arg(&file)
        .args(["--override", "log.segment.bytes=1"]));
    assert_eq!(output.status.code(), Some(1));
    let place = |line: usize| format!("{}:{line}: ", file.display());
    let expected = [
        format!("{}broker.id=one: Not a number of type INT", place(1)),
        format!(
            "{}nmu.partitions=3: unknown key; the nearest known key is num.partitions",
            place(4)
        ),
        "--override: log.segment.bytes=1: Value must be at least 14".to_owned(),
        format!(
            "{}listeners=PLAINTEXT://:70000: 70000 in PLAINTEXT://:70000 is no port between 0 and 65535",
            place(5)
        ),
        "not started: 4 errors in the configuration".to_owned(),
    ];
    let ends: Vec<bool> = lines
        .iter()
        .zip(&expected)
        .map(|(line, expected)| line.ends_with(expected))
        .collect();
    assert_eq!(ends, [true; 5], "{lines:#?}");
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(output.stdout.is_empty());
    assert!(!data.exists(), "the data directory was created");
}

#[test]
fn warnings_are_errors_if_that_is_asked() {
    let home = TempDir::new("strict");
    let (file, data) = (home.path().join("server.properties"), home.path().join("data"));
    fs::write(
        &file,
        format!(
            "log.dirs={}\nlisteners=PLAINTEXT://127.0.0.1:0\nsome.plug-in=1\n",
            data.display()
        ),
    )
    .expect("the directory is writable");
    let (output, lines) = run(sordini().arg("--strict").arg("--config").arg(&file));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        lines[0].contains("server.properties:3: some.plug-in=1: unknown key"),
        "{lines:#?}"
    );
    assert!(!data.exists(), "the data directory was created");
}

#[test]
fn errors_are_said_whatever_the_log_level_and_format() {
    let (output, lines) = run(sordini().args(["--log-level", "off", "--override", "broker.id=x"]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines[0], "sordini: --override: broker.id=x: Not a number of type INT");
    let (output, lines) = run(sordini().args(["--log-format", "json", "--override", "broker.id=x"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("{\"time\":\"") && line.ends_with('}')),
        "{lines:#?}"
    );
}

#[test]
fn help_version_and_keys_are_printed() {
    for (arguments, expected) in [
        (&["--help"][..], "--override <KEY=VALUE>"),
        (&["--version"], "sordini "),
        (&["config"], "log.dirs  string, no default, changes by a restart"),
        (&["config", "--format", "json"], "\"name\": \"retention.ms\""),
    ] {
        let output = sordini().args(arguments).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(expected), "{arguments:?} prints {text}");
    }
}
