//! The mark of CVE-2017-15361 (ROCA): moduli of a smart card library whose primes were powers of 65537 modulo a
//! product of small primes, so that they can be factored.

/// Odd primes that the library's product always contained.
const PRIMES: [u16; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus is a power of 65537 modulo each of the primes. A sound one is so by chance once in some 2^27.
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_65537(residue(modulus, *prime), *prime))
}

/// A big-endian number modulo a prime below 2^8.
fn residue(number: &[u8], prime: u16) -> u16 {
    number.iter().fold(0, |residue, byte| (residue * 256 + u16::from(*byte)) % prime)
}

fn is_power_of_65537(residue: u16, prime: u16) -> bool {
    // 65537 is 1 modulo 2^16, hence 256 * 256 + 1 here.
    let generator = (256 % prime * (256 % prime) + 1) % prime;
    let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
    powers.take(usize::from(prime)).any(|power| power == residue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_65537_are_marked_and_other_numbers_are_not() {
        for marked in [&[1][..], &[1, 0, 1], &[1, 0, 2, 0, 1], &[1, 0, 3, 0, 3, 0, 1]] {
            assert!(is_marked(marked), "{marked:?}");
        }
        for sound in [&[][..], &[0], &[2], &[3], &[1, 0, 0], &[1, 0, 3], &[0xff; 256]] {
            assert!(!is_marked(sound), "{sound:?}");
        }
    }
}
