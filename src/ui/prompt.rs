//! Questions on the terminal. Every one has a flag; without a terminal the missing flags are named, all at once.
//!
//! What is asked lives in [`crate::conversation`], what keys do in [`field`]; here the screen is drawn and the keys are read.

mod field;

use std::path::{Path, PathBuf};

use console::{Key, Term};
use secrecy::SecretString;

use self::field::{Field, Pressed};
use super::Ui;
use super::terminal::Quiet;
use super::text::one_line;
use crate::conversation::{Answer, Form, Question, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::waiting;

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

/// Asks a question, and again with the reason as long as its check refuses the answer.
pub async fn ask(question: Question) -> Result<Reply> {
    quietly(question.form == Form::Hidden, move || {
        let mut screen = Screen::new();
        screen.say(&heading(&question))?;
        loop {
            let reply = screen.read(question.form.clone())?;
            let Pressed::Done(answer) = reply else { return Ok(Reply::Back) };
            match question.check(&answer) {
                Ok(()) if question.form == Form::Hidden => return Ok(Reply::Answer(Answer::Secret(answer.into()))),
                Ok(()) => return Ok(Reply::Answer(Answer::Text(answer))),
                Err(error) => screen.say(&format!("{}\n{question}", reason(&error)))?,
            }
        }
    })
    .await
}

/// Asks a question that stands alone, where going back leads to itself.
pub async fn answer(question: Question) -> Result<Answer> {
    loop {
        if let Reply::Answer(answer) = ask(question.clone()).await? {
            return Ok(answer);
        }
    }
}

/// Asks for a text that stands alone, or for one of several.
pub async fn text(question: Question) -> Result<String> {
    loop {
        if let Answer::Text(text) = answer(question.clone()).await? {
            return Ok(text);
        }
    }
}

/// Asks for a text that is not shown.
pub async fn password(what: impl Into<String>) -> Result<SecretString> {
    let question = Question::hidden(what, "--git-password-file");
    loop {
        if let Answer::Secret(secret) = answer(question.clone()).await? {
            return Ok(secret);
        }
    }
}

/// Says why an answer is wrong, with all that helps to find a better one.
pub fn reason(error: &Error) -> String {
    let hints = error.hints().iter().map(|hint| format!("\n  {}", one_line(hint)));
    std::iter::once(format!("! {}", one_line(&error.to_string()))).chain(hints).collect()
}

/// Asks a question; anything but yes is no.
pub async fn agree(question: &'static str) -> Result<bool> {
    let ask = move || {
        let mut screen = Screen::new();
        screen.say(&format!("{question} (y/N)"))?;
        let reply = screen.read(Form::Text { default: Some("n".to_owned()) })?;
        Ok(matches!(reply, Pressed::Done(answer) if ["y", "yes"].contains(&answer.to_lowercase().as_str())))
    };
    quietly(false, ask).await
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

/// Has questions answered on a thread of its own, which a signal leaves behind. The terminal is as before in the end.
async fn quietly<T: Send + 'static>(
    is_hidden: bool,
    ask: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let _quiet = Quiet::begin(is_hidden);
    let interrupted = || Error::of_kind(ErrorKind::Interrupted, "interrupted; nothing was changed");
    let answered = tokio::select! {
        biased;
        () = waiting::interrupted() => return Err(interrupted()),
        answered = tokio::task::spawn_blocking(ask) => answered,
    };
    match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => Err(interrupted()),
        Ok(Err(error)) => Err(unable().because(error)),
        Err(error) => Err(unable().because(error)),
    }
}

fn unable() -> Error {
    Error::usage("cannot ask on this terminal").hint("give the answers as flags")
}

/// Says what is asked, which flag answers it, and what an empty line stands for.
fn heading(question: &Question) -> String {
    match &question.form {
        Form::Text { default: Some(default) } if !default.is_empty() => format!("{question} [{}]", one_line(default)),
        _ => question.to_string(),
    }
}

/// The terminal while a question is open.
struct Screen {
    terminal: Term,
    /// The lines of the field below the one with the cursor.
    below: usize,
}

impl Screen {
    fn new() -> Self {
        Self { terminal: Term::buffered_stderr(), below: 0 }
    }

    /// Prints what stays on the screen.
    fn say(&self, text: &str) -> std::io::Result<()> {
        text.lines().try_for_each(|line| self.terminal.write_line(line))?;
        self.terminal.flush()
    }

    /// Has a field filled in; in the end, the answer is in its place.
    fn read(&mut self, form: Form) -> std::io::Result<Pressed> {
        if console::is_dumb() {
            return self.read_line(form);
        }
        let is_hidden = form == Form::Hidden;
        let mut field = Field::new(form);
        loop {
            self.draw(&field)?;
            let pressed = field.press(&self.terminal.read_key()?);
            if pressed == Pressed::Open {
                continue;
            }
            self.terminal.clear_line()?;
            self.terminal.clear_to_end_of_screen()?;
            let shown = match &pressed {
                Pressed::Done(_) if is_hidden => "[hidden]".to_owned(),
                Pressed::Done(answer) => one_line(answer),
                Pressed::Open | Pressed::Back => "(back)".to_owned(),
            };
            self.say(&format!("> {shown}"))?;
            return Ok(pressed);
        }
    }

    /// Has a line typed, where the terminal can do nothing else: a list is shown once, and chosen from by typing. Esc goes back.
    fn read_line(&self, form: Form) -> std::io::Result<Pressed> {
        let is_hidden = form == Form::Hidden;
        let mut field = Field::new(form);
        field.all().iter().try_for_each(|row| self.say(row))?;
        self.terminal.write_str("> ")?;
        self.terminal.flush()?;
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if is_hidden {
            self.say("[hidden]")?;
        }
        for character in line.trim_end_matches(['\r', '\n']).chars() {
            let key = if character == '\u{1b}' { Key::Escape } else { Key::Char(character) };
            if field.press(&key) == Pressed::Back {
                return Ok(Pressed::Back);
            }
        }
        Ok(field.press(&Key::Enter))
    }

    /// Draws the field in the place of itself, and leaves the cursor in its first line.
    fn draw(&mut self, field: &Field) -> std::io::Result<()> {
        let (lines, columns) = self.terminal.size();
        let shown = field.show(columns.into(), lines.into());
        self.terminal.clear_line()?;
        self.terminal.clear_to_end_of_screen()?;
        self.terminal.write_str(&shown.lines.join("\n"))?;
        self.below = shown.lines.len() - 1;
        self.terminal.move_cursor_up(self.below)?;
        self.terminal.write_str("\r")?;
        self.terminal.move_cursor_right(shown.cursor)?;
        self.terminal.flush()
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
