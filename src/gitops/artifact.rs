//! What Flux's artifact of a GitRepository holds of a checkout: what is applied is that, and not what the repository holds.
//!
//! By source-controller v1.9.3 (`internal/controller/gitrepository_controller.go`, `reconcileArtifact`): the files that
//! `spec.sparseCheckout` lists, without links, without what `.sourceignore` files and `spec.ignore` leave out, and without
//! submodules and Git LFS. Pure but for [`Artifact::of`], which reads the checkout through [`super::tree`].

use std::path::Path;

use secrecy::ExposeSecret;

use super::ignore::{self, Pattern};
use super::layout::{self, PACKAGES, PackageDirectory};
use super::tree;
use crate::error::{Error, Result};
use crate::flux::GitRepositorySpec;
use crate::invocation::PROGRAM;

/// The file with patterns, in any directory.
const IGNORE_FILE: &str = ".sourceignore";

/// What is left out in any case (fluxcd/pkg `sourceignore` v0.18.0, `ExcludeVCS`).
const ALWAYS: &str = ".git/\n.gitignore\n.gitmodules\n.gitattributes";

/// What is left out where nobody says anything else (`ExcludeExt`, `ExcludeCI`, `ExcludeExtra`).
const BY_DEFAULT: &str = "*.jpg\n*.jpeg\n*.gif\n*.png\n*.wmv\n*.flv\n*.tar.gz\n*.zip\n.github/\n.circleci/\n.travis.yml\n\
    .gitlab-ci.yml\nappveyor.yml\n.drone.yml\ncloudbuild.yaml\ncodeship-services.yml\ncodeship-steps.yml\n\
    **/.goreleaser.yml\n**/.sops.yaml\n**/.flux.yaml";

/// The first line of a file that stands for one in Git LFS.
const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/";

/// How many files an error lists.
const LISTED: usize = 5;

/// What Flux's artifact holds; all that is in the repository, by default.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    /// The later ones win.
    patterns: Vec<Pattern>,
    /// The beginnings of paths that are taken; none means all.
    sparse_checkout: Vec<String>,
    links: Vec<String>,
    submodules: Vec<String>,
    fetches_submodules: bool,
    /// The directories that are filled from other sources.
    included: Vec<String>,
}

