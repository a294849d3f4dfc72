//! What is built: the groups of tools, one small Go module each below `tests/testbed/tools/`.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// One Go package and the name of the program that it builds.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

/// Files that a program needs at run time and that its module carries.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) module: &'static str,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
}

/// Programs that are built together from one `go.mod`.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// The directory of the Go module, which groups may share.
    pub(crate) module: &'static str,
    pub(crate) linker_flags: &'static str,
    pub(crate) programs: &'static [Program],
    pub(crate) assets: &'static [Asset],
}

const STRIP: &str = "-s -w";

// kapp-controller exits with "Invalid character(s) found in BuildMeta" when the API server has no version.
const STRIP_AND_STAMP: &str = "-s -w \
    -X k8s.io/component-base/version.gitVersion=v1.35.4 \
    -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=35";

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

const fn asset(module: &'static str, path: &'static str, name: &'static str) -> Asset {
    Asset { module, path, name }
}

pub(crate) const ETCD: Group = Group {
    name: "etcd",
    module: "etcd",
    linker_flags: STRIP,
    programs: &[program("etcd", "go.etcd.io/etcd/server/v3")],
    assets: &[],
};

pub(crate) const KUBERNETES: Group = Group {
    name: "kubernetes",
    module: "kubernetes",
    linker_flags: STRIP_AND_STAMP,
    programs: &[
        program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ],
    assets: &[],
};

pub(crate) const KUBECTL: Group = Group {
    name: "kubectl",
    module: "kubectl",
    linker_flags: STRIP_AND_STAMP,
    programs: &[program("kubectl", "k8s.io/kubernetes/cmd/kubectl")],
    assets: &[],
};

pub(crate) const FLUX: Group = Group {
    name: "flux",
    module: "flux",
    linker_flags: STRIP,
    programs: &[
        program("source-controller", "github.com/fluxcd/source-controller"),
        program("kustomize-controller", "github.com/fluxcd/kustomize-controller"),
    ],
    assets: &[
        asset("github.com/fluxcd/source-controller", "config/crd/bases", "source-controller"),
        asset("github.com/fluxcd/kustomize-controller", "config/crd/bases", "kustomize-controller"),
    ],
};

pub(crate) const KAPP_CONTROLLER: Group = Group {
    name: "kapp-controller",
    module: "kapp-controller",
    linker_flags: STRIP,
    programs: &[program("kapp-controller", "carvel.dev/kapp-controller/cmd/controller")],
    assets: &[
        asset("carvel.dev/kapp-controller", "config/config", "config"),
        asset("carvel.dev/kapp-controller", "config/values-schema.yml", "values-schema.yml"),
    ],
};

pub(crate) const CARVEL_TOOLS: Group = Group {
    name: "carvel-tools",
    module: "carvel-tools",
    linker_flags: STRIP,
    programs: &[
        program("ytt", "carvel.dev/ytt/cmd/ytt"),
        program("kapp", "carvel.dev/kapp/cmd/kapp"),
        program("vendir", "carvel.dev/vendir/cmd/vendir"),
        program("kbld", "carvel.dev/kbld/cmd/kbld"),
        program("imgpkg", "carvel.dev/imgpkg/cmd/imgpkg"),
    ],
    assets: &[],
};

pub(crate) const KWOK: Group = Group {
    name: "kwok",
    module: "kwok",
    linker_flags: STRIP,
    programs: &[program("kwok", "sigs.k8s.io/kwok/cmd/kwok")],
    assets: &[
        asset("sigs.k8s.io/kwok", "kustomize/stage/node/fast", "node"),
        asset("sigs.k8s.io/kwok", "kustomize/stage/node/heartbeat", "heartbeat"),
        asset("sigs.k8s.io/kwok", "kustomize/stage/pod/fast", "pod"),
    ],
};

pub(crate) const CRANE: Group = Group {
    name: "crane",
    module: "krew-and-crane",
    linker_flags: STRIP,
    programs: &[program("crane", "github.com/google/go-containerregistry/cmd/crane")],
    assets: &[],
};

pub(crate) const KREW: Group = Group {
    name: "krew",
    module: "krew-and-crane",
    linker_flags: STRIP,
    programs: &[
        program("krew", "sigs.k8s.io/krew/cmd/krew"),
        program("validate-krew-manifest", "sigs.k8s.io/krew/cmd/validate-krew-manifest"),
    ],
    assets: &[],
};

pub(crate) const ACTIONLINT: Group = Group {
    name: "actionlint",
    module: "actionlint",
    linker_flags: STRIP,
    programs: &[program("actionlint", "github.com/rhysd/actionlint/cmd/actionlint")],
    assets: &[],
};

pub(crate) const SSH_GIT_SERVER: Group = Group {
    name: "ssh-git-server",
    module: "ssh-git-server",
    linker_flags: STRIP,
    programs: &[program("ssh-git-server", "testbed/ssh-git-server")],
    assets: &[],
};

/// What clusters and packages need.
pub(crate) const CLUSTERS: &[&Group] = &[&ETCD, &CRANE, &CARVEL_TOOLS, &KWOK, &KAPP_CONTROLLER, &FLUX, &KUBERNETES];

/// What makes packages and serves their images.
pub(crate) const PACKAGES: &[&Group] = &[&CRANE, &CARVEL_TOOLS];

/// What judges the files of a release.
pub(crate) const RELEASES: &[&Group] = &[&KREW, &ACTIONLINT];

/// Everything that tests need.
pub(crate) const ALL: &[&Group] =
    &[&SSH_GIT_SERVER, &ACTIONLINT, &ETCD, &CRANE, &KREW, &CARVEL_TOOLS, &KWOK, &KAPP_CONTROLLER, &FLUX, &KUBERNETES];

impl Group {
    /// Returns the directory of the group's Go module.
    pub(crate) fn sources(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools").join(self.module)
    }

    /// Returns the name of the group's cache entry, which changes with everything that the build depends on.
    ///
    /// Go's own version is left out on purpose: a machine that has the entry needs no Go to use it.
    pub(crate) fn cache_key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let mut files = vec![self.sources().join("go.mod"), self.sources().join("go.sum")];
        files.extend(self.go_files()?);
        for path in files {
            hash.update(std::fs::read(&path).map_err(Error::file("read", &path))?);
        }
        hash.update(self.linker_flags);
        for program in self.programs {
            hash.update(program.package);
        }
        for asset in self.assets {
            hash.update(asset.path);
        }
        let digest = hash.finalize().iter().take(8).fold(0_u64, |digest, &byte| digest << 8 | u64::from(byte));
        Ok(format!("{}-{digest:016x}", self.name))
    }

    /// Lists the Go files of the group's module: what it requires, or a program of the testbed's own.
    fn go_files(&self) -> Result<Vec<PathBuf>> {
        let directory = self.sources();
        let failed = || Error::file("read the directory", &directory);
        let mut files = Vec::new();
        for file in std::fs::read_dir(&directory).map_err(failed())? {
            let path = file.map_err(failed())?.path();
            if path.extension().is_some_and(|extension| extension == "go") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}
