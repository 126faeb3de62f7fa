//! An identity provider whose keys are replaced.

use std::sync::RwLock;

use serde_json::json;

use crate::key_server::{Answer, KeyServer};
use crate::keys::{SigningKey, jwks};
use crate::token::token;

/// An identity provider: the set that it publishes and the key that it signs with.
pub struct Provider {
    /// Publishes the set.
    pub server: KeyServer,
    signs: RwLock<SigningKey>,
}

impl Provider {
    /// One that signs with its only key.
    pub fn start() -> Self {
        let key = SigningKey::generate("ES256", "first");
        Self { server: KeyServer::start(Answer::Body(jwks([&key]))), signs: RwLock::new(key) }
    }

    /// What a new token is answered with. The provider changes nothing between its issue and the answer.
    pub fn answer<A>(&self, send: impl Fn(&str) -> A) -> A {
        let signs = self.signs.read().unwrap();
        send(&token(&signs, json!({})))
    }

    /// Changes the key that signs, and what is published with it. A token that is under way is decided before.
    pub fn rotate(&self, kid: &str, publish: impl FnOnce(&SigningKey, &SigningKey) -> String) {
        let next = SigningKey::generate("ES256", kid);
        let mut signs = self.signs.write().unwrap();
        self.server.set(Answer::Body(publish(&signs, &next)));
        *signs = next;
    }

    /// Publishes the key that signs, alone.
    pub fn publish(&self) {
        let signs = self.signs.read().unwrap();
        self.server.set(Answer::Body(jwks([&*signs])));
    }
}
