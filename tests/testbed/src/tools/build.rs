//! Builds one group of tools into its cache entry, once, whoever comes first.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::group::Group;
use super::progress::Progress;
use super::requirements;
use crate::cache;
use crate::command::{describe, output_of};
use crate::error::{Error, Result};

/// Returns the cache entry of a group: `bin/` and `share/`. Builds it when it is not there.
pub(crate) fn ensure(group: &Group, cache: &Path) -> Result<PathBuf> {
    let key = group.cache_key()?;
    let entry = cache.join(&key);
    if entry.is_dir() {
        return Ok(entry);
    }
    let _lock = cache::lock(&cache.join(format!("{}.lock", group.name)))?;
    if entry.is_dir() {
        return Ok(entry);
    }
    requirements::check_go()?;
    // Under the lock only a build that was killed can have left this directory behind.
    let unfinished = cache.join(format!("{key}.unfinished"));
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(Error::file("remove", &unfinished))?;
    }
    let names: Vec<&str> = group.programs.iter().map(|program| program.name).collect();
    let progress = Progress::start(&format!("Building {} ({})", group.name, names.join(", ")));
    compile(group, &unfinished.join("bin"), &progress)?;
    copy_assets(group, &unfinished.join("share"))?;
    std::fs::rename(&unfinished, &entry).map_err(Error::file("move into place", &unfinished))?;
    progress.finish();
    Ok(entry)
}

fn compile(group: &Group, directory: &Path, progress: &Progress) -> Result<()> {
    cache::create_directory(directory)?;
    // A package at the root of its module, or called "controller", does not name its program as wanted, and
    // `-o` names one program only. Go's build cache makes the second program of a group cheap.
    for program in group.programs {
        let mut command = go(group);
        command.args(["build", "-v", "-trimpath", "-ldflags", group.linker_flags, "-o"]);
        command.arg(directory.join(program.name)).arg(program.package);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| Error::Spawn { program: "go".to_owned(), source })?;
        let mut said = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
                progress.detail(&line);
                said.push(line);
            }
        }
        let status = child.wait().map_err(|source| Error::Spawn { program: "go".to_owned(), source })?;
        if !status.success() {
            let output = said.split_off(said.len().saturating_sub(20)).join("\n");
            return Err(Error::Command { command: describe(&command), status, output });
        }
    }
    Ok(())
}

fn copy_assets(group: &Group, directory: &Path) -> Result<()> {
    cache::create_directory(directory)?;
    for asset in group.assets {
        let module = output_of(go(group).args(["list", "-m", "-f", "{{.Dir}}", asset.module]))?;
        let source = Path::new(module.trim()).join(asset.path);
        let target = directory.join(asset.name);
        if source.is_file() {
            copy(&source, &target)?;
            continue;
        }
        cache::create_directory(&target)?;
        for file in std::fs::read_dir(&source).map_err(Error::file("read the directory", &source))? {
            let file = file.map_err(Error::file("read the directory", &source))?.path();
            let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            if let (true, Some(name)) = (is_yaml && file.is_file(), file.file_name()) {
                copy(&file, &target.join(name))?;
            }
        }
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> Result<()> {
    // Not fs::copy: the module cache is read-only, and so would be the copy.
    let content = std::fs::read(source).map_err(Error::file("read", source))?;
    cache::write(target, content)
}

fn go(group: &Group) -> Command {
    let mut command = Command::new("go");
    command.current_dir(group.sources()).env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
    // The compiler takes a quarter less time when it collects its garbage less often.
    command.env("GOGC", "400");
    command
}
