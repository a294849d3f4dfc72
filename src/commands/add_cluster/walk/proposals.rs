//! What is proposed for a run cluster's name and for version constraints. Pure.

use super::topics::Topic;
use crate::carvel::selection::{Prereleases, SelectionError, VersionRequest, select};
use crate::carvel::version::Version;
use crate::conversation::{Choice, Question};
use crate::error::Error;

/// How many single versions are offered.
const LISTED: usize = 10;

/// Makes a short name of a context's: what comes last in it, such as in `admin@prod-1` and in an ARN.
pub(super) fn short_name(context: &str) -> String {
    let last = context.rsplit(['/', '@', ':', '_']).next().unwrap_or(context).to_lowercase();
    let letters = last.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    letters.collect::<String>().trim_matches('-').to_owned()
}

/// Selects a version, of releases alone.
pub(super) fn selected(versions: &[Version], constraints: &str) -> Result<Version, SelectionError> {
    select(versions, &VersionRequest { constraints: constraints.to_owned(), prereleases: None::<Prereleases> })
}

/// Asks which versions to select from, each choice with the one that would be selected now; `None` where there is none.
pub(super) fn versions(versions: Vec<Version>, in_git: Option<&str>) -> Option<Question> {
    let choices = choices(&versions, in_git);
    if choices.is_empty() {
        return None;
    }
    let check = move |constraints: &str| match selected(&versions, constraints) {
        Ok(_) | Err(SelectionError::Undecided { .. }) => Ok(()),
        Err(error) => Err(Error::usage("no version can be selected").because(error)),
    };
    let question = Question::one_of("Versions to select from", Topic::VersionConstraints.flag(), choices);
    Some(question.or_another().checked(check))
}

/// Lists constraints from the widest to single versions: those that Git holds first, and only such as select something.
fn choices(versions: &[Version], in_git: Option<&str>) -> Vec<Choice> {
    let mut sorted = versions.to_vec();
    sorted.sort();
    let every = ">=0.0.0".to_owned();
    let within_major = selected(versions, &every).ok().and_then(|highest| {
        let text = highest.to_string();
        let release = text.split('+').next()?;
        let major: u64 = release.split('.').next()?.parse().ok()?;
        Some(format!(">={release} <{}.0.0", major.checked_add(1)?))
    });
    let single = sorted.iter().rev().take(LISTED).map(ToString::to_string);
    let all = in_git.map(str::to_owned).into_iter().chain([every]).chain(within_major).chain(single);
    let mut choices: Vec<Choice> = Vec::new();
    for constraints in all {
        if choices.iter().any(|choice| choice.value == constraints) {
            continue;
        }
        if let Ok(version) = selected(versions, &constraints) {
            let version = version.to_string();
            let note = if version == constraints { "only this one".to_owned() } else { format!("now {version}") };
            choices.push(Choice::new(constraints, note));
        }
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_what_comes_last_in_a_context() {
        for (context, name) in [
            ("prod1", "prod1"),
            ("admin@Prod-1", "prod-1"),
            ("arn:aws:eks:eu-1:1:cluster/prod.eu", "prod-eu"),
            ("gke_project_zone_prod1", "prod1"),
            ("", ""),
        ] {
            assert_eq!(short_name(context), name);
        }
    }

    #[test]
    fn each_choice_says_what_it_selects_now() {
        let versions: Vec<Version> = ["1.0.0", "1.2.0+build.1", "2.0.0-rc.1"]
            .iter()
            .map(|version| version.parse().expect("a version"))
            .collect();
        let shown = |in_git| {
            let lines =
                choices(&versions, in_git).into_iter().map(|choice| format!("{}: {}", choice.value, choice.note));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(
            shown(Some("<1.1.0")),
            [
                "<1.1.0: now 1.0.0",
                ">=0.0.0: now 1.2.0+build.1",
                ">=1.2.0 <2.0.0: now 1.2.0+build.1",
                "2.0.0-rc.1: only this one",
                "1.2.0+build.1: only this one",
                "1.0.0: only this one"
            ]
        );
        assert_eq!(shown(Some(">=0.0.0")).len(), 5, "nothing is offered twice");
        assert!(choices(&[], None).is_empty());
    }
}
