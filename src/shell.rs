//! Commands that a user is told to run. Pure.

use crate::invocation::PROGRAM;

/// Quotes a word for a POSIX shell where it needs that.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Writes a command line of the plugin; `arguments` are those after its name.
#[must_use]
pub fn command(arguments: &[String]) -> String {
    let words: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    format!("{PROGRAM} {}", words.join(" "))
}

/// Returns arguments without some flags; each of these comes with whether a value follows it.
#[must_use]
pub fn without(arguments: impl IntoIterator<Item = String>, flags: &[(&str, bool)]) -> Vec<String> {
    let mut words = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
        match flags.iter().find(|(flag, _)| *flag == name) {
            Some((flag, true)) if *flag == argument => drop(arguments.next()),
            Some(_) => {}
            None => words.push(argument),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_loses_flags_with_their_values() {
        let command = |line: &str| {
            let words = line.split('|').map(str::to_owned);
            command(&without(words, &[("--no-push", false), ("--branch", true)]))
        };
        assert_eq!(
            command("add-cluster|prod1|--no-push|--set|a=b c|--branch|x|--yes|--branch=x"),
            "kubectl carvelflux add-cluster prod1 --set 'a=b c' --yes"
        );
        assert_eq!(command("--no-pushing|--set|--branch2"), "kubectl carvelflux --no-pushing --set --branch2");
    }

    #[test]
    fn only_what_a_shell_would_act_on_is_quoted() {
        for plain in ["prod1", "admin@prod-1", "arn:aws:eks:eu-1:1:cluster/x", "a=b"] {
            assert_eq!(quoted(plain), plain);
        }
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("my context"), "'my context'");
        assert_eq!(quoted(">=1.0 <2"), "'>=1.0 <2'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
