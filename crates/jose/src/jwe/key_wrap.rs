//! AES Key Wrap (RFC 3394): unwrapping of content encryption keys.

use aws_lc_rs::cipher::{AES_192, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesBlockCipher, AesKek, KeyWrap as _};

use super::algorithm::AesSize;
use super::secret::{Secret, Undecryptable};

/// The unit of RFC 3394: half an AES block.
const SEMIBLOCK: usize = 8;

/// What a wrapped key must begin with once it is unwrapped (RFC 3394 section 2.2.3.1).
const INTEGRITY_CHECK: [u8; SEMIBLOCK] = [0xa6; SEMIBLOCK];

/// The wrapped key, if the wrapping is whole.
pub(super) fn unwrap(size: AesSize, kek: &[u8], wrapped: &[u8]) -> Result<Secret, Undecryptable> {
    match size {
        AesSize::A128 => unwrap_natively(&AES_128, kek, wrapped),
        AesSize::A192 => unwrap_192(kek, wrapped),
        AesSize::A256 => unwrap_natively(&AES_256, kek, wrapped),
    }
}

fn unwrap_natively(
    cipher: &'static AesBlockCipher,
    kek: &[u8],
    wrapped: &[u8],
) -> Result<Secret, Undecryptable> {
    let mut key = Secret::new(vec![0; wrapped.len().saturating_sub(SEMIBLOCK)]);
    AesKek::new(cipher, kek)?.unwrap(wrapped, &mut key)?;
    Ok(key)
}

/// RFC 3394 section 2.2.2 over single blocks. aws-lc-rs wraps with keys of 128 and 256 bits only, but has the block
/// cipher; twenty lines over it keep all of AES in one audited, constant-time implementation, which a second crate with
/// a cipher of its own would not.
fn unwrap_192(kek: &[u8], wrapped: &[u8]) -> Result<Secret, Undecryptable> {
    let cipher = DecryptingKey::ecb(UnboundCipherKey::new(&AES_192, kek)?)?;
    let (check, registers) = wrapped.split_first_chunk::<SEMIBLOCK>().ok_or(Undecryptable)?;
    let mut key = Secret::new(registers.to_vec());
    let (registers, rest) = key.as_chunks_mut::<SEMIBLOCK>();
    if registers.len() < 2 || !rest.is_empty() {
        return Err(Undecryptable);
    }

    let mut check = u64::from_be_bytes(*check);
    let mut step = u64::try_from(registers.len()).map_err(|_| Undecryptable)?.saturating_mul(6);
    while step > 0 {
        for register in registers.iter_mut().rev() {
            let mut block = [(check ^ step).to_be_bytes(), *register];
            cipher.decrypt(block.as_flattened_mut(), DecryptionContext::None)?;
            let [high, low] = block;
            check = u64::from_be_bytes(high);
            *register = low;
            step = step.saturating_sub(1);
        }
    }
    verify_slices_are_equal(&check.to_be_bytes(), &INTEGRITY_CHECK)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::cipher::EncryptingKey;

    use super::*;

    /// RFC 3394 sections 4.1 to 4.6: key encryption keys and keys are counted up, only their sizes differ.
    const EXAMPLES: [(AesSize, usize, &str); 6] = [
        (AesSize::A128, 16, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
        (AesSize::A192, 16, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"),
        (AesSize::A256, 16, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"),
        (AesSize::A192, 24, "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"),
        (AesSize::A256, 24, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"),
        (
            AesSize::A256,
            32,
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
        ),
    ];

    fn key(len: usize) -> Vec<u8> {
        let bytes = (0..16).map(|digit| digit * 0x11).chain(0..16);
        bytes.take(len).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn unwraps_the_examples_of_the_rfc_and_no_damaged_one() {
        for (size, len, wrapped) in EXAMPLES {
            let kek: Vec<u8> = (0..32).take(size.bytes()).collect();
            let mut wrapped = bytes(wrapped);
            assert_eq!(*unwrap(size, &kek, &wrapped).unwrap(), key(len));

            assert!(unwrap(size, &kek[1..], &wrapped).is_err());
            for cut in 0..wrapped.len() {
                assert!(unwrap(size, &kek, &wrapped[..cut]).is_err(), "{size:?} cut at {cut}");
            }
            for more in 1..=2 * SEMIBLOCK {
                let longer = [&wrapped[..], &vec![0; more]].concat();
                assert!(unwrap(size, &kek, &longer).is_err(), "{size:?} with {more} bytes more");
            }
            for at in 0..wrapped.len() {
                wrapped[at] ^= 1;
                assert!(unwrap(size, &kek, &wrapped).is_err(), "{size:?} damaged at {at}");
                wrapped[at] ^= 1;
            }
        }
    }

    /// RFC 3394 section 2: a key has two blocks or more. One of a single block is wrapped as if that were allowed.
    #[test]
    fn unwraps_no_key_of_one_block() {
        let kek: Vec<u8> = (0..32).collect();
        for (size, algorithm) in [
            (AesSize::A128, &aws_lc_rs::cipher::AES_128),
            (AesSize::A192, &AES_192),
            (AesSize::A256, &aws_lc_rs::cipher::AES_256),
        ] {
            let kek = &kek[..size.bytes()];
            let cipher = UnboundCipherKey::new(algorithm, kek).and_then(EncryptingKey::ecb).unwrap();
            let mut block = [INTEGRITY_CHECK, [7; SEMIBLOCK]];
            for step in 1..=6 {
                cipher.encrypt(block.as_flattened_mut()).unwrap();
                block[0] = (u64::from_be_bytes(block[0]) ^ step).to_be_bytes();
            }
            assert!(unwrap(size, kek, block.as_flattened()).is_err(), "{size:?}");
        }
    }
}
