//! The removal of a run cluster's directory from the repository, file by file.
//!
//! What such a directory holds lives in [`super::delivery`]; without a Kustomization nobody reads any of it.

use std::path::Path;

use super::change::FileChange;
use super::tree;
use crate::error::Result;

/// Computes what removes all files below a directory of the repository; nothing where there is no such directory.
pub fn without_directory(root: &Path, directory: &str) -> Result<Vec<FileChange>> {
    let path = tree::segments(directory)?.join("/");
    let files = tree::all_files(root, &path)?;
    Ok(files.into_iter().map(|path| FileChange { path, content: None }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn all_files_go_and_those_beside_stay() {
        let root = tempfile::tempdir().expect("a directory");
        for file in ["hello/prod1/packageinstall.yaml", "hello/prod1/more/.sops.yaml", "hello/prod10/params.yaml"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, "a: 1\n").expect("a file");
        }
        let changes = without_directory(root.path(), "./hello/prod1/").expect("changes");
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["hello/prod1/more/.sops.yaml", "hello/prod1/packageinstall.yaml"]);
        assert!(changes.iter().all(|change| change.content.is_none()));
        assert!(without_directory(root.path(), "hello/prod2").expect("changes").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_before_anything_is_deleted() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(root.path().join("hello/prod1")).expect("a directory");
        std::os::unix::fs::symlink("../prod2", root.path().join("hello/prod1/link")).expect("a link");
        let error = without_directory(root.path(), "hello/prod1").expect_err("it is refused");
        assert!(error.message().contains("symbolic link"), "{error}");
    }
}
