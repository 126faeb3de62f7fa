//! The part `opaque`: tokens that are no JWT, with a real authorization server, `oidc-provider`. From a rule to the first refusal of
//! an API key and of an opaque token that HAProxy has just let in by itself, under load; and what a flood of random texts does to
//! the authorization server and to those who have tokens.

mod flood;

use std::net::SocketAddr;
use std::sync::Arc;

use integration_tests::identity::oidc_provider::{self, opaque_tokens};
use integration_tests::identity::provider::Provider;
use integration_tests::load::Prepared;
use integration_tests::site::{Plan, Site};
use integration_tests::socket::Address;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::release::Release;
use crate::samples::{self, SAMPLES, Sample};
use crate::sources::{asking, write_keys};
use crate::targets::{Target, at_most};

/// Tokens of each kind that other clients send meanwhile, all of them frequent.
const OTHERS: usize = 50;

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let stand = Stand::start(release, &[]);
    let others: Arc<[Prepared]> = (0..OTHERS)
        .flat_map(|number| KINDS.map(|kind| stand.request(kind, &format!("other-{number}"))))
        .collect();
    let delays = KINDS.map(|kind| {
        let sample = |number: usize| stand.sample(kind, &kind.user(number));
        let figures = samples::take(release, stand.address(), Arc::clone(&others), sample);
        println!("{release}, a rule to the refusal of {}: {}", kind.name(), figures["ms_from_acknowledged"]);
        figures
    });
    drop(stand);
    let flood = flood::run(release);
    println!("{release}, a flood of random texts: {flood:#}");
    let [api_key, introspected] = delays;
    json!({"api_key": api_key, "introspected": introspected, "flood": flood})
}

/// Whether it was measured or not.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let number = |pointer: &str| figures?.pointer(pointer)?.as_f64();
    let delay = |what: &str, part: &str| {
        let name = format!("a rule to the refusal of {what}, verdicts kept in HAProxy, p99");
        at_most(&name, "ms", number(&format!("/{part}/ms_from_acknowledged/p99")), 50.0)
    };
    let mut targets = vec![delay("an API key", "api_key"), delay("an introspected token", "introspected")];
    targets.extend(flood::targets(figures.and_then(|figures| figures.get("flood"))));
    targets
}

/// Tokens that are no JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ApiKey,
    Introspected,
}

const KINDS: [Kind; 2] = [Kind::ApiKey, Kind::Introspected];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "an API key",
            Self::Introspected => "an introspected token",
        }
    }

    /// Whose token a rule ends: a rule for one kind must not end tokens of the other.
    fn user(self, number: usize) -> String {
        match self {
            Self::ApiKey => format!("caller-{number}"),
            Self::Introspected => format!("user-{number}"),
        }
    }
}

/// A host with verdicts inside HAProxy, whose token-server knows API keys and asks an authorization server.
struct Stand {
    site: Site,
    provider: Provider,
    _folder: TempDir,
}

impl Stand {
    /// `more` are settings of the token-server.
    fn start(release: &Release, more: &[(&'static str, &str)]) -> Self {
        let folder = TempDir::with_prefix("opaque-").unwrap();
        let provider = Provider::start(&oidc_provider::RS256);
        let users = (0..SAMPLES).map(|number| Kind::ApiKey.user(number));
        let users: Vec<String> = users.chain((0..OTHERS).map(|number| format!("other-{number}"))).collect();
        let keys: Vec<_> = users.iter().map(|user| (api_key(user), format!("sub = \"{user}\""))).collect();
        let keys =
            write_keys(folder.path(), keys.iter().map(|(key, claims)| (key.as_str(), claims.as_str())));
        let mut settings = asking(folder.path(), &provider.place.issuer, "of the robot");
        settings.push(("TOKEN_SERVER__API_KEYS__FILE", keys.display().to_string()));
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        let site = Site::start(&Plan {
            agents: 2,
            program: release.program.clone(),
            agent_environment: vec![("JWT_OPAQUE".to_owned(), "introspect".to_owned())],
            server_environment: settings.into_iter().map(owned).collect(),
            ..Plan::default()
        });
        Self { site, provider, _folder: folder }
    }

    /// Where HAProxy listens.
    fn address(&self) -> SocketAddr {
        match self.site.proxies[0].address {
            Address::Tcp(address) => address,
            Address::Unix(_) => unreachable!("HAProxy listens on a port here"),
        }
    }

    /// A request with a token of this user.
    fn request(&self, kind: Kind, user: &str) -> Prepared {
        let token = match kind {
            Kind::ApiKey => api_key(user),
            Kind::Introspected => {
                let [access, _refresh] = opaque_tokens(&self.provider.place, user);
                access
            }
        };
        Prepared::get("/", &format!("Bearer {token}"), 200)
    }

    /// Has HAProxy let a user's token in by itself before the rule is written.
    fn sample(&self, kind: Kind, user: &str) -> Sample {
        let request = self.request(kind, user);
        let ask = samples::let_in_by_haproxy(&self.site, user, &request);
        Sample::of(self.site.token_server.as_ref().unwrap(), (user, &json!({"sub": user})), ask)
    }
}

/// The API key of a user.
fn api_key(user: &str) -> String {
    format!("hj_{user:_<43}")
}
