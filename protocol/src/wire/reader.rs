//! Reads primitive values from one frame. Strings, bytes and records come out as slices of the frame, not as copies.

use bytes::Bytes;

use super::error::{DecodeError, DecodeErrorKind as Kind};
use super::utf8_bytes::Utf8Bytes;
use super::uuid::Uuid;

type Result<T> = std::result::Result<T, Box<DecodeError>>;

/// More tagged fields than this in one structure are refused; Kafka's largest structure has three.
pub const MAX_TAGGED_FIELDS: u32 = 64;

/// A position in a frame, and how much memory may still be taken for what it claims to hold.
#[derive(Debug, Clone)]
pub struct Reader {
    frame: Bytes,
    position: usize,
    budget: usize,
}

impl Reader {
    /// Reads `frame` with a budget that every real message stays far below: 64 KiB and 16 bytes of memory for each byte of
    /// the frame, 128 MiB at the most. Slices of the frame cost nothing.
    pub fn new(frame: Bytes) -> Self {
        let budget = frame.len().saturating_mul(16).min(128 << 20) + (64 << 10);
        Self::with_budget(frame, budget)
    }

    /// Reads `frame`; its arrays may take `budget` bytes of memory in all.
    pub fn with_budget(frame: Bytes, budget: usize) -> Self {
        Reader {
            frame,
            position: 0,
            budget,
        }
    }

    /// Offset of the next byte in the frame.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes not yet read. A message that leaves some has trailing bytes; Kafka ignores them in requests.
    pub fn remaining(&self) -> usize {
        self.frame.len() - self.position
    }

    /// What is left of the memory budget, in bytes.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// The bytes not yet read, as a slice of the frame; the reader is then at its end.
    pub fn take_remaining(&mut self) -> Bytes {
        let rest = self.frame.slice(self.position..);
        self.position = self.frame.len();
        rest
    }

    #[cold]
    pub(crate) fn error(&self, kind: Kind) -> Box<DecodeError> {
        DecodeError::new(kind, self.position)
    }

