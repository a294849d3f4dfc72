//! When a credential ends, by what it says itself: a JSON Web Token or a client certificate. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::base64;
use super::certificate::blocks;
use super::effective::Effective;

impl Effective {
    /// Returns when Flux cannot log in with it any more; `None` where it does not end, or does not say so.
    ///
    /// The API server takes the token where there is one (client-go `transport`), and the certificate ends on its own.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        let token = self.token.as_ref().and_then(|token| end_of_token(token.expose_secret()));
        let certificate = self.client_certificate.as_ref().and_then(|pem| end_of_certificate(pem));
        token.into_iter().chain(certificate).min()
    }
}

/// Reads the claim `exp` of a JSON Web Token (RFC 7519), whose signature is the API server's business.
fn end_of_token(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?.replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - payload.len() % 4) % 4);
    let claims: Value = serde_json::from_slice(&base64::decode(&(payload + &padding))?).ok()?;
    Timestamp::from_second(claims["exp"].as_i64()?).ok()
}

/// Reads `notAfter` of the first certificate (RFC 5280, section 4.1).
fn end_of_certificate(pem: &[u8]) -> Option<Timestamp> {
    let blocks = blocks(pem);
    let der = blocks.iter().find(|block| block.label == "CERTIFICATE")?.content.expose_secret();
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // The version may be left out; serial number, algorithm and issuer may not.
    if element(rest)?.0 == 0xa0 {
        rest = element(rest)?.2;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // UTCTime, of the years 1950 to 2049.
        0x17 if text < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    DateTime::strptime("%Y%m%d%H%M%S", text).ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// Splits a DER element off: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length =
            bytes.iter().try_fold(0_usize, |length, byte| length.checked_mul(256)?.checked_add((*byte).into()))?;
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl req -x509 -newkey ed25519`, and its key thrown away at once.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBMjCB5aADAgECAhRxA9Jhkksg3Hc4bPrhPido6ZGdqjAFBgMrZXAwDzENMAsG\n\
A1UEAwwEZmFrZTAeFw0yNjExMjIxODQ5MjdaFw0zMTEwMjcxODQ5MjdaMA8xDTAL\n\
BgNVBAMMBGZha2UwKjAFBgMrZXADIQCYbZcCvUapKzyPcH1uZSpcG1Pv+azAo6JC\n\
iLNH51yr36NTMFEwHQYDVR0OBBYEFAM14zna1NFA906DwVRaAwy6fWlaMB8GA1Ud\n\
IwQYMBaAFAM14zna1NFA906DwVRaAwy6fWlaMA8GA1UdEwEB/wQFMAMBAf8wBQYD\n\
K2VwA0EAjGoRi/YdgRsgBJ+1LUTwkMre2WAYTVDhMPEx4RZ0502OZZnTn7B0SeFs\n\
YS3hliTjJalAkC8oHC5G4Lmup7gMDg==\n\
-----END CERTIFICATE-----\n";

    fn end(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn a_token_says_when_it_ends() {
        let token = |claims: &str| {
            let payload = base64::encode(claims.as_bytes()).replace('+', "-").replace('/', "_");
            format!("header.{}.signature", payload.trim_end_matches('='))
        };
        assert_eq!(end_of_token(&token("{\"exp\": 1798761600}")), end("2027-01-01T00:00:00Z"));
        assert_eq!(end_of_token(&token("{\"exp\": 1798761600, \"x\": \"ÿ>?\"}")), end("2027-01-01T00:00:00Z"));
        for endless in [token("{\"sub\": \"x\"}"), "opaque".to_owned(), "a.b.c".to_owned(), String::new()] {
            assert_eq!(end_of_token(&endless), None, "{endless}");
        }
    }

    #[test]
    fn a_certificate_says_when_it_ends() {
        assert_eq!(end_of_certificate(CERTIFICATE.as_bytes()), end("2031-10-27T18:49:27Z"));
        for broken in ["", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"] {
            assert_eq!(end_of_certificate(broken.as_bytes()), None);
        }
    }
}
