//! The krew manifest, made from `.krew.yaml`: the template that krew-release-bot renders for the public index, too.
//!
//! Of the template's language, this knows what the file uses, which is all that the bot's own functions need: `{{ .TagName }}` and
//! `{{addURIAndSha "URL" .TagName }}` (krew-release-bot v0.0.51, `pkg/source/template.go`).

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The template's file in the repository.
pub const TEMPLATE: &str = ".krew.yaml";

/// The name that krew wants the manifest to have.
pub const FILE_NAME: &str = "carvelflux.yaml";

const TAG_NAME: &str = "{{ .TagName }}";
const CALL: (&str, &str) = ("{{addURIAndSha \"", "\" .TagName }}");
const PLATFORM: &str = "  - selector:\n";

/// What a manifest is made for.
#[derive(Debug, Default)]
pub struct Release<'a> {
    /// The tag, such as `v0.1.0`.
    pub tag: &'a str,
    /// The digest of each archive, by the archive's file name.
    pub digests: BTreeMap<String, String>,
    /// Where the archives are, if not where the template says.
    pub base_url: Option<&'a str>,
}

/// Renders the template for the platforms whose archives there are.
pub fn render(template: &str, release: &Release<'_>) -> Result<String> {
    let mut parts = template.split(PLATFORM);
    let mut manifest = parts.next().unwrap_or_default().replace(TAG_NAME, release.tag);
    for part in parts {
        let (before, url, after) = call(part)?;
        let name = file_name(url);
        let Some(digest) = release.digests.get(name) else { continue };
        let url = match release.base_url {
            Some(base) => format!("{}/{name}", base.trim_end_matches('/')),
            None => url.replace(TAG_NAME, release.tag),
        };
        manifest.extend([PLATFORM, before, "uri: ", &url, "\n    sha256: ", digest, after]);
    }
    if !manifest.contains(PLATFORM) {
        let names: Vec<&str> = release.digests.keys().map(String::as_str).collect();
        return Err(Error::Failed(format!("{TEMPLATE}: no platform has an archive among {names:?}")));
    }
    Ok(manifest)
}

/// Returns the file names of the archives of all platforms.
pub fn archives(template: &str) -> Result<Vec<String>> {
    template.split(PLATFORM).skip(1).map(|part| Ok(file_name(call(part)?.1).to_owned())).collect()
}

/// Splits a platform's part at its archive's URL.
fn call(part: &str) -> Result<(&str, &str, &str)> {
    let found = part.split_once(CALL.0).and_then(|(before, rest)| {
        let (url, after) = rest.split_once(CALL.1)?;
        Some((before, url, after))
    });
    found.ok_or_else(|| Error::Failed(format!("{TEMPLATE}: a platform has no {}URL{}", CALL.0, CALL.1)))
}

fn file_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../.krew.yaml");

    #[test]
    fn a_platform_without_an_archive_is_left_out() {
        let archives = archives(OURS).unwrap();
        assert_eq!(archives.len(), 5, "{archives:?}");
        let digests = BTreeMap::from([(archives[1].clone(), "fake-digest".to_owned())]);
        let base_url = Some("http://127.0.0.1:1/");
        let one = render(OURS, &Release { tag: "v1.2.3", digests, base_url }).unwrap();
        assert!(one.contains("  version: v1.2.3\n"), "{one}");
        assert_eq!(one.matches("selector").count(), 1, "{one}");
        let place = format!("    uri: http://127.0.0.1:1/{}\n    sha256: fake-digest\n", archives[1]);
        assert!(one.contains(&place), "{one}");
    }

    #[test]
    fn nothing_of_the_template_is_left_in_a_whole_release() {
        let digests = archives(OURS).unwrap().into_iter().map(|name| (name, "fake-digest".to_owned())).collect();
        let all = render(OURS, &Release { tag: "v1.2.3", digests, base_url: None }).unwrap();
        assert!(!all.contains("{{"), "{all}");
        assert_eq!(all.matches("/releases/download/v1.2.3/").count(), 5, "{all}");
    }
}
