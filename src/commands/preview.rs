//! What a command would do, reported instead of done: as a list, as a diff, or as YAML.
//!
//! What is reported is computed in [`crate::plan`]; here it is printed, or written into files.

use std::fs;
use std::path::Path;

use secrecy::ExposeSecret;

use super::outcome;
use crate::cli::PreviewMode;
use crate::error::{Error, ErrorKind, Result};
use crate::gitops::tree::segments;
use crate::plan::difference::{Difference, differences};
use crate::plan::execute::{Executor, advise};
use crate::plan::export::{Contents, Export, ExportedFile, Secrets};
use crate::plan::show::Shown;
use crate::plan::{Plan, Preview, read_others, show};
use crate::ui::events::{PreviewChange, PreviewResult};
use crate::ui::{Format, Ui, diff};
use crate::whole_file::{self, Mode};

/// Refuses to print two formats at once.
pub(super) fn check(format: Format, mode: Option<&PreviewMode>) -> Result<()> {
    if format == Format::Json && matches!(mode, Some(PreviewMode::Export { directory: None, .. })) {
        return Err(Error::usage("the YAML of --export cannot be printed between the events of -o json")
            .hint("write it into a directory: --export=DIR"));
    }
    Ok(())
}

/// A plan with its preview.
pub(super) struct Previewed<'a> {
    pub(super) plan: &'a Plan,
    pub(super) preview: &'a Preview,
    pub(super) executor: Executor<'a>,
    /// The short name of the run cluster; empty where the plan is about none.
    pub(super) run_cluster: &'a str,
}

/// Reports what plans would do. Nothing is written but the files of an export.
pub(super) async fn report(ui: Ui, mode: &PreviewMode, all: &[Previewed<'_>], contents: Contents) -> Result<()> {
    for previewed in all {
        advise(previewed.plan, ui);
    }
    match mode {
        PreviewMode::DryRun => list(ui, all),
        PreviewMode::Diff => compare(ui, all).await,
        PreviewMode::Export { directory, shows_secrets } => {
            let secrets = if *shows_secrets { Secrets::Shown } else { Secrets::Redacted };
            export(ui, all, directory.as_deref(), (contents, secrets)).await
        }
    }
}

fn list<'a>(ui: Ui, all: &[Previewed<'a>]) -> Result<()> {
    if ui.format == Format::Json {
        return outcome::report_preview(ui, "previewed", 0, result(all));
    }
    // What is carried out together is listed together.
    for together in all.chunk_by(|_, next| next.plan.purpose.is_empty()) {
        if together.iter().any(|one| one.preview.changes_something(one.plan)) {
            let shown = |one: &Previewed<'a>| (one.plan, one.preview, one.executor.headings());
            let shown: Vec<Shown<'_>> = together.iter().map(shown).collect();
            show::lines(&shown).iter().try_for_each(|line| ui.result(line))?;
        } else {
            let unchanged: usize = together.iter().map(|one| show::unchanged(one.plan, one.preview)).sum();
            ui.result(&format!("nothing to change: {unchanged} objects are as wanted already"))?;
        }
    }
    Ok(())
}

async fn compare(ui: Ui, all: &[Previewed<'_>]) -> Result<()> {
    let mut lines = Vec::new();
    for Previewed { plan, preview, executor, .. } in all {
        let others = read_others(plan, *executor).await?;
        let differences = differences(plan, preview, &others, &executor.headings())?;
        lines.extend(
            differences
                .iter()
                .flat_map(|Difference { name, before, after }| diff::lines(name, before.as_deref(), after.as_deref())),
        );
        for sentence in preview.unknown(plan) {
            ui.status(&sentence);
        }
    }
    let differs = !lines.is_empty() || all.iter().any(|one| one.preview.changes_something(one.plan));
    let result = match ui.format {
        Format::Text => lines.iter().try_for_each(|line| ui.result_styled(&diff::styled(line))),
        Format::Json => {
            let preview = PreviewResult { diff: Some(diff::plain(&lines)), ..result(all) };
            outcome::report_preview(ui, if differs { "different" } else { "same" }, u8::from(differs), preview)
        }
    };
    result?;
    if differs { Err(Error::of_kind(ErrorKind::Differences, "something differs").reported()) } else { Ok(()) }
}

async fn export(ui: Ui, all: &[Previewed<'_>], directory: Option<&Path>, what: (Contents, Secrets)) -> Result<()> {
    let mut export = Export::default();
    for Previewed { plan, executor, run_cluster, .. } in all {
        let others = read_others(plan, *executor).await?;
        export.add(plan, &others, &executor.headings(), run_cluster, what)?;
    }
    for sentence in &export.left_out {
        ui.status(&format!("left out: {sentence}"));
    }
    let Some(directory) = directory else {
        return export.files.iter().try_for_each(|file| {
            let content = file.content.expose_secret();
            let separator = if content.starts_with("---") || content.starts_with("# left out") { "" } else { "---\n" };
            let end = if content.ends_with('\n') { "" } else { "\n" };
            ui.document(&format!("# {}\n{separator}{content}{end}", file.place))
        });
    };
    let written: Vec<String> = export.files.iter().map(|file| write(directory, file)).collect::<Result<_>>()?;
    if ui.format == Format::Json {
        let preview = PreviewResult { files: written, left_out: export.left_out, ..result(all) };
        return outcome::report_preview(ui, "exported", 0, preview);
    }
    written.iter().try_for_each(|path| ui.result(path))
}

/// Writes one file, whole or not at all; only its owner may read what holds secrets.
fn write(directory: &Path, file: &ExportedFile) -> Result<String> {
    let path = segments(&file.path)?.iter().fold(directory.to_path_buf(), |path, segment| path.join(segment));
    let mode = if file.holds_secrets { Mode::Private } else { Mode::Readable };
    fs::create_dir_all(path.parent().unwrap_or(directory))
        .and_then(|()| whole_file::write(&path, file.content.expose_secret().as_bytes(), mode))
        .map_err(|error| Error::new(format!("cannot write {}", path.display())).because(error))?;
    Ok(path.display().to_string())
}

fn result(all: &[Previewed<'_>]) -> PreviewResult {
    let mut result = PreviewResult::default();
    for Previewed { plan, preview, executor, .. } in all {
        let entries = show::entries(plan, preview, &executor.headings()).into_iter();
        result.changes.extend(entries.map(|entry| PreviewChange {
            place: entry.place,
            action: entry.sign.word(),
            name: entry.name,
            details: entry.details,
        }));
        result.unchanged += show::unchanged(plan, preview);
        result.unknown.extend(preview.unknown(plan));
    }
    result
}
