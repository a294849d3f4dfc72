//! The values of a delivery: what comes of flags and repository, judged by the schema of the version that will be installed.
//!
//! Nothing here repeats a value. How ytt reads and judges lives in `crate::carvel::values`.

use secrecy::{ExposeSecret, SecretString};

use super::repository::Selected;
use crate::carvel::schema::ValuesSchema;
use crate::carvel::values::validate::{Finding, Judgement, judge};
use crate::carvel::values::{Node, read, template};
use crate::check::Checks;
use crate::commands::add_cluster::package_request::ValuesRequest;
use crate::error::{Error, Result};
use crate::gitops::delivery::{ExistingSecret, RunClusterDirectory};
use crate::gitops::layout::{PackageDirectory, PackageManifest};
use crate::gitops::values::{VALUES_KEY, is_same_values_secret, values_secret_name, with_values};
use crate::invocation::PROGRAM;
use crate::shell::quoted;

/// How many findings are named.
const NAMED: usize = 20;

/// New values, as they are stored and as they are judged.
pub(super) struct NewValues {
    /// The text for the Secret.
    pub(super) text: SecretString,
    /// The documents in it, each value with the place where it was given.
    documents: Vec<Node>,
}

/// Puts the new values together: files in place of what Git holds, then single values; `None` where there are none.
pub(super) fn to_store(
    values: &ValuesRequest,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
) -> Result<Option<NewValues>> {
    match values.files.as_slice() {
        [] if values.assignments.is_empty() => return Ok(None),
        // As it was written, with its comments.
        [file] if values.assignments.is_empty() => {
            let documents = read_values(&file.text, &file.origin)?;
            return Ok(Some(NewValues { text: file.text.clone(), documents }));
        }
        _ => {}
    }
    let (mut documents, mut in_git) = (Vec::new(), None);
    if values.files.is_empty()
        && let Some(secret) = replaced_secret(values, package, directory)?
        && let Some(text) = secret.contents.get(VALUES_KEY)
    {
        if !secret.is_readable() {
            return Err(Error::usage(format!("the values in {} are encrypted", secret.file))
                .because("single values are set in what Git holds, which cannot be read")
                .hint("give a private key that can: SOPS_AGE_KEY_FILE=FILE")
                .hint("or give all values with --values"));
        }
        documents.extend(read_values(text, &origin(secret))?);
        in_git = Some(text);
    }
    for file in &values.files {
        documents.extend(read_values(&file.text, &file.origin)?);
    }
    let mut all = Node::merged(&documents);
    values.assignments.iter().try_for_each(|assignment| assignment.apply(&mut all))?;
    let text = match in_git.and_then(|text| changed_in_place(text, &all)) {
        Some(text) => text,
        None => template::yaml(&all)?.into(),
    };
    documents.push(all);
    Ok(Some(NewValues { text, documents }))
}

/// Changes a text so that ytt reads these values in it, and leaves all else as it is written; `None` where that cannot be done.
fn changed_in_place(text: &SecretString, values: &Node) -> Option<SecretString> {
    let as_json = |node: &Node| serde_json::to_value(node).ok();
    let wanted = as_json(values)?;
    let changed = with_values(text, &wanted)?;
    // The editor reads YAML as kubectl does, which differs from ytt in a few corners.
    let documents = read(changed.expose_secret(), "").ok()?;
    (as_json(&Node::merged(&documents))? == wanted).then_some(changed)
}

fn origin(secret: &ExistingSecret) -> String {
    format!("the values in {}", secret.file)
}

fn read_values(text: &SecretString, origin: &str) -> Result<Vec<Node>> {
    read(text.expose_secret(), origin).map_err(|unreadable| {
        Error::usage(format!("{} cannot be read as values", unreadable.place)).because(unreadable.reason)
    })
}

/// Finds the Secret in Git that new values take the place of.
pub(super) fn replaced_secret<'directory>(
    values: &ValuesRequest,
    package: &PackageDirectory,
    directory: &'directory RunClusterDirectory,
) -> Result<Option<&'directory ExistingSecret>> {
    let name = secret_name(values, package)?;
    Ok(directory.secrets.iter().find(|secret| is_same_values_secret(&secret.name, &name)))
}

/// Returns the name of the Secret for new values; what follows the content in it does not matter here.
pub(super) fn secret_name(values: &ValuesRequest, package: &PackageDirectory) -> Result<String> {
    match &values.secret_name {
        Some(name) => Ok(name.clone()),
        None => values_secret_name(&package.name, &SecretString::from("")),
    }
}

