//! What can be wrong with bytes that came in, and with a message that should go out.

use std::fmt;

/// Why bytes are not the message that they claim to be. The connection that sent them is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} ({} at byte {position})", Place(.structure, .field))]
pub struct DecodeError {
    /// What was wrong.
    pub kind: DecodeErrorKind,
    /// Offset in the frame at which reading stopped.
    pub position: usize,
    structure: &'static str,
    field: &'static str,
}

/// What was wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// The frame ends before the value does.
    #[error("{needed} bytes needed, {remaining} left")]
    Short {
        /// Bytes that the value needs.
        needed: usize,
        /// Bytes left in the frame.
        remaining: usize,
    },
    /// A length that no value of this type can have.
    #[error("impossible length {0}")]
    Length(i64),
    /// An array claims more elements than there are bytes left.
    #[error("array of {length} elements claimed with {remaining} bytes left")]
    ArrayTooLong {
        /// Elements claimed.
        length: usize,
        /// Bytes left in the frame.
        remaining: usize,
    },
    /// The message would take more memory than its reader allows.
    #[error("{needed} bytes of memory needed, {left} left of the budget")]
    Budget {
        /// Bytes of memory that the value would take.
        needed: usize,
        /// What is left of the budget.
        left: usize,
    },
    /// Null where this version allows none.
    #[error("null in a field that may not be null")]
    Null,
    /// A varint that does not end or overflows.
    #[error("malformed varint")]
    Varint,
    /// More tagged fields in one structure than any message has.
    #[error("{0} tagged fields in one structure")]
    TooManyTaggedFields(u32),
    /// A known tag in a version in which the field is not tagged.
    #[error("tag {tag} is not valid in version {version}")]
    Tag {
        /// The tag.
        tag: u32,
        /// The message's version.
        version: i16,
    },
    /// A tagged field whose content is shorter than the size given with it.
    #[error("tagged field of {claimed} bytes holds only {used}")]
    TaggedSize {
        /// The size given on the wire.
        claimed: usize,
        /// What its content took.
        used: usize,
    },
    /// The message does not exist in this version.
    #[error("version {0} does not exist")]
    Version(i16),
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(kind: DecodeErrorKind, position: usize) -> Box<Self> {
        Box::new(DecodeError {
            kind,
            position,
            structure: "",
            field: "",
        })
    }

    /// Names the innermost field; the fields around it leave the name alone.
    #[cold]
    pub(crate) fn within(mut self: Box<Self>, structure: &'static str, field: &'static str) -> Box<Self> {
        if self.field.is_empty() {
            self.structure = structure;
            self.field = field;
        }
        self
    }

    /// The field that could not be read, empty when it happened outside any.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The structure that the field belongs to, empty when it happened outside any.
    pub fn structure(&self) -> &'static str {
        self.structure
    }
}

/// Why a message cannot be written in the version asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} ({})", Place(.structure, .field))]
pub struct EncodeError {
    /// What was wrong.
    pub kind: EncodeErrorKind,
    structure: &'static str,
    field: &'static str,
}

/// What was wrong with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeErrorKind {
    /// A field holds something other than its default, and this version of the message lacks it.
    #[error("set, but version {0} lacks the field")]
    NotInVersion(i16),
    /// Null where this version allows none.
    #[error("null, but version {0} does not allow it")]
    Null(i16),
    /// Longer than its length field can say.
    #[error("{0} is too long")]
    TooLong(usize),
    /// The message does not exist in this version.
    #[error("version {0} does not exist")]
    Version(i16),
}

impl EncodeError {
    #[cold]
    pub(crate) fn new(kind: EncodeErrorKind) -> Box<Self> {
        Box::new(EncodeError {
            kind,
            structure: "",
            field: "",
        })
    }

    #[cold]
    pub(crate) fn within(mut self: Box<Self>, structure: &'static str, field: &'static str) -> Box<Self> {
        if self.field.is_empty() {
            self.structure = structure;
            self.field = field;
        }
        self
    }

    #[cold]
    pub(crate) fn not_in_version(version: i16) -> Box<Self> {
        Self::new(EncodeErrorKind::NotInVersion(version))
    }

    /// Whether a field is set that the version lacks.
    pub fn is_not_in_version(&self) -> bool {
        matches!(self.kind, EncodeErrorKind::NotInVersion(_))
    }

    /// The field that could not be written.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The structure that the field belongs to.
    pub fn structure(&self) -> &'static str {
        self.structure
    }
}

struct Place<'a>(&'a str, &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            ("", _) => f.write_str("frame"),
            (structure, "") => f.write_str(structure),
            (structure, field) => write!(f, "{structure}.{field}"),
        }
    }
}
