//! Forward-auth: the settings for all policies, and the table `[[verify]]` for one.

use service::description::{Default, Group, Kind, LookUp, Setting, Table};

use super::super::keys;
use super::super::names::PROFILE;
use super::super::verify::*;

const PLACES_FORM: &str = "`authorization`, `header:NAME`, `cookie:NAME`, `query:NAME`, `websocket`";

pub(super) fn settings() -> Group {
    let entries = |unit| Kind::Number { unit, least: 0, most: u64::MAX };
    let (least, most) = TOKEN_BYTES.into_inner();
    let [least, most] = [least, most].map(|limit| u64::try_from(limit).unwrap_or(u64::MAX));
    let settings = vec![
        Setting::new(PROXY, Kind::Word(&["traefik", "nginx", "envoy"]), "traefik", "The proxy that asks, and so how `/verify` learns the original request ([more](FORWARD_AUTH.md#which-request-it-is-about))")
            .or(Default::unset("nothing of it is read")),
        Setting::new(SCHEMES, Kind::List("schemes"), "Bearer", "Accepted `Authorization` schemes, in any letter case")
            .or(Default::Derived { told: "`JWT,Bearer,DPoP`, without `DPoP` where no token may be bound to a key alone; in `ms-users` `JWT`", of: schemes }),
        Setting::new(PLACES, Kind::List(PLACES_FORM), "authorization,cookie:session", "All places that may carry the token ([more](FORWARD_AUTH.md#where-the-token-is))")
            .or(Default::unset("`authorization`, and the cookie and the parameter of the next two settings")),
        Setting::new(COOKIE, Kind::Text("name"), "session", "The cookie that may carry the token, beside `Authorization`"),
        Setting::new(QUERY, Kind::Text("name"), "access_token", "The query parameter that may carry the token, beside `Authorization`"),
        Setting::new(ALLOW_MISSING, Kind::Switch, "true", "A request without a token, or with another scheme such as Basic, passes, with empty headers").or("false"),
        Setting::new(PREFLIGHT, Kind::Switch, "true", "A CORS preflight passes, with empty headers").or("false"),
        Setting::new(HEADERS, Kind::List("HEADER=claim or path"), "X-User-Id=sub,X-User-Roles=realm_access.roles", "Headers for the application, each from a claim ([more](FORWARD_AUTH.md#claim-headers))")
            .or(Default::Derived { told: "`X-User-Id=sub,X-User-Email=email`; in `ms-users` `username` is the first claim", of: headers }),
        Setting::new(MAX_TOKEN_BYTES, Kind::Number { unit: "bytes", least, most }, "16384", "Longer tokens are refused (`token_size`)").or("8192"),
        Setting::new(LOG_REFUSALS, Kind::Word(&["off", "sample", "all"]), "all", "Refusals in the log at info: none, 10 a second with the number of those left out, or all ([more](OPERATING.md#refusals-in-the-log))").or("sample"),
        Setting::new(CACHE_SIZE, entries("tokens"), "50000", "Verified tokens that are kept, least used go first; 0 = none. A hit skips the signature; time is validated and rules are checked each time").or("100000"),
        Setting::new(CACHE_BYTES, entries("bytes"), "134217728", "Memory for them; 0 = none is kept").or("268435456"),
    ];
    Group { title: "forward-auth", settings }
}

fn schemes(look_up: LookUp<'_>) -> Option<String> {
    let is_old = look_up(PROFILE).as_deref() == Some("ms-users");
    let takes_no_proofs = matches!(look_up(keys::TRUST.binding).as_deref(), Some("mtls" | "ignore"));
    let schemes = match (is_old, takes_no_proofs) {
        (true, _) => "JWT",
        (false, true) => "JWT,Bearer",
        (false, false) => "JWT,Bearer,DPoP",
    };
    Some(schemes.to_owned())
}

fn headers(look_up: LookUp<'_>) -> Option<String> {
    let is_old = look_up(PROFILE).as_deref() == Some("ms-users");
    let subject = if is_old { "username" } else { "sub" };
    Some(format!("X-User-Id={subject},X-User-Email=email"))
}

pub(super) fn table() -> Table {
    Table {
        name: "verify",
        meaning: "What forward-auth does for one policy. What a table leaves out is as the settings say"
            .into(),
        fields: vec![
            Setting::new("policy", Kind::Text("name"), "admin", "The policy").or("default"),
            Setting::new(
                "places",
                Kind::List(PLACES_FORM),
                "authorization,cookie:session",
                "All places that may carry the token",
            )
            .or(Default::As(PLACES)),
            Setting::new("cookie", Kind::Text("name"), "session", "The cookie that may carry the token")
                .or(Default::As(COOKIE)),
            Setting::new(
                "query",
                Kind::Text("name"),
                "access_token",
                "The query parameter that may carry the token; it ends up in logs",
            )
            .or(Default::As(QUERY)),
            Setting::new(
                "allow_missing",
                Kind::Switch,
                "true",
                "A request without a token passes, with empty headers",
            )
            .or(Default::As(ALLOW_MISSING)),
            Setting::new("preflight", Kind::Switch, "true", "A CORS preflight passes")
                .or(Default::As(PREFLIGHT)),
            Setting::new(
                "headers",
                Kind::Map("claims"),
                r#"{ "X-User-Id" = "sub" }"#,
                "Headers for the application, each from a claim or a path",
            )
            .or(Default::As(HEADERS)),
        ],
    }
}
