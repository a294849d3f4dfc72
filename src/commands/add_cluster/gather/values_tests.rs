use std::fs;

use tempfile::TempDir;

use super::*;
use crate::carvel::values::set::{Assignment, Reading};
use crate::commands::add_cluster::package_request::ValuesFile;

const PACKAGE: &str = "hello.default.tap";

const SCHEMA: &str = "      type: object
      additionalProperties: false
      properties:
        workload_name: {type: string, default: '', minLength: 1}
        replicas: {type: integer, default: 1}
        ports: {type: array, default: [], items: {type: integer, default: 0}}
";

/// A repository with one version of a package, and what is delivered of it.
struct Repository(TempDir);

impl Repository {
    fn new(schema: &str, template: &str) -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        let package = format!(
            "apiVersion: data.packaging.carvel.dev/v1alpha1
kind: Package
metadata: {{name: {PACKAGE}.1.0.0}}
spec:
  refName: {PACKAGE}
  version: 1.0.0
  template: {{spec: {{template: [{{{template}: {{}}}}]}}}}
  valuesSchema:
    openAPIv3:
{schema}"
        );
        repository.write("packages/1.0.0.yaml", &package);
        repository
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(PACKAGE).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Delivers with values in Git.
    fn deliver(&self, secrets: &[&str], values: &str) {
        let references: Vec<String> = secrets.iter().map(|name| format!("{{secretRef: {{name: {name}}}}}")).collect();
        let install = format!(
            "apiVersion: packaging.carvel.dev/v1alpha1\nkind: PackageInstall\nmetadata: {{name: hello}}\nspec: {{values: [{}]}}\n",
            references.join(", ")
        );
        self.write("prod1/packageinstall.yaml", &install);
        self.write(
            "prod1/params.yaml",
            &format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: {OURS}}}\nstringData:\n  values.yml: {values:?}\n"
            ),
        );
    }

    fn package(&self) -> PackageDirectory {
        PackageDirectory::read_all(self.0.path(), PACKAGE).unwrap()
    }

    fn directory(&self) -> RunClusterDirectory {
        RunClusterDirectory::read(self.0.path(), PACKAGE, "prod1").unwrap()
    }

    fn stored(&self, values: &ValuesRequest) -> Result<String> {
        let stored = to_store(values, &self.package(), &self.directory())?;
        Ok(stored.map(|values| values.text.expose_secret().to_owned()).unwrap_or_default())
    }

    /// Returns what is refused, then what is warned of.
    fn checked(&self, values: &ValuesRequest) -> (Vec<String>, Vec<String>) {
        let (package, directory) = (self.package(), self.directory());
        let selected = Selected { constraints: String::new(), prereleases: None, version: Some("1.0.0".to_owned()) };
        let mut checks = Checks::default();
        let new = to_store(values, &package, &directory).unwrap();
        check(&mut checks, values, &package, &directory, &selected, new.as_ref());
        let warnings = checks.warnings();
        (checks.into_failures().iter().flat_map(|error| error.causes().to_vec()).collect(), warnings)
    }
}

const OURS: &str = "hello.default.tap-values-0123456789";

fn files(texts: &[&str]) -> ValuesRequest {
    let file = |(number, text): (usize, &&str)| ValuesFile { origin: format!("{number}.yaml"), text: (**text).into() };
    ValuesRequest { files: texts.iter().enumerate().map(file).collect(), ..ValuesRequest::default() }
}

fn set(assignments: &[(&str, &str)]) -> ValuesRequest {
    let assignment = |(path, value): &(&str, &str)| Assignment::new("--set", path, value, Reading::Yaml).unwrap();
    ValuesRequest { assignments: assignments.iter().map(assignment).collect(), ..ValuesRequest::default() }
}

#[test]
fn one_file_is_stored_as_it_is_and_several_are_merged() {
    let repository = Repository::new(SCHEMA, "ytt");
    assert_eq!(repository.stored(&files(&["# why\nreplicas: 2 # two\n"])).unwrap(), "# why\nreplicas: 2 # two\n");
    let merged = repository.stored(&files(&["replicas: 2\nports: [1]\n", "ports: [2, 3]\nworkload_name: 'yes'\n"]));
    assert_eq!(merged.unwrap(), "replicas: 2\nports:\n- 2\n- 3\nworkload_name: \"yes\"\n");
}

