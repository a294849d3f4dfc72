//! A kubeconfig made fit for Flux: its current context only, with the content of files instead of their names. Pure.

use std::io;

use secrecy::SecretString;

use super::Disk;
use super::base64;
use super::document::{Document, Entry, FILE_FIELDS, label};
use super::effective::error_of;
use super::finding::{Report, Severity};
use super::lint::{FluxBehaviour, examine_document};
use super::node::Node;
use crate::error::{Error, Result};

/// Replaces file references by what the files hold, and keeps nothing but what the current context needs.
///
/// Where a field has both, the data counts, as client-go says in its own error. A kubeconfig that relies on something
/// Flux drops, such as an exec plugin, is refused instead of silently losing it. `read_file` gets the paths as they are
/// written; kubectl takes relative ones from the kubeconfig's directory.
pub fn inline_files(text: &str, read_file: impl Fn(&str) -> io::Result<Vec<u8>>) -> Result<SecretString> {
    let mut findings = Vec::new();
    let document = Document::read(text, &mut Report::new("kubeconfig", &mut findings))
        .ok_or_else(|| error_of(&findings, Severity::Refused))?;
    let reduced = document.reduced(|list, entry| with_content(list, entry, &read_file))?;
    let mut findings = Vec::new();
    let mut report = Report::new("kubeconfig", &mut findings);
    let effective =
        examine_document(&reduced, FluxBehaviour::RefusesFiles, &|_| Err(io::ErrorKind::NotFound.into()), &mut report);
    if findings.iter().any(|finding| finding.severity != Severity::Warning) {
        return Err(error_of(&findings, Severity::Dropped));
    }
    let name_of = |list| reduced.entries(list).next().map_or_else(String::new, |entry| entry.name.to_owned());
    Ok(effective.document(&name_of("clusters"), &name_of("users")).to_string().into())
}

/// Copies the fields of an entry with the content of the files they name.
fn with_content(list: &str, entry: &Entry<'_>, read_file: Disk<'_>) -> Result<Node> {
    let mut fields = entry.fields.clone();
    for (_, file, inline) in FILE_FIELDS.into_iter().filter(|(each, ..)| *each == list) {
        let path = entry.fields.text(file);
        if path.is_empty() {
            continue;
        }
        fields.remove(file);
        if !entry.fields.text(inline).is_empty() {
            continue;
        }
        let failed = || Error::usage(format!("cannot take in what {} names as {file}", label(list, entry.name)));
        let content = read_file(path)
            .map_err(|error| failed().because(error).hint(format!("write the content into {inline}")))?;
        let content = if inline == "token" {
            // Tokens are written with a line break at the end as often as without.
            String::from_utf8(content).map_err(|_| failed().because("the file is not text"))?.trim().to_owned()
        } else {
            base64::encode(&content)
        };
        fields.put(inline, Node::Text(content));
    }
    Ok(fields)
}
