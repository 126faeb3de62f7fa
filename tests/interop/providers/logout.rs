//! What becomes of a logout at an identity provider: it tells the token-server by itself, and the user's tokens end at HAProxy.

use std::fs;

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::identity::flow::{LoggedIn, Visitor, header, part};
use integration_tests::identity::provider::{Kind, Place, Provider};
use integration_tests::port::free_port;
use integration_tests::process::repository;
use integration_tests::setup::Setup;
use integration_tests::wait::eventually;
use serde_json::Value;

/// What a logout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All tokens of the user that were issued until then.
    Subject,
    /// The tokens of one session, by their `sid`; its provider tells the user as well.
    Session,
    /// The same, of a provider that tells the session alone.
    SessionAlone,
}

/// A provider that tells of logouts.
pub(crate) struct Sender {
    pub(crate) kind: &'static Kind,
    pub(crate) scope: Scope,
    /// More of its environment than the place that it tells of a logout.
    pub(crate) more: &'static [(&'static str, &'static str)],
    pub(crate) log_in: fn(&Place, &str) -> LoggedIn,
    pub(crate) log_out: fn(&Place, LoggedIn),
}

/// Tokens pass until their user logs out, those of others go on, and so does what is issued afterwards.
pub(crate) fn tell(sender: &Sender) {
    let (told, _) = begin(sender);
    let (first, second) = (told.logs_in("alice"), told.logs_in("alice"));
    let other = told.logs_in("bob");
    for session in [&first, &second, &other] {
        told.good("a session", &session.access_token);
    }
    let (ended, standing) = (first.access_token.clone(), second.access_token.clone());
    told.logs_out(first);
    told.revoked("the token of a session that ended", &ended);
    told.good("another user's token", &other.access_token);
    match sender.scope {
        Scope::Subject => told.revoked("another token of the user", &standing),
        Scope::Session | Scope::SessionAlone => told.good("the user's other session", &standing),
    }
    told.has_the_rule(&ended);

    // By the second: what is issued in the same one as the logout is refused too.
    eventually("a token from after the logout passes", || {
        let token = told.logs_in("alice").access_token;
        (told.status(&token) == 200).then_some(())
    });
    told.revoked("the old token, still", &ended);
    told.logs_out(other);
}

/// One token is revoked here, which the provider by itself does not do at `revocation`.
pub(crate) fn revoke(sender: &Sender, client: (&str, &str), revocation: &str) {
    let (told, signals) = begin(sender);
    let (first, second) = (told.logs_in("alice"), told.logs_in("alice"));
    for session in [&first, &second] {
        told.good("a token", &session.access_token);
    }
    let form = [("token", first.access_token.as_str()), ("token_type_hint", "access_token")];
    let place = &told.provider.place;
    let refused = place.visitor().post_as(client.0, client.1, &place.at(revocation), &form);
    let why = String::from_utf8_lossy(&refused.body);
    assert!(refused.status == 400 && why.contains("unsupported_token_type"), "{refused}");
    told.good("what the provider does not revoke", &first.access_token);

    let form = [("token", first.access_token.as_str()), ("client_id", client.0)];
    let done = Visitor::of(&format!("http://{signals}")).post("/revoke", &form);
    assert_eq!(done.status, 200, "{done}");
    told.revoked("the token that its client revoked", &first.access_token);
    told.good("another token of the user", &second.access_token);
}

/// The logout token itself, which the key of access tokens signed for this client, opens nothing.
pub(crate) fn show(sender: &Sender, client: &str) {
    let port = free_port().unwrap();
    let more = vec![("LOGOUT_URI", format!("http://127.0.0.1:{port}/backchannel-logout"))];
    let provider = Provider::start_with(sender.kind, more);
    let audiences: Vec<&str> = sender.kind.audience.into_iter().chain([client]).collect();
    // The application remembers headers.
    let hears = format!(
        "frontend logouts\n    mode http\n    bind 127.0.0.1:{port}\n    option http-buffer-request\n    \
         http-request set-header x-body %[req.body]\n    default_backend app\n"
    );
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_OIDC_ISSUERS", &provider.place.issuer)
        .agent_env("JWT_AUDIENCES", &audiences.join(","))
        .extra(&hears)
        .start();
    let session = (sender.log_in)(&provider.place, "alice");
    edge.comes_to("an access token", 200, &Request::get("/").bearer(&session.access_token));
    (sender.log_out)(&provider.place, session);
    let token = eventually("the logout token", || {
        let seen = edge.backend.seen();
        let token = |body: &str| body.strip_prefix("logout_token=").map(str::to_owned);
        seen.iter().find_map(|seen| token(seen.header("x-body")?))
    });
    assert_eq!(header(&token)["typ"], "logout+jwt");
    let aud = &part(&token, 1)["aud"];
    assert!(aud == client || aud[0] == client, "{aud}");
    let refused = edge.refuses("the logout token", 401, &Request::get("/").bearer(&token));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("\"typ\""), "{challenge}");
}

