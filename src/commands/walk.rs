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
    type Topic: Copy + PartialEq;

    /// Tells whether an answer to `later` means nothing any more once that to `topic` is another.
    fn depends(later: Self::Topic, topic: Self::Topic) -> bool;

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
