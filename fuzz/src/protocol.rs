//! Any bytes as a request, a response, another message, record batches or compressed content: no panic, and memory bounded
//! by what came in. What a byte string means is said at `protocol::testing::exercise`.

#![no_main]

mod counting;

use libfuzzer_sys::fuzz_target;

/// Beside what the input allows: inflated content twice, buffers of the codecs.
const OWN: usize = 48 << 20;

fuzz_target!(|input: &[u8]| {
    let before = counting::restart();
    protocol::testing::exercise(input);
    let peak = counting::peak().saturating_sub(before);
    // Decoded twice within a reader's budget of 16 bytes for one, and written twice.
    assert!(peak <= OWN + 64 * input.len(), "{} bytes of input took {peak} bytes of memory", input.len());
});
