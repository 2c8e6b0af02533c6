//! One file per API key. Each states the versions that it serves, and nothing else does: ApiVersions lists what is here.

pub mod api_versions;
pub mod fetch;
pub mod metadata;
pub mod produce;
pub mod to_code;

use protocol::ApiKey;

use crate::dispatch::Served;

/// Every key that this broker serves, in the order of their numbers.
pub static SERVED: &[&Served] = &[
    &produce::SERVED,
    &fetch::SERVED,
    &metadata::SERVED,
    &api_versions::SERVED,
];

/// How `key` is served, if it is.
pub fn served(key: ApiKey) -> Option<&'static Served> {
    SERVED.iter().copied().find(|served| served.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_order_and_versions_are_ranges() {
        assert!(
            SERVED
                .windows(2)
                .all(|pair| (pair[0].key as i16) < (pair[1].key as i16))
        );
        for served in SERVED {
            assert!(
                served.listed_min <= served.min && served.min <= served.max,
                "{:?}",
                served.key
            );
        }
    }
}
