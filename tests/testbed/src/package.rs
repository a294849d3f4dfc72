//! Publishes packages as the supply chain does: a bundle in the registry, a Package in the `GitOps` repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cache::{create_directory, write};
use crate::command::output_of;
use crate::error::{Error, Result};
use crate::git_server::Repository;
use crate::registry::Registry;
use crate::tools::Tools;

const SCHEMA: &str = include_str!("package/config/schema.yaml");
const APPLICATION: &str = include_str!("package/config/application.yaml");

/// One version of a package.
#[derive(Debug, Clone)]
pub struct PackageVersion {
    /// The package's name, such as `hello-app.default.tap`.
    pub package: String,
    /// Its version, such as `20261122120000.0.0+build.abc1234`.
    pub version: String,
    /// What becomes of it on a run cluster.
    pub variant: Variant,
    /// Whether its bundle is fetched from the registry that asks for a password.
    pub is_private: bool,
}

impl PackageVersion {
    /// Returns a version that installs and becomes ready.
    #[must_use]
    pub fn new(package: &str, version: &str) -> Self {
        Self { package: package.to_owned(), version: version.to_owned(), variant: Variant::Works, is_private: false }
    }

    /// Returns the same version with its bundle in the registry that asks for a password.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.is_private = true;
        self
    }

    /// Returns the same version with another fate.
    #[must_use]
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }
}

/// What becomes of a package version when it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// It installs, and its Deployment becomes available.
    #[default]
    Works,
    /// Its bundle is not in the registry.
    FailsToFetch,
    /// Its templates have an error that no values can avoid.
    FailsToTemplate,
    /// The API server refuses its Deployment.
    FailsToDeploy,
    /// Its pods can be placed on no node, so that the deploy never ends.
    NeverBecomesReady,
}

/// Pushes the bundle of a package version and commits its Package; returns the new Git revision.
pub fn publish(
    tools: &Tools,
    registry: &Registry,
    repository: &Repository,
    version: &PackageVersion,
) -> Result<String> {
    let (path, manifest) = build(tools, registry, version)?;
    let message = format!("Add {} {}", version.package, version.version);
    repository.commit(&[(path.as_str(), Some(manifest.as_str()))], &message)
}

/// Pushes the bundle of a package version; returns the path and the content of its Package file.
pub fn build(tools: &Tools, registry: &Registry, version: &PackageVersion) -> Result<(String, String)> {
    let directory = tempfile::tempdir().map_err(Error::file("create", Path::new("a temporary directory")))?;
    let bundle = directory.path().join("bundle");
    let image = push_application(registry, version, directory.path())?;
    write_bundle(version, &image, &bundle)?;
    let mut reference = push_bundle(tools, registry, version, &bundle)?;
    if version.variant == Variant::FailsToFetch {
        let (name, _) = reference.split_once('@').unwrap_or((reference.as_str(), ""));
        reference = format!("{name}@sha256:{}", "0".repeat(64));
    }
    if version.is_private {
        reference = reference.replace(&registry.address(), &registry.private()?.address());
    }
    let schema = values_schema(tools, &bundle)?;
    let manifest = serde_yaml::to_string(&package(version, &reference, &schema))
        .map_err(|error| Error::failed(format!("cannot write the Package {}: {error}", version.package)))?;
    Ok((format!("{}/packages/{}.yaml", version.package, version.version), format!("---\n{manifest}")))
}

fn push_application(registry: &Registry, version: &PackageVersion, directory: &Path) -> Result<String> {
    let (content, layer) = (directory.join("version"), directory.join("layer.tar"));
    write(&content, &version.version)?;
    output_of(Command::new("tar").arg("-C").arg(directory).arg("-cf").arg(&layer).arg("version"))?;
    registry.push_image(&format!("supply-chain/{}-application", version.package), &layer)
}

fn write_bundle(version: &PackageVersion, image: &str, bundle: &Path) -> Result<()> {
    let (config, lock) = (bundle.join("config"), bundle.join(".imgpkg"));
    create_directory(&config)?;
    create_directory(&lock)?;
    let mut application = APPLICATION.replace("{{image}}", image).replace("{{version}}", &version.version);
    match version.variant {
        Variant::Works | Variant::FailsToFetch => {}
        Variant::FailsToTemplate => application.push_str("  BROKEN: #@ data.values.no_such_value\n"),
        Variant::FailsToDeploy => application = application.replace("- name: workload\n", "- name: Not_A_Name\n"),
        Variant::NeverBecomesReady => {
            application = application
                .replace("      containers:\n", "      nodeSelector:\n        disk: none\n      containers:\n");
        }
    }
    write(&config.join("schema.yaml"), SCHEMA)?;
    write(&config.join("application.yaml"), application)?;
    let images = json!({
        "apiVersion": "imgpkg.carvel.dev/v1alpha1",
        "kind": "ImagesLock",
        "images": [{ "image": image, "annotations": { "kbld.carvel.dev/id": image } }],
    });
    write(&lock.join("images.yml"), images.to_string())
}

fn push_bundle(tools: &Tools, registry: &Registry, version: &PackageVersion, bundle: &Path) -> Result<String> {
    let tag = version.version.replace('+', "-");
    let reference = format!("{}/supply-chain/{}:{tag}", registry.address(), version.package);
    let lock = bundle.with_extension("lock.yml");
    output_of(
        Command::new(tools.program("imgpkg")?)
            .args(["push", "--bundle", &reference, "--file"])
            .arg(bundle)
            .arg("--lock-output")
            .arg(&lock),
    )?;
    let written = fs::read_to_string(&lock).map_err(Error::file("read", &lock))?;
    serde_yaml::from_str::<Value>(&written)
        .ok()
        .and_then(|lock| Some(lock["bundle"]["image"].as_str()?.to_owned()))
        .ok_or_else(|| Error::failed(format!("imgpkg wrote no digest for {reference}")))
}

/// Returns the schema that ytt derives from the bundle, as `OpenAPI` v3.
fn values_schema(tools: &Tools, bundle: &Path) -> Result<Value> {
    let document =
        output_of(Command::new(tools.program("ytt")?).arg("-f").arg(bundle.join("config/schema.yaml")).args([
            "--data-values-schema-inspect",
            "-o",
            "openapi-v3",
        ]))?;
    serde_yaml::from_str::<Value>(&document)
        .map(|document| document["components"]["schemas"]["dataValues"].clone())
        .map_err(|error| Error::failed(format!("ytt described the package's values in no known way: {error}")))
}

fn package(version: &PackageVersion, bundle: &str, schema: &Value) -> Value {
    json!({
        "apiVersion": "data.packaging.carvel.dev/v1alpha1",
        "kind": "Package",
        "metadata": { "name": format!("{}.{}", version.package, version.version) },
        "spec": {
            "refName": version.package,
            "version": version.version,
            "releaseNotes": "Made by the testbed\n",
            "valuesSchema": { "openAPIv3": schema },
            "template": {
                "spec": {
                    "fetch": [{ "imgpkgBundle": { "image": bundle } }],
                    "template": [{ "ytt": { "paths": ["config"] } }],
                    "deploy": [{ "kapp": {} }],
                },
            },
        },
    })
}
