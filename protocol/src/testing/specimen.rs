//! Values for tests, and JSON as Kafka's `JsonConverter` classes write it.

use bytes::Bytes;
use serde_json::Value;

use crate::error_code::ErrorCode;
use crate::wire::{Chunk, Context, Utf8Bytes, Uuid, Versions};

/// What the specimens of a message hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Every field set, each to another value; arrays of two.
    Full,
    /// Null wherever it is allowed, no tagged fields; arrays of one.
    Nulls,
    /// Zero, empty, no tagged fields.
    Empty,
    /// Anything, by the seed.
    Random,
}

/// Where specimens get their values from; the same seed gives the same ones.
#[derive(Debug, Clone)]
pub struct Generator {
    style: Style,
    state: u64,
    counter: u64,
}

impl Generator {
    /// Starts anew.
    pub fn new(style: Style, seed: u64) -> Self {
        Generator {
            style,
            state: seed,
            counter: 0,
        }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn number(&mut self, base: i64) -> i64 {
        self.counter += 1;
        match self.style {
            Style::Empty => 0,
            Style::Full | Style::Nulls => base + self.counter as i64,
            Style::Random => match self.random() % 4 {
                0 => i64::from(self.random() as i8),
                _ => self.random() as i64,
            },
        }
    }

    /// Whether a tagged field is set.
    pub fn sets_tagged_fields(&mut self) -> bool {
        match self.style {
            Style::Full => true,
            Style::Nulls | Style::Empty => false,
            Style::Random => !self.random().is_multiple_of(3),
        }
    }

    fn is_null(&mut self) -> bool {
        match self.style {
            Style::Nulls => true,
            Style::Full | Style::Empty => false,
            Style::Random => self.random().is_multiple_of(4),
        }
    }

    fn length(&mut self) -> usize {
        match self.style {
            Style::Full => 2,
            Style::Nulls => 1,
            Style::Empty => 0,
            Style::Random => (self.random() % 4) as usize,
        }
    }

    fn text(&mut self) -> String {
        let number = self.number(0);
        match self.style {
            Style::Empty => String::new(),
            Style::Full | Style::Nulls => format!("t{number}"),
            Style::Random => "aé€😀\0"
                .chars()
                .cycle()
                .skip((number as u64 % 5) as usize)
                .take((self.random() % 300) as usize)
                .collect(),
        }
    }
}

/// A field's type for which tests can make values, and that they can show as JSON.
pub trait Specimen: Sized {
    /// A value that the field may have.
    fn specimen(generator: &mut Generator, context: Context) -> Self;

    /// The value as Kafka's `JsonConverter` classes write it without the bytes of records.
    fn to_json(&self, context: Context) -> Value;

    /// What the field's name ends with in JSON.
    fn json_suffix(&self) -> &'static str {
        ""
    }

    /// A structure with everything at its default; `None` for other types.
    fn structure() -> Option<Self> {
        None
    }

    /// What stands for null in `deepen`: Kafka's JSON has no null for records that may not be null, and null is their default.
    fn stand_in() -> Option<Self> {
        None
    }

    /// Puts a default element into every array of structures.
    fn deepen(&mut self, _: Context) {}

    /// What happens to each field that the version lacks, here and in the structures within, when it is set nevertheless.
    fn strays(_: Context, _: &mut Vec<Stray>) {}
}

/// A field that a version lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    /// Name of the structure.
    pub structure: &'static str,
    /// Name of the field.
    pub field: &'static str,
    /// Whether it is an error to set it; else it is left out in silence.
    pub refused: bool,
}

/// Another value than `default`, as it may be in some version of `versions`.
pub fn other_than<T: Specimen + PartialEq>(default: &T, versions: &impl Versions, context: Context) -> Option<T> {
    let version = (0..i16::MAX).find(|&version| versions.has(version))?;
    let mut generator = Generator::new(Style::Full, 0);
    (0..4)
        .map(|_| T::specimen(&mut generator, Context { version, ..context }))
        .find(|value| value != default)
}

