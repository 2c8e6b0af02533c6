//! What is wrong with a configuration, said so that it can be mended: key, value, reason, nearest known key, place.

use std::fmt;
use std::sync::Arc;

/// Where an entry of the configuration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A YAML file, or any file as a whole.
    Yaml {
        /// The file as it was named.
        file: Arc<str>,
        /// Counted from 1; `None` for the file as a whole.
        line: Option<usize>,
    },
    /// A file in the form of `server.properties`.
    Properties {
        /// The file as it was named.
        file: Arc<str>,
        /// Counted from 1.
        line: usize,
    },
    /// `--override` on the command line.
    Override,
}

impl Origin {
    /// Whether people bring such entries along from Kafka, so that an unknown key is no error (design decision: a warning).
    pub(crate) fn is_from_kafka(&self) -> bool {
        matches!(self, Self::Properties { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yaml { file, line: Some(line) } | Self::Properties { file, line } => {
                write!(formatter, "{file}:{line}")
            }
            Self::Yaml { file, line: None } => formatter.write_str(file),
            Self::Override => formatter.write_str("--override"),
        }
    }
}

/// One thing that is wrong with a configuration, or that deserves a warning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The key, empty where the error is of a whole file.
    pub key: String,
    /// What it was set to, hidden if it is a secret; `None` where nothing was set.
    pub value: Option<String>,
    /// What is wrong with that.
    pub reason: String,
    /// The known key that was probably meant, where the key is unknown.
    pub nearest: Option<&'static str>,
    /// Where it stands; `None` for a default.
    pub origin: Option<Origin>,
}

impl ConfigError {
    /// An error of a whole file.
    pub fn of_file(name: &str, reason: String) -> Self {
        let origin = Some(Origin::Yaml {
            file: Arc::from(name),
            line: None,
        });
        Self {
            key: String::new(),
            value: None,
            reason,
            nearest: None,
            origin,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(formatter, "{origin}: ")?;
        }
        match (&self.value, self.key.is_empty()) {
            (_, true) => {}
            (Some(value), false) => write!(formatter, "{}={value}: ", self.key)?,
            (None, false) => write!(formatter, "{}: ", self.key)?,
        }
        formatter.write_str(&self.reason)?;
        match self.nearest {
            Some(nearest) => write!(formatter, "; the nearest known key is {nearest}"),
            None => Ok(()),
        }
    }
}

/// The known key that was probably meant by an unknown one; `None` where they differ in more than a third of the letters: it
/// would be a guess. The name of a topic key leads to the broker key that sets its default.
pub(crate) fn nearest_key(unknown: &str) -> Option<&'static str> {
    if let Some(broker_key) = crate::synonyms::of_topic_key(unknown).first() {
        return Some(broker_key);
    }
    let (distance, name) = nearest_at_any_distance(unknown)?;
    (distance <= unknown.chars().count().max(3) / 3).then_some(name)
}

/// The known key whose name is nearest, and how many letters must be changed.
pub(crate) fn nearest_at_any_distance(unknown: &str) -> Option<(usize, &'static str)> {
    crate::keys::broker()
        .map(|known| (edit_distance(unknown, known.name), known.name))
        .min_by_key(|(distance, _)| *distance)
}

/// How many single letters must be inserted, removed, replaced or swapped with their neighbour to make one text of the other
/// (optimal string alignment).
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let width = right.len() + 1;
    let mut before_last: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for row in 1..=left.len() {
        let mut current = vec![row; width];
        for column in 1..width {
            let same = left[row - 1] == right[column - 1];
            let replaced = last[column - 1] + usize::from(!same);
            current[column] = replaced.min(last[column] + 1).min(current[column - 1] + 1);
            let swapped =
                row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1];
            if swapped {
                current[column] = current[column].min(before_last[column - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nearest_key_finds_what_was_meant() {
        assert_eq!(nearest_key("num.io.thread"), Some("num.io.threads"));
        assert_eq!(nearest_key("lgo.dirs"), Some("log.dirs"));
        assert_eq!(nearest_key("listener"), Some("listeners"));
        assert_eq!(
            nearest_key("offset.topic.replication.factor"),
            Some("offsets.topic.replication.factor")
        );
        assert_eq!(
            nearest_key("retention.ms"),
            Some("log.retention.ms"),
            "a topic key leads to its broker key"
        );
    }

    #[test]
    fn nothing_is_suggested_that_is_far_away() {
        for unknown in ["", "x", "foo", "my.secret", "some.plugin.of.ours"] {
            assert_eq!(nearest_key(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn edit_distance_counts_letters() {
        for (left, right, distance) in [
            ("", "", 0),
            ("abc", "", 3),
            ("abc", "abd", 1),
            ("abcd", "acbd", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        }
    }

    proptest! {
        #[test]
        fn edit_distance_is_symmetric_and_zero_only_for_equals(left in "[a-c.]{0,8}", right in "[a-c.]{0,8}") {
            let distance = edit_distance(&left, &right);
            prop_assert_eq!(distance, edit_distance(&right, &left));
            prop_assert_eq!(distance == 0, left == right);
            prop_assert!(distance <= left.len().max(right.len()));
        }
    }
}
