use super::*;
use crate::conversation::Reply;

const LED: Situation = Situation { leads: true, has_contexts: true, asks_for_login: false };

/// Answers until all is known, and returns what was asked.
fn asked(given: &[Topic], situation: Situation, url: &str) -> Vec<Topic> {
    let mut conversation = Conversation::with(given.iter().map(|topic| (*topic, Some("given".into()))));
    let mut topics = Vec::new();
    while let Some(topic) = next(&conversation, situation) {
        topics.push(topic);
        conversation.take(topic, Reply::Answer(if topic == Topic::GitUrl { url } else { "answer" }.into()), |_| false);
    }
    topics
}

#[test]
fn who_names_nothing_is_asked_in_an_order_in_which_each_answer_offers_the_next() {
    use Topic::{Branch, Context, GitPassword, GitUrl, GitUsername, Namespace, Package, SshKeyFile};
    assert_eq!(asked(&[], LED, "https://host/a"), [Context, Namespace, GitUrl, Branch, Package]);
    let with_login = Situation { asks_for_login: true, ..LED };
    let login = [Context, Namespace, GitUrl, GitUsername, GitPassword, Branch, Package];
    assert_eq!(asked(&[], with_login, "https://host/a"), login);
    let ssh = [Context, Namespace, GitUrl, SshKeyFile, Branch, Package];
    assert_eq!(asked(&[], LED, "ssh://git@host/a"), ssh);
}

#[test]
fn who_names_something_is_asked_only_what_is_missing() {
    use Topic::{Branch, Context, GitUrl, Namespace, Package};
    let some = Situation::default();
    assert_eq!(asked(&[Package], some, "https://host/a"), [GitUrl, Branch]);
    assert_eq!(asked(&[Package, GitUrl, Branch], some, "https://host/a"), []);
    assert_eq!(asked(&[Context, Namespace], LED, "https://host/a"), [GitUrl, Branch, Package]);
}

#[test]
fn an_empty_user_name_needs_no_password() {
    let mut conversation = Conversation::with([(Topic::GitUrl, Some("https://host/a".into()))]);
    let situation = Situation { asks_for_login: true, ..Situation::default() };
    conversation.take(Topic::GitUsername, Reply::Answer("".into()), |_| false);
    assert_eq!(next(&conversation, situation), Some(Topic::Branch));
}
