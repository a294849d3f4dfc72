//! `kubectl-carvelflux`: the program is in the library, where its tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    carvelflux::run()
}
