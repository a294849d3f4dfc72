//! Certificates of X.509 version 1, as `openssl x509 -req` makes them without extensions; rcgen makes version 3 only.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::SigningKey;

/// The tags of what is told apart here (X.690).
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// The version, and the extensions, in a certificate of version 3 (RFC 5280, 4.1).
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Makes of a certificate one of version 1, without extensions, signed anew by its issuer's key; as PEM.
pub(super) fn from_version_three(certificate: &[u8], issuer: &impl SigningKey) -> Option<String> {
    let [to_be_signed, algorithm, _signature] = <[_; 3]>::try_from(elements(content(certificate)?)?).ok()?;
    let fields = elements(content(to_be_signed)?)?;
    let fields = fields.into_iter().filter(|field| !matches!(field.first(), Some(&VERSION | &EXTENSIONS)));
    let to_be_signed = element(SEQUENCE, &fields.collect::<Vec<_>>().concat());
    // The first byte says how many bits of the last one do not count.
    let signature = [&[0], &*issuer.sign(&to_be_signed).ok()?].concat();
    let signed = [to_be_signed, algorithm.to_vec(), element(BIT_STRING, &signature)].concat();
    let text = BASE64_STANDARD.encode(element(SEQUENCE, &signed));
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    Some(format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")))
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let head = match (content.len(), u8::try_from(significant.len())) {
        (0..0x80, _) | (_, Err(_)) => vec![tag, *significant.last().unwrap_or(&0)],
        (_, Ok(count)) => [&[tag, 0x80 | count], &*significant].concat(),
    };
    [&*head, content].concat()
}

/// Splits the first element off: how long its head is, and how long all of it.
fn first(der: &[u8]) -> Option<(usize, usize)> {
    let length = usize::from(*der.get(1)?);
    if length < 0x80 {
        return Some((2, 2 + length));
    }
    let head = 2 + (length & 0x7f);
    let length = der.get(2..head)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some((head, head + length))
}

fn content(der: &[u8]) -> Option<&[u8]> {
    let (head, end) = first(der)?;
    der.get(head..end)
}

fn elements(mut der: &[u8]) -> Option<Vec<&[u8]>> {
    let mut elements = Vec::new();
    while !der.is_empty() {
        let (_, end) = first(der)?;
        elements.push(der.get(..end)?);
        der = &der[end..];
    }
    Some(elements)
}
