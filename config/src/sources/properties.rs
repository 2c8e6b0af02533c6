//! The syntax of `java.util.Properties`, in which Kafka's `server.properties` is written.

use std::sync::Arc;

use crate::error::{ConfigError, Origin};
use crate::load::Entry;

use super::Parsed;

/// Reads every `key=value` with the number of its line; a later one of the same key wins when they are loaded.
pub(super) fn parse(name: &str, text: &str) -> Parsed {
    let file: Arc<str> = Arc::from(name);
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (line, logical) in logical_lines(text) {
        let origin = Origin::Properties {
            file: file.clone(),
            line,
        };
        let (key, value) = split(&logical);
        match (unescape(key), unescape(value)) {
            (Ok(key), Ok(value)) => entries.push(Entry {
                key,
                value: Some(value),
                origin,
            }),
            (Err(reason), _) | (_, Err(reason)) => errors.push(ConfigError {
                key: key.to_owned(),
                value: None,
                reason,
                nearest: None,
                origin: Some(origin),
            }),
        }
    }
    Parsed {
        entries,
        errors,
        ..Parsed::default()
    }
}

/// Java's white space within a line.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

/// Lines without comments, those that a backslash continues joined, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').enumerate();
    let mut logical_lines = Vec::new();
    while let Some((index, line)) = lines.next() {
        let mut logical = line.trim_start_matches(is_space).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while is_continued(&logical) {
            logical.pop();
            // A backslash alone continues nothing: Java begins anew, so that a comment may follow.
            if logical.is_empty() {
                break;
            }
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start_matches(is_space)),
                None => break,
            }
        }
        if !logical.is_empty() {
            logical_lines.push((index + 1, logical));
        }
    }
    logical_lines
}

/// An odd number of backslashes at the end: the last of them escapes the line feed.
fn is_continued(line: &str) -> bool {
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

/// Key and value, both still escaped: they are parted by `=`, `:` or white space, and white space around it belongs to neither.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|character| {
        let ends = !escaped && (is_space(character) || character == '=' || character == ':');
        escaped = !escaped && character == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let rest = line[end..].trim_start_matches(is_space);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], value.trim_start_matches(is_space))
}

/// Resolves `\t`, `\n`, `\r`, `\f`, `\uXXXX`; any other escaped character stands for itself. Java's characters are UTF-16, so
/// that two `\u` may make one character of ours.
fn unescape(text: &str) -> Result<String, String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        let stands_for = match escaped {
            None if character == '\\' => continue,
            None => character,
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('f') => '\u{c}',
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                let valid = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                match u16::from_str_radix(&digits, 16) {
                    Ok(unit) if valid => units.push(unit),
                    // Without what stands there: it may be of a secret.
                    _ => return Err("\\u without four hexadecimal digits behind it".to_owned()),
                }
                continue;
            }
            Some(other) => other,
        };
        units.extend_from_slice(stands_for.encode_utf16(&mut [0; 2]));
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        let line = |origin: &Origin| match origin {
            Origin::Properties { line, .. } => *line,
            origin => panic!("an entry of a properties file stands at {origin}"),
        };
        let Parsed { entries, errors, .. } = parse("server.properties", text);
        assert_eq!(errors, []);
        entries
            .into_iter()
            .map(|entry| (line(&entry.origin), entry.key, entry.value.unwrap_or_default()))
            .collect()
    }

    fn pair(line: usize, key: &str, value: &str) -> (usize, String, String) {
        (line, key.to_owned(), value.to_owned())
    }

    #[test]
    fn separators_comments_and_blank_lines() {
        let text = "# comment\n! comment\n\n  a=1\nb: 2\r\nc 3\rd \t = \t 4 5 \nempty\n=without key\n";
        let expected = [
            pair(4, "a", "1"),
            pair(5, "b", "2"),
            pair(6, "c", "3"),
            pair(7, "d", "4 5 "),
            pair(8, "empty", ""),
            pair(9, "", "without key"),
        ];
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn continuation_lines() {
        let text = "listeners=A://:1,\\\n    # no comment,\\\n  B://:2\nescaped=end\\\\\nnext=1\nlast=x\\";
        let expected = [
            pair(1, "listeners", "A://:1,# no comment,B://:2"),
            pair(4, "escaped", "end\\"),
            pair(5, "next", "1"),
            pair(6, "last", "x"),
        ];
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn escapes() {
        let text = "a\\=b\\:c\\ d=\\t\\n\\r\\f\\q\\u00e9\\uD83D\\uDE00\\ud800";
        assert_eq!(pairs(text), [pair(1, "a=b:c d", "\t\n\r\u{c}qé😀\u{fffd}")]);
    }

    #[test]
    fn a_malformed_escape_names_key_and_line() {
        let parsed = parse("server.properties", "fine=1\nbad=\\u12g4\nalso=2\n");
        let errors: Vec<String> = parsed.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            ["server.properties:2: bad: \\u without four hexadecimal digits behind it"]
        );
        let keys: Vec<&str> = parsed.entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["fine", "also"], "the others are read all the same");
    }

    fn escape(text: &str) -> String {
        let escaped = |character: char| match character {
            '\\' | '=' | ':' | '#' | '!' | ' ' => format!("\\{character}"),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\u{c}' => "\\f".to_owned(),
            character => character.to_string(),
        };
        text.chars().map(escaped).collect()
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = parse("server.properties", &text);
        }

        #[test]
        fn what_is_escaped_is_read_back(key in "\\PC{1,20}", value in "[ -~\\n\\t\\\\é😀]{0,40}") {
            let text = format!("{}={}\n", escape(&key), escape(&value));
            prop_assert_eq!(pairs(&text), [pair(1, &key, &value)]);
        }
    }
}
