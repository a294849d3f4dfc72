//! A conversation with a person, as values: what is asked, what was answered, and which answers are taken back. Pure.
//!
//! Which question comes next is a function of the answers so far, of each command's own; how one is shown and answered on a
//! terminal lives in [`crate::ui::prompt`].

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use crate::error::{Error, Result};

/// What is asked, and how it is answered.
#[derive(Clone)]
pub struct Question {
    /// What is asked, without a question mark.
    pub what: String,
    /// The flag or argument that answers it.
    pub flag: &'static str,
    /// The form of the answer.
    pub form: Form,
    check: Check,
}

/// Says why an answer is wrong.
type Check = Arc<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line of text.
    Text {
        /// What an empty line stands for; without, it goes back.
        default: Option<String>,
    },
    /// A line that is not shown.
    Hidden,
    /// One of several.
    OneOf {
        /// In the order in which they are shown; the first is proposed.
        choices: Vec<Choice>,
        /// Whether something else may be typed.
        takes_others: bool,
    },
}

/// One of several answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The answer.
    pub value: String,
    /// What is shown beside it; may be empty.
    pub note: String,
}

impl Choice {
    /// An answer, with a note beside it.
    pub fn new(value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { value: value.into(), note: note.into() }
    }
}

impl Question {
    fn new(what: impl Into<String>, flag: &'static str, form: Form) -> Self {
        Self { what: what.into(), flag, form, check: Arc::new(|_| Ok(())) }
    }

    /// Asks for a line of text.
    pub fn text(what: impl Into<String>, flag: &'static str) -> Self {
        Self::new(what, flag, Form::Text { default: None })
    }

    /// Asks for a line that is not shown.
    pub fn hidden(what: impl Into<String>, flag: &'static str) -> Self {
        Self::new(what, flag, Form::Hidden)
    }

    /// Asks for one of several; for a text where there is nothing to choose from.
    pub fn one_of(what: impl Into<String>, flag: &'static str, choices: Vec<Choice>) -> Self {
        if choices.is_empty() {
            return Self::text(what, flag);
        }
        Self::new(what, flag, Form::OneOf { choices, takes_others: false })
    }

    /// Asks for one of several names.
    pub fn one_of_names(what: impl Into<String>, flag: &'static str, names: &[String]) -> Self {
        Self::one_of(what, flag, names.iter().map(|name| Choice::new(name, "")).collect())
    }

    /// Takes an empty line for this answer.
    #[must_use]
    pub fn or(mut self, default: impl Into<String>) -> Self {
        if let Form::Text { default: given } = &mut self.form {
            *given = Some(default.into());
        }
        self
    }

    /// Lets something else be typed than the choices.
    #[must_use]
    pub fn or_another(mut self) -> Self {
        if let Form::OneOf { takes_others, .. } = &mut self.form {
            *takes_others = true;
        }
        self
    }

    /// Refuses answers; the question is asked again with the reason.
    #[must_use]
    pub fn checked(mut self, check: impl Fn(&str) -> Result<()> + Send + Sync + 'static) -> Self {
        self.check = Arc::new(check);
        self
    }

    /// Says why an answer is wrong.
    pub fn check(&self, answer: &str) -> Result<()> {
        match &self.form {
            Form::OneOf { choices, takes_others: false } if !choices.iter().any(|choice| choice.value == answer) => {
                Err(Error::usage(format!("`{answer}` is not one of them")))
            }
            _ => (self.check)(answer),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.what, self.flag)
    }
}

/// What was said to a question.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer that passed the question's check.
    Answer(Answer),
    /// To the question before.
    Back,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// One that may be shown.
    Text(String),
    /// One that may not.
    Secret(SecretString),
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The answers so far: those that flags gave, and those that a person gave to questions, which may be taken back.
#[derive(Debug)]
pub struct Conversation<Topic> {
    given: Vec<(Topic, Answer)>,
    /// In the order of the questions; an answer that was taken back leaves its place.
    answered: Vec<(Topic, Option<Answer>)>,
}

