//! What precedes every request and every response.

use crate::wire::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Utf8Bytes, Writer};

/// The header of a request. Versions: 0 without client id (ControlledShutdown v0 only), 1, and 2 with tagged fields;
/// [`ApiKey::request_header_version`](crate::ApiKey::request_header_version) says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Number of the API key; possibly none that is known.
    pub request_api_key: i16,
    /// Version of the request.
    pub request_api_version: i16,
    /// What the response will carry, so that the client knows what it answers.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<Utf8Bytes>,
}

impl RequestHeader {
    /// Key and version: what must be read before it is known which version the header has. The reader stays in front of
    /// the header.
    ///
    /// # Errors
    /// Fewer than four bytes are left.
    pub fn peek(reader: &Reader) -> Result<(i16, i16), DecodeError> {
        let mut ahead = reader.clone();
        let key = ahead.i16().map_err(|error| *error)?;
        let version = ahead.i16().map_err(|error| *error)?;
        Ok((key, version))
    }

    /// Reads a header of version 0 to 2.
    ///
    /// # Errors
    /// Bytes that are no such header.
    pub fn decode(reader: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        Self::read(reader, header_version).map_err(|error| *error.within("RequestHeader", ""))
    }

    fn read(reader: &mut Reader, header_version: i16) -> Result<Self, Box<DecodeError>> {
        if !(0..=2).contains(&header_version) {
            return Err(reader.error(DecodeErrorKind::Version(header_version)));
        }
        let request_api_key = reader.i16()?;
        let request_api_version = reader.i16()?;
        let correlation_id = reader.i32()?;
        // The client id keeps its old form in version 2 too, so that any broker can read an ApiVersions request.
        let client_id = if header_version >= 1 {
            reader.string(false)?
        } else {
            None
        };
        if header_version >= 2 {
            reader.skip_tagged_fields()?;
        }
        Ok(RequestHeader {
            request_api_key,
            request_api_version,
            correlation_id,
            client_id,
        })
    }

    /// Appends a header of version 0 to 2; version 0 leaves the client id out.
    ///
    /// # Errors
    /// No such version, or a client id of more than 32,767 bytes.
    pub fn encode(&self, writer: &mut Writer, header_version: i16) -> Result<(), EncodeError> {
        self.write(writer, header_version)
            .map_err(|error| *error.within("RequestHeader", ""))
    }

    fn write(&self, writer: &mut Writer, header_version: i16) -> Result<(), Box<EncodeError>> {
        if !(0..=2).contains(&header_version) {
            return Err(EncodeError::new(EncodeErrorKind::Version(header_version)));
        }
        writer.i16(self.request_api_key);
        writer.i16(self.request_api_version);
        writer.i32(self.correlation_id);
        if header_version >= 1 {
            writer.string(self.client_id.as_deref(), false)?;
        }
        if header_version >= 2 {
            writer.unsigned_varint(0);
        }
        Ok(())
    }
}

/// The header of a response. Versions: 0, and 1 with tagged fields;
/// [`ApiKey::response_header_version`](crate::ApiKey::response_header_version) says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The request's.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads a header of version 0 or 1.
    ///
    /// # Errors
    /// Bytes that are no such header.
    pub fn decode(reader: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        Self::read(reader, header_version).map_err(|error| *error.within("ResponseHeader", ""))
    }

    fn read(reader: &mut Reader, header_version: i16) -> Result<Self, Box<DecodeError>> {
        if !(0..=1).contains(&header_version) {
            return Err(reader.error(DecodeErrorKind::Version(header_version)));
        }
        let correlation_id = reader.i32()?;
        if header_version >= 1 {
            reader.skip_tagged_fields()?;
        }
        Ok(ResponseHeader { correlation_id })
    }

    /// Appends a header of version 0 or 1.
    ///
    /// # Errors
    /// No such version.
    pub fn encode(&self, writer: &mut Writer, header_version: i16) -> Result<(), EncodeError> {
        if !(0..=1).contains(&header_version) {
            return Err(*EncodeError::new(EncodeErrorKind::Version(header_version)).within("ResponseHeader", ""));
        }
        writer.i32(self.correlation_id);
        if header_version >= 1 {
            writer.unsigned_varint(0);
        }
        Ok(())
    }
}
