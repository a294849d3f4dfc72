//! How a package's values look: what can be set as a table, and the packages of a repository with their versions. Pure.

use super::text::{escape, one_line, width};
use crate::carvel::schema::ValuesSchema;
use crate::carvel::values::validate::judge;
use crate::carvel::values::words::{in_one_line, limits, type_name};

const HEADER: [&str; 5] = ["KEY", "TYPE", "DEFAULT", "LIMITS", "DESCRIPTION"];

/// The columns of a screen that each takes at least: with less, the line is better too long than the text a column of letters.
const NARROWEST: [usize; 5] = [16, 8, 8, 10, 20];

const GAP: &str = "   ";

/// Returns a table of what can be set; on a screen, long texts go on in further lines.
#[must_use]
pub fn table(schema: &ValuesSchema, screen: Option<usize>) -> Vec<String> {
    let required: Vec<String> = judge(schema, &[]).findings.into_iter().map(|finding| finding.path).collect();
    let mut rows = vec![HEADER.map(str::to_owned)];
    for (path, entry) in schema.entries() {
        let default = match &entry.default {
            _ if required.contains(&path) => "required".to_owned(),
            Some(default) => in_one_line(default),
            None => entry.default_value().filter(serde_json::Value::is_null).map_or("-", |_| "null").to_owned(),
        };
        let deprecated = if entry.is_deprecated { "deprecated: " } else { "" };
        let words = [entry.title.as_deref(), entry.description.as_deref()];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let limits = limits(entry).join("; ");
        rows.push([path, type_name(entry), default, limits, format!("{deprecated}{words}")]);
    }
    wrapped(&rows, screen, NARROWEST)
}

/// Returns a table of packages: name, number of versions, and the highest.
#[must_use]
pub fn packages(packages: &[(String, usize, String)]) -> Vec<String> {
    let header = ["PACKAGE", "VERSIONS", "HIGHEST"].map(str::to_owned);
    let rows = packages.iter().map(|(name, versions, highest)| [name.clone(), versions.to_string(), highest.clone()]);
    wrapped(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), None, [0; 3])
}

