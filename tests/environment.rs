//! The real binary with variables that stand for flags: what counts before what. No cluster is needed to see it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};

/// Runs the plugin without a terminal, with nothing in its environment but these variables, and returns exit code and words.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let kubeconfig = directory.path().join("config");
    let text = "{apiVersion: v1, kind: Config, current-context: of-the-file, contexts: [], clusters: [], users: []}";
    std::fs::write(&kubeconfig, text).expect("a kubeconfig");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-carvelflux"));
    command.args(arguments).env_clear().env("KUBECONFIG", kubeconfig).env("HOME", directory.path());
    let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().expect("the plugin runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).expect("UTF-8"))
}

/// Asserts what the plugin says.
fn assert_says(arguments: &[&str], variables: &[(&str, &str)], (code, words): (i32, &str)) {
    let (ended, said) = run(arguments, variables);
    assert!(ended == code && said.contains(words), "{arguments:?} with {variables:?} ends with {ended}:\n{said}");
}

#[test]
fn a_flag_counts_before_its_variable_and_that_before_the_kubeconfig() {
    let variable = ("CARVELFLUX_CONTEXT", "of-the-variable");
    assert_says(&["status"], &[], (2, "`of-the-file`"));
    assert_says(&["status"], &[variable], (2, "`of-the-variable`"));
    assert_says(&["status", "--context", "of-the-flag"], &[variable], (2, "`of-the-flag`"));
    assert_says(&["--context", "of-the-flag", "status"], &[variable], (2, "`of-the-flag`"));
    assert_says(&["status"], &[("CARVELFLUX_CONTEXT", "")], (2, "`of-the-file`"));
}

#[test]
fn what_a_variable_says_is_not_missing() {
    let all = "PACKAGE, --git-url, --branch, --yes";
    assert_says(&["bootstrap"], &[], (2, all));
    assert_says(&["bootstrap"], &[("CARVELFLUX_GIT_URL", ""), ("CARVELFLUX_TIMEOUT", "")], (2, all));
    let variables = [("CARVELFLUX_GIT_URL", "https://git.example"), ("CARVELFLUX_BRANCH", "main")];
    assert_says(&["bootstrap"], &variables, (2, "(no terminal to prompt): PACKAGE, --yes"));
}

#[test]
fn a_value_that_cannot_be_used_names_the_variable() {
    let variable = [("CARVELFLUX_TIMEOUT", "soon")];
    let named =
        "invalid value 'soon' for 'CARVELFLUX_TIMEOUT, which stands for --timeout <DURATION>': expected a duration";
    assert_says(&["wait"], &variable, (2, named));
    // The flag's own is the flag's fault, and the variable does not count.
    assert_says(&["wait", "--timeout", "later"], &variable, (2, "invalid value 'later' for '--timeout <DURATION>'"));
    assert_says(&["wait", "--timeout", "soon"], &variable, (2, "invalid value 'soon' for '--timeout <DURATION>'"));
    assert_says(&["wait", "--timeout", "1m"], &variable, (2, "`of-the-file`"));
    let output = [("CARVELFLUX_OUTPUT", "yaml")];
    assert_says(
        &["wait"],
        &output,
        (2, "invalid value 'yaml' for 'CARVELFLUX_OUTPUT, which stands for --output <FORMAT>'"),
    );
    assert_says(&["status"], &output, (2, "`of-the-file`"));
}

#[test]
fn a_format_that_all_commands_know_is_taken_by_all() {
    for format in ["text", "json"] {
        for command in ["status", "wait", "check", "rotate", "version"] {
            let (_, said) = run(&[command], &[("CARVELFLUX_OUTPUT", format)]);
            assert!(!said.contains("invalid value"), "{command} does not take {format}: {said}");
        }
    }
    let bad = [("CARVELFLUX_OUTPUT", "json"), ("CARVELFLUX_TIMEOUT", "soon")];
    assert_says(&["wait"], &bad, (2, r#""reason":"usage","exitCode":2"#));
}

#[test]
fn help_names_the_variables_and_shows_no_value() {
    let (code, help) = run(&["bootstrap", "--help"], &[("CARVELFLUX_NAMESPACE", "not-to-be-seen")]);
    assert_eq!(code, 0, "{help}");
    assert!(help.contains("[env: CARVELFLUX_NAMESPACE]") && !help.contains("not-to-be-seen"), "{help}");
}