/// A provider that tells of logouts, an edge that hears of them, and where.
fn begin(sender: &Sender) -> (Told<'_>, String) {
    let signals = format!("127.0.0.1:{}", free_port().unwrap());
    let mut more = vec![("LOGOUT_URI", format!("http://{signals}/backchannel-logout"))];
    more.extend(sender.more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let provider = Provider::start_with(sender.kind, more);
    let edge = edge(sender, &provider, &signals);
    (Told { sender, edge, provider }, signals)
}

fn edge(sender: &Sender, provider: &Provider, signals: &str) -> Edge {
    let issuer = &provider.place.issuer;
    let file = provider.place.state.path().join("token-server.toml");
    let mut text = first_setup().replace("https://id.example.com", issuer).replace("127.0.0.1:4002", signals);
    // The document's last table is the one of signals.
    if sender.scope != Scope::Subject {
        text.push_str("scope = \"session\"\n");
    }
    fs::write(&file, text).unwrap();
    let mut setup = Setup::denying()
        .no_key_file()
        .agent_env("JWT_OIDC_ISSUERS", issuer)
        .token_server_env("TOKEN_SERVER_CONFIG", file.to_str().unwrap());
    if let Some(audience) = sender.kind.audience {
        setup = setup.agent_env("JWT_AUDIENCES", audience);
    }
    setup.start()
}

/// The lines that `docs/SIGNALS.md` begins with.
fn first_setup() -> String {
    let guide = fs::read_to_string(repository().join("docs/SIGNALS.md")).unwrap();
    let lines = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for needed in ["https://id.example.com", "127.0.0.1:4002", "audiences = [\"web\"]"] {
        assert!(lines.contains(needed), "docs/SIGNALS.md does not begin with {needed}: {lines}");
    }
    lines.to_owned()
}

struct Told<'a> {
    sender: &'a Sender,
    edge: Edge,
    provider: Provider,
}

impl Told<'_> {
    fn name(&self) -> &'static str {
        self.sender.kind.name
    }

    fn logs_in(&self, user: &str) -> LoggedIn {
        (self.sender.log_in)(&self.provider.place, user)
    }

    fn logs_out(&self, session: LoggedIn) {
        (self.sender.log_out)(&self.provider.place, session);
    }

    fn status(&self, token: &str) -> u16 {
        self.edge.send(&Request::get("/").bearer(token)).status
    }

    /// It passes; until keys and rules are there it may be answered with 503, and with nothing else.
    fn good(&self, what: &str, token: &str) {
        eventually(what, || {
            let status = self.status(token);
            assert!([200, 503].contains(&status), "{}: {what}: {status}\n{}", self.name(), self.log());
            (status == 200).then_some(())
        });
    }

    /// It is refused as soon as the agents have heard of the rule, and for no other cause.
    fn revoked(&self, what: &str, token: &str) {
        let request = Request::get("/").bearer(token);
        let refusal = eventually(&format!("{}: {what}", self.name()), || {
            let response = self.edge.send(&request);
            (response.status == 401).then_some(response)
        });
        let challenge = refusal.header("www-authenticate").unwrap();
        assert!(challenge.contains("\"revoked\""), "{}: {what}: {challenge}\n{}", self.name(), self.log());
    }

    /// One rule of this issuer alone, for as many tokens as were told of, with its sender and the logout's name in the trail.
    fn has_the_rule(&self, token: &str) {
        let claims = part(token, 1);
        let writer = self.edge.token_server.as_ref().unwrap().rule_writer();
        let group = match self.sender.scope {
            Scope::SessionAlone => "everybody".to_owned(),
            Scope::Subject | Scope::Session => claims["sub"].as_str().unwrap().to_owned(),
        };
        let path =
            if group == "everybody" { "/v1/everybody/rules".into() } else { format!("/v1/rules/{group}") };
        let rules = writer.get(&path).unwrap();
        let rule = &rules["rules"][0]["rule"];
        assert_eq!(rules["rules"].as_array().unwrap().len(), 1, "{rules}");
        assert_eq!(rule["iss"], self.provider.place.issuer.as_str(), "{rule}");
        let bound: &Value =
            if self.sender.scope == Scope::Subject { &rule["iat"]["lte"] } else { &rule["sid"] };
        match self.sender.scope {
            Scope::Subject => assert!(bound.as_i64() >= claims["iat"].as_i64(), "{rule}"),
            Scope::Session | Scope::SessionAlone => assert_eq!(*bound, claims["sid"], "{rule}"),
        }
        let trail = writer.get("/v1/audit").unwrap();
        let entry = &trail["entries"][0];
        assert_eq!(entry["rule"], *rule, "{trail}");
        assert!(entry["note"].as_str().is_some_and(|note| note.starts_with("jti ")), "{entry}");
    }

    fn log(&self) -> String {
        self.edge.token_server.as_ref().unwrap().process.log()
    }
}
