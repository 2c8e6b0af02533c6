//! Kafka's own `kafka-dump-log` over what our log wrote: it iterates over every record, checks both indexes against the records and reads
//! the producers' snapshots.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::compression::CompressionType;
use protocol::records::BatchBuilder;
use storage::{Log, LogConfig, ValidateOptions};
use support::{TempDir, open, validate};

const VERSION: &str = "3.9.1";

fn class_path() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka-jars");
    let output = Command::new(script)
        .arg(VERSION)
        .output()
        .expect("scripts/kafka-jars runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn dump(class_path: &str, files: &[PathBuf], options: &[&str]) -> String {
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let output = Command::new("java")
        .args([
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            class_path,
            "kafka.tools.DumpLogSegments",
        ])
        .args(options)
        .arg("--files")
        .arg(files.join(","))
        .output()
        .expect("java is installed (scripts/setup)");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    text
}

fn files_with(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.to_str().unwrap().ends_with(suffix));
    files.sort();
    files
}

/// Batches of every codec, with and without producer, in several segments; a restart in the middle and a truncation.
fn write(dir: &Path) -> Log {
    let config = LogConfig {
        segment_bytes: 20_000,
        index_interval_bytes: 1000,
        ..LogConfig::default()
    };
    let mut log = open(dir, config);
    for n in 0..300_i32 {
        let codec = CompressionType::ALL[n as usize % 5];
        let mut builder = BatchBuilder::new().compression(codec, None);
        if n % 3 == 0 {
            builder = builder.producer(7, 0, n / 3 * 4);
        }
        for record in 0..4 {
            let value = format!("value {record} of batch {n} {}", "x".repeat(200));
            let headers: [(&[u8], Option<&[u8]>); 1] = [(b"header", None)];
            let timestamp = 1_000_000 + i64::from(n * 10 + (record * 7) % 4);
            builder.append_with_headers(timestamp, Some(b"key"), Some(value.as_bytes()), &headers);
        }
        let (config, partition) = (log.config().clone(), log.partition().clone());
        let options = ValidateOptions {
            partition: &partition,
            config: &config,
        };
        let batch = validate(builder.build().unwrap(), &options, 0).unwrap();
        log.append_as_leader(batch, n / 100, 1_000_000).unwrap();
    }
    log
}

#[test]
fn kafka_finds_nothing_to_complain_about() {
    let class_path = class_path();
    let dir = TempDir::new();
    let mut log = write(&dir.0);
    log.truncate_to(1100, 0).unwrap();
    log.close(0).unwrap();
    let partition = log.dir();
    let logs = files_with(&partition, ".log");
    assert!(logs.len() > 3, "{logs:?}");

    let records = dump(&class_path, &logs, &["--deep-iteration", "--print-data-log"]);
    assert!(!records.contains("isvalid: false"), "{records}");
    for n in 0..275 {
        assert!(
            records.contains(&format!("value 3 of batch {n} ")),
            "batch {n} is missing"
        );
    }
    assert!(!records.contains("value 3 of batch 275 "), "batch 275 was cut");
    assert!(!records.contains("ismatch"), "{records}");

    for suffix in [".index", ".timeindex"] {
        let indexes = files_with(&partition, suffix);
        assert_eq!(indexes.len(), logs.len());
        let checked = dump(&class_path, &indexes, &["--index-sanity-check"]);
        assert_eq!(checked.matches("passed sanity check").count(), logs.len(), "{checked}");
        // Without the option it compares every entry with the records.
        let compared = dump(&class_path, &indexes, &["--verify-index-only"]);
        for complaint in ["ismatch", "out of order", "ound timestamp", "Exception"] {
            assert!(!compared.contains(complaint), "{compared}");
        }
    }

    let snapshots = files_with(&partition, ".snapshot");
    assert!(
        snapshots.iter().any(|path| path.to_str().unwrap().contains("1100")),
        "{snapshots:?}"
    );
    let producers = dump(&class_path, &snapshots[snapshots.len() - 1..], &[]);
    assert!(producers.contains("producerId: 7 producerEpoch: 0"), "{producers}");
    assert!(producers.contains("lastSequence: 367"), "{producers}");
}
