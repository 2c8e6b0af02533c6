//! Kafka's own perf tools, with the flags of their scripts.

use super::{Outcome, Target};
use crate::usage::{Meter, Usage};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;

#[derive(Clone, Copy)]
pub struct JavaProduce {
    pub records: u64,
    pub value_bytes: u64,
    pub compression: &'static str,
}

/// `kafka-producer-perf-test`: as fast as it goes, the client's defaults but for compression.
pub fn produce(load: &JavaProduce, target: Target, classpath: &str, topic: &str) -> Result<Outcome> {
    let mut tool = tool(classpath, "org.apache.kafka.tools.ProducerPerformance");
    tool.args(["--topic", topic, "--throughput", "-1"]);
    tool.args([
        "--num-records",
        &load.records.to_string(),
        "--record-size",
        &load.value_bytes.to_string(),
    ]);
    tool.arg("--producer-props")
        .arg(format!("bootstrap.servers={}", target.address));
    tool.arg(format!("compression.type={}", load.compression));
    let (output, usage) = measured(tool, target)?;
    let last = output
        .lines()
        .rev()
        .find(|line| line.contains("99.9th"))
        .context("no summary from the perf tool")?;
    let sent = format!("{} records sent", load.records);
    ensure!(last.starts_with(&sent), "the producer did not send everything: {last}");
    let per_second = last
        .split(", ")
        .nth(1)
        .and_then(|part| part.split(' ').next())
        .context("no rate in the summary")?;
    let seconds = load.records as f64 / per_second.parse::<f64>()?;
    Ok(outcome(load.records, load.value_bytes, seconds, usage))
}

/// `kafka-consumer-perf-test` from the beginning of `topic`; the rate leaves out joining the group.
pub fn consume(target: Target, classpath: &str, topic: &str, group: &str, records: u64, each: u64) -> Result<Outcome> {
    let mut tool = tool(classpath, "org.apache.kafka.tools.ConsumerPerformance");
    tool.args([
        "--topic",
        topic,
        "--group",
        group,
        "--hide-header",
        "--timeout",
        "30000",
    ]);
    tool.args([
        "--bootstrap-server",
        &target.address.to_string(),
        "--messages",
        &records.to_string(),
    ]);
    let (output, usage) = measured(tool, target)?;
    let columns = output
        .lines()
        .rev()
        .map(|line| line.split(", ").collect::<Vec<_>>())
        .find(|line| line.len() == 10);
    let columns = columns.with_context(|| format!("no summary from the perf tool: {output}"))?;
    let (read, per_second) = (columns[4].parse::<u64>()?, columns[9].trim().parse::<f64>()?);
    ensure!(read >= records, "the consumer read {read} of {records} records");
    Ok(outcome(read, each, read as f64 / per_second, usage))
}

fn tool(classpath: &str, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx512M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
    java.args([
        "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent",
        "-XX:MaxInlineLevel=15",
    ]);
    java.args(["-cp", classpath, class]);
    java
}

fn measured(mut tool: Command, target: Target) -> Result<(String, Usage)> {
    let meter = Meter::start(target.pid)?;
    let output = tool.output()?;
    let usage = meter.stop()?;
    ensure!(
        output.status.success(),
        "the perf tool failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), usage))
}

/// The tool's own clock counts from its first record, not from the start of its virtual machine.
fn outcome(records: u64, each: u64, seconds: f64, usage: Usage) -> Outcome {
    let usage = Usage {
        wall: Duration::from_secs_f64(seconds),
        ..usage
    };
    Outcome {
        records,
        value_bytes: records * each,
        usage,
        latencies_ns: Vec::new(),
    }
}