#[test]
fn single_values_leave_comments_order_and_quotes_of_the_others() {
    let repository = Repository::new(SCHEMA, "ytt");
    let held =
        "---\n# who it is\nworkload_name: 'hello' # as in the guide\nports: [80, 443] # both\nreplicas: 2 # two\n";
    repository.deliver(&[OURS], held);
    assert_eq!(
        repository.stored(&set(&[("replicas", "3"), ("ports[1]", "8443")])).unwrap(),
        held.replace("replicas: 2", "replicas: 3").replace("443", "8443")
    );
    assert_eq!(repository.stored(&set(&[("replicas", "2")])).unwrap(), held);
    // Two documents are merged: what is set in one could be hidden by the other.
    repository.deliver(&[OURS], "replicas: 2\n---\nreplicas: 3 # more\n");
    assert_eq!(repository.stored(&set(&[("workload_name", "a")])).unwrap(), "replicas: 3\nworkload_name: a\n");
}

#[test]
fn single_values_are_set_in_what_git_holds() {
    let repository = Repository::new(SCHEMA, "ytt");
    repository.deliver(&[OURS], "workload_name: hello\nports: [80]\n");
    let stored = repository.stored(&set(&[("replicas", "3"), ("ports[0]", "81")])).unwrap();
    assert_eq!(stored, "workload_name: hello\nports: [81]\nreplicas: 3\n");
    assert_eq!(repository.stored(&ValuesRequest::default()).unwrap(), "");
    let error = repository.stored(&set(&[("ports[1]", "81")])).unwrap_err();
    assert_eq!(error.message(), "--set ports[1] leads nowhere: at ports there is a list whose last index is 0");
}

#[test]
fn all_that_the_package_will_not_take_is_refused_with_its_place() {
    let repository = Repository::new(SCHEMA, "ytt");
    repository.deliver(&[OURS], "workload_name: hello\nreplica: 1\n");
    let (refused, warned) = repository.checked(&set(&[("ports", "[fake-secret]"), ("workload_name", "''")]));
    assert_eq!(
        refused,
        [
            "the values in hello.default.tap/prod1/params.yaml line 2: replica is no key of this package; did you mean replicas?",
            "--set ports: ports[0] is text and must be an integer",
            "--set workload_name: workload_name must not be empty",
        ]
    );
    assert_eq!(warned, [""; 0]);
    // What is in Git counts as well where nothing is set.
    assert_eq!(repository.checked(&ValuesRequest::default()).0.len(), 1);
    assert_eq!(repository.checked(&files(&["workload_name: a\n"])), (Vec::new(), Vec::new()));
}

#[test]
fn what_other_secrets_may_mend_is_only_warned_of() {
    let repository = Repository::new(SCHEMA, "ytt");
    repository.deliver(&["elsewhere", OURS], "");
    let (refused, warned) = repository.checked(&files(&["replicas: x\n"]));
    assert_eq!(refused, ["0.yaml line 1: replicas is text and must be an integer"]);
    assert!(warned[0].contains("workload_name has to be set") && warned[0].contains("Secret elsewhere"), "{warned:?}");
}

#[test]
fn what_ytt_does_not_judge_is_only_warned_of() {
    let helm = Repository::new(SCHEMA, "helmTemplate");
    let (refused, warned) = helm.checked(&files(&["replicas: x\n"]));
    assert!(refused.is_empty() && warned[0].contains("left to kapp-controller"), "{warned:?}");
    let odd = Repository::new("      - no schema\n", "ytt");
    let (refused, warned) = odd.checked(&files(&["replicas: x\n"]));
    assert!(refused.is_empty() && warned[0].contains("cannot be read"), "{warned:?}");
    let pattern = SCHEMA.replace("minLength: 1", "pattern: '^a'");
    let (refused, warned) = Repository::new(&pattern, "ytt").checked(&files(&["workload_name: b\n"]));
    assert!(refused.is_empty() && warned[0].contains("workload_name: pattern"), "{warned:?}");
}
