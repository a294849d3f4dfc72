//! `testbed`.
fn main() {}
