//! How a value of each type looks on the wire.

use bytes::Bytes;

use super::chunk::Chunk;
use super::error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
use super::reader::Reader;
use super::utf8_bytes::Utf8Bytes;
use super::uuid::Uuid;
use super::writer::Writer;
use crate::error_code::ErrorCode;

/// What a field's encoding depends on besides its type.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The message's version.
    pub version: i16,
    /// Whether that version is flexible (KIP-482): compact lengths, tagged fields.
    pub flexible: bool,
    /// Whether the field may be null in that version.
    pub nullable: bool,
    /// Whether it stands among the tagged fields; a nullable structure looks different there.
    pub tagged: bool,
}

impl Context {
    /// The context of a whole message.
    #[inline]
    pub fn new(version: i16, flexible: bool) -> Self {
        Context {
            version,
            flexible,
            nullable: false,
            tagged: false,
        }
    }

    #[inline]
    pub(crate) fn untagged(self, nullable: bool) -> Self {
        Context {
            nullable,
            tagged: false,
            ..self
        }
    }

    /// Among the tagged fields whatever has a null may be null: Kafka's schemas make a field nullable in all its tagged
    /// versions or in none.
    #[inline]
    pub(crate) fn tagged(self) -> Self {
        Context {
            nullable: true,
            tagged: true,
            ..self
        }
    }
}

/// A value that can be a field of a message.
pub trait Field: Sized {
    /// Reads one.
    fn read(reader: &mut Reader, context: Context) -> Result<Self, Box<DecodeError>>;
    /// Writes it.
    fn write(&self, writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>>;
}

/// A [`Field`] that has a null.
pub trait Nullable: Field {
    /// Reads one, or null.
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, Box<DecodeError>>;
    /// Writes null.
    fn write_null(writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>>;
    /// Writes a value in a field that could also be null.
    fn write_nullable(&self, writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
        self.write(writer, context)
    }
}

impl<T: Nullable> Field for Option<T> {
    #[inline]
    fn read(reader: &mut Reader, context: Context) -> Result<Self, Box<DecodeError>> {
        if context.nullable {
            T::read_nullable(reader, context)
        } else {
            T::read(reader, context).map(Some)
        }
    }

    #[inline]
    fn write(&self, writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
        match self {
            Some(value) if context.nullable => value.write_nullable(writer, context),
            Some(value) => value.write(writer, context),
            None if context.nullable => T::write_null(writer, context),
            None => Err(EncodeError::new(EncodeErrorKind::Null(context.version))),
        }
    }
}

macro_rules! fixed_fields {
    ($($type:ty: $method:ident;)*) => { $(
        impl Field for $type {
            #[inline]
            fn read(reader: &mut Reader, _: Context) -> Result<Self, Box<DecodeError>> {
                reader.$method()
            }

            #[inline]
            fn write(&self, writer: &mut Writer, _: Context) -> Result<(), Box<EncodeError>> {
                writer.$method(*self);
                Ok(())
            }
        }
    )* };
}

fixed_fields! {
    i8: i8;
    i16: i16;
    u16: u16;
    i32: i32;
    i64: i64;
    f64: f64;
}

impl Field for bool {
    #[inline]
    fn read(reader: &mut Reader, _: Context) -> Result<Self, Box<DecodeError>> {
        Ok(reader.i8()? != 0)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Context) -> Result<(), Box<EncodeError>> {
        writer.i8(i8::from(*self));
        Ok(())
    }
}

impl Field for Uuid {
    #[inline]
    fn read(reader: &mut Reader, _: Context) -> Result<Self, Box<DecodeError>> {
        reader.uuid()
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Context) -> Result<(), Box<EncodeError>> {
        writer.put_slice(&self.0);
        Ok(())
    }
}

impl Field for ErrorCode {
    #[inline]
    fn read(reader: &mut Reader, _: Context) -> Result<Self, Box<DecodeError>> {
        reader.i16().map(ErrorCode)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Context) -> Result<(), Box<EncodeError>> {
        writer.i16(self.0);
        Ok(())
    }
}

#[inline]
fn not_null<T>(value: Option<T>, reader: &Reader) -> Result<T, Box<DecodeError>> {
    value.ok_or_else(|| reader.error(DecodeErrorKind::Null))
}

impl Nullable for Utf8Bytes {
    #[inline]
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, Box<DecodeError>> {
        reader.string(context.flexible)
    }

    #[inline]
    fn write_null(writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
        writer.string(None, context.flexible)
    }
}

impl Field for Utf8Bytes {
    #[inline]
    fn read(reader: &mut Reader, context: Context) -> Result<Self, Box<DecodeError>> {
        let value = reader.string(context.flexible)?;
        not_null(value, reader)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
        writer.string(Some(self), context.flexible)
    }
}

macro_rules! length_prefixed_fields {
    ($($type:ty: $read:expr, $put:ident;)*) => { $(
        impl Nullable for $type {
            #[inline]
            fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, Box<DecodeError>> {
                match reader.length(context.flexible)? {
                    Some(length) => reader.slice(length).map($read).map(Some),
                    None => Ok(None),
                }
            }

            #[inline]
            fn write_null(writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
                writer.length(None, context.flexible)
            }
        }

        impl Field for $type {
            #[inline]
            fn read(reader: &mut Reader, context: Context) -> Result<Self, Box<DecodeError>> {
                let value = Self::read_nullable(reader, context)?;
                not_null(value, reader)
            }

            #[inline]
            fn write(&self, writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
                writer.length(Some(self.len()), context.flexible)?;
                writer.$put(self);
                Ok(())
            }
        }
    )* };
}

length_prefixed_fields! {
    Bytes: std::convert::identity, put_shared;
    Chunk: Chunk::Memory, put_chunk;
}

impl<T: Field> Nullable for Vec<T> {
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, Box<DecodeError>> {
        let Some(length) = reader.array_length(context.flexible, size_of::<T>())? else {
            return Ok(None);
        };
        let element = Context {
            nullable: false,
            tagged: false,
            ..context
        };
        let mut elements = Vec::with_capacity(length);
        for _ in 0..length {
            elements.push(T::read(reader, element)?);
        }
        Ok(Some(elements))
    }

    #[inline]
    fn write_null(writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
        writer.length(None, context.flexible)
    }
}

impl<T: Field> Field for Vec<T> {
    #[inline]
    fn read(reader: &mut Reader, context: Context) -> Result<Self, Box<DecodeError>> {
        let value = Self::read_nullable(reader, context)?;
        not_null(value, reader)
    }

    fn write(&self, writer: &mut Writer, context: Context) -> Result<(), Box<EncodeError>> {
        writer.length(Some(self.len()), context.flexible)?;
        let element = Context {
            nullable: false,
            tagged: false,
            ..context
        };
        self.iter().try_for_each(|value| value.write(writer, element))
    }
}
