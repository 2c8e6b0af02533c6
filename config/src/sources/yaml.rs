//! YAML: the same dotted keys as in `server.properties`, flat or nested, with lists in place of commas.
//!
//! Only events are read, not typed values: what a scalar means is for its key to say, so that `yes`, `1_000` and `1e3` are
//! judged by Kafka's rules and not by YAML's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::error::{ConfigError, Origin, nearest_key};
use crate::keys;
use crate::load::{Entry, is_known, is_secret};
use crate::value::HIDDEN;

use self::anchors::Anchors;
use super::Parsed;

mod anchors;

/// How deep mappings may nest; Kafka's longest keys have nine parts.
const MAX_DEPTH: usize = 32;

/// Keys that hold pairs `name:value`; below them a mapping gives the pairs.
const PAIRS: &[&str] = &["listener.security.protocol.map", "max.connections.per.ip.overrides"];

/// Reads one document, a mapping.
pub(super) fn parse(name: &str, text: &str) -> Parsed {
    let mut reading = Reading {
        file: Arc::from(name),
        ..Reading::default()
    };
    let mut anchors = Anchors::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((Event::DocumentStart(_), span)) if reading.documents == 1 => {
                reading.error(span.start.line(), "holds more than one document".to_owned());
                break;
            }
            Ok((event, span)) => {
                anchors.note(&event);
                reading.event_or_alias(event, &mut anchors, span.start.line());
            }
            Err(error) => {
                reading.not_yaml(error.marker().line(), error.info());
                break;
            }
        }
    }
    Parsed {
        entries: reading.entries,
        errors: reading.errors,
        ..Parsed::default()
    }
}

/// What is open at a place of the document.
#[derive(Debug)]
enum Open {
    /// A mapping whose next scalar is a key.
    Mapping {
        /// Where it begins, as long as it has no key.
        empty_since: Option<usize>,
    },
    /// A mapping whose next node is the value of this key, a part of a dotted key.
    Value(String),
    /// A list of scalars, the value of the key to which the path leads.
    List { line: usize, elements: Vec<String> },
    /// A node that is refused; everything in it is passed over.
    Refused {
        /// How many of its mappings and lists are open.
        depth: usize,
        /// Whether it stands in place of a key, so that its value is still to come.
        is_key: bool,
    },
}

#[derive(Debug, Default)]
struct Reading {
    file: Arc<str>,
    path: Vec<Open>,
    documents: usize,
    entries: Vec<Entry>,
    lines: BTreeMap<String, usize>,
    errors: Vec<ConfigError>,
}

