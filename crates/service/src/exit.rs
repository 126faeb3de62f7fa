//! Exit codes, after `sysexits.h`.

/// The configuration, a key file or the command line is wrong; nothing was started (`EX_USAGE`).
pub const USAGE: u8 = 64;

/// The configuration is right, but the program could not run: an address in use, a damaged store.
pub const FAILURE: u8 = 1;
