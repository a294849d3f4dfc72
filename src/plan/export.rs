//! A plan as YAML that `kubectl apply -f` and Flux accept: the objects of both clusters, and files of Git. Pure.
//!
//! What the command makes itself when it runs, a credential, is left out and named.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::difference::manifest;
use super::executor::Headings;
use super::live::LiveObjects;
use super::mask;
use super::steps::{Place, Plan, Step};
use crate::error::Result;
use crate::gitops::manifest::write_documents;
use crate::object::ObjectReference;

/// The file with the objects of the build cluster.
const BUILD_FILE: &str = "build.yaml";

/// A plan as files.
#[derive(Debug, Default)]
pub(crate) struct Export {
    pub(crate) files: Vec<ExportedFile>,
    /// What is not in them, and why.
    pub(crate) left_out: Vec<String>,
}

/// One file of an export.
#[derive(Debug)]
pub(crate) struct ExportedFile {
    /// The path, relative to the directory of the export.
    pub(crate) path: String,
    /// Where its content belongs, as messages name it.
    pub(crate) place: String,
    pub(crate) content: SecretString,
    pub(crate) holds_secrets: bool,
}

/// What of a plan is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// What it applies and commits.
    Wanted,
    /// What it deletes, as it is now.
    Removed,
}

/// Whether secrets that the user has given are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    Redacted,
    Shown,
}

/// The objects of one cluster.
#[derive(Default)]
struct Objects {
    manifests: Vec<(ObjectReference, Value)>,
    comments: Vec<String>,
    holds_secrets: bool,
}