fn wrapped<const COLUMNS: usize>(
    rows: &[[String; COLUMNS]],
    screen: Option<usize>,
    narrowest: [usize; COLUMNS],
) -> Vec<String> {
    let rows: Vec<[String; COLUMNS]> = rows.iter().map(|row| row.clone().map(|cell| shown(&cell))).collect();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default();
    let mut widths: [usize; COLUMNS] = std::array::from_fn(widest);
    let available = screen.unwrap_or(usize::MAX).saturating_sub(GAP.len() * (COLUMNS - 1));
    // The widest column has most to give.
    while widths.iter().sum::<usize>() > available {
        let shrinkable = (0..COLUMNS).filter(|column| widths[*column] > narrowest[*column]);
        let Some(column) = shrinkable.max_by_key(|column| widths[*column]) else { break };
        widths[column] -= 1;
    }
    let mut lines = Vec::new();
    for row in rows {
        let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(cell, width)| wrap(cell, width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        for number in 0..height {
            let padded = cells.iter().zip(widths).map(|(lines, widest)| {
                let line = lines.get(number).map_or("", String::as_str);
                format!("{line}{}", " ".repeat(widest.saturating_sub(width(line))))
            });
            lines.push(padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned());
        }
    }
    lines
}

fn shown(cell: &str) -> String {
    let text = one_line(&escape(cell));
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Breaks a text into lines between words; a word that is too long for a line is broken, too.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let needed = width(word) + lines.last().map_or(0, |line| if line.is_empty() { 0 } else { width(line) + 1 });
        if needed <= columns {
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            continue;
        }
        if lines.last().is_some_and(|line| !line.is_empty()) {
            lines.push(String::new());
        }
        for character in word.chars() {
            if lines.last().is_some_and(|line| !line.is_empty() && width(&format!("{line}{character}")) > columns) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::carvel::values::template::values_file;

    fn schema() -> ValuesSchema {
        let openapi = json!({"type": "object", "additionalProperties": false, "properties": {
            "workload_name": {"type": "string", "default": "", "minLength": 1,
                "description": "Name of the workload.\nEverything that is deployed is named after it."},
            "replicas": {"type": "integer", "default": 2, "minimum": 1, "maximum": 5, "title": "Replicas"},
            "level": {"type": "string", "default": "info", "enum": ["info", "debug", "5"], "deprecated": true},
            "server": {"type": "object", "additionalProperties": false, "description": "Where it listens", "properties": {
                "host": {"type": "string", "default": "yes", "example": "0.0.0.0"},
                "tls": {"type": "object", "additionalProperties": false, "nullable": true, "properties": {
                    "secret": {"type": "string", "default": "", "minLength": 1},
                }},
            }},
            "ports": {"type": "array", "default": [], "items": {"type": "object", "additionalProperties": false,
                "properties": {
                    "name": {"type": "string", "default": "web"},
                    "port": {"type": "integer", "default": 80},
                }}},
            "false": {"type": "number", "format": "float", "default": 0.5},
            "extra": {"nullable": true, "default": {"text": "a\nb\n"}},
        }});
        ValuesSchema::read(&openapi).unwrap()
    }

    #[test]
    fn a_table_fits_its_screen() {
        for columns in [80, 100, 200] {
            let lines = table(&schema(), Some(columns));
            assert!(lines.iter().all(|line| width(line) <= columns), "{}", lines.join("\n"));
        }
        insta::assert_snapshot!(table(&schema(), Some(100)).join("\n"), @r#"
KEY                 TYPE              DEFAULT             LIMITS                DESCRIPTION
workload_name       string            required            not empty             Name of the
                                                                                workload. Everything
                                                                                that is deployed is
                                                                                named after it.
replicas            integer           2                   1 to 5                Replicas
level               string            info                one of info, debug,   deprecated:
                                                          "5"
server              mapping           -                   -                     Where it listens
server.host         string            "yes"               -                     -
server.tls          mapping or null   null                -                     -
server.tls.secret   string            ""                  not empty             -
ports               list of mapping   []                  -                     -
ports[].name        string            web                 -                     -
ports[].port        integer           80                  -                     -
false               number            0.5                 -                     -
extra               any               {"text":"a\nb\n"}   -                     -
"#);
    }

    #[test]
    fn a_file_of_values_holds_the_defaults_and_says_what_they_are() {
        insta::assert_snapshot!(values_file(&schema(), "values of hello.example.com 1.2.3").unwrap(), @r#"
# values of hello.example.com 1.2.3

# Name of the workload.
# Everything that is deployed is named after it.
# (string; not empty)
workload_name: ""

# Replicas
# (integer; 1 to 5)
replicas: 2

# (deprecated; string; one of info, debug, "5")
level: info

# Where it listens
server:
  # (string)
  # example: 0.0.0.0
  host: "yes"
  # (mapping or null)
  tls: null
  # tls:
  #   # (string; not empty)
  #   secret: ""

# (list of mapping)
ports: []
# ports:
#   # (string)
# - name: web
#   # (integer)
#   port: 80

# (number)
false: 0.5

# (any)
extra:
  text: |
    a
    b
"#);
    }

    #[test]
    fn a_file_of_values_can_be_read_and_judged() {
        let text = values_file(&schema(), "values").unwrap();
        let read = crate::carvel::values::read(&text, "v.yaml").unwrap();
        let judgement = judge(&schema(), &read);
        let found: Vec<String> = judgement.findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["v.yaml line 6: workload_name must not be empty"]);
    }

    #[test]
    fn words_are_broken_only_where_they_must() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("abcdef gh", 4), ["abcd", "ef", "gh"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
