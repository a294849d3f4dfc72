//! Base64 as Kubernetes writes it and Go's `encoding/base64` reads it: line breaks anywhere, loose bits at the end. Pure.

use serde_json::Value;

/// Encodes bytes as Kubernetes does in `data` fields.
pub(super) fn encode(content: &[u8]) -> String {
    match serde_json::to_value(k8s_openapi::ByteString(content.to_vec())) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// Decodes the standard alphabet with padding (Go's `base64.StdEncoding`).
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !symbols.len().is_multiple_of(4) {
        return None;
    }
    let padding = symbols.iter().rev().take_while(|symbol| **symbol == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut decoded = Vec::with_capacity(symbols.len() / 4 * 3);
    for group in symbols[..symbols.len() - padding].chunks(4) {
        let mut bits = 0_u32;
        for symbol in group {
            bits = bits << 6 | u32::from(value(*symbol)?);
        }
        bits <<= 6 * (4 - group.len());
        decoded.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(decoded)
}

fn value(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn line_breaks_and_loose_bits_are_accepted_and_nothing_else() {
        assert_eq!(decode("UEVN").as_deref(), Some(&b"PEM"[..]));
        assert_eq!(decode("UE\r\nVN\nYQ==\n").as_deref(), Some(&b"PEMa"[..]));
        assert_eq!(decode("YR==").as_deref(), Some(&b"a"[..]));
        for wrong in ["YQ", "YQ=", "Y===", "====", "Y Q=", "YQ==YQ==", "-_-_"] {
            assert!(decode(wrong).is_none(), "{wrong}");
        }
    }
}
