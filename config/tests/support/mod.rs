//! Asks Apache Kafka's own classes, through the small Java programs in `tests/oracle`.
#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release whose keys this crate has.
const KAFKA: &str = "3.9.1";
/// The release whose keys it knows by name.
const NEWER_KAFKA: &str = "4.3.1";

/// The answer to one question: its lines, each split into its parts.
pub type Answer = Vec<Vec<String>>;

/// Asks every question, in one Java process. A machine without Java fails the test: a comparison that is left out proves
/// nothing.
pub fn ask(name: &str, questions: &[Vec<String>]) -> Vec<Answer> {
    let class_path = class_path(KAFKA);
    let classes = compile(name, &class_path);
    let mut java = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-cp"])
        .arg(format!("{}:{class_path}", classes.display()))
        .arg("ConfigOracle")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("java is needed; run scripts/setup");
    let mut stdin = java.stdin.take().expect("a pipe was asked for");
    let lines: Vec<String> = questions.iter().map(|question| join(question)).collect();
    let writer = std::thread::spawn(move || lines.iter().try_for_each(|line| writeln!(stdin, "{line}")));
    let output = java.wait_with_output().expect("java ends");
    writer.join().expect("no panic").expect("java reads every question");
    assert!(output.status.success(), "java ended with {}", output.status);
    let answers = parse(&String::from_utf8(output.stdout).expect("answers are UTF-8"));
    assert_eq!(answers.len(), questions.len(), "one answer to each question");
    answers
}

/// Name and type of every key of the newer release.
pub fn newer_keys() -> Answer {
    let output = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-cp"])
        .arg(class_path(NEWER_KAFKA))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/NewerKeys.java"))
        .stderr(Stdio::inherit())
        .output()
        .expect("java is needed; run scripts/setup");
    assert!(output.status.success(), "java ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("answers are UTF-8");
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(row).collect()
}

fn class_path(version: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka-jars");
    let output = Command::new(script)
        .arg(version)
        .stderr(Stdio::inherit())
        .output()
        .expect("scripts/kafka-jars runs");
    assert!(
        output.status.success(),
        "scripts/kafka-jars {version} ended with {}",
        output.status
    );
    String::from_utf8(output.stdout)
        .expect("a class path")
        .trim()
        .to_owned()
}

/// Each test compiles for itself, so that tests that run side by side do not see half a class file.
fn compile(name: &str, class_path: &str) -> PathBuf {
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("config-oracle-{name}"));
    fs::create_dir_all(&classes).expect("the target directory is writable");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/ConfigOracle.java");
    let status = Command::new("javac")
        .args(["-nowarn", "-cp", class_path, "-d"])
        .args([&classes, &source])
        .status()
        .expect("javac is needed; run scripts/setup");
    assert!(status.success(), "javac ended with {status}");
    classes
}

fn join(parts: &[String]) -> String {
    let escape = |part: &String| {
        part.replace('\\', "\\\\")
            .replace('\t', "\\t")
            .replace('\n', "\\n")
            .replace('\r', "\\r")
    };
    parts.iter().map(escape).collect::<Vec<_>>().join("\t")
}

fn parse(text: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut answer = Vec::new();
    for line in text.split('\n') {
        if line.is_empty() {
            answers.push(std::mem::take(&mut answer));
        } else {
            answer.push(line.split('\t').map(unescape).collect());
        }
    }
    // After the last line feed stands nothing.
    answers.pop();
    answers
}

fn unescape(part: &str) -> String {
    let mut characters = part.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        text.push(match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            (character, false) => character,
        });
    }
    text
}

/// A question from its kind and pairs of key and value.
pub fn question(kind: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let pairs = pairs
        .iter()
        .flat_map(|(key, value)| [(*key).to_owned(), (*value).to_owned()]);
    std::iter::once(kind.to_owned()).chain(pairs).collect()
}
