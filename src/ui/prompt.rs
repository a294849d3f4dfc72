//! Questions on the terminal. Every one has a flag; without a terminal the missing flags are named, all at once.

use std::fmt;
use std::path::Path;

use console::{Key, Term};
use dialoguer::theme::Theme;
use dialoguer::{Confirm, Input, Select};
use secrecy::SecretString;

use super::Ui;
use super::text::one_line;
use crate::error::{Error, ErrorKind, Result};

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

/// Asks for a text.
pub fn text(question: &str, default: Option<&str>) -> Result<String> {
    let mut input = Input::<String>::with_theme(&Plain).with_prompt(question);
    if let Some(default) = default {
        input = input.default(default.to_owned());
    }
    finish(input.interact_text())
}

/// Asks for a text that may be left out.
pub fn optional_text(question: &str) -> Result<Option<String>> {
    let answer = finish(Input::<String>::with_theme(&Plain).with_prompt(question).allow_empty(true).interact_text())?;
    Ok(Some(answer).filter(|answer| !answer.trim().is_empty()))
}

/// Asks for a text that is not shown.
///
/// Reads key by key: dialoguer's own password prompt reads a line, and Ctrl-C would only be seen after Enter.
pub fn password(question: &str) -> Result<SecretString> {
    let terminal = Term::stderr();
    let read = || -> std::io::Result<String> {
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
        Ok(typed)
    };
    finish(read().map_err(dialoguer::Error::IO)).map(SecretString::from)
}

/// Asks for one of several; a free text where there is nothing to choose from.
pub fn choice(question: &str, choices: &[String]) -> Result<String> {
    if choices.is_empty() {
        return text(question, None);
    }
    let shown = choices.iter().map(|choice| one_line(choice));
    let chosen = finish(Select::with_theme(&Plain).with_prompt(question).items(shown).default(0).interact())?;
    Ok(choices[chosen].clone())
}

/// Asks whether to go on; anything but yes is no.
pub fn confirm() -> Result<()> {
    let question = "Do you want to continue?";
    let confirmed =
        finish(Confirm::with_theme(&Plain).with_prompt(question).default(false).wait_for_newline(true).interact())?;
    if confirmed {
        Ok(())
    } else {
        Err(Error::of_kind(ErrorKind::Interrupted, "nothing was changed").hint("answer y, or give --yes, to continue"))
    }
}

/// Reads a secret of one line from a file, or from standard input for `-`.
pub async fn secret_file(path: &Path, what: &str) -> Result<SecretString> {
    let read = if path == Path::new("-") { standard_input().await } else { std::fs::read_to_string(path) };
    let text =
        read.map_err(|error| Error::usage(format!("cannot read {what} from {}", path.display())).because(error))?;
    single_line(&text, &format!("{what} in {}", path.display()))
}

/// Reads standard input to its end, on a thread of its own: nobody may ever write to it, and Ctrl-C must be heard meanwhile.
pub async fn standard_input() -> std::io::Result<String> {
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await.map_err(std::io::Error::other)?
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

fn finish<T>(answer: dialoguer::Result<T>) -> Result<T> {
    answer.map_err(|error| {
        // dialoguer leaves the cursor hidden on Ctrl-C (console-rs/dialoguer#77).
        let _ = Term::stderr().show_cursor();
        let dialoguer::Error::IO(error) = error;
        if error.kind() == std::io::ErrorKind::Interrupted {
            Error::of_kind(ErrorKind::Interrupted, "interrupted; nothing was changed")
        } else {
            Error::usage("cannot ask on this terminal").because(error).hint("give the answers as flags")
        }
    })
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
