use super::*;

fn command_line(arguments: &[&str]) -> Result<Command, clap::Error> {
    parse_from(
        std::iter::once("sordini")
            .chain(arguments.iter().copied())
            .map(OsString::from),
    )
}

fn run_args(arguments: &[&str]) -> Args {
    match command_line(arguments) {
        Ok(Command::Run(args)) => args,
        other => panic!("{arguments:?} gives {other:?}"),
    }
}

#[test]
fn nothing_runs_a_broker_by_defaults() {
    assert_eq!(run_args(&[]), Args::default());
}

#[test]
fn every_argument_is_read() {
    let arguments = [
        "--config",
        "a.yaml",
        "--override",
        "broker.id=1",
        "--override",
        "log.dirs=/a=b",
        "--strict",
        "--ephemeral",
        "--ready-file",
        "/tmp/ready",
        "--log-level",
        "debug",
        "--log-format",
        "json",
    ];
    let expected = Args {
        config: Some("a.yaml".into()),
        overrides: vec!["broker.id=1".to_owned(), "log.dirs=/a=b".to_owned()],
        strict: true,
        ephemeral: true,
        ready_file: Some("/tmp/ready".into()),
        log: LogOptions {
            level: LevelFilter::Debug,
            format: Format::Json,
        },
    };
    assert_eq!(run_args(&arguments), expected);
}

#[test]
fn mistakes_are_refused() {
    for arguments in [
        &["--log-level", "loud"][..],
        &["--log-format", "xml"],
        &["--configg", "a"],
        &["config", "--strict"],
        &["b"],
    ] {
        assert!(command_line(arguments).is_err(), "{arguments:?}");
    }
    use clap::error::ErrorKind;
    assert_eq!(
        command_line(&["--help"]).expect_err("help").kind(),
        ErrorKind::DisplayHelp
    );
    assert_eq!(
        command_line(&["--version"]).expect_err("version").kind(),
        ErrorKind::DisplayVersion
    );
}

#[test]
fn overrides_count_more_than_the_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("server.properties");
    std::fs::write(&path, "broker.id=7\nnum.partitions=3\n").expect("the directory is writable");
    let overrides = vec!["num.partitions=4".to_owned()];
    let loaded = load_config(&Args {
        config: Some(path),
        overrides,
        ..Args::default()
    })
    .expect("valid");
    assert_eq!((loaded.config.broker_id, loaded.config.num_partitions), (Some(7), 4));
    assert_eq!(loaded.warnings, []);
}

#[test]
fn directories_that_ephemeral_overrules_are_named() {
    let args = |ephemeral, strict| Args {
        overrides: ["log.dirs=/a,/b", "metadata.log.dir=/m", "broker.id=1"]
            .map(str::to_owned)
            .to_vec(),
        ephemeral,
        strict,
        ..Args::default()
    };
    let shown = |found: &[ConfigError]| found.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        "--override: log.dirs=/a,/b: is not used: --ephemeral keeps everything in a temporary directory",
        "--override: metadata.log.dir=/m: is not used: --ephemeral keeps everything in a temporary directory",
    ];
    let loaded = load_config(&args(true, false)).expect("warnings alone");
    assert_eq!(shown(&loaded.warnings), expected);
    assert_eq!(
        shown(&load_config(&args(true, true)).expect_err("strict").errors),
        expected
    );
    assert_eq!(load_config(&args(false, true)).expect("used").warnings, []);
    let defaults = Args {
        overrides: Vec::new(),
        ..args(true, true)
    };
    assert_eq!(load_config(&defaults).expect("nothing is overruled").warnings, []);
}

#[test]
fn every_error_is_reported_at_once() {
    let overrides = [
        "num.io.threads=lots",
        "nonsense",
        "nmu.partitions=3",
        "log.segment.bytes=1",
    ]
    .map(str::to_owned)
    .to_vec();
    let config = Some("/nonexistent/sordini.yaml".into());
    let errors = load_config(&Args {
        config,
        overrides,
        ..Args::default()
    })
    .expect_err("nothing is right")
    .errors;
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let expected = [
        "/nonexistent/sordini.yaml: cannot be read: No such file or directory (os error 2)",
        "--override: nonsense is not of the form KEY=VALUE",
        "--override: num.io.threads=lots: Not a number of type INT",
        "--override: nmu.partitions=3: unknown key; the nearest known key is num.partitions",
        "--override: log.segment.bytes=1: Value must be at least 14",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn keys_are_printed_for_people_and_machines() {
    let mut text = Vec::new();
    print_keys(KeysFormat::Text, &mut text).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("num.partitions  int, default 1, valid [1,...], changes by a restart\n"));
    assert!(text.contains("log.dirs  string, no default, changes by a restart\n"));
    let mut json = Vec::new();
    print_keys(KeysFormat::Json, &mut json).expect("a vector takes everything");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let keys = json.as_array().expect("an array");
    assert_eq!(keys.len(), keys::broker().count() + keys::topic().count());
    assert!(
        keys.iter()
            .any(|key| key["name"] == "retention.ms" && key["scope"] == "topic" && key["type"] == "long")
    );
}
