//! Percent escapes in the parts of a URL, by the tables of Go's `net/url` (1.26). Pure.

/// Which part of a URL is escaped; what may stay differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

fn is_kept(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    let kept: &[u8] = match part {
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::Path => b"$&+,/:;=@",
        Part::User => b"$&+,;=",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    kept.contains(&byte)
}

/// Decodes a part, unless it has characters or escapes that must not be there.
pub(super) fn unescape(text: &str, part: Part) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            let is_refused = matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && !is_kept(byte, part);
            if is_refused {
                return None;
            }
            decoded.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = u8::try_from(digit(bytes.next()?)? * 16 + digit(bytes.next()?)?).ok()?;
        let is_allowed = match part {
            Part::Host => value >= 0x80 || value == b'%',
            Part::Zone => value == b'%' || value == b' ' || is_kept(value, Part::Host),
            _ => true,
        };
        if !is_allowed {
            return None;
        }
        decoded.push(value);
    }
    Some(decoded)
}

/// Escapes whatever cannot stand in a part.
pub(super) fn escape(bytes: &[u8], part: Part) -> String {
    bytes
        .iter()
        .map(|byte| if is_kept(*byte, part) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Writes a part as it was written if that was valid, else escaped anew.
pub(super) fn written(decoded: &[u8], raw: &str, part: Part) -> String {
    let is_valid = raw.bytes().all(|byte| b"!$&'()*+,;=:@[]%".contains(&byte) || is_kept(byte, part));
    match decoded {
        _ if is_valid => raw.to_owned(),
        b"*" if part == Part::Path => "*".to_owned(),
        _ => escape(decoded, part),
    }
}
