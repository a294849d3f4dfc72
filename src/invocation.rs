//! What the program is called: kubectl and Flux run it under names of their own, and each user is told commands that work there.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// The program as its user calls it, such as `kubectl carvelflux`.
pub(crate) const PROGRAM: Program = Program;

/// What it is called where Flux has started it.
const OF_FLUX: &str = "flux carvelflux";

/// Writes what the program is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program;

/// Tells whether Flux has started the program.
pub(crate) fn is_of_flux() -> bool {
    own_name() == OF_FLUX
}

fn own_name() -> &'static str {
    static NAME: OnceLock<&str> = OnceLock::new();
    NAME.get_or_init(|| name(std::env::args_os().next().as_deref().map(Path::new)))
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(own_name())
    }
}

/// Returns what the program is called that was started from a file: Flux runs `flux-carvelflux` (flux2 v2.9, RFC-0013).
fn name(started: Option<&Path>) -> &'static str {
    match started.and_then(Path::file_stem).and_then(|stem| stem.to_str()) {
        Some("flux-carvelflux") => OF_FLUX,
        _ => "kubectl carvelflux",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_the_file() {
        let name = |path: &str| name(Some(Path::new(path)));
        assert_eq!(name("/home/me/.fluxcd/plugins/flux-carvelflux"), "flux carvelflux");
        assert_eq!(name("flux-carvelflux.exe"), "flux carvelflux");
        assert_eq!(name("/usr/local/bin/kubectl-carvelflux"), "kubectl carvelflux");
        assert_eq!(name("anything"), "kubectl carvelflux");
        assert_eq!(super::name(None), "kubectl carvelflux");
    }

    #[test]
    fn no_text_names_the_program_by_itself() {
        let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                if path.ends_with("invocation.rs") || path.to_string_lossy().ends_with("_tests.rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("a file");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                // What documents the command line is what its help says.
                let is_help = path.components().any(|part| part.as_os_str() == "cli");
                let is_comment = |line: &str| line.starts_with("//") && !(is_help && line.starts_with("/// "));
                for line in code.lines().filter(|line| !is_comment(line.trim_start())) {
                    assert!(!line.contains("kubectl carvelflux"), "{}: write {{PROGRAM}}: {line}", path.display());
                }
            }
        }
    }
}
