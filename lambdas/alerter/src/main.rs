//! The alerter Lambda.
fn main() {}
