//! Which keys of a set a token is tried with.

use crate::header::Header;
use crate::issuer::Owner;
use crate::keys::{Key, KeySet};
use crate::limits::MAX_TRIED_KEYS;

impl KeySet {
    /// The keys to try for a token, at most [`MAX_TRIED_KEYS`], of those that may sign for `owner`: those that bear its `kid` or a hash of its certificate
    /// first, then those that are tried for every token. A token without `kid` is tried with all that fit its algorithm.
    pub(crate) fn candidates<'a>(
        &'a self,
        header: &'a Header,
        owner: &'a Owner<'a>,
    ) -> impl Iterator<Item = &'a Key> {
        let kid = header.kid.as_deref();
        let fits = move |key: &&Key| key.algorithms().contains(header.algorithm) && owner.may_use(key);
        let is_named = move |key: &&Key| {
            (kid.is_some() && key.kid() == kid) || key.thumbprints().meet(&header.thumbprints)
        };
        let is_tried_anyway = move |key: &&Key| !is_named(key) && (kid.is_none() || key.is_for_every_token());
        let named = self.keys().iter().filter(fits).filter(is_named);
        let others = self.keys().iter().filter(fits).filter(is_tried_anyway);
        named.chain(others).take(MAX_TRIED_KEYS)
    }
}
