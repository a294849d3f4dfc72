//! Base64 as Kubernetes writes it and Go's `encoding/base64` reads it: line breaks anywhere, loose bits at the end. Pure.

use ::base64::Engine;
use ::base64::alphabet::STANDARD;
use ::base64::engine::GeneralPurpose;
use ::base64::engine::general_purpose::PAD;

/// Go does not look at the bits of the last symbol that belong to no byte.
const ENGINE: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// Encodes bytes as Kubernetes does in `data` fields.
pub(super) fn encode(content: &[u8]) -> String {
    ENGINE.encode(content)
}

/// Decodes the standard alphabet with padding (Go's `base64.StdEncoding`), which skips line breaks.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    ENGINE.decode(symbols).ok()
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
