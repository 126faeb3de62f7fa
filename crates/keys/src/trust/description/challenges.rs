//! What refused clients are told.

use service::description::{Default, Group, Kind, Setting};

use super::super::challenges::{MAX_AGE, TABLE};
use super::super::trust_names::TrustNames;

const ACR: &str = "Accepted `acr` of tokens, the preferred one first; set: the claim is required. Another one is refused (`E_TKN_STEP_UP`, `acr`), and the challenge asks for these (RFC 9470)";
const AGE: &str = "The most seconds since the user logged in (`auth_time`); set: the claim is required. What is older is refused (`E_TKN_STEP_UP`, `auth_time`), a kept verdict at that very second. No leeway is granted";
const SCOPES: &str = "The scopes that the challenge names";
const ASKED: &str = "those that the policy and its issuers ask for: `all_scopes`, else `any_scope`";

/// The flat settings.
pub fn challenges(names: &TrustNames) -> Group {
    let names = &names.challenge;
    let settings = vec![
        Setting::new(
            names.resource,
            Kind::Text("https URL"),
            "https://api.example.com/mcp",
            "The identifier of the API (RFC 8707, RFC 9728), letter for letter as clients ask tokens for it. It is the accepted `aud` where no audience is set, and challenges lead to its metadata. No query, no fragment, no slash at the end of a path",
        )
        .without_secrets(),
        Setting::new(
            names.resource_metadata,
            Kind::Text("https URL"),
            "https://meta.example.com/api.json",
            "Where challenges say that the metadata of the API is (`resource_metadata`)",
        )
        .without_secrets()
        .or(Default::unset("where RFC 9728 has it: `/.well-known/oauth-protected-resource` between the host and the path of the resource")),
        realm(names.realm).or("api"),
        Setting::new(names.scopes, Kind::List("scopes"), "read,write", format!("{SCOPES}; not `offline_access`"))
            .or(Default::unset(ASKED)),
        Setting::new(names.acr_values, Kind::List("texts"), "urn:example:mfa", ACR),
        max_age(names.max_age),
    ];
    Group { title: "what refused clients are told", settings }
}

/// The fields of `[[policies]]`.
pub(super) fn policys_own(names: &TrustNames) -> Vec<Setting> {
    let flat = &names.challenge;
    vec![
        Setting::new(
            TABLE.resource,
            Kind::Text("https URL"),
            "https://api.example.com/mcp",
            "The identifier of the API that it protects",
        )
        .without_secrets()
        .or(Default::As(flat.resource)),
        realm(TABLE.realm).or(Default::As(flat.realm)),
        Setting::new(TABLE.scopes, Kind::List("scopes"), "read,write", SCOPES).or(Default::As(flat.scopes)),
        Setting::new(
            TABLE.acr_values,
            Kind::List("texts"),
            "urn:example:mfa",
            format!("{ACR}. On top of what its issuers ask"),
        ),
        max_age(TABLE.max_age),
    ]
}

/// The field of `[[issuers]]`.
pub(super) fn issuers_own(names: &TrustNames) -> Setting {
    Setting::new(
        TABLE.acr_values,
        Kind::List("texts"),
        "urn:example:mfa",
        "Accepted `acr` of its tokens, the preferred one first; set: the claim is required",
    )
    .or(Default::As(names.challenge.acr_values))
}

fn realm(name: &'static str) -> Setting {
    Setting::new(
        name,
        Kind::Text("text"),
        "shop",
        "The `realm` of challenges (`WWW-Authenticate`): letters, digits, spaces and `. _ ~ / -`",
    )
}

fn max_age(name: &'static str) -> Setting {
    Setting::new(name, Kind::Number { unit: "seconds", least: 1, most: MAX_AGE.into() }, "300", AGE)
}
