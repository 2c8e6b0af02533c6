//! One log line: time, level, module, message – as text for people or as JSON for machines.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use log::Level;

use super::flood::Place;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-31T12:00:00.000Z INFO  module message`
    Text,
    /// One object a line with `time`, `level`, `module` and `message`.
    Json,
}

/// A line before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) module: String,
    pub(super) message: String,
    /// Where it was written, if clients can bring it about as often as they like.
    pub(super) place: Option<Place>,
    /// Whose request it is about: the key `client` of the line.
    pub(super) client: Option<String>,
}

impl Line {
    /// Appends the line with its line feed. A line feed within the message is written as `\n`, so that nothing that a client
    /// sends can look like a line of ours.
    pub(super) fn write(&self, format: Format, text: &mut String) {
        let time = rfc3339(self.time);
        let (level, module) = (self.level, &self.module);
        let written = match format {
            Format::Text => {
                let message = escaped(&self.message);
                writeln!(text, "{time} {level:<5} {module} {message}")
            }
            Format::Json => {
                // By hand, so that the time stands first in every line; the texts are quoted by the crate.
                let (module, message) = (serde_json::json!(module), serde_json::json!(self.message));
                writeln!(
                    text,
                    r#"{{"time":"{time}","level":"{level}","module":{module},"message":{message}}}"#
                )
            }
        };
        written.expect("writing to a String does not fail");
    }
}

fn escaped(message: &str) -> std::borrow::Cow<'_, str> {
    if !message.chars().any(char::is_control) {
        return message.into();
    }
    let mut escaped = String::with_capacity(message.len() + 8);
    for character in message.chars() {
        match character.is_control() && character != '\t' {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped.into()
}

/// UTC with milliseconds.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, milliseconds) = (since_epoch.as_secs(), since_epoch.subsec_millis());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// The date of a day, counted from 1970-01-01, in the Gregorian calendar. The year is counted from March, so that the leap day
/// is its last day, and in eras of 400 years, which all have the same days.
fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64, milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(milliseconds)
    }

    #[test]
    fn rfc3339_is_right_at_the_edges_of_the_calendar() {
        assert_eq!(rfc3339(at(0, 0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(at(951_782_399, 999)), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(at(951_782_400, 0)), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(at(951_868_800, 0)), "2000-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(at(1_798_761_599, 1)), "2026-12-31T23:59:59.001Z");
        assert_eq!(
            rfc3339(at(4_107_542_400, 0)),
            "2100-03-01T00:00:00.000Z",
            "2100 is no leap year"
        );
    }

    #[test]
    fn days_follow_each_other() {
        let mut last = civil(0);
        for days in 1..200_000 {
            let (year, month, day) = civil(days);
            let next = (year, month, day) > last && (day == 1 || (year, month, day - 1) == last);
            assert!(next, "{last:?} is followed by {year}-{month}-{day}");
            last = (year, month, day);
        }
    }

    #[test]
    fn text_and_json_carry_the_same() {
        let line = Line {
            time: at(1, 2),
            level: Level::Warn,
            module: "sordini::network".to_owned(),
            message: "a \"client\"\nsays \u{1b}[31m".to_owned(),
            place: None,
            client: None,
        };
        let mut text = String::new();
        line.write(Format::Text, &mut text);
        assert_eq!(
            text,
            "1970-01-01T00:00:01.002Z WARN  sordini::network a \"client\"\\nsays \\u{1b}[31m\n"
        );
        text.clear();
        line.write(Format::Json, &mut text);
        assert_eq!(text.lines().count(), 1);
        assert!(
            text.starts_with(r#"{"time":"1970-01-01T00:00:01.002Z","level":"WARN","#),
            "{text}"
        );
        let object: serde_json::Value = serde_json::from_str(&text).expect("a line is an object");
        assert_eq!(object["time"], "1970-01-01T00:00:01.002Z");
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["module"], "sordini::network");
        assert_eq!(object["message"], line.message);
    }
}
