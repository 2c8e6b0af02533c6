//! The table: medians, spreads, ratios, targets.

use crate::broker::Kind;
use crate::rows::{Class, LOADED, ROWS, Row};
use crate::samples::{Measure, Samples};
use crate::statistics::Summary;
use crate::targets::{Bound, Limit, Verdict, bounds, judge, limit, shown};
use anyhow::Result;
use std::fmt::Write;
use std::process::Command;

pub struct Report {
    /// A table in Markdown.
    pub table: String,
    /// One line for each target that was missed.
    pub missed: Vec<String>,
}

pub fn report(samples: &Samples) -> Report {
    let mut report = Report {
        table: String::from(
            "| load | measure | Kafka 3.9.1 | Sordini | Sordini / Kafka | target | limited by |\n\
             |---|---|---:|---:|---:|---|---|\n",
        ),
        missed: Vec::new(),
    };
    for row in &ROWS {
        for (number, &measure) in shown(row).iter().enumerate() {
            report.line(samples, row.name, Some(row), measure, number == 0);
        }
    }
    report.line(samples, LOADED, None, Measure::LoadedAnonymousMib, true);
    report.line(samples, LOADED, None, Measure::LoadedMappedMib, false);
    report
}

impl Report {
    fn line(&mut self, samples: &Samples, name: &str, row: Option<&Row>, measure: Measure, first: bool) {
        let [theirs, ours] = Kind::BOTH.map(|kind| samples.summary(name, measure, kind));
        if theirs.is_none() && ours.is_none() {
            return;
        }
        if first && ours.is_none() && samples.any(Kind::Sordini) {
            self.missed.push(format!("{name}: not measured on Sordini"));
        }
        let ratio = samples.ratio(name, measure);
        let mut targets = Vec::new();
        if let Some(ours) = ours {
            for bound in bounds(samples, name, row.map(Row::class), measure) {
                targets.extend(self.target(name, measure, bound, ours, ratio));
            }
        }
        let limits = match row.map(Row::class) {
            Some(Class::Produce | Class::Fetch) if first => limits(samples, name),
            _ => String::new(),
        };
        let cell = |summary: Option<Summary>| summary.map_or(String::from("–"), spread);
        let (theirs, ours, ratio) = (cell(theirs), cell(ours), cell(ratio));
        let (shown_name, targets) = (if first { name } else { "" }, targets.join("; "));
        let line = [shown_name, measure.name(), &theirs, &ours, &ratio, &targets, &limits].join(" | ");
        self.table += &format!("| {line} |\n");
    }

    /// The target in words with its verdict; `None` where Kafka's side of a comparison was not measured.
    fn target(
        &mut self,
        name: &str,
        measure: Measure,
        bound: Bound,
        ours: Summary,
        ratio: Option<Summary>,
    ) -> Option<String> {
        let absolute = matches!(bound, Bound::Below(_) | Bound::Reached(_));
        let verdict = judge(bound, measure, ours, if absolute { ours } else { ratio? });
        let words = match bound {
            Bound::Ahead => "ahead".to_owned(),
            Bound::NotBehind => "not behind".to_owned(),
            Bound::Ratio(most) => format!("ratio ≤ {most}"),
            Bound::Reached(most) => format!("≤ {most}"),
            Bound::Below(most) => format!("< {most}"),
        };
        Some(match verdict {
            Verdict::Met => format!("{words}: met"),
            Verdict::MetWithinSpread => format!("{words}: met within the spread"),
            Verdict::Missed => {
                let reached = spread(if absolute { ours } else { ratio? });
                self.missed
                    .push(format!("{name}: {}: {words}, reached {reached}", measure.name()));
                format!("{words}: **missed**")
            }
        })
    }
}

fn limits(samples: &Samples, row: &str) -> String {
    let of = |kind| match limit(samples, row, kind) {
        Limit::Generator => "generator",
        Limit::Broker => "broker",
        Limit::Neither => "–",
    };
    format!("{} / {}", of(Kind::Kafka), of(Kind::Sordini))
}

/// `median (first quartile–third quartile)`.
fn spread(summary: Summary) -> String {
    format!(
        "{} ({}–{})",
        figure(summary.median),
        figure(summary.low),
        figure(summary.high)
    )
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    let magnitude = if value == 0.0 {
        0
    } else {
        value.abs().log10().floor() as i32
    };
    let decimals = usize::try_from(2 - magnitude).unwrap_or(0).min(6);
    let text = format!("{value:.decimals$}");
    if decimals == 0 { grouped(&text) } else { text }
}

/// Thousands apart.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `BENCHMARKS.md`.
pub fn document(report: &Report, samples: &Samples) -> Result<String> {
    let mut text = String::from(include_str!("preface.md"));
    let proc = |path: &str, name: &str| -> Result<String> {
        let file = std::fs::read_to_string(path)?;
        let line = file.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        Ok(line.split_once(':').map_or("", |(_, value)| value).trim().to_owned())
    };
    let output = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).output()?;
        let said = if output.stdout.is_empty() {
            output.stderr
        } else {
            output.stdout
        };
        Ok(String::from_utf8_lossy(&said)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned())
    };
    let kib: u64 = proc("/proc/meminfo", "MemTotal")?.trim_end_matches(" kB").parse()?;
    writeln!(
        text,
        "\n- Machine: {} cores of {}, {:.0} GiB of memory, Linux {}, TCP with {}",
        std::thread::available_parallelism()?,
        proc("/proc/cpuinfo", "model name")?,
        kib as f64 / f64::from(1 << 20),
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")?.trim()
    )?;
    writeln!(text, "- Java: {}", output("java", &["-version"])?)?;
    writeln!(
        text,
        "- Commit and date: {}, {}",
        output("git", &["rev-parse", "--short", "HEAD"])?,
        output("date", &["+%F"])?
    )?;
    writeln!(text, "- Command: `make bench`, {} rounds\n", samples.rounds())?;
    text += &report.table;
    if !report.missed.is_empty() {
        text += "\nMissed:\n\n";
        text.extend(report.missed.iter().map(|line| format!("- {line}\n")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let shown = [0.0, 0.01234, 0.5, 7.0, 54.31, 987.6, 1234567.0].map(figure);
        assert_eq!(shown, ["0.00", "0.0123", "0.500", "7.00", "54.3", "988", "1,234,567"]);
    }
}
