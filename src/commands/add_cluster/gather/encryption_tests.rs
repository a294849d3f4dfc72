use std::fs;

use tempfile::TempDir;

use super::*;
use crate::gitops::manifest::{read_documents, write_documents};

const VALUES: &str = "password: fake-password\n";

/// A repository, what is asked for, and the keys that there are.
struct Scene {
    repository: TempDir,
    request: Request,
    keys: Keys,
}

impl Scene {
    fn new() -> Self {
        let repository = tempfile::tempdir().unwrap();
        let mut request = Request::example();
        request.encryption.encrypts = true;
        let secret = KeySecret { name: KEY_SECRET.to_owned(), identities: None, has_other_keys: false };
        let program = SopsProgram::named("/nowhere/sops", repository.path());
        let scene = Self { repository, request, keys: Keys { decryption: None, secret, rules: None, program } };
        scene.write(
            "packages/1.yaml",
            "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: Package\nmetadata: {name: hello.default.tap.1.0.0}\nspec: {refName: hello.default.tap, version: 1.0.0}\n",
        );
        scene
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.repository.path().join(&self.request.package).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn write_values(&self, text: &str) {
        let secret = values_secret("hello.default.tap-values-0123456789", &text.into());
        self.write("prod1/params.yaml", &write_documents(&[secret]).unwrap());
    }

    /// Decides with the keys of Flux; also returns the warnings.
    fn decide(&self, new: Option<&str>) -> Result<(Encryption, Vec<String>)> {
        let package = PackageDirectory::read(self.repository.path(), &self.request.package, |_| true).unwrap().unwrap();
        let mut directory = RunClusterDirectory::read(self.repository.path(), &self.request.package, "prod1").unwrap();
        if let Some(identities) = &self.keys.secret.identities {
            directory.decrypt(identities)?;
        }
        let mut checks = Checks::default();
        let new = new.map(SecretString::from);
        let situation = Situation { keys: &self.keys, new_key: &OnceCell::new(), now: Timestamp::UNIX_EPOCH };
        let decided = encryption(&mut checks, &self.request, &package, &directory, situation, new.as_ref());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Ok((runtime.block_on(decided)?, checks.warnings()))
    }

    fn refusal(&self, new: Option<&str>) -> Error {
        self.decide(new).err().expect("it is refused")
    }

    /// Leaves the repository and the cluster as after a run.
    fn carry_out(&mut self, decided: &Encryption) {
        if let Some(secret) = &decided.secret {
            self.write("prod1/params.yaml", &write_documents(std::slice::from_ref(secret)).unwrap());
        }
        if let Some(key) = &decided.key {
            let text = SecretString::from(key["stringData"][KEY_NAME].as_str().unwrap());
            self.keys.secret.identities = Some(Identities::parse(&text).unwrap());
        }
        if let Some(rules) = &decided.rules {
            self.keys.rules = rules.content.as_ref().map(|text| text.expose_secret().to_owned());
        }
        self.keys.decryption.clone_from(&decided.decryption);
    }

    fn with_key() -> Self {
        let mut scene = Self::new();
        scene.request.encryption.generates_key = true;
        let (decided, _) = scene.decide(Some(VALUES)).unwrap();
        scene.carry_out(&decided);
        scene
    }
}

#[test]
fn a_key_is_made_once_and_unchanged_values_are_left_alone() {
    let mut scene = Scene::new();
    scene.request.encryption.generates_key = true;
    let (decided, warnings) = scene.decide(Some(VALUES)).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(decided.decryption, Some(json!({"provider": "sops", "secretRef": {"name": "sops-age"}})));
    let secret = decided.secret.clone().unwrap();
    assert!(!secret.to_string().contains("fake-password"), "{secret}");
    let again = scene.decide(Some(VALUES)).unwrap().0.secret.unwrap();
    assert_ne!(secret["metadata"]["name"], again["metadata"]["name"], "the name tells nothing of the values");
    scene.carry_out(&decided);

    let (second, _) = scene.decide(Some(VALUES)).unwrap();
    assert!(second.keeps_values && second.secret.is_none() && second.key.is_none() && second.rules.is_none());
    let (nothing_new, _) = scene.decide(None).unwrap();
    assert!(nothing_new.secret.is_none() && nothing_new.decryption == decided.decryption);
    // What is encrypted stays so, without being asked for.
    scene.request.encryption.encrypts = false;
    let (changed, _) = scene.decide(Some("password: another-fake\n")).unwrap();
    let changed = changed.secret.unwrap();
    assert_ne!(changed["metadata"]["name"], secret["metadata"]["name"]);
    assert!(changed["stringData"][VALUES_KEY].as_str().unwrap().starts_with("ENC["));
}

#[test]
fn plain_values_become_encrypted_with_a_word_about_the_history() {
    let mut scene = Scene::new();
    scene.request.encryption.generates_key = true;
    scene.write_values(VALUES);
    let (decided, warnings) = scene.decide(None).unwrap();
    let plain = sops::decrypt(
        &decided.secret.unwrap(),
        &Identities::parse(&decided.key.unwrap()["stringData"][KEY_NAME].as_str().unwrap().into()).unwrap(),
    );
    assert_eq!(plain.unwrap()["stringData"][VALUES_KEY], VALUES);
    assert!(warnings[0].starts_with("the history of the repository still holds the values of"), "{warnings:?}");
}

#[test]
fn what_flux_could_not_decrypt_is_refused() {
    let mut scene = Scene::with_key();
    let key = scene.keys.secret.identities.take();
    scene.keys.decryption = None;
    assert_eq!(
        scene.refusal(None).to_string(),
        "Flux could not decrypt apps/hello.default.tap/prod1/params.yaml: Secret dev/sops-age with the private key does not exist"
    );
    scene.keys.secret.identities = Some(Identities::generate());
    assert!(scene.refusal(None).causes()[0].starts_with("no key of Secret dev/sops-age is one of those"));
    scene.keys.secret.identities = key;
    scene.request.encryption.recipients = Identities::generate().recipients();
    assert_eq!(scene.refusal(Some("a: 1\n")).message(), "Flux could not decrypt the values");
    // Keys of Flux's own are not to be seen from here.
    scene.keys.decryption = Some(json!({"provider": "sops"}));
    assert!(scene.decide(Some("a: 1\n")).is_ok());
}

#[test]
fn without_a_private_key_replaced_values_are_encrypted_again() {
    let mut scene = Scene::with_key();
    scene.keys.secret.identities = None;
    scene.keys.decryption = Some(json!({"provider": "sops"}));
    scene.request.encryption.generates_key = false;
    let (decided, warnings) = scene.decide(Some(VALUES)).unwrap();
    assert!(decided.secret.is_some());
    assert!(warnings[0].contains("are encrypted again, changed or not"), "{warnings:?}");
}

#[test]
fn rules_decide_for_whom_and_those_that_match_nothing_refuse() {
    let mut scene = Scene::with_key();
    scene.keys.rules = Some("creation_rules:\n- path_regex: ^other/\n  age: age1x\n".to_owned());
    assert!(scene.refusal(Some("a: 1\n")).message().starts_with(".sops.yaml has no rule for apps/"));
    scene.keys.rules = Some("creation_rules:\n- pgp: ABCD\n".to_owned());
    let error = scene.refusal(Some("a: 1\n"));
    assert_eq!(
        error.message(),
        "rule 1 of .sops.yaml has `pgp`, for which `sops` is needed, and there is none on your PATH"
    );
    let mut scene = Scene::new();
    assert!(scene.refusal(Some("a: 1\n")).message().starts_with("nobody is named to encrypt"));
    assert_eq!(scene.refusal(None).message(), "there are no values to encrypt");
    scene.request.encryption.encrypts = false;
    assert!(scene.decide(Some("a: 1\n")).unwrap().0.secret.is_none());
}

#[test]
fn a_file_that_was_changed_without_sops_is_refused() {
    let scene = Scene::with_key();
    let path = scene.repository.path().join("apps/hello.default.tap/prod1/params.yaml");
    let mut changed = read_documents(&fs::read_to_string(&path).unwrap(), "params.yaml").unwrap();
    changed[0]["stringData"][VALUES_KEY] = json!("");
    fs::write(&path, write_documents(&changed).unwrap()).unwrap();
    let error = scene.refusal(None);
    assert!(error.causes()[0].contains("message authentication code"), "{error:?}");
}
