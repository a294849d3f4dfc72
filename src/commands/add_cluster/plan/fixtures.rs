//! A run cluster as `add-cluster` finds it, and as a plan would leave it: for tests of plans without a cluster.
//!
//! What a plan leaves is kept as it was applied. That tells what a second run shows, and not what API servers make of it.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::DynamicObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authentication::stored::note_end;
use crate::commands::add_cluster::facts::{
    Authentication, ExistingCredential, Facts, Identity, Impersonated, Installer,
};
use crate::commands::add_cluster::plan::{Delivery, stages};
use crate::commands::add_cluster::request::{KubeconfigFile, Request};
use crate::error::Error;
use crate::flux::{FluxVersions, RunCredential, WorkloadIdentity};
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::{PackageDirectory, PackageManifest};
use crate::identities::Preset;
use crate::kubeconfig::Endpoint;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::Headings;
use crate::plan::show::lines;
use crate::plan::{Change, LiveObjects, Place, Plan, Preview, Step, TokenSource};

/// The package's directory in the repository.
pub(super) const PACKAGE: &str = "apps/hello.default.tap";

/// The account of Flux on the run cluster, and the roles of whoever Flux acts as.
pub(super) const DEPLOYER: &str = "dev-prod1-deployer";

/// A token that no API server knows.
pub(super) const FAKE_TOKEN: &str = "fake-token";

/// How long tokens live that expire.
pub(super) const A_DAY: Duration = Duration::from_hours(24);

/// A request, what is there, and what of it the facts say.
pub(super) struct Scene {
    pub(super) request: Request,
    pub(super) facts: Facts,
    objects: Vec<(Place, Value)>,
    repository: TempDir,
}

impl Scene {
    /// Nothing is there yet, and nothing asked for beyond what must be.
    pub(super) fn new() -> Self {
        let repository = tempfile::tempdir().expect("a directory for the repository");
        let facts = facts(&repository);
        Self { request: Request::example(), facts, objects: Vec::new(), repository }
    }

    /// The same with another method to authenticate.
    pub(super) fn with(authentication: Authentication) -> Self {
        let mut scene = Self::new();
        scene.facts.authentication = authentication;
        scene
    }

    pub(super) fn plan(&self) -> Plan {
        let delivery = Delivery { request: &self.request, facts: &self.facts };
        let mut stages = stages(&[vec![delivery]]);
        let (_, plan) = stages.pop().and_then(|mut stage| stage.pop()).expect("a plan");
        assert!(stages.is_empty(), "one run cluster takes one plan");
        plan
    }

    /// Puts an object there, as somebody has made it.
    pub(super) fn put(&mut self, place: Place, manifest: Value) {
        let key = reference(&manifest);
        self.objects.retain(|(at, object)| *at != place || reference(object) != key);
        self.objects.push((place, manifest));
        let objects = self.objects.iter().map(|(place, manifest)| (*place, reference(manifest), object(manifest)));
        self.facts.live = LiveObjects::new(objects);
    }

    /// Asks for another package in another namespace.
    pub(super) fn deliver(&mut self, package: &str, target_namespace: &str) {
        self.request.package = format!("apps/{package}");
        self.request.target_namespace = target_namespace.to_owned();
        self.facts.package = package_directory(&self.request.package);
        self.facts.shares_metadata = self.facts.package.has_metadata;
        self.facts.directory = directory(&self.repository, &self.request.package);
    }

    /// Writes a file of the repository.
    pub(super) fn write(&mut self, path: &str, content: &str) {
        let file = self.repository.path().join(path);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory in the repository");
        std::fs::write(file, content).expect("a file in the repository");
        self.facts.directory = directory(&self.repository, &self.request.package);
    }

    /// Leaves everything as after a run that has carried its plan out, and as another run finds it.
    pub(super) fn carry_out(&mut self) -> Plan {
        let plan = self.plan();
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        for step in &plan.steps {
            if let Step::Commit(commit) = step {
                for change in &commit.changes {
                    let content = change.content.as_ref().expect("nothing is removed");
                    self.write(&change.path, content.expose_secret());
                }
            }
            if let Some((place, manifest)) = applied(step, self.facts.now) {
                self.put(place, manifest);
            }
        }
        self.facts.creates_namespace = false;
        self.find_credential();
        plan
    }

