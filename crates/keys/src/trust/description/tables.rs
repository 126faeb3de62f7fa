//! The tables `[[issuers]]` and `[[policies]]`.

use jose::{Binding, Opaque};
use service::description::{Default, Kind, Setting, Table};

use super::super::fetch::FetchNames;
use super::super::trust_names::TrustNames;
use super::super::values::MAX_LEEWAY;
use super::challenges::{self, issuers_own};
use super::fetching::fetch;

/// Both tables, for a program whose flat settings have these names.
pub fn tables(names: &TrustNames) -> Vec<Table> {
    let issuers = Table {
        name: "issuers",
        meaning: "An issuer: the names of its tokens, where its keys are, and what its tokens must be. **A token is only ever tried with the keys of its own issuer.** What a table leaves out is as the settings say".into(),
        fields: [issuer(), fetch_of_table(names), accepted(names), vec![issuers_own(names)], required()].concat(),
    };
    let policies = Table {
        name: "policies",
        meaning: "What a route asks for, on top of what its issuer's tokens must be. HAProxy, or another proxy, names one for each request; the policy `default` is for all others".into(),
        fields: [policy(), policys_own(names), challenges::policys_own(names), required()].concat(),
    };
    vec![issuers, policies]
}

fn issuer() -> Vec<Setting> {
    vec![
        Setting::new("issuer", Kind::Text("text"), "https://id.example.com", "The `iss` of its tokens, letter for letter. `{tenantid}` as a part of its path stands for the token's `tid`")
            .without_secrets()
            .or(Default::Required),
        Setting::new("issuer_aliases", Kind::List("texts"), "https://id.example.net", "Other `iss` of its tokens: the same keys, the same conditions. Policies name it by `issuer` ([more](KEYS.md#where-an-issuers-keys-are-found))")
            .without_secrets(),
        Setting::new("tenants", Kind::List("GUIDs, or `*`"), "72f988bf-86f1-41af-91ab-2d7cd011db47", "For an `issuer` with `{tenantid}`: the tenants that are trusted; `*` is every one, and anyone can create a tenant"),
        Setting::new("discovery", Kind::Switch, "true", "Find the keys by the discovery document at the place where the issuer's name leads to").or("false"),
        Setting::new("discovery_url", Kind::Text("URL"), "https://id.example.com/.well-known/openid-configuration", "Where the discovery document is, if not there; `discovery = true` need not be set then. The document must call itself by `issuer` or an alias")
            .without_secrets(),
        Setting::new("keys_url", Kind::List("URLs"), "https://id.example.com/jwks.json", "URLs of keys; with `alb_signers` it ends with `/{kid}`").without_secrets(),
        Setting::new("keys_file", Kind::Text("path"), "/etc/haproxy/jwks.json", "A file of keys: JWKS, PEM, or the legacy list"),
        Setting::new("opaque", Kind::Switch, "true", "`true`: its tokens are no JWTs, and it has no keys. A token-server answers for them, so a policy needs `opaque = \"introspect\"` ([more](API_KEYS.md))").or("false"),
        Setting::new("alb_signers", Kind::List("ARNs"), "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188", "The AWS load balancers whose tokens (`x-amzn-oidc-data`) these are; the header's `signer` must be one of them ([more](IDENTITY_PROVIDERS.md#aws-application-load-balancer))"),
    ]
}

/// The flat settings of fetches are for the flat issuer alone, but for the certificates.
fn fetch_of_table(names: &TrustNames) -> Vec<Setting> {
    let mut settings = fetch(&FetchNames::TABLE);
    for setting in &mut settings {
        if setting.name == FetchNames::TABLE.ca_file {
            setting.default = Default::As(names.fetch.ca_file);
        }
    }
    settings
}

