//! How the texts of flags are read.

use std::time::Duration;

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

/// Reads a commit: at least seven characters of its hash; a revision as Flux writes it, `main@sha1:<hash>`, will do.
pub(super) fn parse_commit(text: &str) -> Result<String, String> {
    let commit = text.rsplit_once(':').map_or(text, |(_, commit)| commit).to_lowercase();
    if commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(commit)
    } else {
        Err("expected a commit, such as the output of git rev-parse HEAD".to_owned())
    }
}

/// Reads a run cluster and the context to reach it through.
pub(super) fn parse_run_context(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, context)) if !name.is_empty() && !context.is_empty() => Ok((name.to_owned(), context.to_owned())),
        _ => Err("expected RUN_CLUSTER=CONTEXT, such as prod1=admin@prod1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
