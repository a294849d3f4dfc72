//! `status`: all deliveries as they are now, on all run clusters at once; with `--watch` again with every change, of which the
//! watches tell. What has not changed is not read again.

use std::time::Duration;

use jiff::Timestamp;

use super::namespace::selection;
use crate::check;
use crate::cli::{StatusArgs, StatusFormat};
use crate::cluster::{Cluster, Connection, Role};
use crate::error::{Error, Result};
use crate::observe::survey::{Survey, SurveyRequest, Surveyed};
use crate::ui::extent::Extent;
use crate::ui::status::{document, names, table, tree};
use crate::ui::{Ui, json};
use crate::waiting;

/// How long changes are collected before they are shown together.
const COLLECT: Duration = Duration::from_millis(300);

/// How often ages are shown again, and what cannot be read is tried again.
const REFRESH: Duration = Duration::from_secs(10);

pub(super) async fn run(
    ui: Ui,
    connection: Connection,
    namespace: Option<String>,
    arguments: StatusArgs,
) -> Result<()> {
    let build = Cluster::connect(Role::Build, &connection).await?;
    let versions = check::flux(&build, &build.served_versions().await?)?;
    let selection = selection(ui, &build, namespace, arguments.selection).await?;
    let place = selection.place();
    // While it is watched, there may yet come what is not there now.
    let request = SurveyRequest { selection, accepts_unknown: arguments.watch, connection };
    let mut survey = Survey::new(&build, versions, request);
    let surveyed = survey.look().await?;
    let shown = Shown { format: arguments.output.output, extent: Extent::of(arguments.all) };
    if arguments.watch {
        return follow(ui, shown, survey, surveyed).await;
    }
    if surveyed.is_empty() {
        return Err(Error::new(format!("there are no deliveries in {place} on {}", build.display()))
            .hint("name another namespace with -n, or look at all of them with -A"));
    }
    print(ui, shown, &surveyed)
}

/// What is shown, and how.
#[derive(Clone, Copy)]
struct Shown {
    format: StatusFormat,
    extent: Extent,
}

fn print(ui: Ui, shown: Shown, surveyed: &[Surveyed]) -> Result<()> {
    for line in render(shown, surveyed)? {
        ui.result_styled(&line)?;
    }
    Ok(())
}

fn render(shown: Shown, surveyed: &[Surveyed]) -> Result<Vec<String>> {
    let now = Timestamp::now();
    Ok(match shown.format {
        StatusFormat::Tree => tree::lines(surveyed, now, shown.extent),
        StatusFormat::Wide => table::lines(surveyed, now),
        StatusFormat::Name => names(surveyed),
        StatusFormat::Json => vec![json(&document(surveyed, now))?],
        StatusFormat::Yaml => vec![crate::gitops::manifest::write_documents(&[document(surveyed, now)])?],
    })
}

/// Shows what was surveyed, and again whenever something changes, until interrupted.
async fn follow(ui: Ui, shown: Shown, mut survey: Survey, mut surveyed: Vec<Surveyed>) -> Result<()> {
    survey.watch_flux();
    let mut trouble = None;
    let mut last = Vec::new();
    loop {
        let mut lines = render(shown, &surveyed)?;
        lines.extend(trouble.take());
        if lines != last {
            ui.screen(&lines)?;
            last = lines;
        }
        tokio::select! {
            () = survey.changed() => {
                waiting::pause(COLLECT).await;
                survey.take_changes();
            }
            () = waiting::pause(REFRESH) => survey.forget_unreadable(),
        }
        match survey.look().await {
            Ok(looked) => surveyed = looked,
            // What was read last stays on the screen.
            Err(error) => trouble = Some(format!("{error}; retrying")),
        }
    }
}
