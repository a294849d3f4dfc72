//! What a commit changes: files as they are, files as they should be, and the difference.
//!
//! What the files should hold is decided in [`super::delivery`]; writing them is [`super::checkout`]'s.

use secrecy::{ExposeSecret, SecretString};

use super::manifest;

/// A file of the repository as it is; its content is secret because values live in such files.
#[derive(Clone, Debug)]
pub struct RepositoryFile {
    /// The path relative to the root of the repository, with `/` between segments.
    pub path: String,
    /// The whole text.
    pub content: SecretString,
}

/// A file as it should be.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// The path relative to the root of the repository, with `/` between segments.
    pub path: String,
    /// The whole text to write, or none to remove the file.
    pub content: Option<SecretString>,
}

/// Returns the part of `wanted` that differs from `existing`; empty when nothing has to change.
///
/// YAML that means the same is the same: a file written by hand, with comments and its own order, is left alone.
#[must_use]
pub fn changes(existing: &[RepositoryFile], wanted: &[FileChange]) -> Vec<FileChange> {
    let differs = |change: &&FileChange| {
        let file = existing.iter().find(|file| file.path == change.path);
        match (file, &change.content) {
            (None, None) => false,
            (Some(file), Some(content)) => !same(file.content.expose_secret(), content.expose_secret()),
            _ => true,
        }
    };
    wanted.iter().filter(differs).cloned().collect()
}

fn same(left: &str, right: &str) -> bool {
    left == right
        || match (manifest::parse(left), manifest::parse(right)) {
            (Ok(left), Ok(right)) => left == right,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> RepositoryFile {
        RepositoryFile { path: path.to_owned(), content: content.into() }
    }

    fn wanted(path: &str, content: Option<&str>) -> FileChange {
        FileChange { path: path.to_owned(), content: content.map(Into::into) }
    }

    #[test]
    fn yaml_that_means_the_same_is_no_change() {
        let existing = [file("a.yaml", "# by hand\nb: '1'\na: {x: [1, 2]}\n")];
        assert!(changes(&existing, &[wanted("a.yaml", Some("---\na:\n  x:\n  - 1\n  - 2\nb: \"1\"\n"))]).is_empty());
        assert_eq!(changes(&existing, &[wanted("a.yaml", Some("a: {x: [2, 1]}\nb: '1'\n"))]).len(), 1);
        assert_eq!(changes(&existing, &[wanted("a.yaml", Some("a: {x: [1, 2]}\nb: 1\n"))]).len(), 1);
    }

    #[test]
    fn new_removed_and_unreadable_files_are_changes() {
        let existing = [file("broken.yaml", "a: [\n"), file("old.yaml", "a: 1\n")];
        let found = changes(
            &existing,
            &[
                wanted("new.yaml", Some("a: 1\n")),
                wanted("old.yaml", None),
                wanted("never.yaml", None),
                wanted("broken.yaml", Some("a: 1\n")),
            ],
        );
        assert_eq!(
            found.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(),
            ["new.yaml", "old.yaml", "broken.yaml"]
        );
        assert!(changes(&existing, &[wanted("broken.yaml", Some("a: [\n"))]).is_empty());
    }

    #[test]
    fn debug_output_hides_the_content() {
        let text = format!("{:?} {:?}", file("a", "hunter2"), wanted("a", Some("hunter2")));
        assert!(!text.contains("hunter2"), "{text}");
    }
}
