//! Single values set by path, as by `--set server.ports[0].name=web`. Pure; the value is never repeated.
//!
//! A path is keys with dots between them, each followed by indexes in brackets; `\.` is a dot that belongs to a key.

use super::node::{Content, Entry, Key, Node, Place};
use super::reader::read;
use crate::error::{Error, Result};

/// A path with the value that goes there.
#[derive(Clone, Debug)]
pub struct Assignment {
    flag: &'static str,
    path: String,
    steps: Vec<Step>,
    value: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// How the text behind `=` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As YAML: a number, a boolean, a list.
    Yaml,
    /// As text, whatever it looks like.
    Text,
}

impl Assignment {
    /// Takes a path, and the text of the value; the error names the path at most.
    pub fn new(flag: &'static str, path: &str, text: &str, reading: Reading) -> Result<Self> {
        let steps = steps(path).ok_or_else(|| {
            Error::usage(format!("{flag} has no path before the `=` that leads to a value"))
                .hint(format!("name keys with dots between them: {flag} server.ports[0].name=VALUE"))
        })?;
        let place = Place { origin: format!("{flag} {path}").into(), line: None };
        let mut value = match reading {
            Reading::Text => Node { place: None, content: Content::Text(text.to_owned()) },
            Reading::Yaml => {
                let mut documents = read(text, &place.origin).map_err(|unreadable| {
                    Error::usage(format!("the value of {flag} {path} is not valid YAML"))
                        .because(unreadable.reason)
                        .hint(format!("give text that is not YAML with --set-string {path}=TEXT"))
                })?;
                if documents.len() > 1 {
                    return Err(Error::usage(format!("the value of {flag} {path} is more than one document")));
                }
                documents.pop().unwrap_or(Node { place: None, content: Content::Null })
            }
        };
        set_place(&mut value, &place);
        Ok(Self { flag, path: path.to_owned(), steps, value })
    }

    /// Puts the value into others. Keys that are missing are added; an index must be there, and what is passed through must be
    /// a mapping or a list.
    pub fn apply(&self, values: &mut Node) -> Result<()> {
        let mut node = values;
        for (number, step) in self.steps.iter().enumerate() {
            let place = self.value.place.clone();
            node = match step {
                Step::Key(name) => {
                    if matches!(node.content, Content::Null) {
                        node.content = Content::Mapping(Vec::new());
                    }
                    let kind = node.content.kind();
                    let Content::Mapping(entries) = &mut node.content else {
                        return Err(self.refusal(number, &format!("{kind} instead of a mapping")));
                    };
                    let position = entries.iter().position(|entry| entry.key.text == *name).unwrap_or_else(|| {
                        let key = Key { text: name.clone(), is_text: true };
                        entries.push(Entry { key, place: place.clone(), node: Node { place, content: Content::Null } });
                        entries.len() - 1
                    });
                    &mut entries[position].node
                }
                Step::Index(index) => {
                    let kind = node.content.kind();
                    let Content::List(items) = &mut node.content else {
                        return Err(self.refusal(number, &format!("{kind} instead of a list")));
                    };
                    let found = match items.len() {
                        0 => "an empty list".to_owned(),
                        length => format!("a list whose last index is {}", length - 1),
                    };
                    items.get_mut(*index).ok_or_else(|| self.refusal(number, &found))?
                }
            };
        }
        *node = self.value.clone();
        Ok(())
    }

    fn refusal(&self, passed: usize, found: &str) -> Error {
        let before = shown(&self.steps[..passed]);
        let before = if before.is_empty() { "the top" } else { &before };
        Error::usage(format!("{} {} leads nowhere: at {before} there is {found}", self.flag, self.path))
            .hint("set the whole list instead, in a file for --values or as YAML: --set 'ports=[80, 443]'")
    }
}

fn set_place(node: &mut Node, place: &Place) {
    node.place = Some(place.clone());
    match &mut node.content {
        Content::List(items) => items.iter_mut().for_each(|item| set_place(item, place)),
        Content::Mapping(entries) => {
            for entry in entries {
                entry.place = Some(place.clone());
                set_place(&mut entry.node, place);
            }
        }
        _ => {}
    }
}

fn shown(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Key(name) => crate::carvel::schema::child(&path, name),
        Step::Index(index) => format!("{path}[{index}]"),
    })
}

/// Splits a path; `None` where it is none.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        let (key, after) = key(rest);
        if key.is_empty() {
            return None;
        }
        steps.push(Step::Key(key));
        rest = after;
        while let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']')?;
            let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
            steps.push(Step::Index(index.parse().ok().filter(|_| is_index)?));
            rest = after;
        }
        if rest.is_empty() {
            return Some(steps);
        }
        rest = rest.strip_prefix('.')?;
    }
}

/// Takes one key off a path.
fn key(path: &str) -> (String, &str) {
    let mut key = String::new();
    let mut characters = path.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => key.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (key, &path[index..]),
            other => key.push(other),
        }
    }
    (key, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &str, path: &str, text: &str, reading: Reading) -> Result<String> {
        let mut node = read(values, "v.yaml").unwrap().remove(0);
        Assignment::new("--set", path, text, reading)?.apply(&mut node)?;
        Ok(serde_json::to_string(&node).unwrap())
    }

    #[test]
    fn a_value_goes_where_its_path_leads() {
        for (path, text, reading, expected) in [
            ("a", "2", Reading::Yaml, r#"{"a":2,"b":[{"c":1},{"c":2}]}"#),
            ("a", "2", Reading::Text, r#"{"a":"2","b":[{"c":1},{"c":2}]}"#),
            ("b[1].c", "[x, z]", Reading::Yaml, r#"{"a":1,"b":[{"c":1},{"c":["x","z"]}]}"#),
            ("d.e\\.f", "yes", Reading::Yaml, r#"{"a":1,"b":[{"c":1},{"c":2}],"d":{"e.f":true}}"#),
            ("b", "", Reading::Yaml, r#"{"a":1,"b":null}"#),
        ] {
            assert_eq!(set("a: 1\nb: [{c: 1}, {c: 2}]\n", path, text, reading).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused_and_no_value_repeated() {
        for (path, message) in [
            ("b[2].c", "--set b[2].c leads nowhere: at b there is a list whose last index is 1"),
            ("a.b", "--set a.b leads nowhere: at a there is an integer instead of a mapping"),
            ("a[0]", "--set a[0] leads nowhere: at a there is an integer instead of a list"),
            ("b.c", "--set b.c leads nowhere: at b there is a list instead of a mapping"),
            ("", "--set has no path before the `=` that leads to a value"),
            ("a..b", "--set has no path before the `=` that leads to a value"),
            ("a[x]", "--set has no path before the `=` that leads to a value"),
            ("a[-1]", "--set has no path before the `=` that leads to a value"),
        ] {
            let error = set("a: 1\nb: [1, 2]\n", path, "fake-password", Reading::Yaml).unwrap_err();
            assert_eq!(error.message(), message);
            assert!(!format!("{error:?}").contains("fake-password"));
        }
        let error = set("a: 1\n", "a", "fake: password: x", Reading::Yaml).unwrap_err();
        assert_eq!(error.message(), "the value of --set a is not valid YAML");
        assert!(!format!("{error:?}").contains("password"));
    }
}