impl Artifact {
    /// Finds out what Flux takes of a checkout.
    pub fn of(root: &Path, source: &GitRepositorySpec) -> Result<Self> {
        let found = tree::special_files(root, IGNORE_FILE)?;
        let sparse_checkout: Vec<String> =
            source.sparse_checkout.iter().map(|path| path.strip_prefix("./").unwrap_or(path).to_owned()).collect();
        let mut artifact = Self {
            sparse_checkout,
            links: found.links,
            fetches_submodules: source.recurse_submodules,
            included: source.include.iter().map(|include| include.directory().to_owned()).collect(),
            ..Self::default()
        };
        let mut patterns = Vec::new();
        for path in found.named.iter().filter(|path| artifact.is_checked_out(path)) {
            let file = tree::read(root, path)?;
            let domain: Vec<&str> = path.split('/').collect();
            let domain = &domain[..domain.len() - 1];
            patterns.extend(ignore::patterns(file.content.expose_secret(), path, domain));
        }
        if let Some(ignored) = &source.ignore {
            patterns.extend(ignore::patterns(ignored, "spec.ignore of the GitRepository", &[]));
        }
        let mut all = ignore::patterns(ALWAYS, "Flux's own exclusions", &[]);
        if patterns.is_empty() {
            all.extend(ignore::patterns(BY_DEFAULT, "Flux's default exclusions", &[]));
        }
        all.extend(patterns);
        artifact.patterns = all;
        if let Ok(modules) = tree::read(root, ".gitmodules") {
            let paths = modules.content.expose_secret().lines().filter_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key.trim() == "path").then(|| value.trim().trim_matches('"').to_owned())
            });
            artifact.submodules = paths.collect();
        }
        Ok(artifact)
    }

    fn is_checked_out(&self, path: &str) -> bool {
        self.sparse_checkout.is_empty() || self.sparse_checkout.iter().any(|start| path.starts_with(start))
    }

    /// Says by which rule the artifact does not hold a file of the repository; `None` where it does.
    #[must_use]
    pub fn left_out(&self, path: &str) -> Option<String> {
        if let Some(module) = self.submodules.iter().find(|module| is_below(path, module)) {
            return (!self.fetches_submodules)
                .then(|| format!("by the submodule {module}, which Flux fetches with spec.recurseSubmodules only"));
        }
        if !self.is_checked_out(path) {
            let listed = self.sparse_checkout.join(", ");
            return Some(format!("by spec.sparseCheckout of the GitRepository, which takes {listed} only"));
        }
        if let Some(link) = self.links.iter().find(|link| is_below(path, link)) {
            return Some(format!("by Flux, which takes no symbolic links: {link} is one"));
        }
        let pattern = ignore::leaving_out(&self.patterns, path)?;
        Some(format!("by `{}` of {}", pattern.text.trim(), pattern.origin))
    }

    /// Reads a package as Flux's artifact holds it.
    ///
    /// Fails where nothing of the package's versions reaches Flux, where a file that does is not valid YAML, and where the
    /// versions are of different packages.
    pub fn package(&self, root: &Path, package: &str) -> Result<PackageDirectory> {
        let path = tree::segments(package)?.join("/");
        if let Some(module) = self.submodules.iter().find(|module| is_below(&path, module)) {
            return Err(Error::new(format!("the package {path} lies in the submodule {module}"))
                .because("what it holds cannot be read, and nothing can be committed to it, through this repository")
                .hint(format!("make the submodule's own repository known to Flux: {PROGRAM} bootstrap PACKAGE --git-url URL --branch BRANCH")));
        }
        let files = tree::manifests(root, &format!("{path}/{PACKAGES}"))?.files;
        let left_out = self.all_left_out(&files);
        if !files.is_empty() && left_out.len() == files.len() {
            return Err(Self::missing(&format!("{path}/{PACKAGES}"), &left_out));
        }
        for file in files.iter().filter(|file| self.left_out(file).is_none()) {
            // What is no text is told by whoever reads it as such.
            let is_pointer = |content: &str| content.starts_with(LFS_POINTER);
            if tree::read(root, file).is_ok_and(|file| is_pointer(file.content.expose_secret())) {
                return Err(in_lfs(file));
            }
        }
        match PackageDirectory::read(root, &path, |file| self.left_out(file).is_none())? {
            Some(package) => Ok(package),
            None if left_out.is_empty() => Err(layout::missing(root, &path)?),
            None => Err(Self::missing(&format!("{path}/{PACKAGES}"), &left_out)),
        }
    }

    /// Refuses files that Flux would never see.
    pub fn check<'a>(&self, files: impl IntoIterator<Item = &'a str>, directory: &str) -> Result<()> {
        let files: Vec<String> = files.into_iter().map(str::to_owned).collect();
        let left_out = self.all_left_out(&files);
        if left_out.is_empty() { Ok(()) } else { Err(Self::missing(directory, &left_out)) }
    }

    /// Says what cannot be told, or may not be meant, about a package that was read.
    #[must_use]
    pub fn doubts(&self, root: &Path, package: &PackageDirectory) -> Vec<Error> {
        let files = tree::manifests(root, &format!("{}/{PACKAGES}", package.path)).map(|found| found.files);
        let left_out = self.all_left_out(&files.unwrap_or_default());
        let partly = (!left_out.is_empty()).then(|| {
            listed(Error::new(format!("Flux's artifact does not hold all versions of {}", package.name)), &left_out)
        });
        let filled = self.included.iter().find(|directory| is_below(&package.path, directory)).map(|directory| {
            Error::new(format!("spec.include of the GitRepository fills {directory} from another source"))
                .because(format!("what Flux finds in {} cannot be told from here", package.path))
        });
        partly.into_iter().chain(filled).collect()
    }

    fn all_left_out(&self, files: &[String]) -> Vec<String> {
        files.iter().filter_map(|file| Some(format!("{file} is left out {}", self.left_out(file)?))).collect()
    }

    fn missing(directory: &str, left_out: &[String]) -> Error {
        let error = Error::new(format!("Flux's artifact does not hold what is needed of {directory}"));
        let error = listed(error, left_out);
        if left_out.iter().any(|reason| reason.contains("spec.")) {
            error.hint("change that field of the GitRepository, so that Flux sees the directory")
        } else {
            error.hint("change the rule, commit and push; Flux's exclusions end with a `.sourceignore` of your own")
        }
    }
}

fn listed(error: Error, left_out: &[String]) -> Error {
    let error = left_out.iter().take(LISTED).fold(error, Error::because);
    if left_out.len() > LISTED { error.because(format!("and {} more", left_out.len() - LISTED)) } else { error }
}

/// Refuses a file that Flux would get the pointer of.
#[must_use]
pub fn in_lfs(file: &str) -> Error {
    Error::new(format!("{file} lies in Git LFS, from which Flux fetches nothing"))
        .because("Flux's artifact holds the pointer, which is no manifest")
        .hint("exempt the manifests in .gitattributes: `**/*.yaml -filter -diff -merge text`, then `git add --renormalize .`, commit and push")
}

