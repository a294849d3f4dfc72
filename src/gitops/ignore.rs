//! The pattern language of `.sourceignore` and `spec.ignore`, as source-controller reads it (fluxcd/pkg `sourceignore`
//! v0.18.0, which goes back to go-git): like `.gitignore`, but a file in a directory that is left out may be taken in again,
//! and `**` means something between slashes only. Pure.
//!
//! `tests/ignore_patterns.rs` compares it with the Go code. Which patterns apply where lives in [`super::artifact`].

/// One line of a list of patterns.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The line as it is written.
    pub(super) text: String,
    /// Where it is written, as messages name it.
    pub(super) origin: String,
    /// The directory that it is about.
    domain: Vec<String>,
    segments: Vec<Segment>,
    /// Whether it takes files in again.
    includes: bool,
    is_about_directories: bool,
}

#[derive(Clone, Debug)]
enum Segment {
    /// What stands before a slash at the beginning.
    Nothing,
    /// `**`.
    Directories,
    /// What Go cannot read, and which therefore matches nothing; with `**` in it, between slashes.
    Unreadable,
    Name(Vec<Token>),
}

#[derive(Clone, Debug)]
enum Token {
    /// `*`.
    Any,
    /// `?`.
    One,
    Literal(char),
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Reads a list of patterns, one a line, that stands in a directory.
pub(super) fn patterns(text: &str, origin: &str, domain: &[&str]) -> Vec<Pattern> {
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let lines = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| Pattern::parse(line, origin, domain)).collect()
}

/// Returns the pattern by which a file is left out: the last one that says anything about it decides.
pub(super) fn leaving_out<'a>(patterns: &'a [Pattern], path: &str) -> Option<&'a Pattern> {
    let path: Vec<&str> = path.split('/').collect();
    patterns.iter().rfind(|pattern| pattern.matches(&path)).filter(|pattern| !pattern.includes)
}

impl Pattern {
    fn parse(line: &str, origin: &str, domain: &[&str]) -> Self {
        let (includes, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let pattern = if pattern.ends_with("\\ ") { pattern } else { pattern.trim_end_matches(' ') };
        let (is_about_directories, pattern) = pattern.strip_suffix('/').map_or((false, pattern), |rest| (true, rest));
        let is_path = pattern.contains('/');
        let segment = |text: &str| match text {
            "" if is_path => Segment::Nothing,
            "**" if is_path => Segment::Directories,
            text if is_path && text.contains("**") => Segment::Unreadable,
            text => tokens(text).map_or(Segment::Unreadable, Segment::Name),
        };
        Self {
            text: line.to_owned(),
            origin: origin.to_owned(),
            domain: domain.iter().map(|&name| name.to_owned()).collect(),
            segments: pattern.split('/').map(segment).collect(),
            includes,
            is_about_directories,
        }
    }

    /// Tells whether the pattern says anything about a file.
    fn matches(&self, path: &[&str]) -> bool {
        let is_inside = path.len() > self.domain.len() && self.domain.iter().zip(path).all(|(one, other)| one == other);
        if !is_inside {
            return false;
        }
        let path = &path[self.domain.len()..];
        match self.segments.as_slice() {
            // Without a slash it is a name, of the file or of any directory around it.
            [Segment::Name(name)] => {
                let found = path.iter().position(|segment| matches(name, segment));
                found.is_some_and(|at| !self.is_about_directories || at + 1 < path.len())
            }
            [_] => false,
            segments => self.matches_path(segments, path),
        }
    }

    /// Follows go-git step by step: after `**`, the first segment that matches counts, and no other is tried.
    fn matches_path(&self, segments: &[Segment], mut path: &[&str]) -> bool {
        let (mut is_matched, mut skips_directories) = (false, false);
        for (index, segment) in segments.iter().enumerate() {
            let name = match segment {
                Segment::Nothing => {
                    skips_directories = false;
                    continue;
                }
                Segment::Directories if index + 1 == segments.len() => break,
                Segment::Directories => {
                    skips_directories = true;
                    continue;
                }
                Segment::Unreadable => return false,
                Segment::Name(name) => name,
            };
            let Some((first, rest)) = path.split_first() else { return false };
            if !std::mem::take(&mut skips_directories) {
                if !matches(name, first) {
                    return false;
                }
                path = rest;
                is_matched = true;
                continue;
            }
            let found = path.iter().position(|segment| matches(name, segment));
            is_matched = found.is_some();
            path = found.map_or(&[], |at| &path[at + 1..]);
        }
        is_matched && !(self.is_about_directories && path.is_empty())
    }
}

/// Reads a name with wildcards by the rules of Go's `path/filepath.Match`; `None` where Go finds it malformed.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Literal(rest.next()?),
            '[' => class(&mut rest)?,
            literal => Token::Literal(literal),
        });
    }
    Some(tokens)
}

fn class(rest: &mut std::str::Chars<'_>) -> Option<Token> {
    let is_negated = rest.as_str().starts_with('^');
    if is_negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    while ranges.is_empty() || !rest.as_str().starts_with(']') {
        let low = bound(rest)?;
        let is_range = rest.as_str().starts_with('-');
        let high = if is_range {
            rest.next();
            bound(rest)?
        } else {
            low
        };
        ranges.push((low, high));
    }
    rest.next();
    Some(Token::Class { is_negated, ranges })
}

/// Reads one end of a range; something must follow it.
fn bound(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let bound = match rest.next()? {
        '-' | ']' => return None,
        '\\' => rest.next()?,
        literal => literal,
    };
    (!rest.as_str().is_empty()).then_some(bound)
}

fn matches(tokens: &[Token], name: &str) -> bool {
    let Some((token, others)) = tokens.split_first() else { return name.is_empty() };
    if matches!(token, Token::Any) {
        let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
        return ends.into_iter().any(|at| matches(others, &name[at..]));
    }
    let mut characters = name.chars();
    let Some(character) = characters.next() else { return false };
    let is_match = match token {
        Token::Any | Token::One => true,
        Token::Literal(literal) => *literal == character,
        Token::Class { is_negated, ranges } => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *is_negated
        }
    };
    is_match && matches(others, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_says_anything_decides() {
        let patterns = patterns("# packages\n/packages\r\n\n*.md\n!README.md\n", ".sourceignore", &["apps"]);
        let rule = |path: &str| leaving_out(&patterns, path).map(|pattern| pattern.text.as_str());
        assert_eq!(rule("apps/packages/1.0.0.yaml"), Some("/packages"));
        assert_eq!(rule("apps/hello/packages/1.0.0.yaml"), None);
        assert_eq!(rule("packages/1.0.0.yaml"), None);
        assert_eq!(rule("apps/docs/a.md"), Some("*.md"));
        assert_eq!(rule("apps/docs/README.md"), None);
    }
}
