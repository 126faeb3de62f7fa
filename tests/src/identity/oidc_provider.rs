//! `oidc-provider` from npm: a token for a resource (RFC 8707) is a JWT of RFC 9068.

use std::process::Command;

use serde_json::Value;

use super::flow::{Form, LoggedIn, Visitor, encoded, header, json, query, token};
use super::provider::{Kind, Place};

/// What its tokens are for.
pub const RESOURCE: &str = "https://api.example";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

const fn of(name: &'static str, algorithm: &'static str) -> Kind {
    Kind {
        name,
        command,
        path: "",
        algorithm,
        audience: Some(RESOURCE),
        keeps_old_keys: true,
        token: client_credentials,
        others,
    }
}

pub static RS256: Kind = of("oidc-provider, RS256 with x5c", "RS256");
pub static PS256: Kind = of("oidc-provider, PS256", "PS256");
pub static ES256: Kind = Kind { token: authorization_code, ..of("oidc-provider, ES256", "ES256") };
pub static EDDSA: Kind = of("oidc-provider, EdDSA", "EdDSA");
pub static ML_DSA: Kind = of("oidc-provider, ML-DSA-65", "ML-DSA-65");

fn command(place: &Place) -> Command {
    let mut command = place.program("node");
    command.arg(place.home.join("oidc_provider.mjs"));
    if place.algorithm == "RS256" {
        command.env("X5C", "1");
    }
    command
}

fn client_credentials(place: &Place) -> String {
    for_resource(place, RESOURCE)
}

fn for_resource(place: &Place, resource: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("resource", resource), ("scope", "read")];
    let answer = place.visitor().post_as("robot", "of the robot", &place.at("/token"), &form);
    token(&json(&answer), "access_token")
}

fn authorization_code(place: &Place) -> String {
    log_in(place, "alice").access_token
}

/// A login whose tokens are for a resource.
pub fn log_in(place: &Place, user: &str) -> LoggedIn {
    let (person, answer) = authorize(place, user, "openid read", &[("resource", RESOURCE)]);
    let id_token = token(&answer, "id_token");
    assert_eq!(header(&id_token)["alg"], place.algorithm);
    LoggedIn { person, access_token: token(&answer, "access_token"), id_token }
}

/// An opaque access token, which is for no resource, and its refresh token.
pub fn opaque_tokens(place: &Place, user: &str) -> [String; 2] {
    let (_, answer) = authorize(place, user, "openid offline_access", &[]);
    ["access_token", "refresh_token"].map(|name| {
        crate::scan::noted(answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned())
    })
}

/// The pages that a person sees: a login, a question; then the client's code with its proof key (RFC 7636).
fn authorize(place: &Place, user: &str, scope: &str, resource: Form<'_>) -> (Visitor, Value) {
    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let mut person = place.visitor();
    let request = [
        ("client_id", "web"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("prompt", "consent"),
        ("state", "x"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let request = encoded(&[&request, resource].concat());
    let mut response = person.get(&place.at(&format!("/auth?{request}")));
    for form in [&[("prompt", "login"), ("login", user), ("password", "x")][..], &[("prompt", "consent")]] {
        let page = response.header("location").unwrap_or_else(|| panic!("no page: {response}")).to_owned();
        let resumes = person.post(&page, form);
        let resumes = resumes.header("location").unwrap_or_else(|| panic!("{resumes}")).to_owned();
        response = person.get(&resumes);
    }
    let code = query(response.header("location").unwrap(), "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let form = [&form, resource].concat();
    let answer = json(&place.visitor().post_as("web", "of the web", &place.at("/token"), &form));
    (person, answer)
}

/// A session whose person has asked to end it and is asked whether to log out everywhere.
pub struct Leaving {
    session: LoggedIn,
    /// Of the page, without which no answer counts.
    secret: String,
}

impl Leaving {
    /// The provider's page.
    pub fn ask(place: &Place, mut session: LoggedIn) -> Self {
        let request = encoded(&[("id_token_hint", &session.id_token)]);
        let page = session.person.get(&place.at(&format!("/session/end?{request}")));
        let text = String::from_utf8(page.body).unwrap();
        let (_, rest) =
            text.split_once("name=\"xsrf\" value=\"").unwrap_or_else(|| panic!("no form: {text}"));
        let (secret, _) = rest.split_once('"').unwrap();
        let secret = secret.to_owned();
        Self { session, secret }
    }

    /// The person says yes.
    pub fn confirm(mut self, place: &Place) {
        let form = [("xsrf", self.secret.as_str()), ("logout", "yes")];
        let done = self.session.person.post(&place.at("/session/end/confirm"), &form);
        assert_eq!(done.status, 303, "{done}");
    }
}

/// The person logs out everywhere.
pub fn log_out(place: &Place, session: LoggedIn) {
    Leaving::ask(place, session).confirm(place);
}

fn others(place: &Place) -> Vec<(&'static str, String)> {
    vec![("a token for another resource", for_resource(place, "https://other.example"))]
}
