//! By whose keys answers must be signed (RFC 9701), where `signed` asks for that.

use ::keys::trust::{Discovery, Fetch, IssuerKeys};
use service::settings::Settings;

use super::{Authentication, ISSUER, Names, metadata_url};

/// The keys of the issuer, and the client for which it signs.
#[derive(Debug, Clone)]
pub(crate) struct AnswerKeys {
    /// Where they are.
    pub(crate) sources: IssuerKeys,
    /// Which key set they are, of all sets; absent until they have their place there.
    pub(crate) set: Option<usize>,
    /// The client ID.
    pub(crate) client: String,
}

/// The keys that the issuer's metadata name. `None` after a fault.
pub(super) fn read(
    settings: &mut Settings,
    names: &Names,
    issuer: &str,
    authentication: &Authentication,
    fetch: &Fetch,
) -> Option<AnswerKeys> {
    let Some(client) = authentication.client() else {
        let what =
            format!("needs {}, for which answers are signed; choose another {}", names.client_id, names.auth);
        settings.fault(names.signed, what);
        return None;
    };
    if metadata_url(issuer).is_none() {
        let what = format!(
            "needs the keys of {}, which its metadata name, and it leads to none, since it is neither an https:// URL nor an http:// \
             URL of this machine; leave it out",
            names.issuer
        );
        settings.fault(names.signed, what);
        return None;
    }
    let discovery = Discovery {
        issuer: issuer.to_owned(),
        aliases: Vec::new(),
        url: None,
        setting: (names.issuer == ISSUER).then_some(ISSUER),
    };
    let sources = IssuerKeys {
        discovery: vec![discovery],
        fetch: fetch.clone(),
        optional: true,
        ..IssuerKeys::default()
    };
    Some(AnswerKeys { sources, set: None, client: client.to_owned() })
}
