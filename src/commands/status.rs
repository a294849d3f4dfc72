//! `status`: all deliveries as they are now, on all run clusters at once; with `--watch` again with every change, of which the
//! watches tell. What has not changed is not read anew.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use kube::runtime::watcher::Event;

use crate::check;
use crate::cli::{StatusArgs, StatusFormat};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::flux::FluxVersions;
use crate::observe::survey::{Survey, SurveyRequest, Surveyed};
use crate::observe::watch::{self, Update, Updates};
use crate::ui::Ui;
use crate::ui::status::{document, names, table, tree};

/// How long changes are collected before they are shown together.
const COLLECT: Duration = Duration::from_millis(300);

/// How often ages are shown anew, and what cannot be read is tried again.
const REFRESH: Duration = Duration::from_secs(10);

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: StatusArgs,
) -> Result<()> {
    let build = Cluster::connect(Role::Build, &connection).await?;
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let namespace = namespace.unwrap_or_else(|| build.default_namespace().to_owned());
    let selection = arguments.selection.in_namespace(namespace);
    let (namespace, place) = (selection.namespace.clone(), selection.place());
    // While it is watched, there may yet come what is not there now.
    let request = SurveyRequest { selection, accepts_unknown: arguments.watch, connection };
    let mut survey = Survey::new(&build, versions, request);
    let surveyed = survey.look().await?;
    if arguments.watch {
        return follow(ui, &build, versions, namespace.as_deref(), arguments.output, survey, surveyed).await;
    }
    if surveyed.is_empty() {
        return Err(Error::new(format!("there are no deliveries in {place} on {}", build.display()))
            .hint("name another namespace with -n, or look at all of them with -A"));
    }
    print(ui, arguments.output, &surveyed)
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

/// Shows what was surveyed, and again whenever something changes, until interrupted.
async fn follow(
    ui: Ui,
    build: &Cluster,
    versions: FluxVersions,
    namespace: Option<&str>,
    format: StatusFormat,
    mut survey: Survey,
    mut surveyed: Vec<Surveyed>,
) -> Result<()> {
    let mut updates = Updates::new();
    watch::watch_sources(&mut updates, build, versions.source, namespace);
    watch::watch_kustomizations(&mut updates, build, versions.kustomization, namespace);
    let mut trouble = None;
    let mut shown = Vec::new();
    loop {
        survey.watch(&mut updates);
        let mut lines = render(format, &surveyed)?;
        lines.extend(trouble.take());
        if lines != shown {
            ui.screen(&lines)?;
            shown = lines;
        }
        tokio::select! {
            Some(update) = updates.next() => {
                take(&mut survey, update);
                tokio::time::sleep(COLLECT).await;
            }
            () = tokio::time::sleep(REFRESH) => survey.forget_unreadable(),
        }
        while let Some(Some(update)) = updates.next().now_or_never() {
            take(&mut survey, update);
        }
        match survey.look().await {
            Ok(looked) => surveyed = looked,
            // What was read last stays on the screen.
            Err(error) => trouble = Some(format!("{error}; retrying")),
        }
    }
}

/// Makes the survey forget what an update shows to be out of date. Flux's objects are read anew with every look, and what was
/// read before them is forgotten.
fn take(survey: &mut Survey, update: Update) {
    match update {
        Update::Install(index, _, event) if is_change(&event) => survey.forget(index),
        Update::App(index, _, event) if is_change(&event) => survey.forget(index),
        Update::Broken(Some(index), _) => survey.forget(index),
        _ => {}
    }
}

/// Tells whether an event says that something has changed. A first list counts as well: it may have changed before the watch
/// began.
fn is_change<K>(event: &Event<K>) -> bool {
    !matches!(event, Event::Init | Event::InitApply(_))
}
