use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::*;
use crate::cli::Cli;

/// Values of flags that nobody can guess, or that are told by an example.
const FREE: &[&str] = &[
    "AUDIENCE",
    "BOOL",
    "BRANCH",
    "COMMIT",
    "DURATION",
    "GROUP",
    "IDENTIFIERS",
    "KEY.PATH=FILE",
    "KEY.PATH=TEXT",
    "KEY.PATH=VALUE",
    "KEY=VALUE",
    "NAME",
    "PASSWORD",
    "RECIPIENT",
    "SERVICE_ACCOUNT",
    "TEXT",
    "TOKEN",
    "UID",
    "URL",
    "USER",
];

fn lookup(kind: ValueKind, line: &CommandLine) -> Vec<String> {
    match kind {
        ValueKind::Context => vec!["build".to_owned(), "prod1".to_owned()],
        ValueKind::Package => vec![format!("of-{}", line.namespace.as_deref().unwrap_or("nowhere"))],
        ValueKind::RunContext => line.run_kubeconfig.iter().map(|path| path.display().to_string()).collect(),
        ValueKind::RunCluster => vec!["prod1".to_owned(), "prod2".to_owned()],
        ValueKind::Version => vec!["2.0.0".to_owned(), format!("1.0.0-{}", line.package().unwrap_or("none"))],
        _ => Vec::new(),
    }
}

fn completed(words: &[&str]) -> String {
    as_cobra(Cli::command(), lookup, words.iter().map(OsString::from).collect(), false)
}

#[test]
fn commands_come_with_what_they_do() {
    let words = vec!["wa".into()];
    let text = as_cobra(Cli::command(), lookup, words, true);
    assert_eq!(text, "wait\tWait until deliveries have installed what the GitOps repository asks for\n:4\n");
    assert_eq!(completed(&["wa"]), "wait\n:4\n");
    assert!(completed(&[]).contains("add-cluster\n"), "no word at all is as good as an empty one");
}

#[test]
fn flags_are_offered_once_one_is_begun() {
    assert_eq!(completed(&["rotate", "--al"]), "--all\n:4\n");
    assert!(completed(&["rotate", "-"]).contains("--all\n"));
    assert!(!completed(&[""]).contains("--"), "there are commands");
    assert!(completed(&["wait", ""]).contains("--revision\n"), "there is nothing else");
    assert!(!completed(&["wait", "--"]).contains("--cache-dir"), "it is hidden");
}

#[test]
fn values_are_looked_up_with_what_the_line_says() {
    assert_eq!(completed(&["wait", "--context", ""]), "build\nprod1\n:4\n");
    assert_eq!(completed(&["wait", "--context", "p"]), "prod1\n:4\n");
    assert_eq!(completed(&["wait", "-n", "dev", "--package", ""]), "of-dev\n:4\n");
    assert_eq!(completed(&["-n", "dev", "wait", "--fail-fast", "--package", ""]), "of-dev\n:4\n");
    assert_eq!(completed(&["rotate", "--run-kubeconfig", "a/b", "--run-context", ""]), ":4\n", "it is a pair there");
    assert_eq!(completed(&["add-cluster", "--run-kubeconfig", "a/b", "--run-context", ""]), "a/b\n:4\n");
    assert_eq!(completed(&["values", "-o", ""]), "table\nyaml\njson\n:4\n");
}

#[test]
fn the_value_of_a_flag_with_an_equals_sign_stands_alone() {
    assert_eq!(completed(&["wait", "--context=p"]), "prod1\n:4\n");
    assert_eq!(completed(&["wait", "--context="]), "build\nprod1\n:4\n");
}

#[test]
fn what_is_named_is_not_offered_again() {
    assert_eq!(completed(&["rotate", "prod1", ""]), "prod2\n:4\n");
    assert_eq!(completed(&["rotate", "--run-context", "prod1=prod1", ""]), "prod1\nprod2\n:4\n");
    assert_eq!(completed(&["check", "--context", "prod1", ""]), "prod1\nprod2\n:4\n");
    assert_eq!(completed(&["wait", "-n", "dev", "--package=of-dev", "--package", ""]), ":4\n");
}

#[test]
fn versions_keep_their_order() {
    assert_eq!(completed(&["values", "hello", "--version", ""]), "2.0.0\n1.0.0-hello\n:36\n");
    let of_several = ["add-cluster", "--package", "hello", "--version-constraints", ""];
    assert_eq!(completed(&of_several), "2.0.0\n1.0.0-hello\n:36\n");
}

#[test]
fn the_shell_completes_files_and_directories() {
    assert_eq!(completed(&["add-cluster", "--values", ""]), ":0\n");
    assert_eq!(completed(&["values", "--repo-dir", ""]), ":16\n");
}

#[test]
fn presets_are_offered() {
    assert_eq!(completed(&["add-cluster", "--installer", ""]), "server\nweb\nworker\n:4\n");
}

#[test]
fn every_value_is_looked_up_or_known_to_be_free() {
    let mut cli = Cli::command();
    cli.build();
    let mut seen = BTreeSet::new();
    for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let name = value_name(arg).expect("a value has a name");
            let is_known = kind_of(arg).is_some() || paths_of(arg).is_some() || !arg.get_possible_values().is_empty();
            assert!(is_known || FREE.contains(&name), "{} {arg}: is `{name}` looked up?", command.get_name());
            seen.insert(name.to_owned());
        }
    }
    assert!(FREE.iter().all(|name| seen.contains(*name)), "an entry of FREE is not used");
}

#[test]
fn each_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = script(shell, "kubectl-carvelflux").expect("a script");
        let asks = if shell == "bash" { "__complete" } else { "CARVELFLUX_COMPLETE" };
        assert!(script.contains(asks) && script.contains("kubectl-carvelflux"), "{script}");
    }
    assert_eq!(script("cmd", "kubectl-carvelflux"), None);
}
