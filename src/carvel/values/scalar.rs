//! What a plain scalar is to ytt v0.51: `resolve` in `pkg/yamlmeta/internal/yaml.v2/resolve.go`. Pure.
//!
//! A date is text there, `yes` and `y` are true, `0755` is octal, `1_000` a thousand.

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Number(f64),
    /// Text, as it stands.
    Text,
}

/// Resolves a scalar without quotes and tag.
#[must_use]
pub fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Boolean(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Boolean(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Number(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Number(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Number(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        // Without a digit before the point, underscores are not skipped.
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let digits = text.replace('_', "");
            integer(&digits).map(Scalar::Integer).or_else(|| float(&digits))
        }
        _ => None,
    };
    number.unwrap_or(Scalar::Text)
}

/// Reads an integer as Go's `strconv.ParseInt` and `ParseUint` do with base 0.
fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (Some('+'), &text[1..]),
        b'-' => (Some('-'), &text[1..]),
        _ => (None, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    match sign {
        None => (magnitude <= u64::MAX.into()).then_some(magnitude),
        Some('-') => (-magnitude >= i64::MIN.into()).then_some(-magnitude),
        Some(_) => (magnitude <= i64::MAX.into()).then_some(magnitude),
    }
}

/// Reads a decimal number with a fraction or an exponent; one that is too large is text to Go.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let has_one_sign = text.len() - unsigned.len() <= 1;
    let is_decimal = unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && !unsigned.starts_with(['e', 'E']);
    let number: f64 = if has_one_sign && is_decimal { text.parse().ok()? } else { return None };
    number.is_finite().then_some(Scalar::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_they_are_to_ytt() {
        for text in ["yes", "y", "TRUE"] {
            assert_eq!(plain(text), Scalar::Boolean(true), "{text}");
        }
        for text in
            ["tRUE", "2024-01-31", "12:30", "0x", "0xg", "1e999", "-", "+", "_1", "1.2.3", "--1", ".", "..5", "e5"]
        {
            assert_eq!(plain(text), Scalar::Text, "{text}");
        }
        for (text, value) in
            [("0755", 493), ("0o17", 15), ("0x1F", 31), ("-0b11", -3), ("1_000", 1000), ("+7", 7), ("0", 0)]
        {
            assert_eq!(plain(text), Scalar::Integer(value), "{text}");
        }
        // Eight is no octal digit, so that Go goes on to read a number with a fraction.
        for text in ["08", "1e3", ".5", "+.5", "1.", "18446744073709551616", "-9223372036854775809"] {
            assert!(matches!(plain(text), Scalar::Number(_)), "{text}");
        }
        for text in ["", "~", "Null"] {
            assert_eq!(plain(text), Scalar::Null, "{text}");
        }
    }
}