macro_rules! integers {
    ($($type:ty, $base:literal;)*) => { $(
        impl Specimen for $type {
            fn specimen(generator: &mut Generator, _: Context) -> Self {
                generator.number($base) as $type
            }

            fn to_json(&self, _: Context) -> Value {
                Value::from(*self)
            }
        }
    )* };
}

integers! {
    i8, 0;
    i16, 200;
    u16, 50_000;
    i32, 200_000;
    i64, 20_000_000_000;
}

impl Specimen for f64 {
    fn specimen(generator: &mut Generator, _: Context) -> Self {
        (generator.number(0) as i32) as f64 / 8.0
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(*self)
    }
}

impl Specimen for bool {
    fn specimen(generator: &mut Generator, _: Context) -> Self {
        generator.number(0) & 1 == 1
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(*self)
    }
}

impl Specimen for ErrorCode {
    fn specimen(generator: &mut Generator, context: Context) -> Self {
        ErrorCode(i16::specimen(generator, context))
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(self.0)
    }
}

impl Specimen for Uuid {
    fn specimen(generator: &mut Generator, _: Context) -> Self {
        let (high, low) = (generator.number(0) as u64, generator.number(0) as u64);
        Uuid((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(self.to_string())
    }
}

impl Specimen for Utf8Bytes {
    fn specimen(generator: &mut Generator, _: Context) -> Self {
        Utf8Bytes::from(generator.text())
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(self.as_str())
    }
}

impl Specimen for Bytes {
    fn specimen(generator: &mut Generator, _: Context) -> Self {
        // Now and then so long that it is not copied on its way.
        let repeat = if generator.style == Style::Random && generator.random().is_multiple_of(5) {
            40
        } else {
            1
        };
        Bytes::from(generator.text().repeat(repeat))
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(base64(self))
    }
}

impl Specimen for Chunk {
    fn specimen(generator: &mut Generator, context: Context) -> Self {
        Chunk::Memory(Bytes::specimen(generator, context))
    }

    fn to_json(&self, _: Context) -> Value {
        Value::from(self.len())
    }

    fn json_suffix(&self) -> &'static str {
        "SizeInBytes"
    }

    fn stand_in() -> Option<Self> {
        Some(Chunk::Memory(Bytes::new()))
    }
}

impl<T: Specimen> Specimen for Option<T> {
    fn specimen(generator: &mut Generator, context: Context) -> Self {
        if context.nullable && generator.is_null() {
            None
        } else {
            Some(T::specimen(generator, context))
        }
    }

    fn to_json(&self, context: Context) -> Value {
        self.as_ref().map_or(Value::Null, |value| value.to_json(context))
    }

    fn json_suffix(&self) -> &'static str {
        self.as_ref().map_or("", T::json_suffix)
    }

    fn deepen(&mut self, context: Context) {
        match self {
            Some(value) => value.deepen(context),
            None => *self = T::stand_in(),
        }
    }

    fn strays(context: Context, found: &mut Vec<Stray>) {
        T::strays(context, found);
    }
}

impl<T: Specimen> Specimen for Vec<T> {
    fn specimen(generator: &mut Generator, context: Context) -> Self {
        let element = Context {
            nullable: false,
            tagged: false,
            ..context
        };
        (0..generator.length())
            .map(|_| T::specimen(generator, element))
            .collect()
    }

    fn to_json(&self, context: Context) -> Value {
        let element = Context {
            nullable: false,
            tagged: false,
            ..context
        };
        self.iter().map(|value| value.to_json(element)).collect()
    }

    fn deepen(&mut self, context: Context) {
        if let Some(mut element) = T::structure() {
            element.deepen(Context {
                nullable: false,
                tagged: false,
                ..context
            });
            self.push(element);
        }
    }

    fn strays(context: Context, found: &mut Vec<Stray>) {
        T::strays(context, found);
    }
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= group.len() { digit as char } else { '=' });
        }
    }
    text
}
