//! A list that grows without moving what is in it: a match waits while a rule is written, and should not wait for a million others.

/// Items of a chunk. The first one grows to this size, so that a short list is small.
const CHUNK: usize = 1_024;

/// Items in chunks, of which the last alone is not full.
#[derive(Debug)]
pub(super) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        let last = self.0.last().map_or(0, Vec::len);
        self.0.len().saturating_sub(1).saturating_mul(CHUNK).saturating_add(last)
    }

    pub(super) fn push(&mut self, item: T) {
        match self.0.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push(item),
            None => {
                let mut chunk = if self.0.is_empty() { Vec::new() } else { Vec::with_capacity(CHUNK) };
                chunk.push(item);
                self.0.push(chunk);
            }
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / CHUNK)?.get(place % CHUNK)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_found_at_its_place_and_stays_where_it_is() {
        let mut chunks = Chunks::default();
        assert_eq!((chunks.len(), chunks.get(0)), (0, None));
        for place in 0..3 * CHUNK + 1 {
            assert_eq!(chunks.len(), place);
            chunks.push(place);
        }
        let second: *const usize = chunks.get(CHUNK).unwrap();
        for place in 0..chunks.len() {
            assert_eq!(chunks.get(place), Some(&place));
            *chunks.get_mut(place).unwrap() += 1;
        }
        chunks.push(7);
        assert_eq!((chunks.get(2 * CHUNK), chunks.get(chunks.len())), (Some(&(2 * CHUNK + 1)), None));
        assert!(std::ptr::eq(second, chunks.get(CHUNK).unwrap()));
    }
}
