//! Compiles the helper against a release of Kafka and asks it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub type Release = &'static str;

/// The last Kafka with ZooKeeper, and the newest whose jars are all published.
pub const RELEASES: [Release; 2] = ["3.9.1", "4.3.1"];

type Answers = BTreeMap<(Release, &'static str), String>;

/// Answers to questions without input, and whatever must not happen twice at a time.
static ANSWERS: Mutex<Answers> = Mutex::new(Answers::new());

/// The build directory.
pub fn target() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().expect("tmp lies in the build directory").to_owned()
}

/// What the helper says to `command` when it is given `input`.
pub fn ask(release: Release, command: &'static str, input: String) -> String {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if !input.is_empty() {
        drop(answers);
        return run(release, command, input);
    }
    if let Some(answer) = answers.get(&(release, command)) {
        return answer.clone();
    }
    let answer = run_locked(&mut answers, release, command);
    answers.insert((release, command), answer.clone());
    answer
}

fn run_locked(_: &mut MutexGuard<'_, Answers>, release: Release, command: &'static str) -> String {
    run(release, command, String::new())
}

fn run(release: Release, command: &'static str, input: String) -> String {
    let classes = compile(release);
    let mut child = Command::new("java")
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp"])
        .arg(format!("{}:{}", classes.display(), class_path(release)))
        .args(["Oracle", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("no java: {error}; scripts/setup says what to install"));
    let mut stdin = child.stdin.take().expect("piped");
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("java ran");
    // A helper that dies early closes the pipe; what it says about it comes first.
    let answer = answer_of(output, &format!("Oracle {command} with Kafka {release}"));
    feeder
        .join()
        .expect("the feeder does not panic")
        .expect("java read its input");
    answer
}

/// The helper's class files, compiled once for each text of it.
fn compile(release: Release) -> PathBuf {
    static COMPILING: Mutex<()> = Mutex::new(());
    let _guard = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut source = include_str!("Oracle.java").to_owned();
    if release.starts_with("3.") {
        source = source.replace("common.record.internal.", "common.record.");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{release}"));
    let (file, class) = (folder.join("Oracle.java"), folder.join("Oracle.class"));
    if class.exists() && std::fs::read_to_string(&file).is_ok_and(|compiled| compiled == source) {
        return folder;
    }
    std::fs::create_dir_all(&folder).expect("the build directory is writable");
    std::fs::write(&file, source).expect("the build directory is writable");
    let output = Command::new("javac")
        .args(["-nowarn", "-cp", &class_path(release), "-d"])
        .args([&folder, &file])
        .output()
        .unwrap_or_else(|error| panic!("no javac: {error}; scripts/setup says what to install"));
    answer_of(output, &format!("javac Oracle.java with Kafka {release}"));
    folder
}

/// From `SORDINI_KAFKA_CLASSPATH_3_9_1` and so on, else from `scripts/kafka-jars`.
fn class_path(release: Release) -> String {
    let variable = format!("SORDINI_KAFKA_CLASSPATH_{}", release.replace('.', "_"));
    if let Ok(class_path) = std::env::var(&variable) {
        return class_path;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka-jars");
    let output = Command::new(&script).arg(release).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    answer_of(output, &format!("scripts/kafka-jars {release}"))
        .trim()
        .to_owned()
}

fn answer_of(output: Output, what: &str) -> String {
    assert!(
        output.status.success(),
        "{what}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}
