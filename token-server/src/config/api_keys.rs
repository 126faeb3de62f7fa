//! `TOKEN_SERVER__API_KEYS__*`: tokens that this server itself made.

use jose::Profile;
use service::settings::Settings;

use super::from_file;
use crate::api_keys::ApiKeys;
use crate::api_keys::list::KeyList;

pub(crate) const FILE: &str = "TOKEN_SERVER__API_KEYS__FILE";
pub(super) const ISSUER: &str = "TOKEN_SERVER__API_KEYS__ISSUER";

/// The settings; absent where there is no file of keys.
pub(super) fn read(settings: &mut Settings, profile: Profile) -> Option<ApiKeys> {
    let file = from_file(settings, FILE, |file| KeyList::parse(file).map_err(|error| error.to_string()));
    let issuer = settings.text(ISSUER);
    if settings.is_set(FILE) && profile == Profile::MsUsers {
        settings.fault(FILE, "has no effect in the profile ms-users, whose backends decide on tokens that are no JWT; leave it out");
    }
    if issuer.is_some() && !settings.is_set(FILE) {
        settings.fault(ISSUER, format!("has no effect without {FILE}"));
    }
    Some(ApiKeys { file: file?, issuer: issuer.map(Into::into) })
}
