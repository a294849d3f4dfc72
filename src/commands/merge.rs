//! The wait for the merge of a pull request.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::ui::Ui;
use crate::ui::text::duration;
use crate::waiting::{self, Look, Wait, Waited};

/// The pause between two looks at the branch.
const PAUSE: Duration = Duration::from_secs(5);

/// Waits for a merge; `what` is the end of the sentence "waiting for …". There is one look at least.
pub(super) async fn wait(
    ui: Ui,
    deadline: Instant,
    what: &str,
    mut is_merged: impl AsyncFnMut() -> Result<bool>,
) -> Result<Waited<()>> {
    let tell = |elapsed, line: &str| ui.notice(&format!("{:>6}  {line}", duration(elapsed)));
    let wait = Wait { deadline, pause: PAUSE, what, tell: &tell };
    waiting::until(wait, async || Ok(if is_merged().await? { Look::Found(()) } else { Look::NotYet })).await
}

/// Makes the error of a merge that did not come in time.
pub(super) fn overdue(message: String) -> Error {
    Error::of_kind(ErrorKind::Timeout, message)
        .because("no pull request has brought it, and nothing was written on a cluster")
        .hint("merge it, then run the same command again")
}
