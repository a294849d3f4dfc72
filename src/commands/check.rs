//! `check`: what must hold for deliveries to work, on the build cluster and on run clusters that were added already.
//!
//! What is looked at lives in [`build_cluster`], [`run_cluster`] and [`credential`].

mod build_cluster;
mod credential;
mod run_cluster;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;

use self::build_cluster::Flux;
use crate::check::{self, Checks, Outcome};
use crate::cli::{CheckArgs, DocumentFormat};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::observe::Selection;
use crate::observe::observation::Observation;
use crate::ui::check::lines::lines;
use crate::ui::check::{Section, document};
use crate::ui::extent::Extent;
use crate::ui::{Ui, json};

/// How many run clusters are looked at at a time.
const AT_A_TIME: usize = 32;

pub(super) async fn run(ui: Ui, connection: Connection, namespace: Option<String>, arguments: CheckArgs) -> Result<()> {
    let build = Cluster::connect(Role::Build, &connection).await?;
    let namespace = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
    let selection = Selection {
        namespace: (!arguments.all_namespaces).then_some(namespace),
        run_clusters: arguments.run_clusters,
        run_contexts: arguments.run_contexts,
        ..Selection::default()
    };
    let scope = selection.namespace.as_deref();
    let mut checks = Checks::default();
    let versions = checks.take_silently("Flux", check::flux(&build, &build.served_versions().await?));
    let mut sections = Vec::new();
    if let Ok(versions) = versions {
        checks.pass("Flux", format!("GitRepository {}, Kustomization {}", versions.source, versions.kustomization));
        let flux = Flux { versions, observation: Observation::list(&build, versions, scope).await? };
        let all = flux.observation.deliveries();
        selection.refuse_unknown(&all)?;
        let deliveries = selection.of(all);
        build_cluster::check(&mut checks, &build, &flux, scope, &deliveries).await;
        sections = stream::iter(run_cluster::grouped(deliveries))
            .map(|group| run_cluster::check(&build, &flux, &connection, &selection.run_contexts, group))
            .buffered(AT_A_TIME)
            .collect()
            .await;
    }
    sections
        .insert(0, Section { title: build.display(), namespace: scope.map(str::to_owned), run_cluster: None, checks });
    print(ui, arguments.output.output, Extent::of(arguments.all), &sections)?;
    conclude(&sections)
}

fn print(ui: Ui, format: DocumentFormat, extent: Extent, sections: &[Section]) -> Result<()> {
    let text = match format {
        DocumentFormat::Text => return lines(sections, extent).iter().try_for_each(|line| ui.result_styled(line)),
        DocumentFormat::Json => json(&document(sections, Timestamp::now()))?,
        DocumentFormat::Yaml => crate::gitops::manifest::write_documents(&[document(sections, Timestamp::now())])?,
    };
    ui.result_styled(&text)
}

/// Ends with an error if a check failed; a warning is none.
fn conclude(sections: &[Section]) -> Result<()> {
    let findings = || sections.iter().flat_map(|section| section.checks.findings());
    let failed = findings().filter(|finding| matches!(finding.outcome, Outcome::Failed(_))).count();
    match failed {
        0 => Ok(()),
        failed => {
            let (all, noun) = (findings().count(), if findings().count() == 1 { "check" } else { "checks" });
            Err(Error::new(format!("{failed} of {all} {noun} failed")).reported())
        }
    }
}
