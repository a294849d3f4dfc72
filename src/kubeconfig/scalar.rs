//! What a YAML scalar means to Flux: the rules of go.yaml.in/yaml/v2 v2.4 (`decode.go`, `resolve.go`). Pure.

use serde_yaml::granit_parser::{ScalarStyle, Tag};

use super::base64;
use super::node::Node;
use super::yaml::Reason;

/// Resolves a scalar (yaml/v2 `decode.go`, `scalar`).
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Node, Reason> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { Ok(plain(text)) } else { Ok(Node::Text(text.to_owned())) };
    };
    let mismatch = || Err("a value does not fit its tag".to_owned());
    match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("binary") => match base64::decode(text).map(String::from_utf8) {
            Some(Ok(text)) => Ok(Node::Text(text)),
            _ => mismatch(),
        },
        Some(kind @ ("null" | "bool" | "int" | "float")) => match (kind, plain(text)) {
            ("null", node @ Node::Null)
            | ("bool", node @ Node::Flag(_))
            | ("int" | "float", node @ Node::Number)
            | ("float", node @ Node::Infinite) => Ok(node),
            _ => mismatch(),
        },
        _ => Ok(Node::Text(text.to_owned())),
    }
}

/// Resolves a plain scalar (yaml/v2 `resolve.go`); a timestamp stays text.
fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Node::Flag(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Node::Flag(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => Node::Infinite,
        _ if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) => {
            let digits = text.replace('_', "");
            let is_number = is_integer(&digits) || is_float(&digits);
            let is_spelled_so = !text.starts_with('.') || separates_digits(text);
            if is_number && is_spelled_so { Node::Number } else { Node::Text(text.to_owned()) }
        }
        _ => Node::Text(text.to_owned()),
    }
}

/// Returns whether it is an integer of 64 bits in any base, signed or not (Go's `strconv`, base 0; yaml/v2 adds binary
/// numbers with the sign in the middle).
fn is_integer(text: &str) -> bool {
    let (sign, unsigned) = split_sign(text);
    let lower = unsigned.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    fits(sign, digits, radix)
        || text.strip_prefix("0b").map(split_sign).is_some_and(|(sign, digits)| sign.is_some() && fits(sign, digits, 2))
}

fn split_sign(text: &str) -> (Option<char>, &str) {
    text.strip_prefix('+')
        .map_or_else(|| text.strip_prefix('-').map_or((None, text), |rest| (Some('-'), rest)), |rest| (Some('+'), rest))
}

fn fits(sign: Option<char>, digits: &str, radix: u32) -> bool {
    let limit = match sign {
        Some('-') => i64::MIN.unsigned_abs(),
        Some(_) => i64::MAX.unsigned_abs(),
        None => u64::MAX,
    };
    !digits.starts_with('+') && u64::from_str_radix(digits, radix).is_ok_and(|magnitude| magnitude <= limit)
}

fn is_float(text: &str) -> bool {
    let is_spelled_so = text.chars().all(|each| each.is_ascii_digit() || "+-.eE".contains(each));
    is_spelled_so && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Returns whether underscores are only between digits, which Go asks for where yaml/v2 does not remove them.
fn separates_digits(text: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let mut underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    underscores.all(|(index, _)| is_digit(bytes.get(index.wrapping_sub(1))) && is_digit(bytes.get(index + 1)))
}
