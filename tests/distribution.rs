//! What users download, as krew and kubectl take it: the archive and the manifest of `cargo dist`, from a server on this machine.
//!
//! The program is the one that all tests run; krew, its validator and kubectl are the real ones.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use dist::manifest::{self, Release};
use dist::platform::Platform;
use dist::{PROGRAM, TAG, archive};
use testbed::{FileServer, GitServer, Repository, Tools};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_kubectl-carvelflux");

/// The time of all files in the archives of these tests.
const TIME: u64 = 1_700_000_000;

/// A version that is older than any release, and what it prints.
const OLDER: (&str, &str) = ("v0.0.1", "the older version");

fn platform() -> Platform {
    Platform::of_target(&format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)).expect("a platform")
}

/// Returns the archive of the program, packed once.
fn packed() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        // What a debugger needs would make it ten times as large.
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join(PROGRAM);
        succeed(Command::new("strip").arg("-o").arg(&program).arg(BINARY));
        archive::pack(&program, platform(), Path::new(ROOT), TIME).expect("an archive")
    })
}

/// Runs a command that must succeed, and returns all that it says.
fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", text_of(&output));
    text_of(&output)
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A machine with kubectl and krew, a server that has what was released, and one with an index of krew.
struct Place {
    directory: tempfile::TempDir,
    server: FileServer,
    index: Repository,
    _git_server: GitServer,
    tools: Tools,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["served", "bin", "home"] {
            std::fs::create_dir_all(directory.path().join(name)).expect("a directory");
        }
        let tools = Tools::prepare_for_releases().expect("the tools");
        let krew = tools.program("krew").expect("krew");
        std::os::unix::fs::symlink(krew, directory.path().join("bin/kubectl-krew")).expect("a link");
        let server = FileServer::start(&directory.path().join("served")).expect("a server");
        let git_server = GitServer::start(&directory.path().join("git")).expect("a Git server");
        let index = git_server.create_repository("krew-index").expect("a repository");
        Self { directory, server, index, _git_server: git_server, tools }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Serves an archive below a tag, and returns the manifest of this release.
    fn release(&self, tag: &str, content: &[u8]) -> String {
        let name = platform().archive_name();
        let directory = self.path("served").join(tag);
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join(&name), content).expect("a file");
        let template = std::fs::read_to_string(Path::new(ROOT).join(manifest::TEMPLATE)).expect("the template");
        let base_url = format!("{}/{tag}", self.server.url());
        let digests = BTreeMap::from([(name, archive::digest(content))]);
        manifest::render(&template, &Release { tag, digests, base_url: Some(&base_url) }).expect("a manifest")
    }

    /// Writes the manifest of this version under the name that krew wants.
    fn manifest(&self) -> PathBuf {
        let path = self.path(manifest::FILE_NAME);
        std::fs::write(&path, self.release(TAG, packed())).expect("a file");
        path
    }

    /// Makes the index known to krew, which wants to have one even to uninstall.
    fn add_index(&self) {
        let login = format!("http://{}:{}@", self.index.username(), self.index.password());
        self.kubectl(&["krew", "index", "add", "ours", &self.index.url().replace("http://", &login)]);
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let kubectl = self.tools.kubectl().parent().expect("a directory").to_path_buf();
        let mut path = vec![self.path("krew/bin"), self.path("bin"), kubectl];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path: OsString = std::env::join_paths(path).expect("a PATH");
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", path).env("HOME", self.path("home")).env("KREW_ROOT", self.path("krew"));
        // Now and then krew asks its home page for a newer krew.
        command.env("KREW_NO_UPGRADE_CHECK", "1").env("GIT_CONFIG_NOSYSTEM", "1").env_remove("KUBECONFIG");
        command
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command(self.tools.kubectl(), arguments))
    }

    /// Puts a manifest into the index.
    fn publish(&self, manifest: &str) {
        let file = format!("plugins/{}", manifest::FILE_NAME);
        self.index.commit(&[(&file, Some(manifest))], "A version").expect("a commit");
    }
}

fn version() -> String {
    succeed(Command::new(BINARY).arg("version"))
}

#[test]
fn krew_takes_the_manifest_and_installs_runs_and_uninstalls_the_plugin() {
    let place = Place::new();
    let manifest = place.manifest();
    let manifest = manifest.to_str().expect("UTF-8");
    // It installs the archive of each platform that the manifest has, and looks for a licence in it.
    let validator = place.tools.program("validate-krew-manifest").expect("the validator");
    let said = succeed(&mut place.command(&validator, &["-manifest", manifest]));
    assert!(said.contains("all 1 spec.platforms installed fine"), "{said}");

    place.publish(&place.release(TAG, packed()));
    place.add_index();
    place.kubectl(&["krew", "install", &format!("--manifest={manifest}")]);
    assert_eq!(place.kubectl(&["carvelflux", "version"]), version());
    let store = place.path("krew/store/carvelflux").join(TAG);
    for name in [PROGRAM, "LICENSE", "README.md", "kubectl_complete-carvelflux"] {
        assert!(store.join(name).is_file(), "{name} is missing in {}", store.display());
    }
    place.kubectl(&["krew", "uninstall", "carvelflux"]);
    assert!(!place.path("krew/bin").join(PROGRAM).exists());
    let output = place.command(place.tools.kubectl(), &["carvelflux", "version"]).output().expect("it runs");
    assert!(text_of(&output).contains("unknown command"), "{}", text_of(&output));
}

#[test]
fn an_archive_that_was_changed_on_its_way_is_not_installed() {
    let place = Place::new();
    let manifest = place.manifest();
    std::fs::write(place.path("served").join(TAG).join(platform().archive_name()), "changed").expect("a file");
    let arguments = ["krew", "install", &format!("--manifest={}", manifest.display())];
    let output = place.command(place.tools.kubectl(), &arguments).output().expect("it runs");
    assert!(!output.status.success() && text_of(&output).contains("checksum"), "{}", text_of(&output));
    assert!(!place.path("krew/bin").join(PROGRAM).exists());
}

#[test]
fn krew_installs_from_an_index_of_ones_own_and_upgrades_there() {
    let place = Place::new();
    let older = place.path(PROGRAM);
    std::fs::write(&older, format!("#!/bin/sh\necho {}\n", OLDER.1)).expect("a file");
    let older = archive::pack(&older, platform(), Path::new(ROOT), TIME).expect("an archive");
    place.publish(&place.release(OLDER.0, &older));

    place.add_index();
    place.kubectl(&["krew", "install", "ours/carvelflux"]);
    assert_eq!(place.kubectl(&["carvelflux", "version"]).trim(), OLDER.1);

    place.publish(&place.release(TAG, packed()));
    place.kubectl(&["krew", "upgrade"]);
    assert_eq!(place.kubectl(&["carvelflux", "version"]), version());
    let list = place.kubectl(&["krew", "list"]);
    assert!(list.contains("ours/carvelflux"), "{list}");
    place.kubectl(&["krew", "uninstall", "carvelflux"]);
    assert!(!place.path("krew/bin").join(PROGRAM).exists());
}

#[test]
fn the_archive_works_without_krew() {
    let place = Place::new();
    let file = place.path("archive.tar.gz");
    std::fs::write(&file, packed()).expect("a file");
    succeed(Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(place.path("bin")));
    assert_eq!(place.kubectl(&["carvelflux", "version"]), version());
}
