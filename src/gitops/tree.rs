//! Files below one directory, reached only by paths that stay inside it, and what a commit changes of them.
//!
//! A repository is written by others: a symbolic link in it must neither show nor change a file of the machine. What the files
//! mean lives in [`super::layout`] and [`super::delivery`].

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

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
    /// The whole text that is there, or none where there is no such file.
    pub before: Option<SecretString>,
    /// The whole text to write, or none to remove the file.
    pub content: Option<SecretString>,
}

/// Splits a path given by a user or an argument into its segments, refusing one that could leave the directory.
///
/// A leading `./` and a trailing `/` are allowed. The segment `.git` is refused, because Git's own files are not the repository's.
pub fn segments(path: &str) -> Result<Vec<&str>> {
    let trimmed = path.strip_prefix("./").unwrap_or(path);
    let segments: Vec<&str> = trimmed.strip_suffix('/').unwrap_or(trimmed).split('/').collect();
    let allowed = |segment: &&str| {
        !matches!(*segment, "" | "." | "..")
            && !segment.eq_ignore_ascii_case(".git")
            && !segment.contains(['\\', ':'])
            && !segment.contains(char::is_control)
    };
    if segments.iter().all(allowed) {
        Ok(segments)
    } else {
        Err(Error::usage(format!("{path:?} is not a path inside the repository"))
            .hint("name it relative to the root of the repository, for example `hello-app.default.tap`"))
    }
}

/// Lists the directories in a directory by name, sorted, without hidden ones and links; none when there is no such directory.
pub(super) fn directories(root: &Path, path: &str) -> Result<Vec<String>> {
    let directories = list(root, path, |kind| kind.is_dir(), Hidden::LeftOut)?;
    Ok(directories.into_iter().map(|(name, _)| name).collect())
}

fn is_yaml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// What Flux applies of a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifests {
    /// The YAML files, by path, sorted.
    pub(super) files: Vec<String>,
    /// The kustomization files found: each decides for its directory, whose files are listed all the same if it is the
    /// one that Flux is pointed at, and left out if it lies below.
    pub(super) kustomizations: Vec<String>,
}

impl Manifests {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.kustomizations.is_empty()
    }
}