fn accepted(names: &TrustNames) -> Vec<Setting> {
    vec![
        Setting::new(
            "audiences",
            Kind::List("texts"),
            "my-api",
            "The accepted `aud`; set: the claim is required",
        )
        .or(Default::As(names.audiences)),
        Setting::new(
            "algorithms",
            Kind::List("signature algorithms"),
            "RS256,ES256",
            "Accepted algorithms, of those of the flat setting",
        )
        .or(Default::As(names.algorithms)),
        Setting::new(
            "leeway",
            Kind::Number { unit: "seconds", least: 0, most: MAX_LEEWAY },
            "60",
            "Clock skew that is granted, for `exp`, `nbf` and `iat`",
        )
        .or(Default::As(names.leeway)),
        Setting::new(
            "binding",
            Kind::Word(Binding::WORDS),
            "mtls",
            "Whether its tokens must be bound to their client ([more](BINDING.md))",
        )
        .or(Default::As(names.binding)),
        Setting::new(
            "required",
            Kind::List("claims or paths"),
            "email,realm_access.roles",
            "Claims that must be there and not `null`",
        )
        .or(Default::As(names.required)),
    ]
}

fn policy() -> Vec<Setting> {
    vec![
        Setting::new("name", Kind::Text("text"), "admin", "What HAProxy's argument `policy` says, or the path `/verify/NAME`; `default` replaces the default one").or(Default::Required),
        Setting::new("issuers", Kind::List("texts"), "https://id.example.com", "The issuers whose tokens it accepts, by their `issuer`").without_secrets().or(Default::unset("all")),
    ]
}

fn policys_own(names: &TrustNames) -> Vec<Setting> {
    vec![
        Setting::new(
            "audiences",
            Kind::List("texts"),
            "my-api",
            "The accepted `aud`, on top of the issuer's",
        ),
        Setting::new(
            "algorithms",
            Kind::List("signature algorithms"),
            "RS256,ES256",
            "Accepted algorithms, of those of the issuer",
        ),
        Setting::new(
            "binding",
            Kind::Word(&["if-bound", "dpop", "mtls", "any"]),
            "mtls",
            "Whether tokens must be bound to their client, where their issuer asks for less ([more](BINDING.md))",
        ),
        Setting::new(
            "opaque",
            Kind::Word(Opaque::WORDS),
            "introspect",
            "What becomes of tokens that are no JWT ([more](API_KEYS.md))",
        )
        .or(Default::As(names.opaque)),
        Setting::new(
            "required",
            Kind::List("claims or paths"),
            "email,realm_access.roles",
            "Claims that must be there and not `null`",
        ),
    ]
}

/// What both may ask of a token.
fn required() -> Vec<Setting> {
    vec![
        Setting::new("forbidden", Kind::List("claims or paths"), "act", "Claims that must not be there"),
        Setting::new(
            "claims",
            Kind::Map("values"),
            r#"{ "realm_access.roles" = ["admin", "root"] }"#,
            "Claims that must be one of the values; an array must hold one. Numbers by value: 7 is 7.0",
        ),
        Setting::new(
            "not_claims",
            Kind::Map("values"),
            "{ level = 7 }",
            "Claims that must be none of the values. What cannot be compared with them, such as `\"7\"` or an object where 7 is named, is refused",
        ),
        Setting::new(
            "types",
            Kind::List("media types"),
            "at+jwt",
            "Accepted `typ` headers. Only by its name here is a type accepted that is made for something else, such as `secevent+jwt`",
        ),
        Setting::new(
            "max_lifetime",
            Kind::Number { unit: "seconds", least: 0, most: u64::MAX },
            "3600",
            "The most from `iat` to `exp`; set: both are required",
        ),
        Setting::new(
            "subjects",
            Kind::List("texts"),
            "service-*",
            "Accepted `sub`; `*` stands for any characters",
        ),
        Setting::new(
            "all_scopes",
            Kind::List("scopes"),
            "read,write",
            "Scopes that must all be granted, by `scope` and `scp` together, each words or an array of strings",
        ),
        Setting::new("any_scope", Kind::List("scopes"), "admin,write", "Scopes of which one must be granted"),
        Setting::new(
            "scope_claim",
            Kind::List("claims or paths"),
            "permissions",
            "The claims that grant scopes instead of these two. An issuer's count for its tokens under each policy that has none of its own",
        ),
        Setting::new(
            "claim_names",
            Kind::Map("claims"),
            r#"{ role = "http://schemas.example/claims/role" }"#,
            "Short names for claims: `role` then means that claim, here, as a variable `txn.tkn.payload.role`, and the token's own claim `role` counts for nothing ([more](VARIABLES.md#names-of-claims))",
        ),
    ]
}