impl<Topic: Copy + PartialEq> Conversation<Topic> {
    /// Begins with what flags say.
    pub fn with(given: impl IntoIterator<Item = (Topic, Option<Answer>)>) -> Self {
        let given = given.into_iter().filter_map(|(topic, answer)| Some((topic, answer?))).collect();
        Self { given, answered: Vec::new() }
    }

    fn answer_to(&self, topic: Topic) -> Option<&Answer> {
        let answered = self.answered.iter().filter_map(|(topic, answer)| Some((topic, answer.as_ref()?)));
        let mut all = self.given.iter().map(|(topic, answer)| (topic, answer)).chain(answered);
        all.find(|(answered, _)| **answered == topic).map(|(_, answer)| answer)
    }

    /// Tells whether a topic needs no question any more.
    pub fn knows(&self, topic: Topic) -> bool {
        self.answer_to(topic).is_some()
    }

    /// Tells whether a person answered, and not a flag.
    pub fn was_asked(&self, topic: Topic) -> bool {
        self.answered.iter().any(|(answered, answer)| *answered == topic && answer.is_some())
    }

    /// Returns an answer that may be shown.
    pub fn text(&self, topic: Topic) -> Option<&str> {
        match self.answer_to(topic)? {
            Answer::Text(text) => Some(text),
            Answer::Secret(_) => None,
        }
    }

    /// Returns an answer that may be shown, if a person gave it.
    pub fn asked(&self, topic: Topic) -> Option<&str> {
        self.text(topic).filter(|_| self.was_asked(topic))
    }

    /// Returns what a person answered to these topics, each with its flag; what is empty, or may not be shown, is left out.
    pub fn flags(&self, topics: &[Topic], flag: impl Fn(Topic) -> &'static str) -> Vec<(&'static str, String)> {
        let answer = |topic: &Topic| self.asked(*topic).filter(|answer| !answer.is_empty());
        topics.iter().filter_map(|topic| Some((flag(*topic), answer(topic)?.to_owned()))).collect()
    }

    /// Returns an answer that may not be shown.
    pub fn secret(&self, topic: Topic) -> Option<&SecretString> {
        match self.answer_to(topic)? {
            Answer::Secret(secret) => Some(secret),
            Answer::Text(_) => None,
        }
    }

    /// Goes on with an answer, or goes back: the answer before is taken back, so that its question is the next one. What depends on
    /// a new answer is forgotten, as far as it is known already.
    pub fn take(&mut self, topic: Topic, reply: Reply, depends: impl Fn(Topic) -> bool) {
        let place = self.answered.iter().position(|(answered, _)| *answered == topic);
        match reply {
            Reply::Answer(answer) => {
                match place.and_then(|place| self.answered.get_mut(place)) {
                    Some(place) => place.1 = Some(answer),
                    None => self.answered.push((topic, Some(answer))),
                }
                self.answered.retain(|(answered, _)| !depends(*answered));
            }
            Reply::Back => {
                let before = self.answered.iter_mut().take(place.unwrap_or(usize::MAX));
                if let Some(before) = before.filter(|(_, answer)| answer.is_some()).last() {
                    before.1 = None;
                }
            }
        }
    }

