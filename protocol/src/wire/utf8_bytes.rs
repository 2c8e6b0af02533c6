//! A string that is a slice of a frame. The crate's only `unsafe` lives here.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

/// A cheaply cloned string: a slice of shared bytes that are known to be UTF-8.
///
/// One that came out of a frame keeps the whole frame in memory; keep [`Utf8Bytes::detached`] instead in anything that
/// outlives the request.
#[derive(Clone, Default)]
pub struct Utf8Bytes(Bytes);

impl Utf8Bytes {
    /// A string that lives as long as the program; costs nothing.
    pub const fn from_static(value: &'static str) -> Self {
        Utf8Bytes(Bytes::from_static(value.as_bytes()))
    }

    /// The string.
    #[inline]
    #[allow(unsafe_code)]
    pub fn as_str(&self) -> &str {
        // SAFETY: the field is private, every constructor takes a `str` or checks its bytes, and nothing ever changes
        // them: `Bytes` is immutable.
        unsafe { std::str::from_utf8_unchecked(&self.0) }
    }

    /// The bytes, shared.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// A copy that does not keep the frame alive which it came from.
    pub fn detached(&self) -> Self {
        Self::from(self.as_str())
    }
}

/// Gives the bytes back when they are not UTF-8.
impl TryFrom<Bytes> for Utf8Bytes {
    type Error = Bytes;

    fn try_from(bytes: Bytes) -> Result<Self, Bytes> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Utf8Bytes(bytes)),
            Err(_) => Err(bytes),
        }
    }
}

impl From<&str> for Utf8Bytes {
    fn from(value: &str) -> Self {
        Utf8Bytes(Bytes::copy_from_slice(value.as_bytes()))
    }
}

impl From<String> for Utf8Bytes {
    fn from(value: String) -> Self {
        Utf8Bytes(Bytes::from(value.into_bytes()))
    }
}

impl From<&String> for Utf8Bytes {
    fn from(value: &String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<Cow<'_, str>> for Utf8Bytes {
    fn from(value: Cow<'_, str>) -> Self {
        Self::from(value.into_owned())
    }
}

impl From<&Utf8Bytes> for Utf8Bytes {
    fn from(value: &Utf8Bytes) -> Self {
        value.clone()
    }
}

impl From<Utf8Bytes> for String {
    fn from(value: Utf8Bytes) -> Self {
        value.as_str().to_owned()
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Utf8Bytes {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

// Hash must agree with `str`'s, because of `Borrow<str>`.
impl Hash for Utf8Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Eq for Utf8Bytes {}

impl PartialEq for Utf8Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Utf8Bytes {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Utf8Bytes> for str {
    fn eq(&self, other: &Utf8Bytes) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Utf8Bytes> for &str {
    fn eq(&self, other: &Utf8Bytes) -> bool {
        *self == other.as_str()
    }
}

impl Ord for Utf8Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Utf8Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
