//! Leads a person through the questions of a command: what comes next is told by its answers so far, and what turns out to be
//! wrong is asked again.

use std::time::Duration;

use crate::conversation::{Conversation, Question};
use crate::error::{Error, Result};
use crate::ui::Ui;
use crate::ui::prompt;

/// How long a list may take that a question can do without.
pub(super) const LIST_TIMEOUT: Duration = Duration::from_secs(3);

/// An answer that turned out to be wrong, though it looked right.
pub(super) struct Wrong<Topic> {
    /// Which answers may be the cause, the likeliest first.
    topics: Vec<Topic>,
    /// What is wrong.
    error: Box<Error>,
}

impl<Topic: Copy> Wrong<Topic> {
    /// Blames answers, the likeliest first.
    pub(super) fn of(topics: &[Topic], error: Error) -> Self {
        Self { topics: topics.to_vec(), error: Box::new(error) }
    }
}

impl<Topic> From<Error> for Wrong<Topic> {
    fn from(error: Error) -> Self {
        Self { topics: Vec::new(), error: Box::new(error) }
    }
}

/// The questions of a command.
pub(super) trait Walk {
    /// What is asked about.
    type Topic: Copy + PartialEq + 'static;

    /// Tells whether an answer to `later` means nothing any more once that to `topic` is another.
    fn depends(later: Self::Topic, topic: Self::Topic) -> bool;

    /// Returns the answers that may be the cause of what a check after the questions has found, the likeliest first.
    fn blamed_by(failure: &Error) -> &'static [Self::Topic];

    /// The answers so far.
    fn conversation(&mut self) -> &mut Conversation<Self::Topic>;

    /// Returns what is asked next; `None` where all is known.
    fn next(&self) -> Option<Self::Topic>;

    /// Looks at clusters and repositories for what can be chosen from; `None` where that has changed what is asked next.
    async fn question(&mut self, topic: Self::Topic) -> Result<Option<Question>, Wrong<Self::Topic>>;
}

/// Asks until all is known. Nothing is written.
pub(super) async fn lead<W: Walk>(ui: Ui, walk: &mut W) -> Result<()> {
    while let Some(topic) = walk.next() {
        match walk.question(topic).await {
            Ok(Some(question)) => {
                let reply = prompt::ask(question).await?;
                walk.conversation().take(topic, reply, |later| W::depends(later, topic));
            }
            Ok(None) => {}
            Err(Wrong { topics, error }) => {
                let reopen = |topic: &W::Topic| walk.conversation().reopen(*topic, |later| W::depends(later, *topic));
                if !topics.iter().any(reopen) {
                    return Err(*error);
                }
                ui.proposal(&prompt::reason(&error));
            }
        }
    }
    Ok(())
}

/// Leads back to the answers that are the cause of what checks have found, and says what that is; `false` where there is something
/// that no answer has caused.
pub(super) fn lead_back<W: Walk>(ui: Ui, walk: Option<&mut W>, error: &Error) -> bool {
    let Some(walk) = walk else { return false };
    let failures = if error.parts().is_empty() { std::slice::from_ref(error) } else { error.parts() };
    let conversation = walk.conversation();
    let cause = |failure: &Error| W::blamed_by(failure).iter().copied().find(|topic| conversation.was_asked(*topic));
    let Some(causes) = failures.iter().map(cause).collect::<Option<Vec<W::Topic>>>() else { return false };
    for failure in failures {
        ui.proposal(&prompt::reason(failure));
    }
    for topic in causes {
        // One that depends on another is taken back already.
        let _ = conversation.reopen(topic, |later| W::depends(later, topic));
    }
    true
}
