//! Signs of life through the master, and what they tell of the store.

use std::sync::Arc;

use redis::pipe;

use super::{Node, RedisStore};
use crate::store::StoreError;

impl RedisStore {
    /// Sends a sign of life through the master: first the notifications of a key that comes and goes, if they are on,
    /// then a message. Learns the store's name on the way; a store that was emptied keeps the name that is known here.
    pub(crate) async fn beat(&self, node: &Node, server: &str, number: u64) -> Result<(), StoreError> {
        let known = self.store_id.load_full();
        let name = match &known {
            Some(name) => name.to_string(),
            None => crate::store::random_name()?,
        };
        let (id, beat) = (self.settings.keys.store_id(), self.settings.keys.beat(server));
        let (made, found): (Option<String>, String) = pipe()
            .atomic()
            .cmd("SET")
            .arg(&id)
            .arg(&name)
            .arg("NX")
            .cmd("GET")
            .arg(&id)
            .cmd("ZADD")
            .arg(&beat)
            .arg(0)
            .arg(number)
            .ignore()
            .cmd("DEL")
            .arg(&beat)
            .ignore()
            .cmd("PUBLISH")
            .arg(&beat)
            .arg(number)
            .ignore()
            .query_async(&mut node.connection.clone())
            .await?;
        match (known, made) {
            (None, None) => {}
            (None, Some(_)) => tracing::warn!(
                database = node.database(),
                "no token-server has used this Redis before under this prefix: if rules should be there, see \
                 TOKEN_SERVER__REDIS__PREFIX and the number of the database in TOKEN_SERVER__REDIS__URLS"
            ),
            (Some(_), Some(_)) => {
                self.watch.note_emptied();
                tracing::error!(
                    "Redis has lost what it had: it was emptied, or started again without its data; revoked tokens are \
                     let in again until their rules are restored"
                );
            }
            (Some(known), None) if *known == found => return Ok(()),
            (Some(_), None) => {
                self.watch.note_emptied();
                tracing::error!(
                    "Redis holds another store than before: other data were restored there, or the address leads to \
                     another Redis; rules that were in force may be gone"
                );
            }
        }
        self.store_id.store(Some(Arc::new(found)));
        Ok(())
    }
}
