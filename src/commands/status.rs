//! `status`: all deliveries as they are now, on all run clusters at once.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;

use crate::check;
use crate::cli::{StatusArgs, StatusFormat};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::observe::survey::{SurveyRequest, Surveyed, survey};
use crate::observe::wait::FluxVersions;
use crate::observe::watch::{self, Updates};
use crate::ui::Ui;
use crate::ui::status::{document, names, table, tree};

/// How long changes are collected before they are shown together.
const COLLECT: Duration = Duration::from_millis(500);

/// How often a watched status is read anew without a change: run clusters are not watched.
const REREAD: Duration = Duration::from_secs(5);

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: StatusArgs,
) -> Result<()> {
    let build = Cluster::connect(Role::Build, &connection).await?;
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let namespace = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
    let request = SurveyRequest {
        namespace: (!arguments.selection.all_namespaces).then(|| namespace.clone()),
        packages: arguments.selection.packages,
        run_clusters: arguments.selection.run_clusters,
        run_contexts: arguments.selection.run_contexts,
        connection,
    };
    let surveyed = survey(&build, versions, &request).await?;
    if surveyed.is_empty() && !arguments.watch {
        let place = request.namespace.as_ref().map_or("any namespace".to_owned(), |name| format!("namespace {name}"));
        return Err(Error::new(format!("there are no such deliveries in {place} on {}", build.display()))
            .hint("name another namespace with -n, or look at all of them with -A"));
    }
    if arguments.watch {
        return follow(ui, &build, versions, &request, arguments.output, surveyed).await;
    }
    print(ui, arguments.output, &surveyed)
}

/// Shows the status again with every change.
async fn follow(
    ui: Ui,
    build: &Cluster,
    versions: FluxVersions,
    request: &SurveyRequest,
    format: StatusFormat,
    mut surveyed: Vec<Surveyed>,
) -> Result<()> {
    let mut updates = Updates::new();
    if let Some(namespace) = &request.namespace {
        watch::watch_sources(&mut updates, build, versions.source, namespace);
        watch::watch_kustomizations(&mut updates, build, versions.kustomization, namespace);
    }
    let mut shown = Vec::new();
    loop {
        let lines = render(format, &surveyed)?;
        if lines != shown {
            ui.screen(&lines)?;
            shown = lines;
        }
        tokio::select! {
            Some(_) = updates.next() => tokio::time::sleep(COLLECT).await,
            () = tokio::time::sleep(REREAD) => {}
        }
        // What came in while collecting is read together.
        while let Some(Some(_)) = futures::FutureExt::now_or_never(updates.next()) {}
        surveyed = survey(build, versions, request).await?;
    }
}

fn print(ui: Ui, format: StatusFormat, surveyed: &[Surveyed]) -> Result<()> {
    for line in render(format, surveyed)? {
        ui.result_styled(&line)?;
    }
    Ok(())
}

fn render(format: StatusFormat, surveyed: &[Surveyed]) -> Result<Vec<String>> {
    let now = Timestamp::now();
    Ok(match format {
        StatusFormat::Tree => tree::lines(surveyed, now),
        StatusFormat::Wide => table::lines(surveyed, now),
        StatusFormat::Name => names(surveyed),
        StatusFormat::Json => vec![
            serde_json::to_string_pretty(&document(surveyed, now))
                .map_err(|error| Error::new("cannot write JSON").because(error))?,
        ],
        StatusFormat::Yaml => vec![crate::gitops::manifest::write_documents(&[document(surveyed, now)])?],
    })
}
