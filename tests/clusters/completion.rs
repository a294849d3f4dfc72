//! What TAB offers: through the real kubectl, in real shells, and where the cluster cannot be asked.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use testbed::Testbed;

use crate::Test;
use crate::kubectl::{change_kubeconfig, entry};
use crate::support::{Output, PACKAGE, User, VERSION, eventually};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("completion::kubectl_completes_commands_flags_and_values", through_kubectl),
    ("completion::install_changes_only_what_it_made", install),
    ("completion::no_plugin_is_run_and_no_word_is_said", silent),
    ("completion::a_cluster_that_does_not_answer_is_left_out", unanswered),
    ("completion::bash_completes_the_program", bash_by_itself),
];

/// What needs a program that is not everywhere, and where it would be.
pub(crate) const WITH_PROGRAMS: &[(&str, Test, &str)] = &[
    ("completion::bash_completes_kubectl", bash_through_kubectl, BASH_COMPLETION),
    ("completion::zsh_completes_kubectl_and_the_program", zsh, "/usr/bin/zsh"),
];

/// The functions that the script of `kubectl completion bash` calls.
const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

const COMPLETER: &str = "kubectl_complete-carvelflux";

/// Puts kubectl and the plugin on the PATH of the user, whose directory of them is returned.
fn on_path(user: &mut User<'_>) -> PathBuf {
    let directory = user.write("bin-is-here", "").with_file_name("bin");
    std::fs::create_dir(&directory).expect("a directory");
    symlink(env!("CARGO_BIN_EXE_kubectl-carvelflux"), directory.join("kubectl-carvelflux")).expect("a link");
    symlink(user.testbed.tools().kubectl(), directory.join("kubectl")).expect("a link");
    user.set("PATH", &format!("{}:/usr/bin:/bin", directory.display()));
    directory
}

/// Runs a program in the user's environment, and returns what it prints to standard output.
fn run(user: &User<'_>, program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.env_clear().envs(user.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns what the plugin itself answers for TAB; it must be silent.
fn completed(user: &User<'_>, words: &[&str]) -> String {
    let Output { code, stdout, stderr, .. } = user.run(&[&["__completeNoDesc"], words].concat());
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    stdout
}

fn through_kubectl(testbed: &Testbed) {
    let mut user = User::delivered(testbed, "completion");
    let directory = on_path(&mut user);
    user.run(&["completion", "install"]).expect_code(0).says(COMPLETER);
    let kubectl = directory.join("kubectl");
    let kubectl = |words: &[&str]| run(&user, &kubectl, &[&["__completeNoDesc", "carvelflux"], words].concat());
    assert_eq!(kubectl(&["sta"]), "status\n:4\n");
    assert!(kubectl(&["wait", "--run"]).contains("--run-cluster\n"));
    let namespace = user.workspace.build_namespace();
    for (words, value) in [
        (&["wait", "--package"][..], PACKAGE),
        (&["rotate"], "prod1"),
        (&["status", "--run-cluster"], "prod1"),
        (&["status", "--run-context"], "prod1=prod1"),
        (&["add-cluster", "--run-context"], "prod1"),
        (&["wait", "--context"], "build"),
        (&["wait", "-n"], namespace),
        (&["add-cluster", "--run-context", "prod1", "--target-namespace"], user.workspace.target_namespace()),
        (&["values", PACKAGE, "--version"], VERSION),
        (&["add-cluster", "--package", PACKAGE, "--version-constraints"], VERSION),
        (&["add-cluster", "--installer"], "web"),
    ] {
        // A cluster that is busy for longer than a person waits is left out: that person presses TAB again.
        let offers = |word: &str| {
            eventually(&format!("{words:?} {word:?} offers {value}"), || {
                let offered = kubectl(&[words, &[word]].concat());
                offered.lines().any(|line| line == value).then_some(offered)
            })
        };
        offers("");
        let begun = offers(&value[..2]);
        assert!(begun.lines().all(|line| line.starts_with(&value[..2]) || line.starts_with(':')), "{begun}");
    }
    let described = run(&user, &directory.join("kubectl"), &["__complete", "carvelflux", "rot"]);
    assert_eq!(described, "rotate\tGive Flux new credentials for run clusters, and revoke the old ones\n:4\n");
}

fn install(testbed: &Testbed) {
    let mut user = User::new(testbed, "completion-install");
    let directory = on_path(&mut user);
    let file = directory.join(COMPLETER);
    user.run(&["completion", "install"]).expect_code(0).says("was written");
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
    assert_ne!(mode & 0o100, 0, "its owner may run it");
    let written = std::fs::read_to_string(&file).expect("the file");
    user.run(&["completion", "install"]).expect_code(0).says("is there already");
    std::fs::write(&file, written.replace("2>/dev/null", "")).expect("an older version");
    user.run(&["completion", "install"]).expect_code(0).says("was written");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), written);
    std::fs::write(&file, "#!/bin/sh\necho mine\n").expect("another's file");
    user.run(&["completion", "install"]).expect_code(2).says("is not of this plugin");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "#!/bin/sh\necho mine\n");

    let elsewhere = user.write("elsewhere-is-here", "").with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a directory");
    let elsewhere = elsewhere.display().to_string();
    user.run(&["completion", "install", "--directory", &elsewhere]).expect_code(0).says("is not on PATH");
    user.run(&["completion", "install", "--directory", "/nowhere"])
        .expect_code(2)
        .says("there is no directory /nowhere");
    user.run(&["completion", "install", "--directory", "/proc"]).expect_code(1).says("cannot write");
    user.run(&["completion", "bash", "--directory", &elsewhere]).expect_code(2);
    user.set("PATH", "/usr/bin:/bin");
    user.run(&["completion", "install"]).expect_code(2).says("is in no directory of PATH");
}

