//! Terminals of all kinds: small ones, one whose size changes, without colours, one that can do nothing but lines; the editor; and
//! through the real kubectl. Nothing is written before somebody says yes.

use std::os::unix::fs::symlink;

use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("terminals::one_without_colours_and_one_that_can_only_write_lines", plain_ones),
    ("terminals::a_size_that_changes_in_the_middle_of_a_list", resized),
    ("terminals::an_editor_that_is_interrupted_or_saves_what_is_wrong", editors),
    ("terminals::a_failing_check_leads_back_to_its_answer", led_back),
    ("terminals::what_bootstrap_finds_leads_back_to_its_answer", bootstrap_led_back),
    ("terminals::the_namespace_that_has_deliveries_is_asked_for", namespaces),
];

fn plain_ones(testbed: &Testbed) {
    let mut user = User::new(testbed, "plain");
    let before = user.state();
    let url = user.workspace.repository().url().to_owned();
    let arguments = ["bootstrap", PACKAGE, "--git-url", &url];

    user.set("NO_COLOR", "1");
    let mut terminal = Terminal::start_on(&user, &arguments, (24, 80));
    terminal.answer("  > main", "");
    terminal.expect("Do you want to continue? (y/N)");
    terminal.interrupt();
    let raw = terminal.raw();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(raw.contains("\u{1b}["), "the cursor moves");
    assert!(!has_styles(&raw), "there are colours: {raw:?}");

    // A text, a list, a wrong answer to it, what is hidden, and yes or no, all in lines.
    user.set("TERM", "dumb");
    let username = user.workspace.repository().username();
    let password = user.workspace.repository().password();
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    let mut terminal = Terminal::start_on(&user, &["bootstrap", PACKAGE], (24, 80));
    terminal.answer("URL of the GitOps repository (--git-url)", "not a URL");
    terminal.expect("! ");
    terminal.answer("> not a URL", &url);
    terminal.answer("(--git-username)", &username);
    terminal.answer("(--git-password-file)", &password);
    terminal.answer("  main", "no-branch");
    terminal.answer("`no-branch` is not one of them", "main");
    terminal.answer("Do you want to continue? (y/N)", "n");
    let raw = terminal.raw_at_end();
    assert!(!raw.contains('\u{1b}'), "it cannot do that: {raw:?}");
    assert!(raw.contains("nothing was changed") && !raw.contains(&password), "{raw}");
    assert_eq!(before, user.state());
}

/// Tells whether text is coloured or bold: a control sequence that ends in `m`.
fn has_styles(raw: &str) -> bool {
    let mut sequences = raw.split("\u{1b}[").skip(1);
    sequences.any(|rest| rest.trim_start_matches(|part: char| part.is_ascii_digit() || part == ';').starts_with('m'))
}

fn resized(testbed: &Testbed) {
    let mut user = User::new(testbed, "resized");
    let directory = user.write("bin-is-here", "").with_file_name("bin");
    std::fs::create_dir(&directory).expect("a directory");
    symlink(env!("CARGO_BIN_EXE_kubectl-carvelflux"), directory.join("kubectl-carvelflux")).expect("a link");
    user.set("PATH", &format!("{}:/usr/bin:/bin", directory.display()));
    let before = user.state();
    // Through kubectl, which hands the terminal over.
    let mut kubectl = std::process::Command::new(testbed.tools().kubectl());
    let prepared = user.command();
    kubectl.env_clear().envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    kubectl.current_dir(prepared.get_current_dir().expect("a directory")).args(["carvelflux", "bootstrap"]);
    let mut terminal = Terminal::run(&kubectl);
    terminal.expect("Context of the build cluster (--context)");
    terminal.expect("  > build");
    for (size, key, marked) in [((24, 40), "\u{1b}[B", "  > prod1"), ((10, 24), "\u{1b}[A", "  > build")] {
        terminal.resize(size);
        terminal.type_text(key);
        terminal.expect(marked);
    }
    terminal.type_text("\r");
    terminal.expect("> build");
    terminal.expect("(--namespace)");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(!screen.contains("  > prod1"), "what was drawn for another size is still there:\n{screen}");
    assert_eq!(before, user.state());
}

