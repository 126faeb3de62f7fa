//! The body of an answer, or of a file: bounded as it comes, and bounded again when it was compressed.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use jose::MAX_KEY_SET_BYTES;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;

use crate::load_error::LoadError;

/// The first bytes of gzip (RFC 1952 section 2.3.1); no key set begins so.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How much of a name that a server chose is shown.
const MAX_SHOWN: usize = 40;

/// Reads the answer whole, up to so many bytes.
pub(super) async fn read<E: From<LoadError>>(
    mut response: Response,
    max: usize,
    failed: impl Fn(reqwest::Error) -> E,
) -> Result<Vec<u8>, E> {
    let encodings: Vec<String> = response
        .headers()
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    let compressed = match encodings.as_slice() {
        [] => false,
        [one] if one == "gzip" || one == "x-gzip" => true,
        _ => {
            let shown: String = encodings.join(", ").escape_debug().take(MAX_SHOWN).collect();
            return Err(LoadError::Encoding(shown).into());
        }
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(&failed)? {
        if bytes.len().saturating_add(chunk.len()) > max {
            return Err(LoadError::TooLarge(max).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let bytes = if compressed { inflate(&bytes, max)? } else { bytes };
    Ok(if bytes.starts_with(&GZIP) { inflate(&bytes, max)? } else { bytes })
}

/// The document itself, which a file may hold compressed.
pub(crate) fn plain(bytes: Vec<u8>) -> Result<Vec<u8>, LoadError> {
    if bytes.starts_with(&GZIP) { inflate(&bytes, MAX_KEY_SET_BYTES) } else { Ok(bytes) }
}

fn inflate(bytes: &[u8], max: usize) -> Result<Vec<u8>, LoadError> {
    let mut inflated = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let mut decoder = MultiGzDecoder::new(bytes).take(limit.saturating_add(1));
    decoder.read_to_end(&mut inflated).map_err(|_| LoadError::Gzip)?;
    if inflated.len() > max { Err(LoadError::TooLarge(max)) } else { Ok(inflated) }
}
