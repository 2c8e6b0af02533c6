//! The macro that declares a typed configuration: one field per key, read from the key's value.

/// Declares a struct whose first fields each stand for a key and whose others are worked out from several keys.
macro_rules! typed_config {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($field:ident : $type:ty = $key:literal),+ $(,)?
        }
        derived $rest:ident { $($(#[$derived_meta:meta])* $derived:ident : $derived_type:ty),* $(,)? }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $(
                #[doc = concat!("`", $key, "`")]
                pub $field: $type,
            )+
            $($(#[$derived_meta])* pub $derived: $derived_type,)*
        }

        /// The fields that stand for no single key.
        struct $rest {
            $($derived: $derived_type,)*
        }

        impl $name {
            /// Reads every field from the value of its key, which `value` finds.
            fn assemble<'a>(value: impl Fn(&str) -> &'a crate::value::Value, rest: $rest) -> Self {
                Self { $($field: crate::typed::field(&value, $key),)+ $($derived: rest.$derived),* }
            }
        }
    };
}
pub(crate) use typed_config;

use crate::value::{FromValue, Value};

/// # Panics
/// If the field's type does not fit the key's: the tables of this crate are wrong then, and every test says so.
pub(crate) fn field<'a, T: FromValue>(value: impl Fn(&str) -> &'a Value, key: &str) -> T {
    let value = value(key);
    T::from_value(value).unwrap_or_else(|| panic!("{key} = {value:?} does not fit the type of its field"))
}
