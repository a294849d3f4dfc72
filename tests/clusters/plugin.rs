//! The plugin as krew and kubectl see it.

use std::process::Command;

use testbed::Testbed;

use crate::Test;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("plugin::the_krew_manifest_is_structurally_valid", manifest_is_valid),
    ("plugin::krew_installs_it_and_kubectl_runs_it", krew_installs_it),
];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_kubectl-carvelflux");

fn copy_of_manifest(directory: &tempfile::TempDir, edit: impl Fn(String) -> String) -> std::path::PathBuf {
    let manifest = std::fs::read_to_string(format!("{ROOT}/plugin.yaml")).expect("plugin.yaml");
    // krew wants the file to be named after the plugin.
    let path = directory.path().join("carvelflux.yaml");
    std::fs::write(&path, edit(manifest)).expect("a copy");
    path
}

fn manifest_is_valid(testbed: &Testbed) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = copy_of_manifest(&directory, |manifest| manifest);
    let validate = testbed.tools().program("validate-krew-manifest").expect("the validator");
    let output = Command::new(validate).arg("-skip-install").arg("-manifest").arg(&path).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn krew_installs_it(testbed: &Testbed) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let archive = directory.path().join("kubectl-carvelflux-linux-amd64.tar.gz");
    let (bin, file) = BINARY.rsplit_once('/').expect("a path");
    let status = Command::new("tar").arg("-czf").arg(&archive).args(["-C", bin, file, "-C", ROOT, "LICENSE"]).status();
    assert!(status.expect("tar").success());
    let checksum = Command::new("sha256sum").arg(&archive).output().expect("sha256sum");
    let checksum = String::from_utf8_lossy(&checksum.stdout)[..64].to_owned();
    let path = copy_of_manifest(&directory, |manifest| manifest.replace(&"0".repeat(64), &checksum));

    let root = directory.path().join("krew");
    let path_variable = format!(
        "{}:{}:{}",
        root.join("bin").display(),
        testbed.tools().kubectl().parent().expect("a directory").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let run = |program: &std::path::Path, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .env("KREW_ROOT", &root)
            .env("KREW_OS", "linux")
            .env("KREW_ARCH", "amd64")
            .env("PATH", &path_variable)
            .output()
            .expect("it runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        text
    };
    let krew = testbed.tools().program("krew").expect("krew");
    let manifest = format!("--manifest={}", path.display());
    run(&krew, &["install", &manifest, &format!("--archive={}", archive.display())]);
    let version = run(testbed.tools().kubectl(), &["carvelflux", "version"]);
    assert_eq!(version, format!("kubectl-carvelflux {}\n", env!("CARGO_PKG_VERSION")));
}