impl Reading {
    fn event_or_alias<'a>(&mut self, event: Event<'a>, anchors: &mut Anchors<'a>, line: usize) {
        let Event::Alias(anchor) = event else {
            return self.event(event, line);
        };
        match anchors.resolve(anchor) {
            Ok(events) => events.into_iter().for_each(|event| self.event(event, line)),
            Err(reason) => self.refused_alias(reason, line),
        }
    }

    /// Instead of the node there is an error.
    fn refused_alias(&mut self, reason: &str, line: usize) {
        self.error(line, format!("{}{reason}", self.in_key()));
        match self.path.last_mut() {
            Some(key @ Open::Mapping { .. }) => *key = Open::Value("?".to_owned()),
            Some(Open::Refused { .. } | Open::List { .. }) => {}
            Some(Open::Value(_)) | None => self.value_done(),
        }
    }

    /// What the line holds that is no YAML is not what was meant, so it has no other errors.
    fn not_yaml(&mut self, line: usize, reason: &str) {
        let is_before = |origin: &Origin| matches!(origin, Origin::Yaml { line: Some(at), .. } if *at < line);
        self.entries.retain(|entry| is_before(&entry.origin));
        self.error(line, format!("is no YAML: {reason}"));
    }

    fn event(&mut self, event: Event<'_>, line: usize) {
        if let Some(Open::Refused { depth, is_key }) = self.path.last_mut() {
            match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => *depth += 1,
                Event::SequenceEnd | Event::MappingEnd => *depth -= 1,
                _ => {}
            }
            let (done, is_key) = (*depth == 0, *is_key);
            if done {
                self.path.pop();
            }
            if done && !is_key {
                self.value_done();
            }
            return;
        }
        match event {
            Event::DocumentStart(_) => self.documents += 1,
            Event::Scalar(text, style, ..) => self.scalar(text, style, line),
            Event::MappingStart(..) => self.open_mapping(line),
            Event::SequenceStart(..) => self.open_list(line),
            Event::MappingEnd => {
                if let Some(Open::Mapping {
                    empty_since: Some(line),
                }) = self.path.pop()
                {
                    self.empty_mapping(line);
                }
                self.value_done();
            }
            Event::SequenceEnd => {
                if let Some(Open::List { line, elements }) = self.path.pop() {
                    self.entry(line, Some(elements.join(",")));
                }
                self.value_done();
            }
            // Aliases come as what they stand for.
            Event::Alias(_) | Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, line: usize) {
        let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
        match self.path.last_mut() {
            Some(open @ Open::Mapping { .. }) => *open = Open::Value(text.into_owned()),
            Some(Open::List { elements, .. }) if !null => elements.push(text.into_owned()),
            Some(Open::List { .. }) => self.error(line, format!("{}null in a list", self.in_key())),
            Some(Open::Value(_)) => {
                self.entry(line, (!null).then(|| text.into_owned()));
                self.value_done();
            }
            // A document of nothing is an empty configuration.
            None if null => {}
            None => self.error(line, "must hold a mapping of keys to values".to_owned()),
            Some(Open::Refused { .. }) => {}
        }
    }

    fn open_mapping(&mut self, line: usize) {
        let refused = match self.path.last() {
            Some(Open::List { .. }) => Some("a mapping in a list"),
            Some(Open::Mapping { .. }) => Some("a mapping as a key"),
            _ if self.path.len() >= MAX_DEPTH => Some("nested too deeply"),
            _ => None,
        };
        let empty_since = Some(line);
        self.open(line, refused, Open::Mapping { empty_since });
    }

    fn open_list(&mut self, line: usize) {
        let refused = match self.path.last() {
            Some(Open::List { .. }) => Some("a list in a list"),
            Some(Open::Mapping { .. }) => Some("a list as a key"),
            None => Some("must hold a mapping of keys to values, not a list"),
            _ => None,
        };
        self.open(
            line,
            refused,
            Open::List {
                line,
                elements: Vec::new(),
            },
        );
    }

    fn open(&mut self, line: usize, refused: Option<&str>, open: Open) {
        let Some(reason) = refused else {
            return self.path.push(open);
        };
        self.error(line, format!("{}{reason}", self.in_key()));
        let is_key = matches!(self.path.last(), Some(Open::Mapping { .. }));
        if let Some(key @ Open::Mapping { .. }) = self.path.last_mut() {
            *key = Open::Value("?".to_owned());
        }
        self.path.push(Open::Refused { depth: 1, is_key });
    }

    /// After the value of a key: the next scalar is a key again.
    fn value_done(&mut self) {
        if let Some(open @ Open::Value(_)) = self.path.last_mut() {
            *open = Open::Mapping { empty_since: None };
        }
    }

    fn key(&self) -> String {
        let parts = self.path.iter().filter_map(|open| match open {
            Open::Value(part) => Some(part.as_str()),
            Open::Mapping { .. } | Open::List { .. } | Open::Refused { .. } => None,
        });
        parts.collect::<Vec<_>>().join(".")
    }

    fn in_key(&self) -> String {
        match self.key() {
            key if key.is_empty() => key,
            key => format!("{key}: "),
        }
    }

    fn entry(&mut self, line: usize, value: Option<String>) {
        let key = self.key();
        let origin = Origin::Yaml {
            file: self.file.clone(),
            line: Some(line),
        };
        if let Some(first) = self.lines.insert(key.clone(), line) {
            let reason = format!("is given twice, first in line {first}");
            let value = value.map(|value| if is_secret(&key) { HIDDEN.to_owned() } else { value });
            self.errors.push(ConfigError {
                key,
                value,
                reason,
                nearest: None,
                origin: Some(origin),
            });
            return;
        }
        let pairs = PAIRS
            .iter()
            .find_map(|pairs| Some((*pairs, key.strip_prefix(pairs)?.strip_prefix('.')?)));
        let Some((pairs, name)) = pairs else {
            return self.entries.push(Entry { key, value, origin });
        };
        let pair = format!("{name}:{}", value.unwrap_or_default());
        match self.entries.iter_mut().find(|entry| entry.key == pairs) {
            Some(Entry { value: Some(value), .. }) => *value = format!("{value},{pair}"),
            _ => self.entries.push(Entry {
                key: pairs.to_owned(),
                value: Some(pair),
                origin,
            }),
        }
    }

    /// Nothing stands below a key. It may be the beginning of a known one, a known one, or unknown; pairs may be none.
    fn empty_mapping(&mut self, line: usize) {
        let key = self.key();
        if key.is_empty() {
            return;
        }
        if PAIRS.contains(&key.as_str()) {
            return self.entry(line, Some(String::new()));
        }
        let known = is_known(&key)
            || keys::broker().any(|known| known.name.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
        let (reason, nearest) = match known {
            true => ("a mapping without keys is no value: leave it out for the default", None),
            false => ("unknown key", nearest_key(&key)),
        };
        self.errors.push(ConfigError {
            key,
            value: None,
            reason: reason.to_owned(),
            nearest,
            origin: Some(Origin::Yaml {
                file: self.file.clone(),
                line: Some(line),
            }),
        });
    }

    fn error(&mut self, line: usize, reason: String) {
        let origin = Some(Origin::Yaml {
            file: self.file.clone(),
            line: Some(line),
        });
        self.errors.push(ConfigError {
            key: String::new(),
            value: None,
            reason,
            nearest: None,
            origin,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(text: &str) -> Vec<(usize, String, Option<String>)> {
        let line = |origin: &Origin| match origin {
            Origin::Yaml { line: Some(line), .. } => *line,
            origin => panic!("an entry of a YAML file stands at {origin}"),
        };
        let Parsed { entries, errors, .. } = parse("sordini.yaml", text);
        assert_eq!(errors, [], "{text}");
        entries
            .into_iter()
            .map(|entry| (line(&entry.origin), entry.key, entry.value))
            .collect()
    }

    fn entry(line: usize, key: &str, value: &str) -> (usize, String, Option<String>) {
        (line, key.to_owned(), Some(value.to_owned()))
    }

    fn errors(text: &str) -> Vec<String> {
        parse("sordini.yaml", text)
            .errors
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn flat_nested_and_mixed_keys_are_the_same() {
        let flat = "log.retention.ms: 5\nlog.retention.check.interval.ms: 6\nbroker.id: 1\n";
        let nested = "log:\n  retention:\n    ms: 5\n    check.interval.ms: 6\nbroker:\n  id: 1\n";
        let mixed = "log.retention: {ms: 5, check: {interval.ms: 6}}\n\"broker.id\": \"1\"\n";
        let keys = |text| {
            entries(text)
                .into_iter()
                .map(|(_, key, value)| (key, value))
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(flat), keys(nested));
        assert_eq!(keys(flat), keys(mixed));
        assert_eq!(entries(nested)[1], entry(4, "log.retention.check.interval.ms", "6"));
    }

    #[test]
    fn lists_become_commas_and_null_leaves_the_default() {
        let text = "log.dirs:\n- /a\n- /b\nlisteners: [PLAINTEXT://:9092, 'B://[::1]:9093']\nempty: []\nbroker.rack: ~\nnode.id:\n";
        let expected = [
            entry(2, "log.dirs", "/a,/b"),
            entry(4, "listeners", "PLAINTEXT://:9092,B://[::1]:9093"),
            entry(5, "empty", ""),
            (6, "broker.rack".to_owned(), None),
            (7, "node.id".to_owned(), None),
        ];
        assert_eq!(entries(text), expected);
    }

    #[test]
    fn scalars_stay_as_they_are_written() {
        let text = "a: yes\nb: 0x10\nc: 1_000\nd: '~'\ne: 1.0\nf: |\n  two\n  lines\n";
        let values: Vec<_> = entries(text).into_iter().filter_map(|(_, _, value)| value).collect();
        assert_eq!(values, ["yes", "0x10", "1_000", "~", "1.0", "two\nlines\n"]);
    }

    #[test]
    fn pairs_may_be_a_mapping() {
        let text = "listener.security.protocol.map:\n  A: PLAINTEXT\n  B: PLAINTEXT\nmax.connections.per.ip.overrides: {127.0.0.1: 7}\n";
        let expected = [
            entry(2, "listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT"),
            entry(4, "max.connections.per.ip.overrides", "127.0.0.1:7"),
        ];
        assert_eq!(entries(text), expected);
    }

    #[test]
    fn an_empty_file_is_an_empty_configuration() {
        for text in ["", "# nothing\n", "---\n", "{}\n", "~\n"] {
            assert_eq!(entries(text), [], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        let cases = [
            (
                "- a\n- b\n",
                "sordini.yaml:1: must hold a mapping of keys to values, not a list",
            ),
            ("just text\n", "sordini.yaml:1: must hold a mapping of keys to values"),
            (
                "a: 1\nlog.dirs:\n- {b: 1}\n",
                "sordini.yaml:3: log.dirs: a mapping in a list",
            ),
            ("a:\n- [b]\n", "sordini.yaml:2: a: a list in a list"),
            ("? {a: 1}\n: 2\nb: 3\n", "sordini.yaml:1: a mapping as a key"),
            (
                "a: &x [*x]\nb: 1\n",
                "sordini.yaml:1: a: an alias (*) of a node that is not over yet, or too deep",
            ),
            ("a: 1\n---\na: 2\n", "sordini.yaml:2: holds more than one document"),
            (
                "log.dirs: /a\nlog:\n  dirs: /b\n",
                "sordini.yaml:3: log.dirs=/b: is given twice, first in line 1",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(errors(text), [expected], "{text}");
        }
        assert!(errors("a: [1\n")[0].contains("is no YAML"));
        let parsed = parse("sordini.yaml", "a: 1\nb: c: d\n");
        assert_eq!((parsed.entries.len(), parsed.errors.len()), (1, 1), "{parsed:?}");
    }

    #[test]
    fn aliases_are_what_they_stand_for() {
        let text = "a: &a 1\nb: &b {c: *a, d: [*a, 2]}\ne: *b\n*a : 3\n";
        let expected = [
            entry(1, "a", "1"),
            entry(2, "b.c", "1"),
            entry(2, "b.d", "1,2"),
            entry(3, "e.c", "1"),
            entry(3, "e.d", "1,2"),
            entry(4, "1", "3"),
        ];
        assert_eq!(entries(text), expected);
        // Anchors may be set anew.
        let text = "a: &a 1\nb: *a\nc: &a 2\nd: *a\n";
        let values: Vec<_> = entries(text).into_iter().filter_map(|(_, _, value)| value).collect();
        assert_eq!(values, ["1", "1", "2", "2"]);
    }

    #[test]
    fn aliases_stand_for_a_bounded_amount() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..10 {
            let last = format!("*a{},", n - 1).repeat(10);
            text.push_str(&format!("a{n}: &a{n} [{last}]\n"));
        }
        let errors = errors(&text);
        assert!(
            errors.iter().any(|error| error.contains("stands for too much")),
            "{errors:?}"
        );
    }

    #[test]
    fn an_empty_mapping_is_no_value_but_of_pairs() {
        let text = "max.connections.per.ip.overrides: {}\nlog: {}\nnum.partitions: {}\nnmu:\n  partitions: {}\n";
        let parsed = parse("sordini.yaml", text);
        let none = Some(String::new());
        assert_eq!(parsed.entries.len(), 1);
        assert_eq!(parsed.entries[0].value, none);
        let without = "a mapping without keys is no value: leave it out for the default";
        let expected = [
            format!("sordini.yaml:2: log: {without}"),
            format!("sordini.yaml:3: num.partitions: {without}"),
            "sordini.yaml:5: nmu.partitions: unknown key; the nearest known key is num.partitions".to_owned(),
        ];
        assert_eq!(errors(text), expected);
    }

    #[test]
    fn what_is_right_is_read_beside_what_is_not() {
        let keys = |text: &str| -> Vec<String> {
            let parsed = parse("sordini.yaml", text);
            assert_eq!(parsed.errors.len(), 1, "{text}");
            parsed.entries.into_iter().map(|entry| entry.key).collect()
        };
        assert_eq!(keys("a: 1\nb: 2\na: 3\nc: 4\n"), ["a", "b", "c"]);
        assert_eq!(keys("a: 1\nb: [{x: 1}]\nc: 4\n"), ["a", "b", "c"]);
        assert_eq!(keys("a: 1\nb: [2\nc: 4\n"), ["a"]);
    }

    #[test]
    fn a_secret_that_is_given_twice_is_not_shown() {
        for key in ["ssl.key.password", "listener.name.a.ssl.key.password", "my.secret"] {
            let error = &errors(&format!("{key}: one\n'{key}': hunter2\n"))[0];
            assert!(error.contains("twice") && error.contains("[hidden]"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = "a: {".repeat(100_000);
        assert!(errors(&text)[0].contains("nested too deeply"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = parse("sordini.yaml", &text);
        }

        #[test]
        fn any_yaml_like_text_is_read_without_a_panic(text in "[a-c.:{}\\[\\],*&'\"| \\n\\-?~#]{0,60}") {
            let _ = parse("sordini.yaml", &text);
        }

        #[test]
        fn quoted_scalars_are_read_back(key in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", value in "[ -~é😀]{0,40}") {
            let text = format!("'{key}': '{}'\n", value.replace('\'', "''"));
            prop_assert_eq!(entries(&text), [entry(1, &key, &value)]);
        }
    }
}