fn silent(testbed: &Testbed) {
    let mut user = User::new(testbed, "completion-silent");
    let marker = user.write("marker", "").with_file_name("plugin-was-run");
    let plugin = user.write("login.sh", &format!("#!/bin/sh\ntouch '{}'\necho a login window >&2\n", marker.display()));
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "IfAvailable",
    }});
    change_kubeconfig(&mut user, |kubeconfig| {
        let of_user = entry(kubeconfig, "contexts", "build")["context"]["user"].as_str().expect("a user").to_owned();
        entry(kubeconfig, "users", &of_user)["user"] = exec.clone();
    });
    assert_eq!(completed(&user, &["wait", "--package", ""]), ":4\n");
    assert!(completed(&user, &["wait", "--context", ""]).contains("build\n"), "the kubeconfig needs no login");
    assert!(completed(&user, &["wait", "-n", ""]).contains(user.workspace.build_namespace()), "that of the context");
    assert!(!marker.exists(), "the plugin was run for TAB");
    user.run(&["status"]).expect_code(1);
    assert!(marker.exists(), "the plugin is run for a command");

    for bad in ["/nowhere/at/all", "values.yaml"] {
        user.set("KUBECONFIG", bad);
        for words in [
            &["wait", "--context", ""][..],
            &["wait", "-n", ""],
            &["rotate", ""],
            &["values", PACKAGE, "--version", ""],
        ] {
            completed(&user, words);
        }
    }
    completed(&user, &["wait", "--timeout", "no duration", "--bad-flag", "--package", ""]);
}

fn unanswered(testbed: &Testbed) {
    let mut user = User::new(testbed, "completion-unanswered");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("https://{}", listener.local_addr().expect("an address"));
    // Without its own limit it would never end: no request has one.
    let words = ["wait", "--request-timeout", "0", "--server", &address, "--package", ""];
    assert_eq!(completed(&user, &words), ":4\n");
    let mut connection = listener.accept().expect("it has tried").0;
    connection.read_exact(&mut [0]).expect("a first byte");
    user.set("KUBECONFIG", "");
}

/// Types a line and presses TAB, and expects what the shell makes of it.
fn expect_completed(terminal: &mut Terminal, typed: &str, completed: &str) {
    terminal.type_text(typed);
    // A cluster that is busy for longer than a person waits is left out: that person presses TAB again.
    let deadline = Instant::now() + Duration::from_mins(1);
    while !terminal.contents().contains(completed) {
        assert!(Instant::now() < deadline, "`{completed}` does not appear on:\n{}", terminal.contents());
        terminal.type_text("\t");
        std::thread::sleep(Duration::from_secs(1));
    }
    // Away with the line.
    terminal.type_text("\u{15}");
}

