//! A table from hashes to rules, in 8 bytes an entry. Several rules may have one hash, and whoever asks looks at the
//! rules themselves, so 32 bits of hash are enough.

use hashbrown::HashTable;

/// Where a rule is kept.
pub(super) type Slot = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    hash: u32,
    slot: Slot,
}

#[derive(Debug, Default)]
pub(super) struct Keys(HashTable<Key>);

impl Keys {
    pub(super) fn insert(&mut self, hash: u32, slot: Slot) {
        self.0.insert_unique(spread(hash), Key { hash, slot }, |key| spread(key.hash));
    }

    /// Removes one such entry.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        if let Ok(entry) = self.0.find_entry(spread(hash), |key| *key == Key { hash, slot }) {
            entry.remove();
        }
    }

    pub(super) fn find(&self, hash: u32) -> impl Iterator<Item = Slot> {
        self.0.iter_hash(spread(hash)).filter(move |key| key.hash == hash).map(|key| key.slot)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The table takes a place from the low bits and a tag from the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
