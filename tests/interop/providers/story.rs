//! What every identity provider goes through.

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::identity::flow::{header, json, part};
use integration_tests::identity::provider::{Kind, Provider};
use integration_tests::setup::Setup;
use integration_tests::token::{forge_payload, forge_signature, hs256_under, unsigned};
use integration_tests::wait::eventually;
use serde_json::Value;

/// A token by a flow passes, and goes on passing while keys are replaced and the provider is away; nothing else ever does.
pub(crate) fn tell(kind: &'static Kind) {
    let mut provider = Provider::start(kind);
    let mut setup = Setup::denying().no_key_file().agent_env("JWT_OIDC_ISSUERS", &provider.place.issuer);
    if let Some(audience) = kind.audience {
        setup = setup.agent_env("JWT_AUDIENCES", audience);
    }
    let told = Told { name: kind.name, edge: setup.start() };

    let first = provider.token();
    told.good("the first token", &first);
    told.tells_the_claims(&first);
    assert_eq!(header(&first)["alg"], kind.algorithm, "{}: a token of another algorithm", kind.name);

    provider.restarts_with(&[1]);
    told.good("a token from before a restart", &first);
    told.good("a token from after a restart", &provider.token());

    provider.restarts_with(&[2, 1]);
    let second = provider.token();
    told.good("a token of the new key", &second);
    if kind.keeps_old_keys {
        told.good("a token of the old key beside the new one", &first);
    }
    let known = provider.place.visitor().get(&jwks_uri(&provider));
    for (what, forged) in forged(&first, &known.body) {
        told.refused(&what, &forged);
    }
    for (what, other) in (kind.others)(&provider.place) {
        told.refused(what, &other);
    }

    provider.stops();
    if kind.keeps_old_keys {
        told.good("the old key while the provider is away", &first);
    }
    told.good("the new key while the provider is away", &second);
    told.refused("a forged token while the provider is away", &forge_signature(&first));

    provider.restarts_with(&[2]);
    told.good("the new key alone", &provider.token());
    // A token that no key verifies asks for the set early, as often as early loads are to be had.
    eventually("the old key is forgotten", || {
        told.refused("a forged token", &forge_signature(&second));
        (told.status(&first) == 401).then_some(())
    });
    told.good("the new key, after the old one is forgotten", &second);
}

struct Told {
    name: &'static str,
    edge: Edge,
}

impl Told {
    fn status(&self, token: &str) -> u16 {
        self.edge.send(&Request::get("/").bearer(token)).status
    }

    /// It passes; until the keys are there it may be answered with 503, and with nothing else.
    fn good(&self, what: &str, token: &str) {
        eventually(what, || {
            let response = self.edge.send(&Request::get("/").bearer(token));
            let reason = || self.edge.agents[0].process.log();
            assert!([200, 503].contains(&response.status), "{}: {what}: {response}\n{}", self.name, reason());
            (response.status == 200).then_some(())
        });
    }

    /// It never passes. A newer token than the keys may be a good one, for all that is known: 503.
    fn refused(&self, what: &str, token: &str) {
        let request = Request::get("/").bearer(token);
        let what = format!("{}: {what}", self.name);
        self.edge.refuses_bytes(&what, &[401, 503], &request.to_bytes());
    }

    /// The application sees the claims of the token, byte for byte.
    fn tells_the_claims(&self, token: &str) {
        let seen = self.edge.admits(self.name, &Request::get("/").bearer(token));
        let body: Value = serde_json::from_str(seen.header("x-tkn-body").unwrap()).unwrap();
        assert_eq!(body, part(token, 1), "{}", self.name);
    }
}

/// What an attacker makes of a good token.
fn forged(token: &str, key_set: &[u8]) -> Vec<(String, String)> {
    let mut claims = part(token, 1);
    claims["sub"] = "root".into();
    let kid = header(token)["kid"].as_str().unwrap_or_default().to_owned();
    vec![
        ("one bit of the signature".to_owned(), forge_signature(token)),
        ("other claims".to_owned(), forge_payload(token, &claims)),
        ("alg none".to_owned(), unsigned("none", &claims)),
        ("HS256 under the key set".to_owned(), hs256_under(key_set, &kid, &claims)),
    ]
}

fn jwks_uri(provider: &Provider) -> String {
    let document = provider.place.at("/.well-known/openid-configuration");
    let document = json(&provider.place.visitor().get(&document));
    document["jwks_uri"].as_str().unwrap().to_owned()
}