/// What is typed, and what a shell makes of it where it splits words at `=` and `:`, too.
const SPLIT: &[(&str, &str)] = &[
    ("wait --context=bui", "wait --context=build"),
    ("wait --context arn:aws:e", "wait --context arn:aws:eks:1234:cluster/prod"),
    ("wait --context=arn:aws:eks:1234:cl", "wait --context=arn:aws:eks:1234:cluster/prod"),
    ("wait --context kubernetes-admin@ku", "wait --context kubernetes-admin@kubernetes"),
    ("wait --context=kubernetes-admin@ku", "wait --context=kubernetes-admin@kubernetes"),
    ("wait --context with", "wait --context with\\ space"),
    ("status -o=js", "status -o=json"),
    ("wait --kubeconfig bin-is", "wait --kubeconfig bin-is-here"),
];

fn in_shell(user: &User<'_>, shell: &str, arguments: &[&str], prepare: &str, programs: &[&str]) {
    let mut command = Command::new(shell);
    command.args(arguments).current_dir(user.write("here", "").parent().expect("a directory")).env_clear();
    command.envs(user.command().get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PS1", "ready> ");
    let mut terminal = Terminal::run(&command);
    terminal.answer("ready>", prepare);
    terminal.answer("ready>", "echo pre''pared");
    terminal.expect("prepared");
    for program in programs {
        expect_completed(&mut terminal, &format!("{program} rota"), &format!("{program} rotate"));
        let begun = format!("{program} wait --package {}", &PACKAGE[..3]);
        expect_completed(&mut terminal, &begun, &format!("{program} wait --package {PACKAGE}"));
        expect_completed(&mut terminal, &format!("{program} status --outp"), &format!("{program} status --output"));
        let split = if program.contains(' ') { &[] } else { SPLIT };
        for (typed, completed) in split {
            expect_completed(&mut terminal, &format!("{program} {typed}"), &format!("{program} {completed}"));
        }
    }
    terminal.answer("ready>", "exit 0");
    let (_, screen) = terminal.end();
    assert!(!screen.contains("not found") && !screen.contains("rror"), "{screen}");
}

/// Adds contexts as cloud providers and people name them.
fn with_other_contexts(user: &mut User<'_>) {
    change_kubeconfig(user, |kubeconfig| {
        let build = entry(kubeconfig, "contexts", "build").clone();
        let contexts = kubeconfig["contexts"].as_array_mut().expect("contexts");
        for name in ["arn:aws:eks:1234:cluster/prod", "kubernetes-admin@kubernetes", "with space"] {
            let mut context = build.clone();
            context["name"] = json!(name);
            contexts.push(context);
        }
    });
}

fn bash_by_itself(testbed: &Testbed) {
    let mut user = User::new(testbed, "completion-bash");
    user.bootstrap().expect_code(0);
    on_path(&mut user);
    with_other_contexts(&mut user);
    let prepare = "source <(kubectl-carvelflux completion bash)";
    in_shell(&user, "/bin/bash", &["--norc", "--noprofile", "-i"], prepare, &["kubectl-carvelflux"]);
}

fn bash_through_kubectl(testbed: &Testbed) {
    let mut user = User::new(testbed, "completion-kubectl");
    user.bootstrap().expect_code(0);
    on_path(&mut user);
    user.run(&["completion", "install"]).expect_code(0);
    let prepare = format!("source {BASH_COMPLETION}; source <(kubectl completion bash)");
    in_shell(&user, "/bin/bash", &["--norc", "--noprofile", "-i"], &prepare, &["kubectl carvelflux"]);
}

fn zsh(testbed: &Testbed) {
    let mut user = User::new(testbed, "completion-zsh");
    user.bootstrap().expect_code(0);
    on_path(&mut user);
    with_other_contexts(&mut user);
    user.run(&["completion", "install"]).expect_code(0);
    let prepare = "autoload -U compinit && compinit -u -D; source <(kubectl completion zsh); source <(kubectl-carvelflux completion zsh)";
    in_shell(&user, "/usr/bin/zsh", &["-f", "-i"], prepare, &["kubectl carvelflux", "kubectl-carvelflux"]);
}
