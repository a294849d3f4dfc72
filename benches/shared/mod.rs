//! What the benchmarks share: numbers, tables, processes as the kernel sees them, and clients of the testbed's clusters.
//!
//! Benchmarks print; they assert no times.

#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use testbed::sandbox::{self, Entered};

/// How long several runs took.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort();
        Self(times)
    }

    /// Returns minimum, median and maximum in milliseconds, as cells of a table.
    pub(crate) fn cells(&self) -> [String; 3] {
        let (first, last) = (self.0[0], self.0[self.0.len() - 1]);
        [first, self.0[self.0.len() / 2], last].map(milliseconds)
    }
}

/// Shows a duration as milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 100.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

/// Prints a table whose first row is its head, below a line that says on what it was measured.
#[expect(clippy::print_stdout, reason = "it is what a benchmark is for")]
pub(crate) fn print_table(title: &str, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:width$}   ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        if number == 0 {
            let _ = writeln!(text, "{}", "-".repeat(widths.iter().map(|width| width + 3).sum::<usize>() - 3));
        }
    }
    println!("\n{title}\n{}\n\n{text}", machine());
}

/// Says what else the machine had to do, which decides how much the numbers are worth.
fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{processors} processors, load average {}", load.join(" "))
}

/// Makes a row of a table.
pub(crate) fn row<const COLUMNS: usize>(cells: [&str; COLUMNS]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Says what the benchmark is doing.
#[expect(clippy::print_stderr, reason = "standard output is for the table")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// Runs a benchmark where a testbed can be started.
pub(crate) fn in_sandbox(benchmark: impl FnOnce()) -> ExitCode {
    match sandbox::enter() {
        Ok(Entered::Inside(_)) => {
            benchmark();
            ExitCode::SUCCESS
        }
        Ok(Entered::Finished(code)) => code.into(),
        Err(error) => {
            progress(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Makes a client for a context of a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path, context: &str) -> Client {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a context");
    Client::try_from(config).expect("a client")
}

/// Returns a line of `/proc/<pid>/status` in megabytes, such as `VmHWM`, the peak of the resident memory.
pub(crate) fn memory(process: u32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kibibytes.map_or("?".to_owned(), |kibibytes| format!("{:.1} MB", kibibytes * 1024.0 / 1e6))
}

/// Counts the established TCP connections of a process.
pub(crate) fn connections(process: u32) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let sockets: Vec<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap_or_default();
    let is_established = |line: &&str| line.split_whitespace().nth(3) == Some("01");
    let inode = |line: &str| line.split_whitespace().nth(9).map(str::to_owned);
    table.lines().filter(is_established).filter_map(inode).filter(|inode| sockets.contains(inode)).count()
}

/// Returns the processor time of all children that have ended, in the kernel's ticks of 10 ms.
pub(crate) fn processor_time_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the name, may hold spaces; `cutime` and `cstime` are the 16th and 17th.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}
