//! The real `sops`, of the version that kustomize-controller has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds the program from the module of the testbed that has kustomize-controller, and returns its path.
pub(crate) fn sops() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sops");
        let status = Command::new("go")
            .args(["build", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w", "-o"])
            .arg(&program)
            .arg("github.com/getsops/sops/v3/cmd/sops")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/tools/flux"))
            .status()
            .expect("Go");
        assert!(status.success(), "sops does not build");
        program
    })
}
