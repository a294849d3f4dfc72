//! Variables of the environment that stand for flags: what is repeated in many commands, and never a secret. A flag counts before
//! its variable, a variable before the kubeconfig and the defaults.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgMatches, Command};

/// Reads a command line, with the variables that stand for flags which it does not have. A variable without a value is none; a
/// value that its flag would not take is refused by the name of the variable.
pub(super) fn matches(command: fn() -> Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let is_set = |name: &OsStr| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let parsed = with_variables(command(), is_set).try_get_matches_from(words);
    parsed.map_err(|mut error| {
        let Some(argument) = invalid_argument(&error) else { return error };
        let is_of_flag = |name: &str| {
            let without = with_variables(command(), |other| other != name).try_get_matches_from(words);
            without.err().and_then(|error| invalid_argument(&error)).as_ref() == Some(&argument)
        };
        let mut built = command();
        built.build();
        let variable = variable_of(&built, &argument).filter(|name| is_set(name.as_ref()) && !is_of_flag(name));
        if let Some(variable) = variable {
            let named = format!("{variable}, which stands for {argument}");
            error.insert(ContextKind::InvalidArg, ContextValue::String(named));
        }
        error
    })
}

/// Returns the flag with the value that cannot be used, as errors name it.
fn invalid_argument(error: &clap::Error) -> Option<String> {
    match (error.get(ContextKind::InvalidValue), error.get(ContextKind::InvalidArg)) {
        (Some(_), Some(ContextValue::String(argument))) => Some(argument.clone()),
        _ => None,
    }
}

/// Keeps the variables that count.
fn with_variables(command: Command, counts: impl Fn(&OsStr) -> bool + Copy) -> Command {
    let keep = |argument: Arg| match argument.get_env() {
        Some(name) if !counts(name) => argument.env(None::<&str>),
        _ => argument,
    };
    command.mut_args(keep).mut_subcommands(|subcommand| with_variables(subcommand, counts))
}

/// Returns the variable that stands for a flag, which is the same for all commands.
fn variable_of(command: &Command, argument: &str) -> Option<String> {
    let own = command.get_arguments().filter(|known| known.to_string() == argument);
    let own = own.filter_map(|known| Some(known.get_env()?.to_string_lossy().into_owned()));
    own.chain(command.get_subcommands().filter_map(|subcommand| variable_of(subcommand, argument))).next()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use crate::cli::Cli;

    /// The documents name what there is, and only what hides its value in help.
    #[test]
    fn each_variable_is_called_like_its_flag_and_documented() {
        let command = Cli::command();
        let all = command.get_subcommands().chain([&command]).flat_map(clap::Command::get_arguments);
        let mut names = BTreeSet::new();
        for argument in all {
            let Some(name) = argument.get_env().and_then(|name| name.to_str()) else { continue };
            assert!(argument.is_hide_env_values_set(), "--help would show the value of {name}");
            if let Some(flag) = name.strip_prefix("CARVELFLUX_") {
                assert_eq!(argument.get_long(), Some(flag.to_lowercase().replace('_', "-").as_str()));
                names.insert(name.to_owned());
            }
        }
        let document = include_str!("../../docs/environment.md");
        let documented = document.split('`').filter(|word| word.starts_with("CARVELFLUX_")).map(str::to_owned);
        assert_eq!(names, documented.collect());
    }
}
