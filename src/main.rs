//! `kubectl-carvelflux`.
fn main() {}