impl Export {
    /// Adds a plan. `others` are the objects that it deletes, `run_cluster` is the short name of the run cluster.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        others: &LiveObjects,
        headings: &Headings,
        run_cluster: &str,
        (contents, secrets): (Contents, Secrets),
    ) -> Result<()> {
        let (mut build, mut run) = (Objects::default(), Objects::default());
        for step in &plan.steps {
            let Some((place, reference)) = step.place().zip(step.object()) else { continue };
            let objects = if place == Place::Build { &mut build } else { &mut run };
            match (step, contents) {
                (Step::Apply(apply), Contents::Wanted) => objects.add(reference, apply.manifest.clone(), secrets),
                (Step::Mint(_), Contents::Wanted) => {
                    objects.leave_out(&reference, "its credential is made when the command runs");
                }
                // What the plan makes for the time that it takes.
                (Step::Delete(delete), Contents::Wanted) => {
                    objects.manifests.retain(|(known, _)| *known != delete.reference);
                }
                (Step::Delete(delete), Contents::Removed) => match others.get(place, &reference) {
                    Some(_) if reference.resource.kind == "Secret" => {
                        objects.leave_out(&reference, "what it holds is revoked");
                    }
                    Some(object) if object.metadata.uid == delete.uid => {
                        objects.add(reference.clone(), manifest(object, &reference), secrets);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        for (path, place, objects) in
            [(format!("run-{run_cluster}.yaml"), &headings.run, run), (BUILD_FILE.to_owned(), &headings.build, build)]
        {
            self.left_out.extend(objects.comments.iter().cloned());
            if objects.manifests.is_empty() && objects.comments.is_empty() {
                continue;
            }
            let holds_secrets = objects.holds_secrets;
            self.append(path, place, &objects.text()?, holds_secrets);
        }
        self.add_files(plan, contents, secrets);
        Ok(())
    }

    /// Adds the files that the plan commits; those of a second repository beside those of the first.
    fn add_files(&mut self, plan: &Plan, contents: Contents, secrets: Secrets) {
        let commits = plan.steps.iter().filter_map(|step| match step {
            Step::Commit(commit) => Some(commit),
            _ => None,
        });
        for (number, commit) in commits.enumerate() {
            let directory = if number == 0 { "git".to_owned() } else { format!("git-{}", number + 1) };
            for change in &commit.changes {
                let text = if contents == Contents::Wanted { &change.content } else { &change.before };
                let Some(text) = text.as_ref().map(ExposeSecret::<str>::expose_secret) else { continue };
                let redacted = mask::redacted(text);
                let holds_secrets = redacted.is_some() && secrets == Secrets::Shown;
                let path = format!("{directory}/{}", change.path);
                let text = match redacted {
                    Some(redacted) if secrets == Secrets::Redacted => {
                        self.left_out
                            .push(format!("{}: its values are redacted; --show-secrets has them", change.path));
                        redacted
                    }
                    _ => text.to_owned(),
                };
                let place = format!("Git {}: {}", commit.repository, change.path);
                self.files.push(ExportedFile { path, place, content: text.into(), holds_secrets });
            }
        }
    }

    /// Appends to a file that several plans have objects for.
    fn append(&mut self, path: String, place: &str, text: &str, holds_secrets: bool) {
        if let Some(known) = self.files.iter_mut().find(|file| file.path == path) {
            known.content = format!("{}{text}", known.content.expose_secret()).into();
            known.holds_secrets |= holds_secrets;
        } else {
            self.files.push(ExportedFile { path, place: place.to_owned(), content: text.into(), holds_secrets });
        }
    }
}

impl Objects {
    fn add(&mut self, reference: ObjectReference, mut manifest: Value, secrets: Secrets) {
        // What the manifest expects of the object that is there now.
        for field in ["resourceVersion", "uid"] {
            manifest["metadata"].as_object_mut().map(|metadata| metadata.remove(field));
        }
        if reference.resource.kind == "Secret" {
            self.add_secret(&reference, &mut manifest, secrets);
        }
        self.manifests.retain(|(known, _)| *known != reference);
        self.manifests.push((reference, manifest));
    }

    fn add_secret(&mut self, reference: &ObjectReference, manifest: &mut Value, secrets: Secrets) {
        let Some(fields) = manifest.as_object_mut() else { return };
        let keys: Vec<String> = ["data", "stringData"]
            .iter()
            .filter_map(|field| fields.get(*field)?.as_object())
            .flat_map(|data| data.keys().cloned())
            .collect();
        if keys.is_empty() {
            return;
        }
        if secrets == Secrets::Shown {
            self.holds_secrets = true;
            return;
        }
        // Without its data, applying it leaves the data alone of one that is there.
        fields.remove("data");
        fields.remove("stringData");
        self.leave_out(reference, &format!("its data is redacted ({}); --show-secrets has it", keys.join(", ")));
    }

    fn leave_out(&mut self, reference: &ObjectReference, why: &str) {
        self.comments.push(format!("{}: {why}", reference.display()));
    }

    fn text(self) -> Result<String> {
        let comments: Vec<String> = self.comments.iter().map(|comment| format!("# left out: {comment}\n")).collect();
        let manifests: Vec<Value> = self.manifests.into_iter().map(|(_, manifest)| manifest).collect();
        Ok(comments.concat() + &write_documents(&manifests)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gitops::tree::FileChange;
    use crate::plan::steps::{Apply, Commit, Delete};

    fn apply(kind: &str, name: &str, data: &Value) -> Step {
        let metadata = json!({"name": name, "namespace": "dev", "resourceVersion": "7"});
        let mut manifest = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        if !data.is_null() {
            manifest["data"] = data.clone();
        }
        Step::Apply(Apply { place: Place::Build, manifest })
    }

    fn exported(what: (Contents, Secrets)) -> String {
        let removed = ObjectReference::secret("dev", "record");
        let values = "kind: Secret\nmetadata: {name: values}\nstringData: {values.yml: \"not-a-real-one\"}\n";
        let file = |path: &str, text: &str| FileChange {
            path: path.to_owned(),
            before: Some("kind: PackageInstall\nversion: 1\n".into()),
            content: Some(text.into()),
        };
        let commit = Commit {
            changes: vec![file("hello/values.yaml", values), file("hello/install.yaml", "kind: PackageInstall # 2\n")],
            message: "Deliver".to_owned(),
            repository: "https://git.example.com/gitops.git".to_owned(),
        };
        let steps = vec![
            apply("Secret", "record", &Value::Null),
            apply("Secret", "auth", &json!({"password": "bm90LXJlYWw="})),
            apply("ServiceAccount", "flux", &Value::Null),
            Step::Commit(commit),
            Step::Delete(Delete { place: Place::Build, reference: removed, uid: None, note: None }),
        ];
        let plan = Plan { steps, ..Plan::default() };
        let mut export = Export::default();
        let headings = Headings { build: "build".to_owned(), run: String::new() };
        export.add(&plan, &LiveObjects::default(), &headings, "prod1", what).expect("YAML");
        let file = |file: &ExportedFile| {
            let secrecy = if file.holds_secrets { " (secret)" } else { "" };
            format!("== {}{secrecy}\n{}", file.path, file.content.expose_secret())
        };
        export.files.iter().map(file).collect::<String>() + &export.left_out.join("\n")
    }

    #[test]
    fn secrets_are_redacted_and_named() {
        insta::assert_snapshot!(exported((Contents::Wanted, Secrets::Redacted)), @r#"
        == build.yaml
        # left out: Secret dev/auth: its data is redacted (password); --show-secrets has it
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: auth
          namespace: dev
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: flux
          namespace: dev
        == git/hello/values.yaml
        ---
        kind: Secret
        metadata:
          name: values
        stringData:
          values.yml: "***"
        == git/hello/install.yaml
        kind: PackageInstall # 2
        Secret dev/auth: its data is redacted (password); --show-secrets has it
        hello/values.yaml: its values are redacted; --show-secrets has them
        "#);
    }

    #[test]
    fn secrets_are_written_where_they_are_asked_for() {
        insta::assert_snapshot!(exported((Contents::Wanted, Secrets::Shown)), @r#"
        == build.yaml (secret)
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: auth
          namespace: dev
        data:
          password: bm90LXJlYWw=
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: flux
          namespace: dev
        == git/hello/values.yaml (secret)
        kind: Secret
        metadata: {name: values}
        stringData: {values.yml: "not-a-real-one"}
        == git/hello/install.yaml
        kind: PackageInstall # 2
        "#);
    }

    #[test]
    fn a_removal_exports_what_is_there_now() {
        insta::assert_snapshot!(exported((Contents::Removed, Secrets::Redacted)), @r"
        == git/hello/values.yaml
        kind: PackageInstall
        version: 1
        == git/hello/install.yaml
        kind: PackageInstall
        version: 1
        ");
    }
}
