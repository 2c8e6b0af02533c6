//! A principal as Envelope requests carry it, preceded by its version as an int16 (KIP-590).

use crate::wire::{Utf8Bytes, messages};

messages! {
    message DefaultPrincipalData { versions: 0..=0, flexible: 0.. }

    struct DefaultPrincipalData {
        r#type: Utf8Bytes, versions: 0..;
        name: Utf8Bytes, versions: 0..;
        token_authenticated: bool, versions: 0..;
    }
}
