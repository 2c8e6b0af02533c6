//! The `messages!` macro: a message is a table of fields, in the order of the wire.

use std::ops::{RangeFrom, RangeInclusive};

use super::error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
use super::field::{Context, Field};
use super::reader::Reader;
use super::writer::Writer;

/// A request, a response or a record's key or value: something with versions that starts and ends on its own.
pub trait Message: Sized {
    /// Its name in Kafka's schema.
    const NAME: &'static str;

    /// Every version that the table covers: those of Kafka 3.9 in ZooKeeper mode and of 4.3.
    const VERSIONS: RangeInclusive<i16>;

    /// Whether a version is flexible (KIP-482): compact lengths and tagged fields.
    fn is_flexible(version: i16) -> bool;

    /// Appends the message to `writer`.
    ///
    /// # Errors
    /// A field that this version lacks and that may not be left out in silence is not at its default; null where the
    /// version has none; something longer than its length field can say; a version that does not exist.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads a message; bytes behind it stay in `reader`. Unknown tagged fields are skipped.
    ///
    /// # Errors
    /// Bytes that are no such message, or that would take more memory than the reader's budget; a version that does not
    /// exist.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;
}

/// A set of versions as a table's row states it: `3..`, `0..=8`, `NEVER`.
pub trait Versions {
    /// Whether `version` is in it.
    fn has(&self, version: i16) -> bool;
}

impl Versions for RangeFrom<i16> {
    #[inline(always)]
    fn has(&self, version: i16) -> bool {
        self.start <= version
    }
}

impl Versions for RangeInclusive<i16> {
    #[inline(always)]
    fn has(&self, version: i16) -> bool {
        *self.start() <= version && version <= *self.end()
    }
}

/// No version at all.
pub const NEVER: RangeInclusive<i16> = RangeInclusive::new(0, -1);

pub(crate) fn encode_message<M: Message + Field>(
    message: &M,
    writer: &mut Writer,
    version: i16,
) -> Result<(), EncodeError> {
    if !M::VERSIONS.contains(&version) {
        return Err(*EncodeError::new(EncodeErrorKind::Version(version)).within(M::NAME, ""));
    }
    message
        .write(writer, Context::new(version, M::is_flexible(version)))
        .map_err(|error| *error)
}

pub(crate) fn decode_message<M: Message + Field>(reader: &mut Reader, version: i16) -> Result<M, DecodeError> {
    if !M::VERSIONS.contains(&version) {
        return Err(*reader.error(DecodeErrorKind::Version(version)).within(M::NAME, ""));
    }
    M::read(reader, Context::new(version, M::is_flexible(version))).map_err(|error| *error)
}

