//! Tells the program what it is built for; of which commit, the environment of a release says.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=CARVELFLUX_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
