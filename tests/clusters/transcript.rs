//! What a person sees on a terminal from nothing to an application on two run clusters, as the README shows it.

use std::path::PathBuf;

use regex_lite::{Captures, Regex};

use crate::support::{PACKAGE, User, VALUES};
use crate::terminal::Terminal;

/// What stands before and behind the transcript in the README.
const BEGIN: &str =
    "<!-- transcript: `INSTA_UPDATE=always cargo test --test clusters examples::` makes it anew -->\n```console\n";
const END: &str = "```\n<!-- end of transcript -->\n";

/// What the commits of a run are called, in their order.
const COMMITS: [&str; 4] = ["6bde3c0e", "bcedd4a3", "28db6c19", "f04e7a52"];

/// The names that documents use, and what they stand for here.
pub(crate) struct Names {
    pairs: Vec<(String, String)>,
}

impl Names {
    pub(crate) fn of(user: &User<'_>) -> Self {
        let (workspace, repository) = (&user.workspace, user.workspace.repository());
        let mut pairs = vec![
            ("https://git.example.com/platform/gitops.git".to_owned(), repository.url().to_owned()),
            ("me".to_owned(), repository.username()),
            ("apps".to_owned(), workspace.target_namespace().to_owned()),
            ("dev".to_owned(), workspace.build_namespace().to_owned()),
        ];
        for cluster in ["build", "prod1", "prod2"] {
            pairs.push((format!("https://{cluster}.example.com:6443"), user.server_of(cluster)));
        }
        Self { pairs }
    }

    /// Returns the arguments of a command that a document shows.
    pub(crate) fn arguments(&self, shown: &str) -> Vec<String> {
        let words = shlex::split(&shown.replace("\\\n", " ")).unwrap_or_else(|| panic!("a shell cannot read {shown}"));
        words.iter().map(|word| self.real(word)).collect()
    }

    fn real(&self, word: &str) -> String {
        let pair = self.pairs.iter().find(|(shown, _)| shown == word);
        pair.map_or_else(|| word.to_owned(), |(_, real)| real.clone())
    }

    /// Writes what was printed with the names of the documents.
    fn shown(&self, printed: &str) -> String {
        self.pairs.iter().fold(printed.to_owned(), |text, (shown, real)| text.replace(real, shown))
    }
}

/// Runs the commands of the README's transcript on a terminal, and returns it.
pub(crate) fn run(user: &User<'_>, names: &Names) -> String {
    let deliver = |run_cluster: &str, flags: &str| {
        format!(
            "add-cluster {run_cluster} -n dev --run-context {run_cluster} --target-namespace apps \\\n    \
             --package {PACKAGE} --values values.yaml{flags}"
        )
    };
    let commands = [
        format!(
            "bootstrap {PACKAGE} -n dev \\\n    \
             --git-url https://git.example.com/platform/gitops.git --branch main"
        ),
        deliver("prod1", ""),
        deliver("prod2", " --yes --quiet"),
        "wait -n dev".to_owned(),
        "status -n dev".to_owned(),
    ];
    let values = VALUES.trim_end();
    let mut transcript = format!("$ export GIT_USERNAME=me GIT_PASSWORD=…\n$ cat values.yaml\n{values}\n");
    for command in commands {
        let arguments = names.arguments(&command);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // So wide that nothing is wrapped: real names are longer than those shown.
        let mut terminal = Terminal::start_on(user, &arguments, (80, 250));
        if ["bootstrap", "add-cluster"].contains(&arguments[0]) && !arguments.contains(&"--yes") {
            terminal.answer("Do you want to continue? (y/N)", "y");
        }
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{command}:\n{screen}");
        transcript.extend(["\n$ kubectl carvelflux ", &command, "\n"]);
        for line in screen.trim_matches('\n').lines().filter(|line| !depends_on_load(line)) {
            transcript.push_str(names.shown(line).trim_end());
            transcript.push('\n');
        }
    }
    of_any_run(&transcript)
}

/// Recognises what is said only where something takes long: a duration first, or that Flux is busy.
fn depends_on_load(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_duration = first.ends_with('s') && first.starts_with(|character: char| character.is_ascii_digit());
    is_duration || (line.starts_with("Warning: ") && !line.contains("in plain text"))
}

/// Replaces what is another with each run: commits, in the order in which they appear, and ages.
fn of_any_run(transcript: &str) -> String {
    let commit = Regex::new("(main@sha1:|pushed )([0-9a-f]{8})").expect("an expression");
    let mut seen: Vec<String> = Vec::new();
    let transcript = commit.replace_all(transcript, |found: &Captures<'_>| {
        let position = seen.iter().position(|commit| *commit == found[2]).unwrap_or(seen.len());
        if position == seen.len() {
            seen.push(found[2].to_owned());
        }
        format!("{}{}", &found[1], COMMITS[position])
    });
    let age = Regex::new("reconciled [0-9]+[sm] ago").expect("an expression");
    age.replace_all(&transcript, "reconciled 5s ago").into_owned()
}

/// Compares a transcript with that of the README.
pub(crate) fn assert_is_in_readme(transcript: &str) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = std::fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a transcript");
    let (kept, after) = rest.split_once(END).expect("the transcript ends");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, [before, BEGIN, transcript, END, after].concat()).expect("the README can be written");
        return;
    }
    assert_eq!(kept, transcript, "the README shows another transcript: INSTA_UPDATE=always writes this one");
}
