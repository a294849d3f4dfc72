//! How a plan looks before it is confirmed. Pure, and without any secret: objects are named, their content is not.

use super::executor::Headings;
use super::preview::Preview;
use super::steps::{Await, AwaitedDeletion, Change, Place, Plan, Request, Step};
use crate::gitops::tree::FileChange;
use crate::object::ObjectReference;

/// Something that a step changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where, as headings name it.
    pub(crate) place: String,
    pub(crate) sign: Sign,
    /// The object or the file.
    pub(crate) name: String,
    /// What of it changes, or why; may be empty.
    pub(crate) details: Vec<String>,
}

/// What becomes of an object or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Create,
    Update,
    Delete,
    /// A file that is written, whether there is one or not.
    Write,
}

impl Sign {
    fn of(change: &Change) -> Self {
        if *change == Change::Create { Self::Create } else { Self::Update }
    }

    fn character(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
            Self::Write => '±',
        }
    }

    /// Returns the word for it, as programs read it.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Write => "write",
        }
    }
}

impl Entry {
    fn line(&self) -> String {
        let details: Vec<String> = self.details.iter().map(|detail| format!(" ({detail})")).collect();
        format!("{} {}{}", self.sign.character(), self.name, details.concat())
    }
}

/// Returns what a plan changes, in its order.
#[must_use]
pub(crate) fn entries(plan: &Plan, preview: &Preview, headings: &Headings) -> Vec<Entry> {
    let changing = preview.steps(plan).filter(|(step, change)| step.changes_something(change));
    changing.flat_map(|(step, change)| entries_of(step, change, headings)).collect()
}

/// Counts the objects that a plan is about and that stay as they are.
#[must_use]
pub(crate) fn unchanged(plan: &Plan, preview: &Preview) -> usize {
    preview.steps(plan).filter(|(step, change)| step.is_about_an_object() && !step.changes_something(change)).count()
}

/// A plan with what it changes, and what its clusters are called.
pub(crate) type Shown<'a> = (&'a Plan, &'a Preview, Headings);

