//! API keys: the settings.

use service::description::{Default, Group, Kind, Setting};

use super::super::api_keys::*;
use super::{PATH, lasting};

pub(super) fn settings() -> Group {
    lasting("API keys", vec![
        Setting::new(FILE, PATH, "/etc/token-server/api-keys.toml", "The API keys that count, each by its SHA-256, and the claims that each stands for; `token-server keys add` makes them ([more](API_KEYS.md)). Read again when it changes, and a key that is gone is refused then")
            .or(Default::unset("none is known")),
        Setting::new(ISSUER, Kind::Text("text"), "https://keys.example.com", "The claim `iss` of keys whose claims have none. Agents and `/verify` accept it as that of an `[[issuers]]` table with `opaque = true`")
            .without_secrets()
            .or(Default::unset("they have none")),
    ])
}
