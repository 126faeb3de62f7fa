//! Keys from a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jose::MAX_KEY_SET_BYTES;

use crate::client::plain;
use crate::load_error::LoadError;

/// Reads the file, which may be compressed by gzip.
///
/// # Errors
///
/// It cannot be read, or is larger than any key set, also when it is inflated.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_KEY_SET_BYTES).unwrap_or(u64::MAX);
    let file = File::open(path).map_err(LoadError::File)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(LoadError::File)?;
    if bytes.len() > MAX_KEY_SET_BYTES {
        return Err(LoadError::TooLarge(MAX_KEY_SET_BYTES));
    }
    plain(bytes)
}