/// Returns the lines that show plans which are carried out together, of which the first says what for; steps that change nothing
/// are counted, not listed.
#[must_use]
pub(crate) fn lines(plans: &[Shown<'_>]) -> Vec<String> {
    let Some((first, ..)) = plans.first() else { return Vec::new() };
    let mut lines = vec![format!("This will {}:", first.purpose)];
    lines.extend(first.subjects.iter().map(|subject| format!("  {subject}")));
    let mut heading = String::new();
    for entry in plans.iter().flat_map(|(plan, preview, headings)| entries(plan, preview, headings)) {
        let line = entry.line();
        if entry.place != heading {
            lines.push(format!("  {}", entry.place));
            heading = entry.place;
        }
        lines.push(format!("    {line}"));
    }
    let unchanged: usize = plans.iter().map(|(plan, preview, _)| unchanged(plan, preview)).sum();
    if unchanged > 0 {
        lines.push(format!("  {unchanged} more are there already and stay as they are"));
    }
    let unknown = plans.iter().flat_map(|(plan, preview, _)| preview.unknown(plan));
    lines.extend(unknown.map(|sentence| format!("  {sentence}")));
    lines
}

/// Returns what a step does, entry by entry.
fn entries_of(step: &Step, change: &Change, headings: &Headings) -> Vec<Entry> {
    let entry = |place: Place, sign: Sign, name: String, details: Vec<String>| Entry {
        place: headings.of(place),
        sign,
        name,
        details,
    };
    match step {
        Step::Apply(apply) => vec![entry(apply.place, Sign::of(change), name(&apply.manifest), fields(change))],
        Step::Mint(mint) => {
            let mut details = vec![format!("kubeconfig for {} at {}", mint.user, mint.endpoint.server)];
            details.extend(fields(change));
            vec![entry(Place::Build, Sign::of(change), name(&mint.secret), details)]
        }
        Step::Commit(commit) => {
            let file = |change: &FileChange| Entry {
                place: format!("Git {}", commit.repository),
                sign: if change.content.is_some() { Sign::Write } else { Sign::Delete },
                name: change.path.clone(),
                details: Vec::new(),
            };
            commit.changes.iter().map(file).collect()
        }
        Step::Request(request) => {
            let what = match request {
                Request::Fetch { .. } => "asked to fetch now, again while that fails",
                Request::Reconcile { .. } => "asked to reconcile with it, again while that fails",
                Request::NoopDelete(_) => "spec.noopDelete",
                Request::Suspend { .. } => "spec.suspend",
            };
            vec![entry(request.place(), Sign::Update, request.object().display(), vec![what.to_owned()])]
        }
        Step::Delete(delete) => {
            vec![entry(delete.place, Sign::Delete, delete.reference.display(), note(delete.note.as_ref()))]
        }
        Step::Await(Await::Deleted(objects)) => {
            let shown = |awaited: &AwaitedDeletion| {
                let note = note(Some(awaited.note.as_ref()?));
                Some(entry(awaited.place, Sign::Delete, awaited.reference.display(), note))
            };
            objects.iter().filter_map(shown).collect()
        }
        Step::Await(_) | Step::Prove(_) => Vec::new(),
    }
}

fn note(note: Option<&String>) -> Vec<String> {
    note.filter(|note| !note.is_empty()).cloned().into_iter().collect()
}

fn name(manifest: &serde_json::Value) -> String {
    ObjectReference::of(manifest).map(|reference| reference.display()).unwrap_or_default()
}

fn fields(change: &Change) -> Vec<String> {
    match change {
        Change::Update(fields) => vec![fields.join(", ")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::flux::{git_repository_resource, kustomization_resource};
    use crate::kubeconfig::Endpoint;
    use crate::plan::mint::{Mint, TokenSource};
    use crate::plan::proofs::{CredentialUnchanged, TokensRevoked};
    use crate::plan::steps::{Apply, Commit, Delete, Freshness};

    fn shown(steps: Vec<Step>, changes: Vec<Change>) -> String {
        let headings = Headings { build: "build at https://build".to_owned(), run: "prod1 at https://run".to_owned() };
        let plan = Plan { purpose: "do it".to_owned(), steps, ..Plan::default() };
        assert!(!format!("{plan:?}").contains("not-a-real"), "a plan's Debug shows no secret");
        lines(&[(&plan, &Preview::with(changes), headings)]).join("\n")
    }

    fn kustomization() -> ObjectReference {
        ObjectReference::namespaced(&kustomization_resource("v1"), "dev", "hello")
    }

    fn secret(place: Place, name: &str) -> Step {
        let data = json!({"token": "not-a-real-token"});
        let metadata = json!({"name": name, "namespace": "dev"});
        let manifest = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
        Step::Apply(Apply { place, manifest })
    }

    fn endpoint() -> Endpoint {
        Endpoint {
            server: "https://run".to_owned(),
            certificate_authority_data: None,
            tls_server_name: None,
            proxy_url: None,
        }
    }

    fn mint() -> Step {
        let metadata = json!({"name": "prod1-kubeconfig", "namespace": "dev"});
        let mint = Mint {
            run_cluster: "prod1".to_owned(),
            endpoint: endpoint(),
            user: "deployer".to_owned(),
            source: TokenSource::Known(SecretString::from("not-a-real-token")),
            impersonate: None,
            target_namespace: "apps".to_owned(),
            secret: json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}),
        };
        mint.into()
    }

    #[test]
    fn each_kind_of_step_that_changes_something_is_shown_where_it_does() {
        let file = |path: &str, content: Option<&str>| FileChange {
            path: path.to_owned(),
            before: None,
            content: content.map(SecretString::from),
        };
        let commit = Commit {
            changes: vec![file("prod1/hello.yaml", Some("not-a-real-value")), file("prod1/old.yaml", None)],
            message: "Deliver".to_owned(),
            repository: "https://git.example.com/gitops.git".to_owned(),
        };
        let source = ObjectReference::namespaced(&git_repository_resource("v1"), "dev", "hello-repo");
        let mut steps = vec![secret(Place::Run, "token"), secret(Place::Build, "same"), mint(), Step::Commit(commit)];
        steps.extend(Step::fetch(source, Freshness::NewCommits));
        let update = Change::Update(vec!["data".to_owned(), "metadata.labels.team".to_owned()]);
        insta::assert_snapshot!(shown(steps, vec![Change::Create, Change::None, update]), @r"
        This will do it:
          prod1 at https://run
            + Secret dev/token
          build at https://build
            ~ Secret dev/prod1-kubeconfig (kubeconfig for deployer at https://run) (data, metadata.labels.team)
          Git https://git.example.com/gitops.git
            ± prod1/hello.yaml
            - prod1/old.yaml
          build at https://build
            ~ GitRepository dev/hello-repo (asked to fetch now, again while that fails)
          1 more are there already and stay as they are
        ");
    }

    #[test]
    fn a_rotation_shows_who_is_asked_to_use_the_credential_and_no_proof() {
        let old = ObjectReference::secret("apps", "old-token");
        let mut steps = vec![mint()];
        steps.extend(Step::use_credential("prod1", vec![kustomization()]));
        let secret = ObjectReference::secret("dev", "prod1-kubeconfig");
        steps.push(CredentialUnchanged { secret, token_secret: "new".to_owned() }.into());
        let note = Some("its token is revoked".to_owned());
        steps.push(Step::Delete(Delete { place: Place::Run, reference: old, uid: None, note }));
        let tokens = vec![SecretString::from("not-a-real-token")];
        let (run_cluster, namespace) = ("prod1".to_owned(), "apps".to_owned());
        steps.push(TokensRevoked { run_cluster, endpoint: endpoint(), namespace, tokens }.into());
        insta::assert_snapshot!(shown(steps, vec![Change::Update(vec!["data".to_owned()])]), @r"
        This will do it:
          build at https://build
            ~ Secret dev/prod1-kubeconfig (kubeconfig for deployer at https://run) (data)
            ~ Kustomization dev/hello (asked to reconcile with it, again while that fails)
          prod1 at https://run
            - Secret apps/old-token (its token is revoked)
        ");
    }

    #[test]
    fn a_removal_shows_what_others_delete_once() {
        let install = ObjectReference::namespaced(&crate::carvel::package_install_resource(), "apps", "hello");
        let awaited = |reference: &ObjectReference, note: Option<&str>| AwaitedDeletion {
            place: Place::Run,
            reference: reference.clone(),
            uid: "1".to_owned(),
            note: note.map(str::to_owned),
        };
        let mut steps: Vec<Step> = Step::keep_application(install.clone(), "1".to_owned()).into();
        steps.push(Step::suspend(kustomization()));
        let reference = kustomization();
        steps.push(Step::Delete(Delete { place: Place::Build, reference, uid: None, note: None }));
        steps.push(Step::await_deletion([awaited(&kustomization(), None)]));
        steps.push(Step::await_deletion([awaited(&install, Some("by Flux"))]));
        insta::assert_snapshot!(shown(steps, Vec::new()), @r"
        This will do it:
          prod1 at https://run
            ~ PackageInstall apps/hello (spec.noopDelete)
          build at https://build
            ~ Kustomization dev/hello (spec.suspend)
            - Kustomization dev/hello
          prod1 at https://run
            - PackageInstall apps/hello (by Flux)
        ");
    }
}
