//! The command that does the same without questions: what was typed, with the answers as flags.

use crate::cluster::Connection;
use crate::shell;
use crate::ui::Ui;

/// Flags whose values may be secret: credentials, and values of the package, which Git holds by then.
const SECRET: [(&str, bool); 4] = [("--token", true), ("--password", true), ("--set", true), ("--set-string", true)];

/// Flags of `add-cluster` about what the files of a delivery hold: once these are in Git, they say it, and all of it. Without
/// `--set`, the files of `--values` would say something else.
pub(super) const OF_FILES: [(&str, bool); 13] = [
    ("--values", true),
    ("--set", true),
    ("--set-string", true),
    ("--set-file", true),
    ("--values-secret-name", true),
    ("--encrypt", true),
    ("--age-recipient", true),
    ("--generate-age-key", false),
    ("--allow-plain-values", false),
    ("--version-constraints", true),
    ("--prereleases", false),
    ("--downgradable", false),
    ("--sync-period", true),
];

/// Flags about how a commit is made and pushed.
pub(super) const OF_COMMITS: [(&str, bool); 3] =
    [("--push-branch", true), ("--repo-dir", true), ("--commit-message", true)];

/// Returns the arguments of this process.
pub(super) fn words() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Returns the arguments of another command about a package that begins where this one has ended.
pub(super) fn words_of(command: &str, package: &str, connection: &Connection, namespace: Option<&str>) -> Vec<String> {
    let kubeconfig = connection.kubeconfig.as_ref().map(|path| path.display().to_string());
    let flags = [
        ("--package", Some(package.to_owned())),
        ("--kubeconfig", kubeconfig),
        ("--context", connection.context.clone()),
        ("--namespace", namespace.map(str::to_owned)),
    ];
    let flags = flags.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
    std::iter::once(command.to_owned()).chain(flags.flatten()).collect()
}

/// Writes the command that goes on where this one has ended: what was typed, without secrets and without these flags, each of
/// which comes with whether a value follows it.
pub(super) fn without(words: &[String], flags: &[(&str, bool)]) -> String {
    shell::command(&shell::without(words.iter().cloned(), &[&SECRET, flags].concat()))
}

/// Tells the command, where something was asked.
pub(super) fn tell(ui: Ui, words: &[String], answers: &[(&'static str, String)]) {
    if answers.is_empty() {
        return;
    }
    let has_login = answers.iter().any(|(flag, _)| *flag == "--git-username");
    let note = if has_login { ", with the password in GIT_PASSWORD or --git-password-file" } else { "" };
    let answers: Vec<(&str, &str)> = answers.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
    ui.status(&format!("The same without questions{note}:\n{}", command(words, &answers)));
}

/// Writes the command for a shell, without secrets: `words` are those after the program's name, `answers` the flags that were
/// asked for, each with its value; an argument is written in capitals, a flag without a value has none.
fn command(words: &[String], answers: &[(&str, &str)]) -> String {
    let mut all = shell::without(words.iter().cloned(), &SECRET);
    for (flag, value) in answers {
        if flag.starts_with("--") {
            all.push((*flag).to_owned());
        }
        if !value.is_empty() {
            all.push((*value).to_owned());
        }
    }
    if !all.iter().any(|word| word == "--yes" || word == "-y") {
        all.push("--yes".to_owned());
    }
    shell::command(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str, answers: &[(&str, &str)]) -> String {
        command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), answers)
    }

    #[test]
    fn what_was_answered_becomes_flags() {
        assert_eq!(
            of("bootstrap -n dev", &[("PACKAGE", "a.b"), ("--context", "it's mine"), ("--create-namespace", "")]),
            r"kubectl carvelflux bootstrap -n dev a.b --context 'it'\''s mine' --create-namespace --yes"
        );
        assert_eq!(of("bootstrap -y", &[]), "kubectl carvelflux bootstrap -y");
    }

    #[test]
    fn secrets_are_left_out() {
        let line =
            "add-cluster --token=not-a-token --password not-a-password --set a.b=c --set-string=d=e --set-file f=g";
        assert_eq!(of(line, &[]), "kubectl carvelflux add-cluster --set-file f=g --yes");
        let words: Vec<String> = format!("{line} --no-push").split(' ').map(str::to_owned).collect();
        assert_eq!(without(&words, &[("--no-push", false)]), "kubectl carvelflux add-cluster --set-file f=g");
        // Names of files and of Secrets are none.
        let named = "bootstrap --git-token-file f --git-secret s --git-client-key-file=k --yes";
        assert_eq!(of(named, &[]), format!("kubectl carvelflux {named}"));
    }

    #[test]
    fn what_git_holds_is_left_out() {
        let line =
            "add-cluster prod1 --values values.yaml --prereleases=rc --downgradable --encrypt age --run-context c";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(without(&words, &OF_FILES), "kubectl carvelflux add-cluster prod1 --run-context c");
    }
}
