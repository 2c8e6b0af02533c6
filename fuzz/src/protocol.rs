//! Any bytes as a request, a response, another message, record batches or compressed content: no panic, and memory bounded
//! by what came in. What a byte string means is said at `protocol::testing::exercise`.

#![no_main]

mod counting;

use libfuzzer_sys::fuzz_target;

/// What headers and messages take beside what the input allows: the table of all messages, a few empty collections.
const MESSAGES_OWN: usize = 128 << 10;
/// The same of batches and compressed content: what they inflate to, twice, and the buffers of the codecs.
const INFLATING_OWN: usize = 48 << 20;
/// What the first byte of the input is, at most, where nothing is inflated.
const LAST_MESSAGE: u8 = 2;

fuzz_target!(|input: &[u8]| {
    let before = counting::restart();
    protocol::testing::exercise(input);
    let peak = counting::peak().saturating_sub(before);
    // Decoded twice within a reader's budget of 16 bytes for one, and written twice.
    let inflates = input.first().is_some_and(|selector| *selector > LAST_MESSAGE);
    let own = if inflates { INFLATING_OWN } else { MESSAGES_OWN };
    assert!(
        peak <= own + 64 * input.len(),
        "{} bytes of input took {peak} bytes of memory",
        input.len()
    );
});
