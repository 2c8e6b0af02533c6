//! What a configuration key is: its name, type, default, valid values, when it may change, and whether it applies here.

use crate::metadata_version;
use crate::value::{InvalidValue, Value};

/// The type of a key, as Kafka's `ConfigDef.Type` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// `true` or `false`, in any case.
    Boolean,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// 16 bits, signed.
    Short,
    /// A floating point number.
    Double,
    /// Text.
    String,
    /// Texts separated by commas.
    List,
    /// Text that is never shown.
    Password,
    /// The name of a Java class.
    Class,
}

impl ValueType {
    /// Kafka's name of the type, as it stands in error messages and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Short => "SHORT",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
            Self::List => "LIST",
            Self::Password => "PASSWORD",
            Self::Class => "CLASS",
        }
    }

    /// The number of the type in a DescribeConfigs response from version 3 on (`DescribeConfigsResponse.ConfigType`).
    pub const fn wire_id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// Which values of its type a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    /// Every one.
    Any,
    /// Numbers from here up.
    AtLeast(f64),
    /// Numbers between both, inclusive.
    Between(f64, f64),
    /// A level of gzip: 1 to 9, or -1 for the library's own default.
    GzipLevel,
    /// Numbers from 1 up, or -1 for the value of another key.
    PositiveOrMinusOne,
    /// One of these texts; for a list: each of its elements.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// Text of at least one character.
    NonEmpty,
    /// A list of at least one element, where the key is set.
    NonEmptyList,
    /// Text, and not the absence of one.
    NonNull,
    /// The version of a Kafka release, such as `3.9` or `3.9-IV0`.
    MetadataVersion,
    /// `*`, or pairs of partition and broker such as `0:1`.
    ThrottledReplicas,
}

/// When a key may change while the broker runs (Kafka's dynamic update mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// For one broker at a time.
    PerBroker,
    /// For one broker or for all of them.
    ClusterWide,
}

impl UpdateMode {
    /// Kafka's name of the mode.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

/// How much a key matters to most people, by Kafka's judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Look at it first.
    High,
    /// Look at it when tuning.
    Medium,
    /// Most never need it.
    Low,
}

impl Importance {
    /// Kafka's name of the importance.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// Whether setting a known key has an effect in this broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// It does what its documentation says.
    Yes,
    /// Nothing here corresponds to it; the text says what to use instead. Setting it to another value than its default
    /// is a warning.
    Not(&'static str),
    /// What it configures is not part of this version; the text names it. Setting it to another value than its default is
    /// a warning.
    NotYet(&'static str),
}

/// One configuration key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Definition {
    /// Kafka's name of the key.
    pub name: &'static str,
    /// The type of its values.
    pub value_type: ValueType,
    /// The default as text; `None` where Kafka's default is null.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub valid: Valid,
    /// When it may change.
    pub update_mode: UpdateMode,
    /// How much it matters.
    pub importance: Importance,
    /// Kafka keeps internal keys out of DescribeConfigs unless they are set.
    pub internal: bool,
    /// Whether it has an effect here.
    pub applies: Applies,
    /// What it does, in a sentence.
    pub doc: &'static str,
}

impl Definition {
    const fn new(name: &'static str, value_type: ValueType, default: Option<&'static str>) -> Self {
        Self {
            name,
            value_type,
            default,
            valid: Valid::Any,
            update_mode: UpdateMode::ReadOnly,
            importance: Importance::Medium,
            internal: false,
            applies: Applies::Yes,
            doc: "",
        }
    }

    pub(crate) const fn valid(mut self, valid: Valid) -> Self {
        self.valid = valid;
        self
    }

    pub(crate) const fn at_least(self, min: f64) -> Self {
        self.valid(Valid::AtLeast(min))
    }

    pub(crate) const fn between(self, min: f64, max: f64) -> Self {
        self.valid(Valid::Between(min, max))
    }

    pub(crate) const fn one_of(self, texts: &'static [&'static str]) -> Self {
        self.valid(Valid::OneOf(texts))
    }

    pub(crate) const fn per_broker(mut self) -> Self {
        self.update_mode = UpdateMode::PerBroker;
        self
    }

    pub(crate) const fn cluster_wide(mut self) -> Self {
        self.update_mode = UpdateMode::ClusterWide;
        self
    }

    pub(crate) const fn high(mut self) -> Self {
        self.importance = Importance::High;
        self
    }

    pub(crate) const fn low(mut self) -> Self {
        self.importance = Importance::Low;
        self
    }

    pub(crate) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    pub(crate) const fn not(mut self, instead: &'static str) -> Self {
        self.applies = Applies::Not(instead);
        self
    }

    pub(crate) const fn not_yet(mut self, what: &'static str) -> Self {
        self.applies = Applies::NotYet(what);
        self
    }

    pub(crate) const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Whether its values are secrets, never shown and never logged.
    pub const fn sensitive(&self) -> bool {
        matches!(self.value_type, ValueType::Password)
    }

    /// The default as a typed value.
    ///
    /// # Panics
    /// If the table holds a default that is no value of its type; a test reads every default.
    pub fn default_value(&self) -> Value {
        match self.default {
            None => Value::Null,
            Some(text) => match Value::parse(self.value_type, text) {
                Ok(value) => value,
                Err(reason) => panic!(
                    "the default {text} of {} is no {}: {reason}",
                    self.name,
                    self.value_type.name()
                ),
            },
        }
    }