/// Declares messages and the structures in them.
///
/// `message Name { versions: 0..=9, flexible: 6.. }` makes a structure of the table a message of its own; `flexible: NEVER`
/// for one without flexible versions. Each row of a `struct` is a field in wire order:
///
/// `name: Type, versions: 3.., nullable: 3.., tag: 0, tagged: 9.., default: -1, ignorable: true;`
///
/// Only type and versions are always there. `default` is what a field holds when a version lacks it; writing any other value
/// in such a version is an error unless the field is `ignorable`. Rows with a tag stand in ascending order of their tags.
macro_rules! messages {
    (
        $(message $message:ident { versions: $message_versions:expr, flexible: $flexible:expr })*
        $(
            $(#[$doc:meta])*
            struct $name:ident { $(
                $(#[$field_doc:meta])*
                $field:ident: $type:ty, versions: $versions:expr
                $(, nullable: $nullable:expr)?
                $(, tag: $tag:literal, tagged: $tagged:expr)?
                $(, default: $default:expr)?
                $(, ignorable: $ignorable:literal)?;
            )* }
        )*
    ) => {
        $(
            impl $crate::wire::Message for $message {
                const NAME: &'static str = stringify!($message);
                const VERSIONS: std::ops::RangeInclusive<i16> = $message_versions;

                fn is_flexible(version: i16) -> bool {
                    $crate::wire::Versions::has(&($flexible), version)
                }

                fn encode(
                    &self,
                    writer: &mut $crate::wire::Writer,
                    version: i16,
                ) -> Result<(), $crate::wire::EncodeError> {
                    $crate::wire::encode_message(self, writer, version)
                }

                fn decode(
                    reader: &mut $crate::wire::Reader,
                    version: i16,
                ) -> Result<Self, $crate::wire::DecodeError> {
                    $crate::wire::decode_message(reader, version)
                }
            }
        )*
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq)]
            #[allow(missing_docs)]
            pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

            impl Default for $name {
                #[inline]
                fn default() -> Self {
                    $name { $( $field: $crate::wire::default_value!($($default)?), )* }
                }
            }

            #[allow(unused_mut, unused_variables, clippy::nonminimal_bool, clippy::bool_comparison)]
            impl $crate::wire::Field for $name {
                fn read(
                    reader: &mut $crate::wire::Reader,
                    context: $crate::wire::Context,
                ) -> Result<Self, Box<$crate::wire::DecodeError>> {
                    use $crate::wire::Versions;
                    let version = context.version;
                    let mut this = Self::default();
                    $(
                        if ($versions).has(version) $(&& !($tagged).has(version))? {
                            let nullable = false $(|| ($nullable).has(version))?;
                            match $crate::wire::Field::read(reader, context.untagged(nullable)) {
                                Ok(value) => this.$field = value,
                                Err(error) => return Err(error.within(stringify!($name), stringify!($field))),
                            }
                        }
                    )*
                    if context.flexible {
                        for _ in 0..reader.tagged_field_count()? {
                            match reader.unsigned_varint()? {
                                $( $(
                                    $tag => {
                                        if !($tagged).has(version) {
                                            return Err(reader.wrong_tag($tag, version));
                                        }
                                        let read = |reader: &mut _| $crate::wire::Field::read(reader, context.tagged());
                                        match reader.tagged(read) {
                                            Ok(value) => this.$field = value,
                                            Err(error) => {
                                                return Err(error.within(stringify!($name), stringify!($field)));
                                            }
                                        }
                                    }
                                )? )*
                                _ => reader.skip_tagged()?,
                            }
                        }
                    }
                    Ok(this)
                }

                fn write(
                    &self,
                    writer: &mut $crate::wire::Writer,
                    context: $crate::wire::Context,
                ) -> Result<(), Box<$crate::wire::EncodeError>> {
                    use $crate::wire::Versions;
                    let version = context.version;
                    let mut tagged_fields = 0u32;
                    $(
                        if !($versions).has(version) {
                            if !(false $(|| $ignorable)?)
                                && $crate::wire::differs(&self.$field, $crate::wire::default_value!($($default)?))
                            {
                                return Err($crate::wire::EncodeError::not_in_version(version)
                                    .within(stringify!($name), stringify!($field)));
                            }
                        } else if false $(|| ($tagged).has(version))? {
                            let default = $crate::wire::default_value!($($default)?);
                            tagged_fields += u32::from($crate::wire::differs(&self.$field, default));
                        } else {
                            let nullable = false $(|| ($nullable).has(version))?;
                            if let Err(error) =
                                $crate::wire::Field::write(&self.$field, writer, context.untagged(nullable))
                            {
                                return Err(error.within(stringify!($name), stringify!($field)));
                            }
                        }
                    )*
                    if context.flexible {
                        writer.unsigned_varint(tagged_fields);
                        if tagged_fields > 0 {
                            let defaults = Self::default();
                            $( $(
                                if ($tagged).has(version) && self.$field != defaults.$field {
                                    if let Err(error) = writer.tagged($tag, |writer| {
                                        $crate::wire::Field::write(&self.$field, writer, context.tagged())
                                    }) {
                                        return Err(error.within(stringify!($name), stringify!($field)));
                                    }
                                }
                            )? )*
                        }
                    }
                    Ok(())
                }
            }

            #[cfg(feature = "testing")]
            #[allow(unused_variables)]
            impl $crate::testing::Specimen for $name {
                fn specimen(
                    generator: &mut $crate::testing::Generator,
                    context: $crate::wire::Context,
                ) -> Self {
                    use $crate::wire::Versions;
                    let version = context.version;
                    #[allow(unused_mut)]
                    let mut this = Self::default();
                    $(
                        if ($versions).has(version) {
                            let tagged = false $(|| ($tagged).has(version))?;
                            if !tagged || generator.sets_tagged_fields() {
                                let nullable = false $(|| ($nullable).has(version))?;
                                let context = context.untagged(nullable);
                                this.$field = $crate::testing::Specimen::specimen(generator, context);
                            }
                        }
                    )*
                    this
                }

                fn structure() -> Option<Self> {
                    Some(Self::default())
                }

                fn deepen(&mut self, context: $crate::wire::Context) {
                    use $crate::wire::Versions;
                    $(
                        if ($versions).has(context.version) {
                            $crate::testing::Specimen::deepen(&mut self.$field, context);
                        }
                    )*
                }

                fn strays(context: $crate::wire::Context, found: &mut Vec<$crate::testing::Stray>) {
                    use $crate::wire::Versions;
                    $(
                        if ($versions).has(context.version) {
                            <$type as $crate::testing::Specimen>::strays(context, found);
                        } else {
                            let mut stray = Self::default();
                            if let Some(value) = $crate::testing::other_than(&stray.$field, &($versions), context) {
                                stray.$field = value;
                                let written =
                                    $crate::wire::Field::write(&stray, &mut $crate::wire::Writer::new(), context);
                                found.push($crate::testing::Stray {
                                    structure: stringify!($name),
                                    field: stringify!($field),
                                    refused: written.is_err_and(|error| error.is_not_in_version()),
                                });
                            }
                        }
                    )*
                }

                fn to_json(&self, context: $crate::wire::Context) -> serde_json::Value {
                    use $crate::wire::Versions;
                    let version = context.version;
                    #[allow(unused_mut)]
                    let mut object = serde_json::Map::new();
                    $(
                        let tagged = false $(|| ($tagged).has(version))?;
                        let default = $crate::wire::default_value!($($default)?);
                        if ($versions).has(version) && (!tagged || $crate::wire::differs(&self.$field, default)) {
                            $crate::testing::insert(&mut object, stringify!($field), &self.$field, context);
                        }
                    )*
                    serde_json::Value::Object(object)
                }
            }

            impl $crate::wire::Nullable for $name {
                fn read_nullable(
                    reader: &mut $crate::wire::Reader,
                    context: $crate::wire::Context,
                ) -> Result<Option<Self>, Box<$crate::wire::DecodeError>> {
                    if reader.structure_is_null(context.tagged)? {
                        return Ok(None);
                    }
                    $crate::wire::Field::read(reader, context).map(Some)
                }

                fn write_null(
                    writer: &mut $crate::wire::Writer,
                    context: $crate::wire::Context,
                ) -> Result<(), Box<$crate::wire::EncodeError>> {
                    writer.structure_marker(false, context.tagged);
                    Ok(())
                }

                fn write_nullable(
                    &self,
                    writer: &mut $crate::wire::Writer,
                    context: $crate::wire::Context,
                ) -> Result<(), Box<$crate::wire::EncodeError>> {
                    writer.structure_marker(true, context.tagged);
                    $crate::wire::Field::write(self, writer, context)
                }
            }
        )*
    };
}
pub(crate) use messages;

/// Whether a field holds something other than its default.
#[inline(always)]
pub(crate) fn differs<T: PartialEq>(value: &T, default: T) -> bool {
    *value != default
}

/// A row's default: what the table says, else the type's own.
macro_rules! default_value {
    () => {
        Default::default()
    };
    ($value:expr) => {
        $value
    };
}
pub(crate) use default_value;
