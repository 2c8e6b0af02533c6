//! For tests only (feature `testing`): every message as JSON in Kafka's notation, specimens with values of their own in
//! every field, a table of all messages, and what a fuzzer does with bytes.

mod exercise;
mod kinds;
mod specimen;

pub use exercise::exercise;
pub use kinds::{AnyMessage, Kind, kinds};
pub use specimen::{Generator, Specimen, Stray, Style, other_than};

use serde_json::{Map, Value};

use crate::wire::Context;

/// Puts a field into a JSON object, under Kafka's name for it.
pub fn insert<T: Specimen>(object: &mut Map<String, Value>, field: &str, value: &T, context: Context) {
    let mut name = String::new();
    for (index, word) in field.trim_start_matches("r#").split('_').enumerate() {
        if index == 0 {
            name.push_str(word);
        } else {
            name.extend(word.chars().take(1).flat_map(char::to_uppercase));
            name.extend(word.chars().skip(1));
        }
    }
    name.push_str(value.json_suffix());
    object.insert(name, value.to_json(context));
}