    /// Has the facts say what is on the build cluster for Flux to authenticate with.
    pub(super) fn find_credential(&mut self) {
        let found = [RunCredential::Secret, RunCredential::ConfigMap].into_iter().find_map(|kind| {
            let reference = self.request.credential_reference(kind);
            let mut object = self.facts.live.get(Place::Build, &reference)?.clone();
            object.metadata.resource_version = Some("7".to_owned());
            Some(ExistingCredential { kind, object })
        });
        self.facts.stored = found.as_ref().and_then(ExistingCredential::stored);
        self.facts.working_token = self.facts.stored.as_ref().and_then(|stored| stored.token()).cloned();
        self.facts.existing_credential = found;
    }

    /// Says what each step changes of what is there.
    pub(super) fn preview(&self, plan: &Plan) -> Preview {
        let change = |step: &Step| {
            let Some((place, after)) = applied(step, self.facts.now) else { return Change::None };
            match self.objects.iter().find(|(at, object)| *at == place && reference(object) == reference(&after)) {
                None => Change::Create,
                // A token that does not exist yet is another one than is stored.
                Some(_) if matches!(step, Step::Mint(store) if store.known_token().is_none()) => {
                    Change::Update(vec!["data".to_owned()])
                }
                Some((_, before)) => differing(before, &after),
            }
        };
        Preview::with(plan.steps.iter().map(change).collect())
    }

    /// Shows the plan as the user sees it before it is confirmed, with warnings, notes and refusals.
    pub(super) fn shown(&self) -> String {
        let plan = self.plan();
        // No secret is in anything that may be shown.
        let debug = format!("{plan:?}");
        assert!(!debug.contains(FAKE_TOKEN) && !debug.contains("fake-password"), "{debug}");
        let headings = Headings { build: "the build cluster".to_owned(), run: self.facts.run_display.clone() };
        let preview = self.preview(&plan);
        let mut shown = lines(&[(&plan, &preview, headings)]);
        if !preview.changes_something(&plan) {
            shown[0] = "nothing to change:".to_owned();
        }
        shown.extend(plan.warnings.iter().map(|warning| format!("warning: {warning}")));
        shown.extend(plan.notes.iter().map(|note| format!("note: {note}")));
        shown.extend(plan.refusals.iter().map(|refusal| format!("refused: {refusal}")));
        shown.join("\n")
    }

    /// Shows only the lines that hold these words.
    pub(super) fn shown_of(&self, words: &str) -> String {
        let shown = self.shown();
        shown.lines().filter(|line| line.contains(words)).map(str::trim_start).collect::<Vec<_>>().join("\n")
    }

    /// Says why the plan must not be carried out, each reason with its hints.
    pub(super) fn refusals(&self) -> String {
        let lines = |refusal: &Error| {
            let hints = refusal.hints().iter().map(|hint| format!("→ {hint}"));
            [refusal.to_string()].into_iter().chain(hints).collect::<Vec<_>>()
        };
        self.plan().refusals.iter().flat_map(lines).collect::<Vec<_>>().join("\n")
    }

