//! The examples of the README and of `--help`, run as a user would, and what the plugin calls itself where Flux runs it.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;
use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User};
use crate::transcript::{self, Names};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("examples::what_documents_and_help_show_works", examples),
    ("examples::flux_is_answered_in_its_own_name", of_flux),
];

/// The commands in the order in which a user needs them.
const COMMANDS: [&str; 9] =
    ["bootstrap", "add-cluster", "check", "wait", "status", "values", "version", "rotate", "remove-cluster"];

/// Returns the commands of a text that are run with the plugin, each on one line.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("kubectl carvelflux "));
    lines
        .map(|line| line.split(" > ").next().and_then(|line| line.split(" #").next()).unwrap_or_default())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Returns the examples that a command's `--help` shows.
fn of_help(user: &User<'_>, command: &str) -> Vec<String> {
    let help = user.run(&[command, "--help"]).expect_code(0).stdout;
    commands(help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("no examples in {help}")))
}

/// Returns the examples of the README's chapter about the use, the transcript left out.
fn of_readme() -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let chapter = readme.split("\n## Use\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the chapter");
    let blocks = chapter.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(commands).collect()
}

/// One delivery to two run clusters serves everything that documents show, and is taken away as they say.
fn examples(testbed: &Testbed) {
    let user = User::new(testbed, "examples");
    let names = Names::of(&user);
    let transcript = transcript::run(&user, &names);
    let of_readme = of_readme();
    assert!(of_readme.len() > 4, "{of_readme:?}");
    for example in of_readme {
        run(&user, &names, &example);
    }
    let mut count = 0;
    for command in COMMANDS {
        for example in of_help(&user, command) {
            // The only one that never ends.
            if !example.contains("--watch") {
                run(&user, &names, &example);
                count += 1;
            }
        }
    }
    assert!(count > 15, "only {count} examples of help were run");
    let gone = user.get("prod1", user.workspace.target_namespace(), "packageinstall", PACKAGE);
    assert_eq!(gone, Value::Null, "the last example removes it");
    assert_versions(&user);
    transcript::assert_is_in_readme(&transcript);
}

/// Runs an example; what would be asked is confirmed.
fn run(user: &User<'_>, names: &Names, example: &str) {
    let head = user.workspace.repository().head().expect("Git");
    let example = example.replace("$(git rev-parse HEAD)", &head).replace("status -A", "status -n dev");
    let mut arguments = names.arguments(&example);
    let asks = ["bootstrap", "add-cluster", "rotate", "remove-cluster"].contains(&arguments[0].as_str());
    if asks && !example.contains("--dry-run") {
        arguments.push("--yes".to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    user.run(&arguments).expect_code(0);
}

fn of_flux(testbed: &Testbed) {
    let user = User::new(testbed, "of-flux");
    let program = user.write("plugins-are-here", "").with_file_name("flux-carvelflux");
    symlink(env!("CARGO_BIN_EXE_kubectl-carvelflux"), &program).expect("a link");
    let environment: BTreeMap<_, _> =
        user.command().get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let run = |arguments: &[&str]| {
        let output = Command::new(&program).args(arguments).env_clear().envs(&environment).output().expect("it runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("kubectl carvelflux"), "Flux's user is told of kubectl:\n{text}");
        text
    };
    assert!(run(&["--help"]).contains("Usage: flux carvelflux"));
    for command in COMMANDS.iter().chain(&["completion"]) {
        let help = run(&[command, "--help"]);
        assert!(help.contains(&format!("Usage: flux carvelflux {command}")), "{help}");
        assert!(help.contains(&format!("  flux carvelflux {command}")), "the examples are not Flux's: {help}");
    }
    assert!(run(&["wait"]).contains("flux carvelflux add-cluster"));
    assert!(run(&["values", PACKAGE]).contains("flux carvelflux values"));
    assert!(run(&["wait", "--no-such-flag", "-o", "json"]).contains("flux carvelflux --help"));
    assert!(run(&["rotate", "prod9", "--yes"]).contains("prod9"));
    assert!(run(&["completion", "install"]).contains("Flux asks the plugin itself"));
    assert!(run(&["__complete", "sta"]).starts_with("status\t"));
}

/// With one run cluster, `prod2`, which cannot be reached in the end.
fn assert_versions(user: &User<'_>) {
    let plain = user.run(&["version"]).expect_code(0);
    assert_eq!(plain.stdout, format!("kubectl-carvelflux {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(plain.stdout, user.run(&["--version"]).expect_code(0).stdout);

    let read = |output: &str| -> Value { serde_json::from_str(output).expect("JSON") };
    let local = read(&user.run(&["version", "-o", "json"]).expect_code(0).stdout);
    assert_eq!(local["version"], env!("CARGO_PKG_VERSION"));
    assert!(local["target"].as_str().is_some_and(|target| target.contains("linux")), "{local}");
    assert_eq!(local.get("clusters"), None);

    let with_clusters = user.run(&["version", "--clusters", "-o", "yaml"]).expect_code(0).stdout;
    let document: Value = serde_yaml::from_str(&with_clusters).expect("YAML");
    let [build, run] = [&document["clusters"][0], &document["clusters"][1]];
    let server: Value = read(&user.testbed.kubectl("build", &["version", "-o", "json"]).expect("kubectl"));
    assert_eq!(build["kubernetes"], server["serverVersion"]["gitVersion"]);
    assert!(build["apis"]["Kustomization"].as_array().expect("versions").contains(&"v1".into()), "{document:#}");
    assert_eq!(run["runCluster"], "prod2");
    assert_eq!(run["apis"]["PackageInstall"], serde_json::json!(["v1alpha1"]));

    let data = r#"{"stringData": {"value.yaml": "{apiVersion: v1, kind: Config}"}}"#;
    user.build(&["patch", "secret", "prod2-kubeconfig", "--type=merge", "-p", data]);
    let output = user.run(&["version", "--clusters"]).expect_code(1);
    output.says("the build cluster (context `build`): Kubernetes v").says("the run cluster `prod2`:");
}