    /// Reads a value of this key: first its type, then whether it is valid. The error is the reason, in Kafka's words.
    pub fn parse(&self, text: &str) -> Result<Value, InvalidValue> {
        let value = Value::parse(self.value_type, text)?;
        self.valid.check(&value)?;
        Ok(value)
    }
}

impl Valid {
    fn check(self, value: &Value) -> Result<(), InvalidValue> {
        let invalid = |reason: String| Err(InvalidValue::new(value.to_text().unwrap_or_default(), reason));
        let number = value.as_number();
        match (self, value) {
            (Self::AtLeast(min) | Self::Between(min, _), _) if number.is_some_and(|number| number < min) => {
                invalid(format!("Value must be at least {min}"))
            }
            (Self::Between(_, max), _) if number.is_some_and(|number| number > max) => {
                invalid(format!("Value must be no more than {max}"))
            }
            (Self::GzipLevel, Value::Int(..=-2 | 0 | 10..)) => {
                invalid("Value must be between 1 and 9 or equal to -1".to_owned())
            }
            (Self::PositiveOrMinusOne, Value::Int(..=-2 | 0)) => {
                invalid("Value can be -1 or greater than 0".to_owned())
            }
            (Self::OneOf(texts), Value::String(text)) => one_of(texts, text),
            (Self::OneOf(texts), Value::List(elements)) => elements.iter().try_for_each(|text| one_of(texts, text)),
            (Self::OneOfAnyCase(texts), Value::String(text))
                if !texts.iter().any(|valid| valid.eq_ignore_ascii_case(text)) =>
            {
                invalid(format!(
                    "String must be one of (case insensitive): {}",
                    texts.join(", ")
                ))
            }
            (Self::NonEmpty, Value::String(text)) if text.is_empty() => invalid("String must be non-empty".to_owned()),
            (Self::MetadataVersion, Value::String(text)) if metadata_version::find(text).is_none() => {
                invalid(format!("Version {text} is not a valid version"))
            }
            (Self::ThrottledReplicas, Value::List(elements)) => throttled_replicas(elements),
            _ => Ok(()),
        }
    }

    /// The range or the texts, as they stand in documentation; empty where every value is valid.
    pub fn describe(self) -> String {
        match self {
            Self::Any => String::new(),
            Self::AtLeast(min) => format!("[{min},...]"),
            Self::Between(min, max) => format!("[{min},...,{max}]"),
            Self::GzipLevel => "[1,...,9] or -1".to_owned(),
            Self::PositiveOrMinusOne => "[1,...] or -1".to_owned(),
            Self::OneOf(texts) => format!("[{}]", texts.join(", ")),
            Self::OneOfAnyCase(texts) => format!("(case insensitive) [{}]", texts.join(", ")),
            Self::NonEmpty => "non-empty string".to_owned(),
            Self::NonEmptyList => "non-empty list".to_owned(),
            Self::NonNull => "non-null string".to_owned(),
            Self::MetadataVersion => format!("[{}]", metadata_version::NAMES.join(", ")),
            Self::ThrottledReplicas => "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned(),
        }
    }
}

fn one_of(texts: &[&str], text: &str) -> Result<(), InvalidValue> {
    if texts.contains(&text) {
        return Ok(());
    }
    Err(InvalidValue::new(
        text,
        format!("String must be one of: {}", texts.join(", ")),
    ))
}

fn throttled_replicas(elements: &[String]) -> Result<(), InvalidValue> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pair = |text: &String| {
        text.split_once(':')
            .is_some_and(|(left, right)| number(left) && number(right))
    };
    let none = elements.is_empty() || elements.len() == 1 && elements[0].is_empty();
    let all = elements.len() == 1 && elements[0] == "*";
    if none || all || elements.iter().all(pair) {
        return Ok(());
    }
    let reason = "must be the literal '*' or a list of replicas in the following format: \
                  [partitionId]:[brokerId],[partitionId]:[brokerId],...";
    Err(InvalidValue::new(format!("[{}]", elements.join(", ")), reason))
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident $optional:ident $value_type:ident;)+) => {
        $(
            $(#[$doc])*
            pub(crate) const fn $name(name: &'static str, default: &'static str) -> Definition {
                Definition::new(name, ValueType::$value_type, Some(default))
            }

            /// The same without a default.
            pub(crate) const fn $optional(name: &'static str) -> Definition {
                Definition::new(name, ValueType::$value_type, None)
            }
        )+
    };
}

constructors! {
    /// A key of 32 bits.
    int int_null Int;
    /// A key of 64 bits.
    long long_null Long;
    /// Text.
    string string_null String;
    /// A list of texts.
    list list_null List;
    /// The name of a Java class.
    class class_null Class;
}

/// `true` or `false`.
pub(crate) const fn boolean(name: &'static str, default: &'static str) -> Definition {
    Definition::new(name, ValueType::Boolean, Some(default))
}

/// A key of 16 bits.
pub(crate) const fn short(name: &'static str, default: &'static str) -> Definition {
    Definition::new(name, ValueType::Short, Some(default))
}

/// A floating point number.
pub(crate) const fn double(name: &'static str, default: &'static str) -> Definition {
    Definition::new(name, ValueType::Double, Some(default))
}

/// A secret.
pub(crate) const fn password_null(name: &'static str) -> Definition {
    Definition::new(name, ValueType::Password, None)
}
