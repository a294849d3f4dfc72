//! The one error type of the plugin: what failed, why, and what to do next.
//!
//! How an error is printed lives in [`crate::ui`]; how a Kubernetes API error becomes a sentence in [`crate::cluster`].

use std::fmt;
use std::process::ExitCode;

use crate::refusal::Refusal;

/// What an [`Error`] is about, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something that was asked for could not be done.
    Failed,
    /// The command line, an answer or an input file is wrong; nothing was attempted.
    Usage,
    /// The deadline passed before everything was decided.
    Timeout,
    /// The user interrupted the command or declined to continue.
    Interrupted,
    /// A diff shows that something differs, which is no failure.
    Differences,
    /// Something that a diff needs could not be done.
    DiffFailed,
    /// The reader of standard output went away, which is no failure worth a message.
    BrokenPipe,
}

impl ErrorKind {
    /// Returns the kind of failures that were found together: theirs where all agree, else that something failed.
    #[must_use]
    pub fn of_all(errors: &[Error]) -> Self {
        match errors.first() {
            Some(first) if errors.iter().all(|error| error.kind == first.kind) => first.kind,
            _ => Self::Failed,
        }
    }

    /// Returns the documented exit code: 0 done, 1 failed, 2 usage, 3 timeout, 130 interrupted; of a diff 1 where
    /// something differs, and 4 failed. A closed pipe is no success either: it gives 141, as where the signal ends a program.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::BrokenPipe => 141,
            // As of `kubectl diff`: 1 says that something differs, and only more than that is an error.
            Self::Failed | Self::Differences => 1,
            Self::DiffFailed => 4,
            Self::Usage => 2,
            Self::Timeout => 3,
            Self::Interrupted => 130,
        }
    }
}

/// The name of a check; a type of its own, so that an error stays small.
#[derive(Clone, Debug)]
struct CheckName(String);

/// A failure with its causes and the next steps a user can take.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    status: Option<u16>,
    refusal: Option<Box<Refusal>>,
    is_of_front_door: bool,
    check: Option<Box<CheckName>>,
    is_reported: bool,
    parts: Vec<Self>,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of the kind [`ErrorKind::Failed`].
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Failed, message)
    }

    /// Makes an error of the kind [`ErrorKind::Usage`].
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Usage, message)
    }

    /// Makes an error of any kind.
    #[must_use]
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            status: None,
            refusal: None,
            is_of_front_door: false,
            check: None,
            is_reported: false,
            parts: Vec::new(),
        }
    }

    /// Joins failures that were found together; each keeps its own causes and hints.
    #[must_use]
    pub fn several(kind: ErrorKind, message: impl Into<String>, parts: Vec<Self>) -> Self {
        Self { parts, ..Self::of_kind(kind, message) }
    }

    /// Adds why it failed, in the words of whoever refused: a server, a tool, the operating system.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        let cause = cause.to_string();
        // Libraries often repeat the inner error in the outer one's text.
        if !cause.is_empty() && !self.message.contains(&cause) && !self.causes.contains(&cause) {
            self.causes.push(cause);
        }
        self
    }

    /// Puts this error, with its causes and hints, behind the message of another that says what failed by it.
    #[must_use]
    pub fn behind(&self, outer: Self) -> Self {
        let outer = self.causes.iter().fold(outer.because(&self.message), Self::because);
        self.hints.iter().fold(outer, Self::hint)
    }

    /// Puts what it is about before the message, where that is one of several things.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// Adds a next step, best a command to run.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Returns the error of a command whose exit code 1 says that something differs.
    #[must_use]
    pub fn of_diff(mut self) -> Self {
        if self.kind == ErrorKind::Failed {
            self.kind = ErrorKind::DiffFailed;
        }
        self
    }

    /// Marks an error as part of a result that has been written already.
    #[must_use]
    pub fn reported(mut self) -> Self {
        self.is_reported = true;
        self
    }

    /// Tells whether a result that says the same has been written already.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// Records the HTTP status with which a server refused, or what comes to the same: 401 for credentials.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Returns the HTTP status with which a server refused; `None` where none answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Records which check found it.
    #[must_use]
    pub(crate) fn found_by(mut self, check: &str) -> Self {
        self.check = Some(Box::new(CheckName(check.to_owned())));
        self
    }

    /// Returns the name of the check that found it; `None` where none did.
    #[must_use]
    pub(crate) fn check(&self) -> Option<&str> {
        self.check.as_ref().map(|check| check.0.as_str())
    }

    /// Records what an API server's refusal means.
    #[must_use]
    pub(crate) fn refused(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(Box::new(refusal));
        self
    }

    /// Returns what an API server's refusal means, where one refused and that is known.
    #[must_use]
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// Marks that no Kubernetes API server answered, but something before it, such as a login page.
    #[must_use]
    pub fn of_front_door(mut self) -> Self {
        self.is_of_front_door = true;
        self
    }

    /// Tells whether something before the API server answered in its place.
    #[must_use]
    pub fn is_of_front_door(&self) -> bool {
        self.is_of_front_door
    }

    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the sentence that says what failed.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns why it failed, outermost first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Returns what to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Returns the failures that were found together, where it joins several.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        &self.parts
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        for cause in &self.causes {
            write!(formatter, ": {cause}")?;
        }
        for (number, part) in self.parts.iter().enumerate() {
            write!(formatter, "{} {part}", if number == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<ErrorKind> for ExitCode {
    fn from(kind: ErrorKind) -> Self {
        Self::from(kind.exit_code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_repeats_the_message_is_left_out() {
        let error = Error::new("cannot read a.yaml: not found").because("not found").because("disk").because("disk");
        assert_eq!(error.causes(), ["disk"]);
    }

    #[test]
    fn failures_that_agree_keep_their_kind() {
        let errors = |kinds: &[ErrorKind]| kinds.iter().map(|kind| Error::of_kind(*kind, "it")).collect::<Vec<_>>();
        for kind in [ErrorKind::Timeout, ErrorKind::Usage, ErrorKind::Failed] {
            assert_eq!(ErrorKind::of_all(&errors(&[kind, kind])), kind);
        }
        assert_eq!(ErrorKind::of_all(&errors(&[ErrorKind::Timeout, ErrorKind::Usage])), ErrorKind::Failed);
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let kinds =
            [ErrorKind::BrokenPipe, ErrorKind::Failed, ErrorKind::Usage, ErrorKind::Timeout, ErrorKind::Interrupted];
        assert_eq!(kinds.map(ErrorKind::exit_code), [141, 1, 2, 3, 130]);
        assert_eq!(ErrorKind::Differences.exit_code(), 1);
        for kind in kinds {
            assert!(Error::of_kind(kind, "it").of_diff().kind().exit_code() > 1, "more than 1 is an error of a diff");
        }
    }
}