/// The names of kustomization files (sigs.k8s.io/kustomize `konfig.RecognizedKustomizationFileNames`).
const KUSTOMIZATION_FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Finds what Flux applies of a directory: YAML files at any depth, hidden ones included (fluxcd/pkg kustomize v1.35.3,
/// `scanManifests`); nothing when there is no such directory. JSON files are not applied.
pub(super) fn manifests(root: &Path, path: &str) -> Result<Manifests> {
    let mut found = Manifests::default();
    collect_manifests(root, path, true, &mut found)?;
    found.files.sort();
    Ok(found)
}

fn collect_manifests(root: &Path, path: &str, is_top: bool, found: &mut Manifests) -> Result<()> {
    let entries = list(root, path, |_| true, Hidden::Included)?;
    let kustomization =
        entries.iter().find(|(name, kind)| !kind.is_dir() && KUSTOMIZATION_FILES.contains(&name.as_str()));
    if let Some((name, _)) = kustomization {
        found.kustomizations.push(format!("{path}/{name}"));
        if !is_top {
            return Ok(());
        }
    }
    for (name, kind) in entries {
        let entry = format!("{path}/{name}");
        if kind.is_dir() {
            collect_manifests(root, &entry, false, found)?;
        } else if is_yaml(&name) && !KUSTOMIZATION_FILES.contains(&name.as_str()) {
            found.files.push(entry);
        }
    }
    Ok(())
}

/// Lists all files below a directory by path, sorted, hidden ones included; none when there is no such directory.
///
/// Fails at a link: Git would delete it and not what it stands for, and what stands behind it may be used elsewhere.
pub(super) fn all_files(root: &Path, path: &str) -> Result<Vec<String>> {
    let Some(directory) = inside(root, path)? else { return Ok(Vec::new()) };
    let failed = |error| Error::new(format!("cannot list the directory {path} of the repository")).because(error);
    if root.join(path).is_symlink() {
        return Err(behind_a_link(path));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let path = format!("{path}/{}", name.to_string_lossy());
        let kind = entry.file_type().map_err(failed)?;
        if name.to_str().is_none() || kind.is_symlink() {
            return Err(behind_a_link(&path));
        } else if kind.is_dir() {
            files.extend(all_files(root, &path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What of a repository decides what others see of it.
#[derive(Debug, Default)]
pub(super) struct SpecialFiles {
    /// The files of a name, by path; those of a directory before those below it.
    pub(super) named: Vec<String>,
    /// The symbolic links, by path.
    pub(super) links: Vec<String>,
}

/// Finds the files of a name and the links of the whole repository, but for Git's own files.
pub(super) fn special_files(root: &Path, name: &str) -> Result<SpecialFiles> {
    let mut found = SpecialFiles::default();
    collect_special_files(root, "", name, &mut found)?;
    Ok(found)
}

fn collect_special_files(root: &Path, directory: &str, wanted: &str, found: &mut SpecialFiles) -> Result<()> {
    let place = if directory.is_empty() { "." } else { directory };
    let entries = list(root, place, |_| true, Hidden::Included)?;
    let path = |name: &str| if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
    found
        .named
        .extend(entries.iter().filter(|(name, kind)| name == wanted && !kind.is_dir()).map(|(name, _)| path(name)));
    for (name, kind) in entries {
        if kind.is_symlink() {
            found.links.push(path(&name));
        } else if kind.is_dir() && name != ".git" {
            collect_special_files(root, &path(&name), wanted, found)?;
        }
    }
    Ok(())
}

fn behind_a_link(path: &str) -> Error {
    Error::new(format!("{path} of the repository is a symbolic link, or has a name that is not UTF-8"))
        .hint("remove it yourself, commit and push that, and try again")
}

/// Whether names that begin with a dot are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Included,
    LeftOut,
}

fn list(
    root: &Path,
    path: &str,
    wanted: fn(fs::FileType) -> bool,
    hidden: Hidden,
) -> Result<Vec<(String, fs::FileType)>> {
    let Some(directory) = inside(root, path)? else { return Ok(Vec::new()) };
    let failed = |error| Error::new(format!("cannot list the directory {path} of the repository")).because(error);
    let directory = match fs::read_dir(directory) {
        Ok(directory) => directory,
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut entries = Vec::new();
    for entry in directory {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        // A name that is no text cannot be spelled in a Kustomization either.
        if let Ok(name) = entry.file_name().into_string()
            && wanted(kind)
            && (hidden == Hidden::Included || !name.starts_with('.'))
        {
            entries.push((name, kind));
        }
    }
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(entries)
}

/// Reads one file of the repository as text, kept secret because it may hold values.
pub fn read(root: &Path, path: &str) -> Result<RepositoryFile> {
    let failed = |cause: String| Error::new(format!("cannot read {path} of the repository")).because(cause);
    let file = inside(root, path)?.ok_or_else(|| failed("there is no such file".to_owned()))?;
    let content = fs::read_to_string(file).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => {
            failed("it is no text in UTF-8".to_owned()).hint("write it in UTF-8, commit and push")
        }
        _ => failed(error.to_string()),
    })?;
    Ok(RepositoryFile { path: path.to_owned(), content: SecretString::from(content) })
}

/// Tells whether there is a file or directory of this path in the repository.
pub fn is_there(root: &Path, path: &str) -> Result<bool> {
    Ok(inside(root, path)?.is_some())
}

/// Finds a path below the root with all links followed; none when it does not exist.
fn inside(root: &Path, path: &str) -> Result<Option<PathBuf>> {
    let failed = |error| Error::new(format!("cannot read {path} of the repository")).because(error);
    let root = root.canonicalize().map_err(failed)?;
    let found = match root.join(path).canonicalize() {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if found.starts_with(&root) {
        Ok(Some(found))
    } else {
        Err(Error::new(format!("{path} of the repository is a symbolic link that leads outside it"))
            .hint("replace the link by the file it stands for, commit and push that, and try again"))
    }
}

/// Writes or removes one file below the root; says whether there was anything to do.
pub(super) fn apply(root: &Path, change: &FileChange) -> Result<bool> {
    let path = &change.path;
    let failed = |error| Error::new(format!("cannot write {path} in the checkout")).because(error);
    let mut target = root.to_path_buf();
    for segment in segments(path)? {
        target.push(segment);
        // Git itself refuses to add what lies beyond a link, so even one that stays inside is of no use.
        if target.is_symlink() {
            return Err(Error::new(format!("{path} lies behind a symbolic link in the repository"))
                .hint("replace the link by a real directory or file, commit and push that, and try again"));
        }
    }
    match &change.content {
        Some(content) => {
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            fs::write(&target, content.expose_secret()).map_err(failed)?;
            Ok(true)
        }
        None => match fs::remove_file(&target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        },
    }
}

/// Computes what removes all files below a directory of the repository; nothing where there is no such directory.
pub fn without_directory(root: &Path, directory: &str) -> Result<Vec<FileChange>> {
    let path = segments(directory)?.join("/");
    let removal = |path: String| {
        let file = inside(root, &path)?.unwrap_or_else(|| root.join(&path));
        let bytes = fs::read(file)
            .map_err(|error| Error::new(format!("cannot read {path} of the repository")).because(error))?;
        // What goes need not be text; only a diff shows it.
        let before = Some(SecretString::from(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(FileChange { path, before, content: None })
    };
    all_files(root, &path)?.into_iter().map(removal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_repository_are_refused() {
        assert_eq!(segments("./sub/app/").unwrap(), ["sub", "app"]);
        for path in
            ["", "/etc", "../x", "a/../../x", "a//b", ".", ".git/config", "a/.GIT/hooks", "c:\\x", "a\nb", "a/./b"]
        {
            assert!(segments(path).is_err(), "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_outside_are_neither_read_nor_written() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret.yaml"), "a: 1").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.yaml"), root.path().join("file.yaml")).unwrap();
        assert!(read(root.path(), "file.yaml").unwrap_err().message().contains("leads outside"));
        assert!(manifests(root.path(), "link").is_err());
        for path in ["link/new.yaml", "file.yaml"] {
            let change = FileChange { path: path.to_owned(), before: None, content: Some("b: 2".into()) };
            assert!(apply(root.path(), &change).unwrap_err().message().contains("symbolic link"));
        }
        assert_eq!(fs::read_to_string(outside.path().join("secret.yaml")).unwrap(), "a: 1");
    }

    #[test]
    fn writes_creates_directories_and_removes() {
        let root = tempfile::tempdir().unwrap();
        let change = |content: Option<&str>| FileChange {
            path: "a/b/c.yaml".to_owned(),
            before: None,
            content: content.map(Into::into),
        };
        assert!(apply(root.path(), &change(Some("x: 1\n"))).unwrap());
        assert_eq!(manifests(root.path(), "a/b").unwrap().files, ["a/b/c.yaml"]);
        assert!(apply(root.path(), &change(None)).unwrap());
        assert!(!apply(root.path(), &change(None)).unwrap());
        assert!(manifests(root.path(), "nowhere").unwrap().is_empty());
    }

    fn file(path: &str, content: &str) -> RepositoryFile {
        RepositoryFile { path: path.to_owned(), content: content.into() }
    }

    fn wanted(path: &str, content: Option<&str>) -> FileChange {
        FileChange { path: path.to_owned(), before: None, content: content.map(Into::into) }
    }

    #[test]
    fn debug_output_hides_the_content() {
        let text = format!("{:?} {:?}", file("a", "hunter2"), wanted("a", Some("hunter2")));
        assert!(!text.contains("hunter2"), "{text}");
    }

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
        let before = changes[1].before.as_ref().map(ExposeSecret::expose_secret);
        assert_eq!(before, Some("a: 1\n"), "what goes is known");
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
