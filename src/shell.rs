//! Commands that a user is told to run. Pure.

/// Quotes a word for a POSIX shell where it needs that.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
