//! How the texts of flags are read, and what the values of the crate's own types are called in flags.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use secrecy::SecretString;

use crate::flux::{GitProvider, Provider};
use crate::gitops::checkout::KeyType;
use crate::identities::Preset;
use crate::ui::Format;
use crate::{labels, names};

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for Preset {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for Provider {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for GitProvider {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for KeyType {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Reads a duration such as `90s` or `1h30m`, or whole seconds, as kubectl's flags do.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "expected a duration such as 90s, 10m or 1h30m".to_owned())
}

/// Reads how long a token is to live: ten minutes at least (kubernetes `pkg/apis/authentication/validation/validation.go`).
pub(super) fn parse_token_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < Duration::from_mins(10) {
        return Err("no API server grants a token for less than 10m".to_owned());
    }
    Ok(duration)
}

/// Reads how often kapp-controller is to look: every 30 seconds at most (kapp-controller v0.53.1 `pkg/app/reconcile_timer.go`).
pub(super) fn parse_sync_period(text: &str) -> Result<String, String> {
    if parse_duration(text)? < Duration::from_secs(30) {
        return Err("kapp-controller looks every 30s at most".to_owned());
    }
    let text = text.trim();
    Ok(if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() })
}

/// Reads a commit: at least seven characters of its hash; a revision as Flux writes it, `main@sha1:<hash>`, will do.
pub(super) fn parse_commit(text: &str) -> Result<String, String> {
    let commit = text.rsplit_once(':').map_or(text, |(_, commit)| commit).to_lowercase();
    if commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(commit)
    } else {
        Err("expected a commit, such as the output of git rev-parse HEAD".to_owned())
    }
}

/// Reads the name of a branch (`git check-ref-format`).
pub(super) fn parse_branch(text: &str) -> Result<String, String> {
    let is_bad = |character: char| character.is_control() || " ~^:?*[\\".contains(character);
    let is_component = |part: &str| {
        let ends_badly = matches!(part.rsplit_once('.'), Some((_, "" | "lock")));
        !part.is_empty() && !part.starts_with('.') && !ends_badly
    };
    let has_bad_parts =
        text.starts_with('-') || text.contains("..") || text.contains("@{") || matches!(text, "@" | "HEAD");
    if has_bad_parts || text.contains(is_bad) || !text.split('/').all(is_component) {
        return Err("expected the name of a branch, such as deliver-hello-app".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads an extra field of a user.
pub(super) fn parse_extra(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as scopes=development".to_owned()),
    }
}

/// Reads a secret, which no message shows.
#[expect(clippy::unnecessary_wraps, reason = "clap's parsers return results")]
pub(super) fn parse_secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

/// Reads a run cluster and the context to reach it through.
pub(super) fn parse_run_context(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, context)) if !name.is_empty() && !context.is_empty() => Ok((name.to_owned(), context.to_owned())),
        _ => Err("expected RUN_CLUSTER=CONTEXT, such as prod1=admin@prod1".to_owned()),
    }
}

/// Reads a label, by the API server's rules (k8s.io/apimachinery `pkg/util/validation`).
pub(super) fn parse_label(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err("expected KEY=VALUE, such as sharding.fluxcd.io/key=shard1".to_owned());
    };
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_label_text(name) || name.is_empty() || prefix.is_some_and(|prefix| !names::is_subdomain(prefix)) {
        return Err(format!("`{key}` cannot be the key of a label"));
    }
    if !is_label_text(value) {
        return Err(format!("`{value}` cannot be the value of a label"));
    }
    if key == labels::MANAGED_BY {
        return Err(format!("{key} is set by this plugin"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Tells whether a text may be the value of a label.
fn is_label_text(text: &str) -> bool {
    let inner = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let edge = |character: Option<char>| character.is_none_or(|character| character.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_have_the_names_that_git_accepts() {
        for good in ["main", "ops/deliver-hello.1", "a@b", "ä"] {
            assert_eq!(parse_branch(good).as_deref(), Ok(good));
        }
        for bad in
            ["", "-x", "a b", "a..b", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a.", "@", "a@{b", "HEAD", "a:b"]
        {
            assert!(parse_branch(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_are_read_as_the_api_server_takes_them() {
        let read = |text| parse_label(text).ok();
        let shard = ("sharding.fluxcd.io/key".to_owned(), "shard1".to_owned());
        assert_eq!(read("sharding.fluxcd.io/key=shard1"), Some(shard));
        assert_eq!(read("team="), Some(("team".to_owned(), String::new())));
        for bad in ["team", "=x", "a b=c", "UP.io/a=b", "a=b=c", "a=-b", "app.kubernetes.io/managed-by=me"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs_f64()).ok();
        assert_eq!(seconds("90s"), Some(90.0));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("30"), Some(30.0));
        for bad in ["", "m", "-5s", "s5", "99999999999999999999h"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
