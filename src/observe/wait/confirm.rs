//! Fresh reads of everything about the deliveries of one run cluster, parents before children, so that many are as cheap
//! as one.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use kube::ResourceExt;

use super::track::Retry;
use crate::carvel::App;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::{
    FluxVersions, GitRepository, Kustomization, RECONCILE_REQUESTED_AT, git_repository_resource, kustomization_resource,
};
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::install::Installed;
use crate::observe::target::Target;
use crate::observe::verdict::{Assessment, FluxObjects, FluxPart, assess, assess_flux, package_installs};

/// How many Flux objects are read at a time.
const AT_A_TIME: usize = 8;

/// What is to be read about deliveries of one run cluster.
pub(super) struct Inquiry {
    /// The run cluster's view; `None` where it cannot be reached.
    pub(super) view: Option<usize>,
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    pub(super) cluster: Option<Cluster>,
    pub(super) questions: Vec<Question>,
    /// The Apps that have not changed for a while, by namespace and name, in this resourceVersion.
    pub(super) settled: BTreeMap<(String, String), Option<String>>,
}

/// A delivery to be read about.
pub(super) struct Question {
    pub(super) index: usize,
    pub(super) delivery: Delivery,
    pub(super) expectation: Expectation,
    pub(super) retry: Option<Retry>,
}

/// What was read about deliveries of one run cluster.
pub(super) struct Confirmation {
    pub(super) view: Option<usize>,
    pub(super) answers: Vec<Answer>,
}

/// What was read about one delivery.
pub(super) struct Answer {
    pub(super) index: usize,
    pub(super) assessment: Result<Assessment>,
    /// Whether the Kustomization has made the retry that was requested of it.
    pub(super) is_answered: bool,
    pub(super) expectation: Expectation,
}

/// The Flux objects of a delivery.
struct FluxRead {
    packages: Option<Kustomization>,
    installs: Option<Kustomization>,
}

type Sources = BTreeMap<(String, String), Result<Option<GitRepository>>>;
type Targets = BTreeMap<String, Result<Target>>;

impl Inquiry {
    /// Reads, and judges what was read.
    pub(super) async fn make(mut self) -> Confirmation {
        let questions = std::mem::take(&mut self.questions);
        let sources = self.read_sources(&questions).await;
        let kustomizations: Vec<Result<FluxRead>> = stream::iter(&questions)
            .map(|question| self.read_kustomizations(&question.delivery))
            .buffered(AT_A_TIME)
            .collect()
            .await;
        let mut read: Vec<(Question, Result<FluxRead>)> = questions.into_iter().zip(kustomizations).collect();
        let targets = self.read_targets(&mut read, &sources).await;
        let answers = read.into_iter().map(|(question, flux)| self.answer(question, flux, &sources, &targets));
        Confirmation { view: self.view, answers: answers.collect() }
    }

    async fn read_sources(&self, questions: &[Question]) -> Sources {
        let names: BTreeSet<&(String, String)> = questions.iter().map(|question| &question.delivery.source).collect();
        let kind = git_repository_resource(self.versions.source);
        let mut sources = Sources::new();
        for name in names {
            sources.insert(name.clone(), self.build.read(&kind, &name.0, &name.1).await);
        }
        sources
    }

    async fn read_kustomizations(&self, delivery: &Delivery) -> Result<FluxRead> {
        let kind = kustomization_resource(self.versions.kustomization);
        let packages = self.build.read(&kind, &delivery.namespace, &delivery.packages_kustomization).await?;
        let installs = self.build.read(&kind, &delivery.namespace, &delivery.installs_kustomization).await?;
        Ok(FluxRead { packages, installs })
    }

    /// Reads the namespaces of the installs that Flux is done with. A run cluster that cannot be read does not hide why Flux
    /// fails there.
    async fn read_targets(&self, read: &mut [(Question, Result<FluxRead>)], sources: &Sources) -> Targets {
        let Some(cluster) = &self.cluster else { return Targets::new() };
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (question, flux) in read {
            let (Some(Ok(source)), Ok(flux)) = (sources.get(&question.delivery.source), flux) else { continue };
            let objects = flux.objects(source.as_ref());
            if let FluxPart::Applied { .. } = assess_flux(&question.delivery, objects, &mut question.expectation) {
                for (namespace, name) in flux.installs.as_ref().map(package_installs).unwrap_or_default() {
                    wanted.entry(namespace).or_default().insert(name);
                }
            }
        }
        let mut targets = Targets::new();
        for (namespace, names) in wanted {
            let target = match names.first() {
                Some(only) if names.len() == 1 => Target::read_one(cluster, &namespace, only).await,
                _ => Target::read(cluster, &namespace).await,
            };
            targets.insert(namespace, target);
        }
        targets
    }

    fn answer(&self, question: Question, flux: Result<FluxRead>, sources: &Sources, targets: &Targets) -> Answer {
        let Question { index, delivery, mut expectation, retry } = question;
        let mut is_answered = false;
        let assessment = (|| {
            let flux = flux?;
            is_answered = retry.as_ref().is_none_or(|retry| flux.has_made(retry, &delivery));
            let source = match sources.get(&delivery.source) {
                Some(Ok(source)) => source.as_ref(),
                Some(Err(error)) => return Err(error.clone()),
                None => None,
            };
            for (namespace, _) in flux.installs.as_ref().map(package_installs).unwrap_or_default() {
                if let Some(Err(error)) = targets.get(&namespace) {
                    return Err(error.clone());
                }
            }
            let installed = |namespace: &str, name: &str| {
                let Some(Ok(target)) = targets.get(namespace) else { return Installed::default() };
                let settled = self.settled.get(&(namespace.to_owned(), name.to_owned()));
                target.installed(name, is_same(settled, target.app(name)))
            };
            Ok(assess(&delivery, flux.objects(source), &mut expectation, installed))
        })();
        Answer { index, assessment, is_answered, expectation }
    }
}

impl FluxRead {
    fn objects<'a>(&'a self, source: Option<&'a GitRepository>) -> FluxObjects<'a> {
        FluxObjects { source, packages: self.packages.as_ref(), installs: self.installs.as_ref() }
    }

    /// Tells whether a requested retry has been made.
    fn has_made(&self, retry: &Retry, delivery: &Delivery) -> bool {
        let is_packages = retry.kustomization == delivery.packages_kustomization;
        let asked = if is_packages { &self.packages } else { &self.installs };
        let handled = asked.as_ref().and_then(|object| object.status.as_ref()?.last_handled_reconcile_at.as_ref());
        // Somebody else's later request overwrites ours; its answer is as good.
        let newest = asked.as_ref().and_then(|object| object.annotations().get(RECONCILE_REQUESTED_AT));
        handled.is_some() && (handled == Some(&retry.token) || handled == newest)
    }
}

/// Tells whether the App that was just read is the one that has not changed for a while.
fn is_same(settled: Option<&Option<String>>, app: Option<&App>) -> bool {
    settled.is_some_and(|version| app.is_some_and(|app| app.metadata.resource_version == *version))
}
