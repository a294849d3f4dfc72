//! The question whether values are encrypted in Git. Pure.

use super::topics::{AGE, PLAIN, Topic};
use crate::commands::age_keys::KEY_SECRET;
use crate::conversation::{Choice, Question};
use crate::gitops::sops::RULES_FILE;

/// For whom the values would be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipients {
    /// For so many that the rules of the repository name.
    OfRules(usize),
    /// For keys of other types than age that the rules of the repository name, by the user's own `sops`.
    OfSops,
    /// For the key that Flux has; the rules are made.
    OfFlux,
    /// For a key that is made, as the rules are.
    New,
}

/// Asks whether to encrypt; `is_usual` says that it is proposed: there is a secret among the values, or the repository has rules.
pub(super) fn question(recipients: Recipients, is_usual: bool) -> Question {
    let age = match recipients {
        Recipients::OfRules(1) => format!("for the key that {RULES_FILE} names"),
        Recipients::OfRules(count) => format!("for the {count} keys that {RULES_FILE} names"),
        Recipients::OfSops => format!("by your own sops, for the keys that {RULES_FILE} names"),
        Recipients::OfFlux => format!("for the key that Flux has, and a {RULES_FILE} that names it"),
        Recipients::New => format!("for a new key: Secret {KEY_SECRET}, and a {RULES_FILE} that names it"),
    };
    let mut choices = vec![Choice::new(AGE, age), Choice::new(PLAIN, "none of them is secret")];
    if !is_usual {
        choices.reverse();
    }
    Question::one_of("Encrypt the values in Git", Topic::Encryption.flag(), choices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Form;

    #[test]
    fn what_is_usual_comes_first_and_each_choice_says_what_comes_of_it() {
        let shown = |recipients, is_usual| match question(recipients, is_usual).form {
            Form::OneOf { choices, .. } => {
                choices.into_iter().map(|choice| format!("{}: {}", choice.value, choice.note)).collect()
            }
            _ => Vec::new(),
        };
        assert_eq!(
            shown(Recipients::OfRules(2), true),
            ["age: for the 2 keys that .sops.yaml names", "plain: none of them is secret"]
        );
        assert_eq!(
            shown(Recipients::New, false),
            ["plain: none of them is secret", "age: for a new key: Secret sops-age, and a .sops.yaml that names it"]
        );
    }
}
