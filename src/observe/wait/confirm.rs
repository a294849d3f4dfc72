//! Fresh reads of everything about the deliveries of one run cluster, parents before children, so that many are as cheap
//! as one.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::reaching::unread;
use super::track::Retry;
use crate::carvel::App;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::flux::{FluxVersions, RECONCILE_REQUESTED_AT};
use crate::observe::Key;
use crate::observe::delivery::Delivery;
use crate::observe::expectation::Expectation;
use crate::observe::observation::{Observation, read_targets};
use crate::observe::verdict::{Assessment, FluxPart, assess, assess_flux};

/// What is to be read about deliveries of one run cluster.
pub(super) struct Inquiry {
    /// The run cluster's view; `None` where it has yet to be reached.
    pub(super) view: Option<usize>,
    pub(super) build: Cluster,
    pub(super) versions: FluxVersions,
    pub(super) cluster: Option<Cluster>,
    pub(super) questions: Vec<Question>,
    /// The Apps that have not changed for a while, by namespace and name, in this resourceVersion.
    pub(super) settled: BTreeMap<Key, Option<String>>,
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

impl Inquiry {
    /// Reads, and judges what was read.
    pub(super) async fn make(mut self) -> Confirmation {
        let mut questions = std::mem::take(&mut self.questions);
        let mut observation = Observation::default();
        let deliveries = questions.iter().map(|question| &question.delivery);
        observation.read_flux(&self.build, self.versions, deliveries).await;
        if let Some(cluster) = &self.cluster {
            self.read_run_cluster(cluster, &mut observation, &mut questions).await;
        }
        let answers = questions.into_iter().map(|question| self.answer(question, &observation));
        Confirmation { view: self.view, answers: answers.collect() }
    }

    /// Reads the namespaces of the installs that Flux is done with. A run cluster that cannot be read does not hide why Flux
    /// fails there.
    async fn read_run_cluster(&self, cluster: &Cluster, observation: &mut Observation, questions: &mut [Question]) {
        let Some(run_cluster) = questions.first().map(|question| question.delivery.run_cluster_key()) else { return };
        let mut applied = Vec::new();
        for Question { delivery, expectation, .. } in questions {
            let Ok(objects) = observation.flux(delivery) else { continue };
            if let FluxPart::Applied { .. } = assess_flux(delivery, objects, expectation) {
                applied.push(&*delivery);
            }
        }
        let targets = read_targets(cluster, observation.installs(applied)).await;
        observation.take_targets(run_cluster, targets);
    }

    fn answer(&self, question: Question, observation: &Observation) -> Answer {
        let Question { index, delivery, mut expectation, retry } = question;
        let mut is_answered = false;
        let run_cluster = delivery.run_cluster_key();
        let assessment = (|| {
            let objects = observation.flux(&delivery)?;
            is_answered = retry.as_ref().is_none_or(|retry| has_made(retry, observation));
            if let Some(error) = observation.unreadable(&delivery) {
                return Err(error.clone());
            }
            let installed = |namespace: &str, name: &str| {
                let settled = self.settled.get(&(namespace.to_owned(), name.to_owned()));
                observation.installed(&run_cluster, (namespace, name), |app| is_same(settled, app))
            };
            let assessment = assess(&delivery, objects, &mut expectation, installed);
            Ok(if self.cluster.is_some() { assessment } else { unread(assessment) })
        })();
        Answer { index, assessment, is_answered, expectation }
    }
}

/// Tells whether a requested retry has been made.
fn has_made(retry: &Retry, observation: &Observation) -> bool {
    let Ok(Some(asked)) = observation.kustomization(&retry.kustomization) else { return false };
    let handled = asked.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref());
    // Somebody else's later request overwrites ours; its answer is as good.
    let newest = asked.annotations().get(RECONCILE_REQUESTED_AT);
    handled.is_some() && (handled == Some(&retry.token) || handled == newest)
}

/// Tells whether the App that was just read is the one that has not changed for a while.
fn is_same(settled: Option<&Option<String>>, app: &App) -> bool {
    settled.is_some_and(|version| app.metadata.resource_version == *version)
}