    /// Takes an answer back that turned out to be wrong, with those that depend on it; all others stay. `false` where no person gave
    /// it, and asking again is of no use.
    #[must_use]
    pub fn reopen(&mut self, topic: Topic, depends: impl Fn(Topic) -> bool) -> bool {
        let was_asked = self.was_asked(topic);
        if was_asked {
            self.answered.retain(|(answered, _)| !depends(*answered));
            self.answered.iter_mut().filter(|(answered, _)| *answered == topic).for_each(|place| place.1 = None);
        }
        was_asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Topic {
        Address,
        Name,
        Password,
    }

    fn next(conversation: &Conversation<Topic>) -> Option<Topic> {
        [Topic::Address, Topic::Name, Topic::Password].into_iter().find(|topic| !conversation.knows(*topic))
    }

    fn say(conversation: &mut Conversation<Topic>, answer: &str) {
        let topic = next(conversation).expect("a question");
        conversation.take(topic, Reply::Answer(answer.into()), |_| false);
    }

    #[test]
    fn going_back_asks_the_question_before_and_never_what_a_flag_says() {
        let mut conversation = Conversation::with([(Topic::Name, Some("me".into())), (Topic::Password, None)]);
        assert_eq!(next(&conversation), Some(Topic::Address));
        conversation.take(Topic::Address, Reply::Back, |_| false);
        assert_eq!(next(&conversation), Some(Topic::Address), "there is nothing before the first question");
        say(&mut conversation, "https://host");
        assert_eq!(next(&conversation), Some(Topic::Password), "the name is given");
        conversation.take(Topic::Password, Reply::Back, |_| false);
        assert_eq!(next(&conversation), Some(Topic::Address));
        assert!(!conversation.was_asked(Topic::Address));
        assert_eq!((conversation.text(Topic::Name), conversation.asked(Topic::Name)), (Some("me"), None));
    }

    #[test]
    fn an_answer_that_turns_out_wrong_is_asked_again_with_what_depends_on_it() {
        let mut conversation = Conversation::with([]);
        say(&mut conversation, "https://host");
        say(&mut conversation, "me");
        conversation.take(Topic::Password, Reply::Answer(Answer::Secret("not-a-password".into())), |_| false);
        assert!(conversation.text(Topic::Password).is_none() && conversation.secret(Topic::Password).is_some());
        assert!(conversation.reopen(Topic::Name, |topic| topic == Topic::Password));
        assert_eq!(next(&conversation), Some(Topic::Name));
        assert_eq!(conversation.asked(Topic::Address), Some("https://host"));
        assert!(!conversation.knows(Topic::Password));
    }

    #[test]
    fn what_does_not_depend_on_a_wrong_answer_is_not_lost() {
        let mut conversation = Conversation::with([]);
        say(&mut conversation, "https://host");
        say(&mut conversation, "me");
        say(&mut conversation, "not-a-password");
        assert!(conversation.reopen(Topic::Name, |_| false));
        assert_eq!((next(&conversation), conversation.knows(Topic::Password)), (Some(Topic::Name), true));
        // Going back from it leads to the question before, and loses nothing either.
        conversation.take(Topic::Name, Reply::Back, |_| false);
        assert_eq!(next(&conversation), Some(Topic::Address));
        assert!(conversation.knows(Topic::Password));
        let answer = Reply::Answer("https://other".into());
        conversation.take(Topic::Address, answer, |topic| topic == Topic::Password);
        assert_eq!(next(&conversation), Some(Topic::Name));
        say(&mut conversation, "you");
        assert_eq!(next(&conversation), Some(Topic::Password), "it belonged to the other address");
    }

    #[test]
    fn what_a_flag_says_is_not_asked_again() {
        let mut conversation = Conversation::with([(Topic::Address, Some("https://host".into()))]);
        say(&mut conversation, "me");
        assert!(!conversation.reopen(Topic::Address, |_| true));
        assert_eq!(next(&conversation), Some(Topic::Password), "nothing else is forgotten");
    }

    #[test]
    fn only_what_is_offered_is_taken_unless_others_are_welcome() {
        let names = ["one".to_owned(), "two".to_owned()];
        let question = Question::one_of_names("Which", "--which", &names);
        assert!(question.check("two").is_ok() && question.check("three").is_err());
        let question = question.or_another().checked(|answer| match answer {
            "four" => Err(Error::usage("not four")),
            _ => Ok(()),
        });
        assert!(question.check("three").is_ok() && question.check("four").is_err());
        assert_eq!(Question::one_of_names("Which", "--which", &[]).form, Form::Text { default: None });
        assert_eq!(question.to_string(), "Which (--which)");
    }
}