/// Judges what kapp-controller will give to the package: the new values with those of other Secrets.
pub(super) fn check(
    checks: &mut Checks,
    values: &ValuesRequest,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    selected: &Selected,
    new: Option<&NewValues>,
) {
    if values.secret_name.is_some() && new.is_some() {
        checks.warn(
            "name of the values Secret",
            Error::new(
                "with a fixed name for the values Secret, Flux reports success before changed values are installed",
            )
            .hint("leave --values-secret-name out for a name that changes with the values; `wait` is right with both"),
        );
    }
    let Some(version) = &selected.version else {
        let warning = "the values are not checked: which version is installed is left to kapp-controller";
        return checks.warn("values", Error::new(warning));
    };
    let manifest = package.packages.iter().find(|manifest| manifest.version == *version);
    let Some(manifest) = manifest.filter(|manifest| manifest.values_schema.is_some()) else { return };
    let schema = manifest.values_schema.as_ref().and_then(ValuesSchema::read);
    let Some(schema) = schema else {
        let warning = Error::new(format!("the schema of the values of {} {version} cannot be read", package.name))
            .because(format!("{} has something else in spec.valuesSchema.openAPIv3", manifest.file));
        return checks.warn("values", warning.hint("the values are taken as they are; kapp-controller decides"));
    };
    match documents(values, package, directory, new) {
        Err(error) => checks.fail("values", error),
        Ok((documents, unknown)) => {
            let judgement = judge(&schema, &documents);
            report(checks, package, manifest, &schema, &judgement, &unknown);
        }
    }
}

/// Reads all values in the order in which later ones win; with the names of Secrets that cannot be read here.
fn documents(
    values: &ValuesRequest,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    new: Option<&NewValues>,
) -> Result<(Vec<Node>, Vec<String>)> {
    let ours = secret_name(values, package)?;
    let mut names: Vec<&str> =
        directory.install.iter().flat_map(|install| &install.values_secrets).map(String::as_str).collect();
    if new.is_some() && !names.iter().any(|name| is_same_values_secret(name, &ours)) {
        names.push(&ours);
    }
    let (mut documents, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        if let Some(new) = new.filter(|_| is_same_values_secret(name, &ours)) {
            documents.extend(new.documents.clone());
            continue;
        }
        match directory.secrets.iter().find(|secret| secret.name == name) {
            Some(secret) if secret.is_readable() => {
                for text in secret.contents.values() {
                    documents.extend(read_values(text, &origin(secret))?);
                }
            }
            _ => unknown.push(name.to_owned()),
        }
    }
    Ok((documents, unknown))
}

/// Refuses what ytt will refuse, all at once; what cannot be told is said.
fn report(
    checks: &mut Checks,
    package: &PackageDirectory,
    manifest: &PackageManifest,
    schema: &ValuesSchema,
    judgement: &Judgement,
    unknown: &[String],
) {
    let version = &manifest.version;
    let (certain, uncertain): (Vec<&Finding>, Vec<&Finding>) = judgement
        .findings
        .iter()
        .partition(|finding| manifest.is_rendered_by_ytt && (unknown.is_empty() || !finding.may_be_mended));
    let hint = format!("see what can be set: {PROGRAM} values {} --version {}", quoted(&package.path), quoted(version));
    let listed = |error: Error, findings: &[&Finding]| {
        let error = findings.iter().take(NAMED).fold(error, Error::because);
        match findings.len().saturating_sub(NAMED) {
            0 => error,
            more => error.because(format!("and {more} more")),
        }
    };
    if !certain.is_empty() {
        let refusal = Error::usage(format!("{} {version} will not take these values", package.name));
        checks.fail("values", listed(refusal, &certain).hint(hint.clone()));
    }
    let mut doubts: Vec<&Finding> = uncertain;
    doubts.extend(&judgement.doubts);
    let mut open: Vec<String> = schema.undecided.clone();
    open.extend(unknown.iter().map(|name| format!("the values of Secret {name} cannot be read in the repository")));
    if !doubts.is_empty() || !open.is_empty() {
        let warning =
            Error::new(format!("whether {} {version} takes these values is left to kapp-controller", package.name));
        let warning = open.into_iter().take(NAMED).fold(listed(warning, &doubts), Error::because);
        checks.warn("values", warning.hint(hint));
    } else if certain.is_empty() {
        checks.pass("values", "");
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
