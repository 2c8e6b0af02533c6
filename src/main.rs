//! The `sordini` command.

fn main() {}