/// Tells whether a path is a directory or lies below it.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const FILE: &str = "apps/hello.default.tap/packages/1.0.0.yaml";
    const PACKAGE: &str = "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: Package\nmetadata: {name: hello.default.tap.1.0.0}\nspec: {refName: hello.default.tap, version: 1.0.0}\n";

    fn checkout(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (path, content) in [(FILE, PACKAGE)].iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
        root
    }

    fn refusal(root: &TempDir, source: &GitRepositorySpec) -> String {
        let artifact = Artifact::of(root.path(), source).expect("an artifact");
        match artifact.package(root.path(), "apps/hello.default.tap") {
            Ok(package) => format!("{} versions", package.packages.len()),
            Err(error) => format!("{error}"),
        }
    }

    #[test]
    fn a_rule_that_leaves_the_package_out_is_named() {
        let plain = GitRepositorySpec::default();
        assert_eq!(refusal(&checkout(&[]), &plain), "1 versions");
        let root = checkout(&[("apps/.sourceignore", "*.md\npackages/\n")]);
        insta::assert_snapshot!(refusal(&root, &plain), @"Flux's artifact does not hold what is needed of apps/hello.default.tap/packages: apps/hello.default.tap/packages/1.0.0.yaml is left out by `packages/` of apps/.sourceignore");
        let ignored = GitRepositorySpec { ignore: Some("/apps".to_owned()), ..plain.clone() };
        insta::assert_snapshot!(refusal(&checkout(&[]), &ignored), @"Flux's artifact does not hold what is needed of apps/hello.default.tap/packages: apps/hello.default.tap/packages/1.0.0.yaml is left out by `/apps` of spec.ignore of the GitRepository");
        let again = GitRepositorySpec { ignore: Some("!/apps/*/packages".to_owned()), ..plain.clone() };
        assert_eq!(refusal(&root, &again), "1 versions");
        let sparse = |path: &str| GitRepositorySpec { sparse_checkout: vec![path.to_owned()], ..plain.clone() };
        insta::assert_snapshot!(refusal(&checkout(&[]), &sparse("other")), @"Flux's artifact does not hold what is needed of apps/hello.default.tap/packages: apps/hello.default.tap/packages/1.0.0.yaml is left out by spec.sparseCheckout of the GitRepository, which takes other only");
        // The beginning of the path counts; and a `.sourceignore` that is not checked out does not.
        assert_eq!(refusal(&root, &sparse("./apps/hello")), "1 versions");
    }

    #[test]
    fn one_version_that_is_left_out_is_a_doubt() {
        let next = FILE.replace("1.0.0", "2.0.0");
        let root = checkout(&[(&next, PACKAGE), (".sourceignore", "2.0.0.yaml")]);
        let artifact = Artifact::of(root.path(), &GitRepositorySpec::default()).expect("an artifact");
        let package = artifact.package(root.path(), "apps/hello.default.tap").expect("a package");
        assert_eq!(package.packages.iter().map(|version| version.file.as_str()).collect::<Vec<_>>(), [FILE]);
        let doubts = artifact.doubts(root.path(), &package);
        insta::assert_snapshot!(doubts[0], @"Flux's artifact does not hold all versions of hello.default.tap: apps/hello.default.tap/packages/2.0.0.yaml is left out by `2.0.0.yaml` of .sourceignore");
        let source = serde_json::json!({"include": [{"repository": {"name": "other"}, "toPath": "apps"}]});
        let source: GitRepositorySpec = serde_json::from_value(source).expect("the fixture is a spec");
        let artifact = Artifact::of(root.path(), &source).expect("an artifact");
        assert_eq!(artifact.doubts(root.path(), &package).len(), 2);
    }

    #[test]
    fn what_is_left_out_need_not_be_readable() {
        let metadata = "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: PackageMetadata\nmetadata: {name: hello.default.tap}\n";
        let root = checkout(&[
            (&FILE.replace("1.0.0", "draft"), "a: b: c\n"),
            (&FILE.replace("1.0.0", "metadata"), metadata),
            (".sourceignore", "draft.yaml\nmetadata.yaml\n"),
        ]);
        let artifact = Artifact::of(root.path(), &GitRepositorySpec::default()).expect("an artifact");
        let package = artifact.package(root.path(), "apps/hello.default.tap").expect("a package");
        assert_eq!((package.packages.len(), package.has_metadata), (1, false));
        let all = Artifact::default().package(root.path(), "apps/hello.default.tap").expect_err("a file is no YAML");
        assert!(all.message().contains("draft.yaml is not valid YAML"), "{all}");
    }

    #[test]
    fn submodules_and_large_file_pointers_are_named() {
        let plain = GitRepositorySpec::default();
        let modules = "[submodule \"apps\"]\n\tpath = apps\n\turl = https://example.com/apps\n";
        let root = checkout(&[(".gitmodules", modules)]);
        insta::assert_snapshot!(refusal(&root, &plain), @"the package apps/hello.default.tap lies in the submodule apps: what it holds cannot be read, and nothing can be committed to it, through this repository");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        let root = checkout(&[(FILE, pointer)]);
        insta::assert_snapshot!(refusal(&root, &plain), @"apps/hello.default.tap/packages/1.0.0.yaml lies in Git LFS, from which Flux fetches nothing: Flux's artifact holds the pointer, which is no manifest");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_left_out() {
        let root = checkout(&[]);
        std::os::unix::fs::symlink("apps", root.path().join("link")).expect("a link");
        let artifact = Artifact::of(root.path(), &GitRepositorySpec::default()).expect("an artifact");
        let error = artifact.package(root.path(), "link/hello.default.tap").expect_err("it is left out");
        assert!(error.causes()[0].ends_with("takes no symbolic links: link is one"), "{error:?}");
        let error = artifact.check([".sops.yaml"], ".").expect_err("it is left out");
        assert!(error.causes()[0].ends_with("by `**/.sops.yaml` of Flux's default exclusions"), "{error:?}");
    }
}
