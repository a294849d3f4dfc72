//! Generates schemas as people write them for ytt, and values for them, right ones and wrong ones; the same in each run.
//!
//! Only rules that ytt exports are generated: what it does not export, nobody can know from a Package.

use std::fmt::Write as _;

use fastrand::Rng;

const KEYS: &[&str] = &["name", "replicas", "port", "host", "level", "ratio", "items", "extra", "server", "a.b", "n"];

const TEXTS: &[&str] =
    &["''", "a", "\"abc\"", "abcdef", "'5'", "äöü", "2024-01-01", "12:30", "!!str 5", "\"yes\"", "debug"];
const INTEGERS: &[&str] =
    &["0", "1", "3", "6", "-2", "0x1F", "0o7", "010", "1_000", "+4", "0b11", "18446744073709551615"];
const NUMBERS: &[&str] = &["1.5", "80.0", "-2.25", "1e3", ".5", "3.", "08", "18446744073709551616"];
const BOOLEANS: &[&str] = &["true", "False", "yes", "off", "y", "N"];
const OTHERS: &[&str] = &["~", "null", "", "[]", "{}", "[1]", "[a, b]", "{a: 1}", "{port: 80}"];

/// What one value may be.
pub(crate) struct Member {
    shape: Shape,
    is_nullable: bool,
    rules: Vec<String>,
    default: Option<String>,
    example: &'static str,
}

