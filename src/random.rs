//! Randomness, drawn at the edges and handed to the cores as an argument.

/// Random bytes from the kernel.
///
/// # Panics
/// Where the kernel has none: nothing that needs an id could go on.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// A random number.
pub fn u32() -> u32 {
    u32::from_ne_bytes(bytes())
}
