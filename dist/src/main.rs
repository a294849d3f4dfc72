//! `cargo dist`: builds what users download.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use dist::build::{Build, Built};
use dist::error::{Error, Result};
use dist::manifest::{self, Release};
use dist::platform::Platform;
use dist::{TAG, archive};

/// Builds this machine's archive and a krew manifest for it, in target/dist.
#[derive(Parser)]
#[command(name = "cargo dist", bin_name = "cargo dist", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    build: BuildArguments,
    /// Where the manifest says that the archive is; without it, where releases are.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Builds the commit once more, in another directory, and compares it with the archive in target/dist.
    Check(BuildArguments),
    /// Writes the manifest of all platforms and the checksums, from a directory that has all archives.
    Manifest {
        /// Where the archives are.
        directory: PathBuf,
    },
    /// Fails where a tag is not that of Cargo.toml's version.
    Tag {
        /// The tag.
        tag: String,
    },
}

#[derive(Args)]
struct BuildArguments {
    /// What to build for; without it, this machine.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// The profile of Cargo.toml.
    #[arg(long, default_value = "release")]
    profile: String,
}

impl BuildArguments {
    fn build(&self, root: &Path) -> Build {
        Build { root: root.to_path_buf(), target: self.target.clone(), profile: self.profile.clone() }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(lines) => {
            report(&lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            report(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    match &arguments.action {
        None => pack(root, &arguments.build, arguments.base_url.as_deref()),
        Some(Action::Check(build)) => check(root, build),
        Some(Action::Manifest { directory }) => manifest_of_all(root, directory),
        Some(Action::Tag { tag }) if tag == TAG => Ok(vec![format!("{tag} is the version of Cargo.toml")]),
        Some(Action::Tag { tag }) => Err(Error::Failed(format!(
            "the tag is {tag}, and the version of Cargo.toml wants {TAG}: change one of them"
        ))),
    }
}

/// Builds and packs the program, and returns the archive's name and content.
fn archive_of(build: &Build) -> Result<(String, Vec<u8>)> {
    let platform = Platform::of_target(&build.target()?)?;
    let Built { program, time } = build.run()?;
    Ok((platform.archive_name(), archive::pack(&program, platform, &build.root, time)?))
}

fn pack(root: &Path, arguments: &BuildArguments, base_url: Option<&str>) -> Result<Vec<String>> {
    let (name, content) = archive_of(&arguments.build(root))?;
    let digest = archive::digest(&content);
    let digests = BTreeMap::from([(name.clone(), digest.clone())]);
    let manifest = manifest::render(&template(root)?, &Release { tag: TAG, digests, base_url })?;
    let directory = output(root);
    let (archive, manifest_file) = (directory.join(&name), directory.join(manifest::FILE_NAME));
    write(&archive, content)?;
    write(&manifest_file, manifest)?;
    Ok(vec![format!("{digest}  {}", archive.display()), manifest_file.display().to_string()])
}

fn check(root: &Path, arguments: &BuildArguments) -> Result<Vec<String>> {
    let name = Platform::of_target(&arguments.build(root).target()?)?.archive_name();
    let expected = archive::digest(&read(&output(root).join(&name))?);
    let directory = tempfile::Builder::new().prefix("elsewhere").tempdir();
    let directory = directory.map_err(|source| file_error("make", &std::env::temp_dir(), source))?;
    let status = Command::new("git").args(["clone", "--quiet"]).arg(root).arg(directory.path()).status();
    let status = status.map_err(|source| Error::Spawn { program: "git".to_owned(), source })?;
    if !status.success() {
        return Err(Error::Failed(format!("git cannot clone {}, see above", root.display())));
    }
    let found = archive::digest(&archive_of(&arguments.build(directory.path()))?.1);
    if found == expected {
        return Ok(vec![format!("{name} has the same digest when it is built elsewhere: {found}")]);
    }
    Err(Error::Failed(format!(
        "{name} has the digest {expected} in target/dist, and {found} when its commit is built elsewhere"
    )))
}

fn manifest_of_all(root: &Path, directory: &Path) -> Result<Vec<String>> {
    let template = template(root)?;
    let mut digests = BTreeMap::new();
    for name in manifest::archives(&template)? {
        let digest = archive::digest(&read(&directory.join(&name))?);
        digests.insert(name, digest);
    }
    let lines: Vec<String> = digests.iter().map(|(name, digest)| format!("{digest}  {name}")).collect();
    let checksums = format!("{}\n", lines.join("\n"));
    let manifest = manifest::render(&template, &Release { tag: TAG, digests, base_url: None })?;
    let (manifest_file, checksums_file) = (directory.join(manifest::FILE_NAME), directory.join("checksums.txt"));
    write(&manifest_file, manifest)?;
    write(&checksums_file, checksums)?;
    Ok([manifest_file, checksums_file].iter().map(|path| path.display().to_string()).collect())
}

fn output(root: &Path) -> PathBuf {
    root.join("target/dist")
}

fn template(root: &Path) -> Result<String> {
    let path = root.join(manifest::TEMPLATE);
    std::fs::read_to_string(&path).map_err(|source| file_error("read", &path, source))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| file_error("read", path, source))
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).map_err(|source| file_error("write", path, source))
}

fn file_error(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { action, path: path.to_path_buf(), source }
}

#[expect(clippy::print_stderr, reason = "this is the program's result and its errors")]
fn report(text: &str) {
    eprintln!("{text}");
}
