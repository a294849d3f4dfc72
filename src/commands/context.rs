//! Which context of the kubeconfig is the build cluster's, and which namespace: asked for where neither flags nor kubeconfig say.

use kube::config::Kubeconfig;

use crate::cluster::{Connection, find_kubeconfig};
use crate::conversation::Question;
use crate::error::Result;
use crate::names;
use crate::ui::Ui;
use crate::ui::prompt;

/// Asks for the build cluster's context where the kubeconfig has no current one.
pub(super) async fn choose(ui: Ui, connection: &mut Connection) -> Result<()> {
    if connection.context.is_some() || !ui.is_interactive {
        return Ok(());
    }
    // In a pod, or with the address of the API server, there may be none.
    let Some(kubeconfig) = find_kubeconfig(connection.kubeconfig.as_deref())? else { return Ok(()) };
    if connection.server.is_none() && kubeconfig.current_context.as_ref().is_none_or(String::is_empty) {
        connection.context = Some({
            let question = Question::one_of_names("Context of the build cluster", "--context", &names(&kubeconfig));
            prompt::text(question).await?
        });
    }
    Ok(())
}

/// Returns the namespace of the Flux objects: the flag's, else the context's, as kubectl does; asked for where neither is.
pub(super) async fn namespace(ui: Ui, connection: &Connection, given: Option<String>) -> Result<String> {
    if let Some(given) = given {
        return Ok(given);
    }
    match connection.namespace()? {
        Some(namespace) => Ok(namespace),
        None if ui.is_interactive => {
            let question = Question::text("Namespace on the build cluster", "--namespace").or("default");
            prompt::text(question.checked(names::check_namespace)).await
        }
        None => Ok("default".to_owned()),
    }
}

/// Lists the contexts of a kubeconfig.
pub(super) fn names(kubeconfig: &Kubeconfig) -> Vec<String> {
    kubeconfig.contexts.iter().map(|entry| entry.name.clone()).collect()
}