/// Starts the walk-through of `add-cluster`, and answers up to the question about values.
fn up_to_values(user: &User<'_>, target_namespace: &str) -> Terminal {
    let mut terminal = Terminal::start_on(user, &["add-cluster"], (150, 200));
    terminal.answer("Context of the build cluster (--context)", "");
    terminal.answer("Namespace on the build cluster (--namespace)", "");
    terminal.answer(&format!("  > {PACKAGE}"), "");
    terminal.answer("Context of the run cluster (--run-context)", "prod1");
    terminal.answer("RUN_CLUSTER) [prod1]", "");
    terminal.answer("(--target-namespace)", target_namespace);
    terminal.answer("Versions to select from (--version-constraints)", "");
    terminal.expect("Values of the package (--values)");
    terminal
}

fn editors(testbed: &Testbed) {
    let mut user = User::new(testbed, "editors");
    user.bootstrap().expect_code(0);
    let before = user.state();
    let target = user.workspace.target_namespace().to_owned();
    user.set("EDITOR", "echo the editor runs >&2; sleep 300 #");
    let mut terminal = up_to_values(&user, &target);
    terminal.answer("Values of the package (--values)", "edit");
    terminal.expect("the editor runs");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");

    // What is wrong stands at the top of the text, and the next time it is right.
    let script = "if grep -q '^# ! values.yaml line 1: replicas' \"$1\"; then echo 'workload_name: hello-app' > \"$1\"; \
                  else echo 'replicas: many' > \"$1\"; fi\n";
    let script = user.write("editor.sh", script);
    user.set("EDITOR", &format!("sh {}", script.display()));
    let mut terminal = up_to_values(&user, &target);
    terminal.answer("Values of the package (--values)", "edit");
    terminal.answer("Encrypt the values in Git (--encrypt)", "plain");
    terminal.answer("How Flux authenticates on the run cluster (--auth)", "");
    terminal.answer("Do you want to continue? (y/N)", "n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert_eq!(before, user.state());
    assert!(user.temporary_files().is_empty(), "{:?} stay", user.temporary_files());
}

fn led_back(testbed: &Testbed) {
    let user = User::new(testbed, "led-back");
    user.bootstrap().expect_code(0);
    let before = user.state();
    // Nobody but administrators may deliver there.
    let mut terminal = up_to_values(&user, "default");
    terminal.answer("Values of the package (--values)", "ask");
    terminal.answer("workload_name: Workload name, string (--set)", "hello-app");
    terminal.answer("Encrypt the values in Git (--encrypt)", "plain");
    terminal.answer("How Flux authenticates on the run cluster (--auth)", "");
    // Only that one is asked again; all other answers are kept, the value among them.
    terminal.expect_times("(--target-namespace)", 2);
    terminal.type_text(&format!("{}\r", user.workspace.target_namespace()));
    terminal.expect("params.yaml");
    terminal.answer("Do you want to continue? (y/N)", "n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert_eq!(screen.matches("(--run-context)").count(), 1, "{screen}");
    assert_eq!(before, user.state());
}

fn bootstrap_led_back(testbed: &Testbed) {
    let user = User::new(testbed, "led-back-early");
    let before = user.state();
    let mut terminal = Terminal::start_on(&user, &["bootstrap"], (150, 200));
    terminal.answer("Context of the build cluster (--context)", "");
    // Nobody but administrators may write there.
    terminal.answer("Namespace on the build cluster (--namespace)", "default");
    terminal.answer("URL of the GitOps repository (--git-url)", user.workspace.repository().url());
    terminal.answer("  > main", "");
    terminal.answer(&format!("  > {PACKAGE}"), "");
    terminal.expect_times("Namespace on the build cluster (--namespace)", 2);
    terminal.type_text(&format!("{}\r", user.workspace.build_namespace()));
    terminal.answer("Do you want to continue? (y/N)", "n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    for question in ["(--git-url)", "(--branch)", "(PACKAGE)"] {
        assert_eq!(screen.matches(question).count(), 1, "{question} is asked once:\n{screen}");
    }
    assert_eq!(before, user.state());
}

fn namespaces(testbed: &Testbed) {
    let mut user = User::new(testbed, "somewhere");
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0);
    // Who may list all namespaces, and whose own has no deliveries.
    user.set("KUBECONFIG", &testbed.kubeconfig().display().to_string());
    let namespace = user.workspace.build_namespace().to_owned();
    let mut terminal = Terminal::start(&user, &["status", "--context", "build"]);
    terminal.answer("Namespace on the build cluster (--namespace)", &namespace);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("1 delivery, all ready"), "{screen}");
}
