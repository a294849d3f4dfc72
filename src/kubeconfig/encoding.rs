//! How Kubernetes writes bytes into text: base64, and the claims of JSON Web Tokens. Pure.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose};
use serde_json::Value;

/// Go's `encoding/base64` does not look at the bits of the last symbol that belong to no byte.
const DATA: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

const TOKEN: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Encodes bytes as Kubernetes does in `data` fields.
#[must_use]
pub fn base64(content: &[u8]) -> String {
    DATA.encode(content)
}

/// Decodes text from a `data` field or a kubeconfig's `-data` field.
#[must_use]
pub(crate) fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(decode(encoded)?).ok()
}

/// Decodes the standard alphabet with padding; line breaks may be anywhere, as in Go.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    DATA.decode(symbols).ok()
}

/// Reads the claims of a JSON Web Token (RFC 7519), whose signature is the API server's business.
pub(crate) fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&TOKEN.decode(token.split('.').nth(1)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_loose_bits_are_accepted_and_nothing_else() {
        assert_eq!(decode("UEVN").as_deref(), Some(&b"PEM"[..]));
        assert_eq!(decode("UE\r\nVN\nYQ==\n").as_deref(), Some(&b"PEMa"[..]));
        assert_eq!(decode("YR==").as_deref(), Some(&b"a"[..]));
        for wrong in ["YQ", "YQ=", "Y===", "====", "Y Q=", "YQ==YQ==", "-_-_"] {
            assert!(decode(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn claims_are_read_from_the_alphabet_of_urls() {
        assert_eq!(
            claims("e30.eyJpc3MiOiJodHRwczovL2J1aWxkPz8_In0.fake").expect("it has claims")["iss"],
            "https://build???"
        );
        for opaque in ["fake-token", "a.b.c", ""] {
            assert!(claims(opaque).is_none(), "{opaque}");
        }
    }
}
