//! Typed values of keys and how text becomes one, by the rules of Kafka's `ConfigDef.parseType`.

use std::fmt;

use crate::definition::ValueType;

/// Why a text is no valid value of a key, in the words of Kafka's `ConfigException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidValue {
    /// What Kafka shows as the value: the text as it was given where it is not of the type, the value as it was read where it
    /// is out of range, of a list the element at fault.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

impl InvalidValue {
    pub(crate) fn new(value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            reason: reason.into(),
        }
    }
}

/// A value of a key.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// The key is not set and has no default.
    Null,
    /// Of a [`ValueType::Boolean`] key.
    Boolean(bool),
    /// Of a [`ValueType::Short`] key.
    Short(i16),
    /// Of a [`ValueType::Int`] key.
    Int(i32),
    /// Of a [`ValueType::Long`] key.
    Long(i64),
    /// Of a [`ValueType::Double`] key.
    Double(f64),
    /// Of a [`ValueType::String`] or [`ValueType::Class`] key.
    String(String),
    /// Of a [`ValueType::Password`] key.
    Password(String),
    /// Of a [`ValueType::List`] key.
    List(Vec<String>),
}

impl Value {
    /// Reads a value of a type, without asking whether the key takes it.
    pub fn parse(value_type: ValueType, given: &str) -> Result<Self, InvalidValue> {
        // Java trims every control character, too.
        let text = given.trim_matches(|character| character <= ' ');
        let not_a_number = || InvalidValue::new(given, format!("Not a number of type {}", value_type.name()));
        Ok(match value_type {
            ValueType::Boolean if text.eq_ignore_ascii_case("true") => Self::Boolean(true),
            ValueType::Boolean if text.eq_ignore_ascii_case("false") => Self::Boolean(false),
            ValueType::Boolean => return Err(InvalidValue::new(given, "Expected value to be either true or false")),
            ValueType::Short => Self::Short(text.parse().map_err(|_| not_a_number())?),
            ValueType::Int => Self::Int(text.parse().map_err(|_| not_a_number())?),
            ValueType::Long => Self::Long(text.parse().map_err(|_| not_a_number())?),
            ValueType::Double => Self::Double(parse_java_double(text).ok_or_else(not_a_number)?),
            ValueType::String | ValueType::Class => Self::String(text.to_owned()),
            ValueType::Password => Self::Password(text.to_owned()),
            ValueType::List if text.is_empty() => Self::List(Vec::new()),
            ValueType::List => Self::List(text.split(',').map(|element| element.trim().to_owned()).collect()),
        })
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Short(number) => Some(f64::from(*number)),
            Self::Int(number) => Some(f64::from(*number)),
            // Kafka compares as doubles too; what is lost beyond 2^53 no range of ours comes near.
            Self::Long(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::Null | Self::Boolean(_) | Self::String(_) | Self::Password(_) | Self::List(_) => None,
        }
    }

    /// The text by which DescribeConfigs shows the value (Kafka's `ConfigDef.convertToString`); `None` for null. A password
    /// is shown as Kafka hides it.
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(value) => value.to_string(),
            Self::Short(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Long(value) => value.to_string(),
            Self::Double(value) => java_double(*value),
            Self::String(value) => value.clone(),
            Self::Password(_) => HIDDEN.to_owned(),
            Self::List(elements) => elements.join(","),
        })
    }
}

/// What stands in place of a secret.
pub const HIDDEN: &str = "[hidden]";

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_text() {
            None => formatter.write_str("null"),
            Some(text) => formatter.write_str(&text),
        }
    }
}

/// A double as Java's `Double.parseDouble` reads it, but for hexadecimal ones: an `f` or `d` may end it, what is too large is
/// infinite, and names have Java's spelling.
fn parse_java_double(text: &str) -> Option<f64> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = match magnitude {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        // Names of Rust's and second signs are none of Java's.
        _ if !magnitude.starts_with(|first: char| first.is_ascii_digit() || first == '.') => return None,
        _ => magnitude
            .strip_suffix(['f', 'F', 'd', 'D'])
            .unwrap_or(magnitude)
            .parse()
            .ok()?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// A double as Java's `Double.toString` writes it: always with a fraction, scientific outside 10^-3 to 10^7.
fn java_double(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value != 0.0 && !(1e-3..1e7).contains(&value.abs()) {
        let text = format!("{value:E}");
        return match text.split_once('E') {
            Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
            _ => text,
        };
    }
    format!("{value:?}")
}

/// A Rust type that a [`Value`] can be read as; the type of a key's field must fit the type of the key.
pub(crate) trait FromValue: Sized {
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($variant:ident => $rust:ty),+ $(,)?) => {
        $(impl FromValue for $rust {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        })+
    };
}

from_value!(Boolean => bool, Short => i16, Int => i32, Long => i64, Double => f64, String => String, List => Vec<String>);

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        let cases = [
            (0.0, "0.0"),
            (0.5, "0.5"),
            (1.0, "1.0"),
            (0.001, "0.001"),
            (0.0005, "5.0E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.25e9, "-1.25E9"),
            (f64::MAX, "1.7976931348623157E308"),
        ];
        for (value, expected) in cases {
            assert_eq!(java_double(value), expected);
        }
    }

    #[test]
    fn doubles_are_read_as_java_reads_them() {
        let read = |text| super::parse_java_double(text);
        for (text, expected) in [
            ("0.5f", 0.5),
            ("-1D", -1.0),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1e3d", 1000.0),
            ("1e999", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        assert!(read("NaN").is_some_and(f64::is_nan));
        for text in ["", "f", ".", "--1", "+-1", "nan", "inf", "infinity", "1ff", "1e", "1_0"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(
            [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(java_double),
            ["Infinity", "-Infinity", "NaN"]
        );
    }

    fn value_types() -> impl Strategy<Value = ValueType> {
        prop::sample::select(vec![
            ValueType::Boolean,
            ValueType::Int,
            ValueType::Long,
            ValueType::Short,
            ValueType::Double,
            ValueType::String,
            ValueType::List,
            ValueType::Class,
        ])
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(value_type in value_types(), text in "[ -~]{0,12}|-?[0-9]{1,20}|-?[0-9]{1,9}\\.[0-9]{1,9}") {
            if let Ok(value) = super::Value::parse(value_type, &text) {
                let shown = value.to_text().unwrap_or_default();
                prop_assert_eq!(super::Value::parse(value_type, &shown), Ok(value));
            }
        }
    }
}
