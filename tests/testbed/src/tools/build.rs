//! Builds groups of tools into their cache entries, once, whoever comes first.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::group::Group;
use super::progress::Progress;
use super::requirements;
use crate::cache;
use crate::command::{describe, output_of};
use crate::error::{Error, Result};

/// What a build needs of the machine's memory: the largest packages take about 2 GiB each, and a core each.
const MEMORY_OF_A_BUILD: u64 = 4 << 30;

/// Returns the cache entries of groups by their names, each with `bin/` and `share/`. Builds those that are not there.
pub(crate) fn ensure(groups: &[&Group], cache: &Path) -> Result<BTreeMap<&'static str, PathBuf>> {
    // Testbeds of one process that start at the same time: the first one builds and says so, the others find what it built.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut entries = BTreeMap::new();
    let mut missing = Vec::new();
    for group in groups {
        let entry = cache.join(group.cache_key()?);
        if !entry.is_dir() {
            missing.push(*group);
        }
        entries.insert(group.name, entry);
    }
    if !missing.is_empty() {
        requirements::check_go()?;
        build_all(missing, cache)?;
    }
    Ok(entries)
}

/// Builds groups side by side: while one is linked, which keeps one core busy, another is compiled.
fn build_all(groups: Vec<&Group>, cache: &Path) -> Result<()> {
    let progress = Progress::start();
    let mut queue = count_all(groups)?;
    progress.expect(queue.iter().map(|(packages, _)| packages).sum());
    // The largest is taken first: what is long must not come last, alone.
    queue.sort_by_key(|(packages, _)| *packages);
    let side_by_side = if available_memory() >= 2 * MEMORY_OF_A_BUILD { 2 } else { 1 };
    let work = Work { queue: Mutex::new(queue), failed: AtomicBool::new(false), progress, cache };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..side_by_side).map(|_| scope.spawn(|| work.run())).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    work.progress.finish();
    Ok(())
}

/// What is left to build.
struct Work<'a> {
    queue: Mutex<Vec<(u64, &'a Group)>>,
    failed: AtomicBool,
    progress: Progress,
    cache: &'a Path,
}

impl Work<'_> {
    /// Builds one group after the other, until there is none or one has failed.
    fn run(&self) -> Result<()> {
        while !self.failed.load(Ordering::Relaxed) {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((packages, group)) = next else { break };
            self.build(group, packages).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }

    fn build(&self, group: &Group, packages: u64) -> Result<()> {
        let key = group.cache_key()?;
        let entry = self.cache.join(&key);
        let _lock = cache::lock(&self.cache.join(format!("{}.lock", group.name)))?;
        let mut built = 0;
        if !entry.is_dir() {
            // Under the lock only a build that was killed can have left this directory behind.
            let unfinished = self.cache.join(format!("{key}.unfinished"));
            if unfinished.exists() {
                std::fs::remove_dir_all(&unfinished).map_err(Error::file("remove", &unfinished))?;
            }
            self.progress.begin(&title(group));
            built = self.compile(group, &unfinished.join("bin"))?;
            copy_assets(group, &unfinished.join("share"))?;
            std::fs::rename(&unfinished, &entry).map_err(Error::file("move into place", &unfinished))?;
        }
        // The rest was in Go's own cache.
        self.progress.built(group.name, "", packages.saturating_sub(built));
        Ok(())
    }

    /// Builds the programs of a group, and returns how many packages were compiled.
    fn compile(&self, group: &Group, directory: &Path) -> Result<u64> {
        cache::create_directory(directory)?;
        let mut built = 0;
        // A package at the root of its module, or called "controller", does not name its program as wanted, and
        // `-o` names one program only. Go's build cache makes the second program of a group cheap.
        for program in group.programs {
            let mut command = go(group);
            // What is left out of the programs in the end need not be made: with GOGC, the compiler takes a third less time.
            command.args([
                "build",
                "-v",
                "-trimpath",
                "-gcflags=all=-dwarf=false",
                "-ldflags",
                group.linker_flags,
                "-o",
            ]);
            command.arg(directory.join(program.name)).arg(program.package);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().map_err(|source| Error::Spawn { program: "go".to_owned(), source })?;
            let mut said = Vec::new();
            if let Some(stderr) = child.stderr.take() {
                for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
                    self.progress.built(group.name, &line, 1);
                    built += 1;
                    said.push(line);
                    if self.failed.load(Ordering::Relaxed) {
                        // Another group has failed; this build may have ended by itself meanwhile.
                        let _ = child.kill();
                    }
                }
            }
            let status = child.wait().map_err(|source| Error::Spawn { program: "go".to_owned(), source })?;
            if !status.success() {
                let output = said.split_off(said.len().saturating_sub(20)).join("\n");
                return Err(Error::Command { command: describe(&command), status, output });
            }
        }
        Ok(built)
    }
}

fn title(group: &Group) -> String {
    let names: Vec<&str> = group.programs.iter().map(|program| program.name).collect();
    if names == [group.name] { group.name.to_owned() } else { format!("{} ({})", group.name, names.join(", ")) }
}

/// Counts the packages of all groups at the same time: what it takes is the download of their modules.
fn count_all(groups: Vec<&Group>) -> Result<Vec<(u64, &Group)>> {
    std::thread::scope(|scope| {
        let counts: Vec<_> =
            groups.into_iter().map(|group| scope.spawn(move || Ok((count_packages(group)?, group)))).collect();
        counts.into_iter().map(|count| count.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Counts the packages that the programs of a group consist of; fetches the modules they are in.
fn count_packages(group: &Group) -> Result<u64> {
    let packages = group.programs.iter().map(|program| program.package);
    Ok(output_of(go(group).args(["list", "-deps"]).args(packages))?.lines().count() as u64)
}

/// Returns how much memory could be used without swapping, in bytes; 0 where nobody says.
fn available_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kibibytes.unwrap_or_default() << 10
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
