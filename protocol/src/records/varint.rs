//! Zigzag varints, as records use them.

use super::record::RecordError;

/// A byte source that can run dry: a slice, or content that is being inflated.
pub(super) trait Bytewise {
    type Error: From<RecordError>;

    fn byte(&mut self) -> Result<u8, Self::Error>;
}

impl Bytewise for &[u8] {
    type Error = RecordError;

    #[inline]
    fn byte(&mut self) -> Result<u8, RecordError> {
        let (&byte, rest) = self.split_first().ok_or(RecordError::Short)?;
        *self = rest;
        Ok(byte)
    }
}

/// At most five bytes; what the fifth has beyond 32 bits is dropped, as in Java.
#[inline]
pub(super) fn read_varint<B: Bytewise>(source: &mut B) -> Result<i32, B::Error> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = source.byte()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i32 ^ -((value & 1) as i32));
        }
    }
    Err(RecordError::Varint.into())
}

/// At most ten bytes; what the tenth has beyond 64 bits is dropped, as in Java.
#[inline]
pub(super) fn read_varlong<B: Bytewise>(source: &mut B) -> Result<i64, B::Error> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = source.byte()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(RecordError::Varint.into())
}

#[inline]
pub(super) fn write_varint(output: &mut Vec<u8>, value: i32) {
    write_varlong(output, i64::from(value));
}

#[inline]
pub(super) fn write_varlong(output: &mut Vec<u8>, value: i64) {
    let mut bits = (value << 1 ^ value >> 63) as u64;
    while bits >= 0x80 {
        output.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    output.push(bits as u8);
}
