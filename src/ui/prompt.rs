//! Questions on the terminal. Every one has a flag; without a terminal the missing flags are named, all at once.

use std::fmt;
use std::path::{Path, PathBuf};

use console::{Key, Term};
use dialoguer::theme::Theme;
use dialoguer::{Confirm, Input, Select};
use secrecy::SecretString;

use super::Ui;
use super::terminal::Quiet;
use super::text::one_line;
use crate::error::{Error, ErrorKind, Result};
use crate::waiting;

/// What is asked, and the flag that answers it.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// What is asked, without a question mark.
    pub what: &'static str,
    /// The flag or argument that answers it.
    pub flag: &'static str,
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.what, self.flag)
    }
}

/// Refuses to go on without a terminal when answers are missing: `(flag, is given)`.
pub fn require(ui: Ui, answers: &[(&str, bool)]) -> Result<()> {
    if ui.is_interactive {
        return Ok(());
    }
    let missing: Vec<&str> = answers.iter().filter(|(_, is_given)| !is_given).map(|(flag, _)| *flag).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let noun = if missing.len() == 1 { "argument" } else { "arguments" };
    Err(Error::usage(format!("missing required {noun} (no terminal to prompt): {}", missing.join(", ")))
        .hint("give them as arguments, or run the command in a terminal"))
}

/// Asks for a text, and again with the reason as long as the check refuses it.
pub async fn text(
    question: Question,
    default: Option<&str>,
    check: impl Fn(&str) -> Result<()> + Send + 'static,
) -> Result<String> {
    let default = default.map(str::to_owned);
    answer(move || {
        let mut input = Input::<String>::with_theme(&Plain).with_prompt(question.to_string());
        if let Some(default) = default {
            input = input.default(default);
        }
        let check = |answer: &String| check(answer).map_err(|error| error.to_string());
        input.validate_with(check).interact_text()
    })
    .await
}

/// Asks for a text that may be left out.
pub async fn optional_text(question: Question) -> Result<Option<String>> {
    let ask =
        move || Input::<String>::with_theme(&Plain).with_prompt(question.to_string()).allow_empty(true).interact_text();
    let answer = answer(ask).await?;
    Ok(Some(answer).filter(|answer| !answer.trim().is_empty()))
}

/// Asks for a text that is not shown.
///
/// Reads key by key: dialoguer's own password prompt reads a line, and Ctrl-C would only be seen after Enter.
pub async fn password(question: String) -> Result<SecretString> {
    let read = move || -> std::io::Result<SecretString> {
        let terminal = Term::stderr();
        let mut typed = String::new();
        terminal.write_str(&format!("{question}: "))?;
        loop {
            match terminal.read_key()? {
                Key::Enter => break,
                Key::Backspace => drop(typed.pop()),
                Key::Char(character) if !character.is_control() => typed.push(character),
                _ => {}
            }
        }
        terminal.write_line("[hidden]")?;
        Ok(typed.into())
    };
    answer(move || read().map_err(dialoguer::Error::IO)).await
}

/// Asks for one of several; a free text where there is nothing to choose from.
pub async fn choice(question: Question, choices: &[String]) -> Result<String> {
    if choices.is_empty() {
        return text(question, None, |_| Ok(())).await;
    }
    let shown: Vec<String> = choices.iter().map(|choice| one_line(choice)).collect();
    let ask = move || Select::with_theme(&Plain).with_prompt(question.to_string()).items(shown).default(0).interact();
    let chosen = answer(ask).await?;
    Ok(choices[chosen].clone())
}

/// Asks a question; anything but yes is no.
pub async fn agree(question: &'static str) -> Result<bool> {
    let ask =
        move || Confirm::with_theme(&Plain).with_prompt(question).default(false).wait_for_newline(true).interact();
    answer(ask).await
}

/// Asks whether to go on.
pub async fn confirm() -> Result<()> {
    if agree("Do you want to continue?").await? {
        Ok(())
    } else {
        Err(Error::of_kind(ErrorKind::Interrupted, "nothing was changed").hint("answer y, or give --yes, to continue"))
    }
}

/// Reads a secret of one line from a file, or from standard input for `-`.
pub async fn secret_file(path: &Path, what: &str) -> Result<SecretString> {
    let text = file(path)
        .await
        .map_err(|error| Error::usage(format!("cannot read {what} from {}", path.display())).because(error))?;
    single_line(&text, &format!("{what} in {}", path.display()))
}

/// Reads a file to its end, or standard input for `-`, on a thread of its own: it may be a pipe to which nobody ever writes, and
/// signals must be heard meanwhile.
pub async fn file(path: &Path) -> std::io::Result<String> {
    let path = PathBuf::from(path);
    let read = move || {
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) }
    };
    tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
}

/// Takes a secret that must be one line: line breaks at its end do not count, any other would break the protocols it is
/// used in.
pub fn single_line(text: &str, what: &str) -> Result<SecretString> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Error::usage(format!("{what} is empty")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::usage(format!("{what} holds a line break or another control character"))
            .hint("is it the right file? Only the password or access token may be in it"));
    }
    Ok(SecretString::from(text))
}

/// Has a question answered on a thread of its own, which a signal leaves behind. The terminal is as before in the end.
async fn answer<T: Send + 'static>(ask: impl FnOnce() -> dialoguer::Result<T> + Send + 'static) -> Result<T> {
    let _quiet = Quiet::begin();
    let interrupted = || Error::of_kind(ErrorKind::Interrupted, "interrupted; nothing was changed");
    let answered = tokio::select! {
        biased;
        () = waiting::interrupted() => return Err(interrupted()),
        answered = tokio::task::spawn_blocking(ask) => answered,
    };
    match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(dialoguer::Error::IO(error))) if error.kind() == std::io::ErrorKind::Interrupted => Err(interrupted()),
        Ok(Err(error)) => Err(unable().because(error)),
        Err(error) => Err(unable().because(error)),
    }
}

fn unable() -> Error {
    Error::usage("cannot ask on this terminal").hint("give the answers as flags")
}

/// Asks in a line of text, as kubectl does.
struct Plain;

impl Theme for Plain {
    fn format_confirm_prompt(&self, to: &mut dyn fmt::Write, prompt: &str, _default: Option<bool>) -> fmt::Result {
        write!(to, "{prompt} (y/N) ")
    }

    fn format_select_prompt_item(&self, to: &mut dyn fmt::Write, text: &str, active: bool) -> fmt::Result {
        write!(to, "{} {text}", if active { ">" } else { " " })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;
    use crate::ui::{Format, Verbosity};

    #[test]
    fn without_a_terminal_missing_answers_are_named_together() {
        let ui = Ui {
            is_interactive: false,
            has_screen: false,
            has_colors: false,
            format: Format::Text,
            verbosity: Verbosity::Normal,
        };
        let answers = [("RUN_CLUSTER", false), ("--package", true), ("--target-namespace", false)];
        assert_printed("missing_answers", &require(ui, &answers).expect_err("two are missing"));
        require(ui, &answers[1..2]).expect("nothing is missing");
        require(Ui { is_interactive: true, ..ui }, &answers).expect("they can be asked for");
    }
}