    /// Takes memory off the budget before it is allocated.
    #[inline]
    pub(crate) fn charge(&mut self, needed: usize) -> Result<()> {
        match self.budget.checked_sub(needed) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(self.error(Kind::Budget {
                needed,
                left: self.budget,
            })),
        }
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.frame[self.position..].first_chunk::<N>() {
            Some(bytes) => {
                self.position += N;
                Ok(*bytes)
            }
            None => Err(self.error(Kind::Short {
                needed: N,
                remaining: self.remaining(),
            })),
        }
    }

    /// The next `length` bytes as a slice of the frame.
    #[inline]
    pub(crate) fn slice(&mut self, length: usize) -> Result<Bytes> {
        if length > self.remaining() {
            return Err(self.error(Kind::Short {
                needed: length,
                remaining: self.remaining(),
            }));
        }
        let start = self.position;
        self.position += length;
        Ok(self.frame.slice(start..start + length))
    }

    #[inline]
    pub(crate) fn i8(&mut self) -> Result<i8> {
        Ok(i8::from_be_bytes(self.fixed()?))
    }

    #[inline]
    pub(crate) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.fixed()?))
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    #[inline]
    pub(crate) fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_be_bytes(self.fixed()?))
    }

    #[inline]
    pub(crate) fn uuid(&mut self) -> Result<Uuid> {
        Ok(Uuid(self.fixed()?))
    }

    /// An unsigned varint of at most 31 bits: lengths, counts, tags.
    #[inline]
    pub(crate) fn unsigned_varint(&mut self) -> Result<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // The fifth byte has room for three bits; one more would make the value negative in Java.
                if shift == 28 && byte > 0x07 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(self.error(Kind::Varint))
    }

    /// A length that may say «null»: a varint of length + 1 in flexible versions, else an int32 with −1.
    #[inline]
    pub(crate) fn length(&mut self, flexible: bool) -> Result<Option<usize>> {
        if flexible {
            return Ok((self.unsigned_varint()? as usize).checked_sub(1));
        }
        // Kafka takes any negative length for null.
        Ok(usize::try_from(self.i32()?).ok())
    }

    /// A nullable string. Bytes that are not UTF-8 become U+FFFD, as in Java.
    #[inline]
    pub(crate) fn string(&mut self, flexible: bool) -> Result<Option<Utf8Bytes>> {
        let length = if flexible {
            (self.unsigned_varint()? as usize).checked_sub(1)
        } else {
            usize::try_from(self.i16()?).ok()
        };
        let Some(length) = length else { return Ok(None) };
        if length > i16::MAX as usize {
            return Err(self.error(Kind::Length(length as i64)));
        }
        let bytes = self.slice(length)?;
        match Utf8Bytes::try_from(bytes) {
            Ok(string) => Ok(Some(string)),
            Err(bytes) => self.lossy(bytes).map(Some),
        }
    }

    #[cold]
    fn lossy(&mut self, bytes: Bytes) -> Result<Utf8Bytes> {
        self.charge(3 * bytes.len())?;
        Ok(Utf8Bytes::from(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The number of elements of an array whose elements take `element_size` bytes of memory each: never more than the
    /// frame has bytes left, and within the budget.
    #[inline]
    pub(crate) fn array_length(&mut self, flexible: bool, element_size: usize) -> Result<Option<usize>> {
        let Some(length) = self.length(flexible)? else {
            return Ok(None);
        };
        if length > self.remaining() {
            return Err(self.error(Kind::ArrayTooLong {
                length,
                remaining: self.remaining(),
            }));
        }
        self.charge(length.saturating_mul(element_size))?;
        Ok(Some(length))
    }

    #[inline]
    pub(crate) fn tagged_field_count(&mut self) -> Result<u32> {
        let count = self.unsigned_varint()?;
        if count > MAX_TAGGED_FIELDS {
            return Err(self.error(Kind::TooManyTaggedFields(count)));
        }
        Ok(count)
    }

    /// Reads a tagged field's content with `read`, which must take all of the size given before it and no more.
    pub(crate) fn tagged<T>(&mut self, read: impl FnOnce(&mut Reader) -> Result<T>) -> Result<T> {
        let claimed = self.unsigned_varint()? as usize;
        if claimed > self.remaining() {
            return Err(self.error(Kind::Short {
                needed: claimed,
                remaining: self.remaining(),
            }));
        }
        let end = self.position + claimed;
        let whole = std::mem::replace(&mut self.frame, Bytes::new());
        self.frame = whole.slice(..end);
        let value = read(self);
        self.frame = whole;
        let value = value?;
        if self.position != end {
            let used = claimed - (end - self.position);
            return Err(self.error(Kind::TaggedSize { claimed, used }));
        }
        Ok(value)
    }

    /// Skips a tagged field that this message does not know.
    pub(crate) fn skip_tagged(&mut self) -> Result<()> {
        let size = self.unsigned_varint()? as usize;
        self.slice(size).map(drop)
    }

    /// Skips the tagged fields of a structure that knows none.
    pub(crate) fn skip_tagged_fields(&mut self) -> Result<()> {
        for _ in 0..self.tagged_field_count()? {
            self.unsigned_varint()?;
            self.skip_tagged()?;
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn wrong_tag(&self, tag: u32, version: i16) -> Box<DecodeError> {
        self.error(Kind::Tag { tag, version })
    }

    /// The marker before a nullable structure: a byte, negative for null; among tagged fields a varint, 0 for null.
    pub(crate) fn structure_is_null(&mut self, tagged: bool) -> Result<bool> {
        if tagged {
            Ok(self.unsigned_varint()? == 0)
        } else {
            Ok(self.i8()? < 0)
        }
    }
}
