//! A table from hashes to rules, in 8 bytes an entry. Several rules may have one hash, and the caller looks at the
//! rules themselves, so 32 bits of hash are enough.
//!
//! A table that is full moves all of its entries into a larger one, and matches wait meanwhile. So a large one is many small
//! ones, which grow one by one.

use hashbrown::HashTable;

/// Where a rule is kept.
pub(super) type Slot = u32;

/// Entries of the one table at the beginning; with more it is split into parts.
const MAX_WHOLE: usize = 8_192;

/// How many high bits of a hash name a part: 128 parts, of 8,000 entries each where there are a million.
const PART_BITS: u32 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    hash: u32,
    slot: Slot,
}

#[derive(Debug)]
pub(super) struct Keys {
    /// One, or one for each value of the high bits.
    parts: Vec<HashTable<Key>>,
    bits: u32,
}

impl Default for Keys {
    fn default() -> Self {
        Self { parts: vec![HashTable::new()], bits: 0 }
    }
}

impl Keys {
    pub(super) fn insert(&mut self, hash: u32, slot: Slot) {
        if self.bits == 0 && self.parts.first().is_some_and(|whole| whole.len() >= MAX_WHOLE) {
            self.split();
        }
        self.insert_into_part(Key { hash, slot });
    }

    /// Removes one such entry.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        let part = self.part(hash);
        let Some(part) = self.parts.get_mut(part) else { return };
        if let Ok(entry) = part.find_entry(spread(hash), |key| *key == Key { hash, slot }) {
            entry.remove();
        }
    }

    pub(super) fn find(&self, hash: u32) -> impl Iterator<Item = Slot> {
        let part = self.parts.get(self.part(hash)).into_iter();
        part.flat_map(move |part| part.iter_hash(spread(hash)))
            .filter(move |key| key.hash == hash)
            .map(|key| key.slot)
    }

    fn insert_into_part(&mut self, key: Key) {
        let part = self.part(key.hash);
        if let Some(part) = self.parts.get_mut(part) {
            part.insert_unique(spread(key.hash), key, |key| spread(key.hash));
        }
    }

    fn split(&mut self) {
        let parts = (0..1_usize << PART_BITS).map(|_| HashTable::new()).collect();
        let whole = std::mem::replace(&mut self.parts, parts);
        self.bits = PART_BITS;
        whole.into_iter().flatten().for_each(|key| self.insert_into_part(key));
    }

    /// The place of the part that a hash belongs to. A part takes places from the low bits.
    fn part(&self, hash: u32) -> usize {
        let high = u64::from(hash) >> (u32::BITS - self.bits);
        usize::try_from(high).unwrap_or(usize::MAX)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.parts.iter().all(HashTable::is_empty)
    }
}

/// The table takes a place from the low bits and a tag from the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_and_removed_before_and_after_a_split() {
        let mut keys = Keys::default();
        let count = u32::try_from(3 * MAX_WHOLE).unwrap();
        // Hashes over all parts, each of them twice.
        let hash = |number: u32| (number / 2).wrapping_mul(0x9E37_79B9);
        for number in 0..count {
            keys.insert(hash(number), number);
            if number.is_multiple_of(1_000) {
                let mut found: Vec<Slot> = keys.find(hash(number)).collect();
                found.sort_unstable();
                assert_eq!(found, [number], "{number}");
            }
        }
        assert_eq!(keys.parts.len(), 1 << PART_BITS);
        let largest = keys.parts.iter().map(HashTable::len).max().unwrap();
        assert!(largest < MAX_WHOLE / 8, "{largest}");
        for number in 0..count {
            let mut found: Vec<Slot> = keys.find(hash(number)).collect();
            found.sort_unstable();
            let pair = number - number % 2;
            let expected: Vec<Slot> = (pair.max(number)..=pair + 1).collect();
            assert_eq!(found, expected);
            keys.remove(hash(number), number);
        }
        assert!(keys.is_empty());
    }
}
