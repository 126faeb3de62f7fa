//! Bounds on what a stranger can make this crate do. The length of a token is the caller's to bound.

/// Keys taken from one source; what follows is skipped. Identity providers publish two to ten.
pub const MAX_KEYS: usize = 256;

/// Bytes of one key source. The largest public key sets (certificate chains included) are near 100 KiB.
pub const MAX_KEY_SET_BYTES: usize = 1024 * 1024;

/// Keys tried for one token: a token without a `kid` that fits no key costs this many signature checks or decryptions.
pub const MAX_TRIED_KEYS: usize = 8;

/// Nesting of objects and arrays in a header, a payload or a key, the outermost one included.
pub const MAX_JSON_DEPTH: usize = 32;

/// Bytes of an inflated plaintext (`zip`). Claims of a quarter of that no longer fit the frames in which HAProxy takes
/// answers, while a kilobyte of ciphertext can stand for a megabyte of zeros.
pub const MAX_INFLATED_BYTES: usize = 64 * 1024;
