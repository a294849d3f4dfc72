//! Every example is a command line that can be read: of `--help`, and of the documents.

use std::path::Path;

use super::{Cli, command, examples};
use clap::FromArgMatches as _;

/// What begins an example in a document.
const PROGRAM: &str = "kubectl carvelflux";

/// Reads a command line as the program does; only help that is asked for may come instead.
fn assert_readable(place: &str, line: &str) {
    let line = line.replace("$(git rev-parse HEAD)", "0123456789abcdef0123456789abcdef01234567");
    // What the shell does with it, and what a document leaves out.
    let line = line.split(" > ").next().and_then(|line| line.split(" | ").next()).unwrap_or_default().replace('…', "");
    let words = shlex::split(&line).unwrap_or_else(|| panic!("{place}: a shell cannot read {line}"));

    let read = command().try_get_matches_from(&words[1..]).and_then(|mut read| Cli::from_arg_matches_mut(&mut read));
    if let Err(error) = read {
        assert!(!error.use_stderr(), "{place}: {line}: {error}");
    }
}

#[test]
fn the_examples_of_each_command_can_be_read() {
    for subcommand in command().get_subcommands() {
        let name = subcommand.get_name();
        let examples = examples::of(name);
        assert!(!examples.is_empty(), "{name} shows no example");
        for (_, arguments) in examples {
            let line = format!("{PROGRAM} {arguments}").replace("\\\n", " ");
            assert_readable(name, &line);
            assert!(line.starts_with(&format!("{PROGRAM} {name}")), "{line} is no example of {name}");
        }
    }
}

#[test]
fn the_examples_of_the_documents_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md"), root.join("SECURITY.md")];
    let directory = std::fs::read_dir(root.join("docs")).expect("docs");
    documents.extend(directory.map(|entry| entry.expect("an entry").path()).filter(|path| is_document(path)));
    let mut count = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("a document").replace("\\\n", " ");
        for line in text.lines().map(str::trim_start).filter(|line| line.starts_with(PROGRAM)) {
            assert_readable(&document.display().to_string(), line);
            count += 1;
        }
    }
    assert!(count > 10, "only {count} examples were found");
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("commands.md")
}