enum Shape {
    Any,
    Scalar(&'static [&'static str]),
    List(Box<Member>),
    Mapping(Vec<(&'static str, Member)>),
}

/// Generates a schema.
pub(crate) fn schema(random: &mut Rng) -> Member {
    Member { shape: mapping(random, 0), is_nullable: false, rules: Vec::new(), default: None, example: "" }
}

fn mapping(random: &mut Rng, depth: usize) -> Shape {
    let mut keys = KEYS.to_vec();
    random.shuffle(&mut keys);
    keys.truncate(random.usize(1..=4));
    Shape::Mapping(keys.into_iter().map(|key| (key, member(random, depth + 1))).collect())
}

fn member(random: &mut Rng, depth: usize) -> Member {
    let mut member =
        Member { shape: Shape::Any, is_nullable: random.u8(..5) == 0, rules: Vec::new(), default: None, example: "" };
    let limit = |random: &mut Rng| random.usize(..5);
    match random.u8(if depth > 2 { 0..6 } else { 0..9 }) {
        0 => {
            member.example = pick(random, &["1", "a", "{a: 1}", "[]", "[1, a]", "~", "{port: 80, a: {b: 1}}"]);
            if random.bool() {
                member.rules.push(pick(random, &["one_of=[1, \"a\", 2.5]", "min=1", "max=\"b\""]).to_owned());
            }
        }
        1 | 2 => {
            member.shape = Shape::Scalar(TEXTS);
            member.example = pick(random, &["\"\"", "abc", "debug"]);
            if !member.is_nullable && random.bool() {
                member.rules.push(format!("min_len={}", limit(random)));
            }
            if !member.is_nullable && random.u8(..3) == 0 {
                member.rules.push(format!("max_len={}", 3 + limit(random)));
            }
            if random.u8(..4) == 0 {
                member.rules.push(
                    pick(random, &["one_of=[\"a\", \"debug\"]", "min=\"b\"", "one_of=[\"yes\", \"5\"]"]).to_owned(),
                );
            }
        }
        3 => {
            member.shape = Shape::Scalar(INTEGERS);
            member.example = pick(random, &["0", "3", "80"]);
            numeric_rules(random, &mut member);
        }
        4 => {
            member.shape = Shape::Scalar(NUMBERS);
            member.example = pick(random, &["0.5", "3.0", "2.5"]);
            numeric_rules(random, &mut member);
        }
        5 => {
            member.shape = Shape::Scalar(BOOLEANS);
            member.example = pick(random, &["true", "no"]);
        }
        6 => {
            let items = self::member(random, depth + 1);
            if random.u8(..3) == 0 && !member.is_nullable {
                member.rules.push(format!("min_len={}", random.usize(..3)));
            }
            if random.u8(..3) == 0 && !member.is_nullable {
                member.rules.push(format!("max_len={}", 1 + random.usize(..3)));
            }
            // ytt exports no rules for items.
            member.shape = Shape::List(Box::new(Member { rules: Vec::new(), default: None, ..items }));
        }
        _ => {
            member.shape = mapping(random, depth);
            if random.u8(..6) == 0 && !member.is_nullable {
                member.rules.push(format!("min_len={}", limit(random)));
            }
        }
    }
    // That of a mapping is one thing that ytt does not export.
    if !matches!(member.shape, Shape::Mapping(_)) && random.u8(..4) == 0 {
        member.default = Some(member.literal(random));
    }
    member
}

fn numeric_rules(random: &mut Rng, member: &mut Member) {
    if random.bool() {
        member.rules.push(pick(random, &["min=1", "min=-1.5", "min=0"]).to_owned());
    }
    if random.u8(..3) == 0 {
        member.rules.push(pick(random, &["max=5", "max=2.5", "max=1000"]).to_owned());
    }
    if random.u8(..5) == 0 {
        member.rules.push(pick(random, &["one_of=[1, 3, 1.5]", "one_of=[2.0, 6]"]).to_owned());
    }
}

fn pick(random: &mut Rng, choices: &[&'static str]) -> &'static str {
    choices[random.usize(..choices.len())]
}

impl Member {
    /// Writes the schema for ytt.
    pub(crate) fn write(&self) -> String {
        let mut text = "#@data/values-schema\n---\n".to_owned();
        self.write_content(&mut text, 0);
        text
    }

    /// Writes a value of the right type in ytt's own language.
    fn literal(&self, random: &mut Rng) -> String {
        if self.is_nullable && random.u8(..4) == 0 {
            return "None".to_owned();
        }
        match &self.shape {
            Shape::Any => pick(random, &["1", "\"a\"", "None", "[1, \"a\"]", "{\"port\": 80}"]).to_owned(),
            Shape::Scalar(pool) if std::ptr::eq(*pool, TEXTS) => {
                pick(random, &["\"\"", "\"a\"", "\"abc\"", "\"5\"", "\"yes\""]).to_owned()
            }
            Shape::Scalar(pool) if std::ptr::eq(*pool, INTEGERS) => pick(random, &["0", "3", "-2", "80"]).to_owned(),
            Shape::Scalar(pool) if std::ptr::eq(*pool, NUMBERS) => pick(random, &["2.5", "3", "-0.5"]).to_owned(),
            Shape::Scalar(_) => pick(random, &["True", "False"]).to_owned(),
            Shape::List(items) => {
                let items: Vec<String> = (0..random.usize(..4)).map(|_| items.literal(random)).collect();
                format!("[{}]", items.join(", "))
            }
            Shape::Mapping(members) => {
                // Without quotes in the schema, `n` is no text.
                let given: Vec<&(&str, Self)> =
                    members.iter().filter(|(key, _)| *key != "n" && random.bool()).collect();
                let entries = given.into_iter().map(|(key, member)| format!("\"{key}\": {}", member.literal(random)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn write_annotations(&self, text: &mut String, indent: usize) {
        let margin = " ".repeat(indent);
        if matches!(self.shape, Shape::Any) {
            let _ = writeln!(text, "{margin}#@schema/type any=True");
        }
        if self.is_nullable {
            let _ = writeln!(text, "{margin}#@schema/nullable");
        }
        if let Some(default) = &self.default {
            let _ = writeln!(text, "{margin}#@schema/default {default}");
        }
        if !self.rules.is_empty() {
            let _ = writeln!(text, "{margin}#@schema/validation {}", self.rules.join(", "));
        }
    }

    fn write_content(&self, text: &mut String, indent: usize) {
        let margin = " ".repeat(indent);
        match &self.shape {
            Shape::Any | Shape::Scalar(_) => {}
            Shape::List(items) => {
                items.write_annotations(text, indent);
                let _ = write!(text, "{margin}-");
                items.write_value(text, indent);
            }
            Shape::Mapping(members) => {
                for (key, member) in members {
                    member.write_annotations(text, indent);
                    let _ = write!(text, "{margin}{key}:");
                    member.write_value(text, indent);
                }
            }
        }
    }

    fn write_value(&self, text: &mut String, indent: usize) {
        match &self.shape {
            Shape::Any | Shape::Scalar(_) => {
                let _ = writeln!(text, " {}", self.example);
            }
            _ => {
                text.push('\n');
                self.write_content(text, indent + 2);
            }
        }
    }

    /// Writes values for it, some of them wrong.
    pub(crate) fn values(&self, random: &mut Rng) -> String {
        let documents = if random.u8(..6) == 0 { 2 } else { 1 };
        let mut text = String::new();
        for _ in 0..documents {
            text.push_str("---\n");
            let Shape::Mapping(members) = &self.shape else { return text };
            for (key, member) in members {
                if random.u8(..3) > 0 {
                    let _ = writeln!(text, "{key}: {}", member.value(random, false));
                } else if matches!(member.shape, Shape::Scalar(kind) if std::ptr::eq(kind, TEXTS)) && random.bool() {
                    let _ = writeln!(text, "# plain comment\n{key}: |\n  ab\n");
                }
            }
            match random.u8(..24) {
                0 => text.push_str("nam: 1\n"),
                1 => text.push_str("5: 1\n"),
                2 => text.push_str("#! not a template\n"),
                3 => text.push_str("#@ template\n"),
                4 => text.push_str("{}\n"),
                _ => {}
            }
        }
        text
    }

    fn value(&self, random: &mut Rng, is_inside: bool) -> String {
        if random.u8(..if is_inside { 12 } else { 9 }) == 0 {
            let pools = [TEXTS, INTEGERS, NUMBERS, BOOLEANS, OTHERS];
            let pool = pools[random.usize(..pools.len())];
            let value = pick(random, pool);
            // Nothing at all would end the flow that it stands in.
            return if value.is_empty() && is_inside { "~".to_owned() } else { value.to_owned() };
        }
        if self.is_nullable && random.u8(..4) == 0 {
            return "null".to_owned();
        }
        match &self.shape {
            Shape::Any => pick(random, &["1", "a", "2.5", "{a: {b: 2}}", "[3]", "~", "{port: x}"]).to_owned(),
            Shape::Scalar(pool) => {
                let pool = if std::ptr::eq(*pool, NUMBERS) && random.bool() { INTEGERS } else { pool };
                pick(random, pool).to_owned()
            }
            Shape::List(items) => {
                let items: Vec<String> = (0..random.usize(..4)).map(|_| items.value(random, true)).collect();
                format!("[{}]", items.join(", "))
            }
            Shape::Mapping(members) => {
                let mut entries = Vec::new();
                for (key, member) in members {
                    if random.u8(..3) > 0 {
                        entries.push(format!("{key}: {}", member.value(random, true)));
                    }
                }
                if random.u8(..20) == 0 {
                    entries.push("hots: x".to_owned());
                }
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}
