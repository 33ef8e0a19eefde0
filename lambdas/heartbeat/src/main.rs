//! The heartbeat Lambda.
fn main() {}
