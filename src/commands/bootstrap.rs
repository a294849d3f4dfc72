//! `bootstrap`: makes a package's GitOps repository known to Flux.
//!
//! Read downward: flags and questions ([`walk`]) lead to a [`request`], whose [`credential`] comes from files; what is found out
//! about it ([`gather`]) are the [`facts`]; from both follows the [`mod@plan`].

mod credential;
mod facts;
mod gather;
mod plan;
mod request;
mod walk;

use self::facts::Facts;
use self::request::Request;
use self::walk::Questions;
use super::preview::{self, Previewed};
use super::walk::lead_back;
use super::{context, outcome, repeat};
use crate::cli::BootstrapArgs;
use crate::cluster::{Cluster, Connection, Role};
use crate::conversation::Question;
use crate::error::{Error, Result};
use crate::flux::GitRepository;
use crate::gitops::checkout::Limits;
use crate::gitops::credentials::GitCredentials;
use crate::plan::Preview;
use crate::plan::execute::{Executor, confirm_and_execute};
use crate::plan::export::Contents;
use crate::ui::{Format, Ui, prompt};

/// Makes the repository known. Returns with which package and credentials a person who was led here goes on, if they like to.
pub(super) async fn run(
    ui: Ui,
    connection: &mut Connection,
    namespace: &mut Option<String>,
    typed: BootstrapArgs,
) -> Result<Option<(String, Option<GitCredentials>)>> {
    request::require(ui, &typed)?;
    let given_namespace = namespace.take();
    let mut led = None;
    let (asked, found) = loop {
        let asked = ask(ui, &mut led, connection, given_namespace.clone(), &typed).await?;
        match find_out(ui, connection, &asked).await {
            // What was answered is not lost: only what is wrong is asked again.
            Err(error) if lead_back(ui, led.as_mut(), &error) => {}
            found => break (asked, found),
        }
    };
    let Asked { request, arguments, answers, leads } = asked;
    *namespace = Some(request.namespace.clone());
    let result = match found {
        Ok((build, facts)) => prepare(ui, &build, facts, &request, &arguments).await,
        Err(error) => Err(error),
    };
    repeat::tell(ui, &repeat::words(), &answers);
    let credentials = result?;
    if !leads || arguments.preview.mode().is_some() || ui.format != Format::Text {
        return Ok(None);
    }
    let question = Question::one_of_names("Add a run cluster now", "add-cluster", &["yes".to_owned(), "no".to_owned()]);
    Ok((prompt::text(question).await? == "yes").then_some((request.package, credentials)))
}

/// What was asked for, by flags and answers.
struct Asked {
    request: Request,
    /// The flags, with the answers filled in.
    arguments: BootstrapArgs,
    /// The answers as flags.
    answers: Vec<(&'static str, String)>,
    /// Whether everything was asked, and it is worth going on with what follows.
    leads: bool,
}

/// Asks for what the flags leave open, again for what was taken back.
async fn ask(
    ui: Ui,
    led: &mut Option<Questions>,
    connection: &mut Connection,
    namespace: Option<String>,
    typed: &BootstrapArgs,
) -> Result<Asked> {
    let mut arguments = typed.clone();
    let walked = walk::walk(ui, led, connection, namespace, &mut arguments).await?;
    context::choose(ui, connection).await?;
    let chosen = context::namespace(ui, connection, walked.namespace).await?;
    let request = Request::of(ui, chosen, &arguments, walked.credentials, walked.given).await?;
    Ok(Asked { request, arguments, answers: walked.answers, leads: walked.leads })
}

/// Finds out and checks everything.
async fn find_out(ui: Ui, connection: &Connection, asked: &Asked) -> Result<(Cluster, Facts)> {
    let build = Cluster::connect(Role::Build, connection).await?;
    let build = build.forcing_conflicts(asked.arguments.write.force_conflicts);
    let limits = Limits::new(connection.request_timeout, asked.request.timeout);
    let facts = Box::pin(gather::gather(ui, &asked.request, &build, limits)).await?;
    Ok((build, facts))
}

/// Plans, previews, confirms and carries out; returns the credentials that the repository takes.
async fn prepare(
    ui: Ui,
    build: &Cluster,
    facts: Facts,
    request: &Request,
    arguments: &BootstrapArgs,
) -> Result<Option<GitCredentials>> {
    let plan = plan::plan(request, &facts);
    let plan = if arguments.confirm.wait { plan } else { plan.without_waiting() };
    let executor = Executor { build, run: None, checkouts: &[], ui };
    let preview = Preview::of(&plan, &facts.live, executor).await?;
    if let Some(mode) = arguments.preview.mode() {
        let previewed = Previewed { plan: &plan, preview: &preview, executor, run_cluster: "" };
        preview::report(ui, &mode, &[previewed], Contents::Wanted).await?;
        return Ok(facts.login);
    }
    confirm_and_execute(&plan, &preview, executor, arguments.confirm.yes).await?;
    if !arguments.confirm.wait {
        outcome::report_applied(ui, &request.package, None)?;
        return Ok(facts.login);
    }

    let source = request.git_repository(facts.version);
    let fetched = build.get(&source).await?.and_then(|live| live.try_parse::<GitRepository>().ok()?.status?.artifact);
    let fetched = fetched.ok_or_else(|| Error::new(format!("{} has fetched nothing any more", source.display())))?;
    outcome::report_fetched(ui, &request.namespace, &request.package, &fetched.revision)?;
    Ok(facts.login)
}
