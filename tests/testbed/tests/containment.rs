//! Nothing a testbed started survives the program that asked for it, not even when that is killed outright.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn killing_the_outer_process_ends_everything() -> Outcome {
    let mut testbed = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .args(["up", "--run-clusters", "1"])
        // The test itself may run inside a sandbox.
        .env_remove("CARVELFLUX_TESTBED_WORK")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = testbed.stdout.take().ok_or("the testbed has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let kubeconfig = line.trim().strip_prefix("export KUBECONFIG=").ok_or("the testbed did not start")?;
    let work = Path::new(kubeconfig).parent().ok_or("the kubeconfig lies nowhere")?.display().to_string();
    let running = processes_that_mention(&work)?;
    assert!(running.len() > 8, "etcd, API servers and controllers should run, but only these do: {running:?}");

    testbed.kill()?;
    testbed.wait()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left = processes_that_mention(&work)?;
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "these outlived the testbed: {left:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    // A killed program cleans nothing up; the next one does, see `work_directory`.
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

fn processes_that_mention(work: &str) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        // A process may end while it is looked at.
        let Ok(command_line) = std::fs::read(entry?.path().join("cmdline")) else { continue };
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        if command_line.contains(work) {
            found.push(command_line);
        }
    }
    Ok(found)
}
