//! One finding of a check, with what to do below it. Pure.

use owo_colors::OwoColorize;

use crate::check::{Finding, Outcome};
use crate::error::Error;
use crate::ui::text::{escape, one_line};

/// Returns the lines of a finding.
pub(super) fn lines(finding: &Finding) -> Vec<String> {
    let name = one_line(&finding.name);
    let error = match &finding.outcome {
        Outcome::Passed(text) if text.is_empty() => return vec![format!("  {} {name}", mark(finding))],
        Outcome::Passed(text) | Outcome::Unknown(text) => {
            return vec![format!("  {} {name}: {}", mark(finding), one_line(text))];
        }
        Outcome::Warned(error) | Outcome::Failed(error) => error,
    };
    let mut lines = vec![format!("  {} {name}: {}", mark(finding), one_line(error.message()))];
    lines.extend(explanation(error));
    lines
}

/// Returns what stands before a finding.
pub(super) fn mark(finding: &Finding) -> String {
    match finding.outcome {
        Outcome::Passed(_) => "✔".green().to_string(),
        Outcome::Unknown(_) => "?".dimmed().to_string(),
        Outcome::Warned(_) => "!".yellow().to_string(),
        Outcome::Failed(_) => "✗".red().to_string(),
    }
}

/// Says why, and what to do.
pub(super) fn explanation(error: &Error) -> Vec<String> {
    let causes = error.causes().iter().map(|cause| ("Caused by:", cause));
    let texts = causes.chain(error.hints().iter().map(|hint| ("Hint:", hint)));
    let mut lines = Vec::new();
    for (label, text) in texts {
        let text = escape(text);
        let mut said = text.lines().filter(|line| !line.trim().is_empty());
        lines.extend(said.next().map(|first| format!("      {} {first}", label.bold())));
        lines.extend(said.map(|line| format!("        {line}")));
    }
    lines
}