    /// Returns the manifest that a plan applies, by kind and name.
    pub(super) fn manifest(&self, kind: &str, name: &str) -> Value {
        let plan = self.plan();
        let manifests = plan.steps.iter().filter_map(|step| applied(step, self.facts.now));
        let found = manifests
            .map(|(_, manifest)| manifest)
            .find(|manifest| manifest["kind"] == kind && manifest["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("{plan:?} applies no {kind} {name}"))
    }

    /// Returns the content of the files that a plan commits, one after another.
    pub(super) fn committed(&self) -> String {
        let plan = self.plan();
        let commits = plan.steps.iter().filter_map(|step| match step {
            Step::Commit(commit) => Some(commit),
            _ => None,
        });
        let files = commits.flat_map(|commit| &commit.changes).map(|change| {
            let content = change.content.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
            format!("# {}\n{content}", change.path)
        });
        files.collect()
    }
}

/// A kubeconfig that Flux can use, of a user whom somebody else manages.
pub(super) fn kubeconfig_file() -> KubeconfigFile {
    let text = endpoint().kubeconfig("prod1", "flux", &SecretString::from(FAKE_TOKEN));
    KubeconfigFile { text, source: "the kubeconfig flux.kubeconfig".to_owned(), warnings: Vec::new() }
}

/// An identity with which Flux authenticates.
pub(super) fn identity(workload: WorkloadIdentity, user: &str) -> Authentication {
    Authentication::WorkloadIdentity(Identity { workload, user: user.to_owned() })
}

/// A service account that Flux is to impersonate, and may not yet.
pub(super) fn impersonated() -> Impersonated {
    Impersonated { account: "flux".to_owned(), user: "system:serviceaccount:dev:flux".to_owned(), needs_grant: true }
}

/// How the user reaches the run cluster.
fn endpoint() -> Endpoint {
    Endpoint {
        server: "https://prod1.example:6443".to_owned(),
        certificate_authority_data: None,
        tls_server_name: None,
        proxy_url: None,
    }
}

fn facts(repository: &TempDir) -> Facts {
    Facts {
        now: "2026-11-23T12:00:00Z".parse().expect("a time"),
        versions: FluxVersions { source: "v1", kustomization: "v1" },
        build_uid: "build-uid".to_owned(),
        run_uid: "run-uid".to_owned(),
        run_display: "the run cluster `prod1`".to_owned(),
        repository: "https://git.example.com/gitops.git branch main".to_owned(),
        package: package_directory(PACKAGE),
        shares_metadata: false,
        directory: directory(repository, PACKAGE),
        version_constraints: ">=0.0.0".to_owned(),
        prereleases: None,
        version: None,
        values: None,
        encryption: None,
        existing_credential: None,
        stored: None,
        working_token: None,
        authentication: Authentication::Token { duration: None },
        led_by: None,
        endpoint: endpoint(),
        user_endpoint: endpoint(),
        may_read: true,
        impersonated: None,
        user: None,
        installer: Installer::Own { rules: Preset::Server.rules(false), origin: Preset::Server.name() },
        creates_namespace: false,
        live: LiveObjects::default(),
        has_health_check_expressions: true,
    }
}

fn package_directory(path: &str) -> PackageDirectory {
    let name = names::of_package(path);
    let version = PackageManifest {
        file: format!("{path}/packages/1.0.0.yaml"),
        name: format!("{name}.1.0.0"),
        ref_name: name.to_owned(),
        version: "1.0.0".to_owned(),
        registry_fetches: vec![0],
        values_schema: None,
        is_rendered_by_ytt: true,
    };
    PackageDirectory {
        path: path.to_owned(),
        name: name.to_owned(),
        ref_name: name.to_owned(),
        packages: vec![version],
        has_metadata: false,
        others: Vec::new(),
        invalid: Vec::new(),
        kustomizations: Vec::new(),
        with_variables: Vec::new(),
    }
}

fn directory(repository: &TempDir, package: &str) -> RunClusterDirectory {
    RunClusterDirectory::read(repository.path(), package, "prod1").expect("a directory that can be read")
}

/// Returns the object that a step applies, and where; a token that it requests or awaits is a fake one.
fn applied(step: &Step, now: Timestamp) -> Option<(Place, Value)> {
    match step {
        Step::Apply(apply) => Some((apply.place, apply.manifest.clone())),
        Step::Mint(store) => {
            let token = store.known_token().cloned().unwrap_or_else(|| SecretString::from(FAKE_TOKEN));
            let mut secret = store.secret_with(&token);
            if let TokenSource::Requested { lifetime, .. } = store.source {
                note_end(&mut secret, now + lifetime, lifetime);
            }
            Some((Place::Build, secret))
        }
        _ => None,
    }
}

fn reference(manifest: &Value) -> ObjectReference {
    ObjectReference::of(manifest).expect("a manifest")
}

/// Makes an object of a manifest as the API server keeps it.
pub(super) fn object(manifest: &Value) -> DynamicObject {
    serde_json::from_value(manifest.clone()).expect("an object")
}

/// Names the fields of the first two levels that differ.
fn differing(before: &Value, after: &Value) -> Change {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut differing = Vec::new();
    for (field, after) in fields(after) {
        let before = &before[&field];
        for (inner, after) in fields(&after).iter().filter(|(inner, _)| *inner != "resourceVersion") {
            if before[inner] != *after {
                differing.push(format!("{field}.{inner}"));
            }
        }
        if !after.is_object() && *before != after {
            differing.push(field);
        }
    }
    if differing.is_empty() { Change::None } else { Change::Update(differing) }
}

/// Adds what tells apart objects that somebody else has made.
pub(super) fn made_by(mut manifest: Value, annotations: Value) -> Value {
    manifest["metadata"]["annotations"] = annotations;
    manifest["metadata"]["labels"] = json!({});
    manifest
}
