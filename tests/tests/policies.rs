//! Several issuers and policies, written as tables, chosen by the rules of `haproxy-routes.cfg` and `haproxy-edge-routes.cfg`.

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Ann signs with ES256 and RS256, Bob with EdDSA; each has its own key file.
fn edge(shipped: Shipped, policies: &str) -> (Edge, TempDir) {
    let folder = TempDir::with_prefix("policies-").unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ann.json"), jwks([key("ES256"), key("RS256")])).unwrap();
    std::fs::write(path("bob.json"), jwks([key("EdDSA")])).unwrap();
    let tables = format!(
        "[[issuers]]\nissuer = \"ann\"\nkeys_file = \"{}\"\n\
         [[issuers]]\nissuer = \"bob\"\nkeys_file = \"{}\"\naudiences = [\"partners\"]\n{policies}",
        path("ann.json").display(),
        path("bob.json").display(),
    );
    std::fs::write(path("agent.toml"), tables).unwrap();
    let setup = Setup::new(shipped).no_key_file();
    let edge = setup.agent_env("JWT_CONFIG", &path("agent.toml").display().to_string()).start();
    edge.agents.iter().for_each(integration_tests::agent::Agent::wait_ready);
    (edge, folder)
}

/// The files in which a route has a policy.
const ROUTES: [Shipped; 2] = [Shipped::Routes, Shipped::EdgeRoutes];

const ADMIN: &str = "[[policies]]\nname = \"admin\"\nissuers = [\"ann\"]\nall_scopes = [\"write\"]\n\
                     algorithms = [\"ES256\"]\nclaims = { \"realm.roles\" = [\"root\"] }\n";

fn get(path: &str, algorithm: &str, claims: Value) -> Request {
    Request::get(path).bearer(&token(key(algorithm), claims))
}

#[test]
fn each_route_has_its_policy_and_each_issuer_its_keys() {
    for shipped in ROUTES {
        let (edge, _folder) = edge(shipped, ADMIN);
        let root = || json!({"iss": "ann", "scope": "read write", "realm": {"roles": ["root"]}});
        for (what, path, algorithm, claims, status) in [
            ("ann", "/api/users", "ES256", json!({"iss": "ann"}), 200),
            ("ann with another key of hers", "/api/orders/7", "RS256", json!({"iss": "ann"}), 200),
            ("bob", "/", "EdDSA", json!({"iss": "bob", "aud": "partners"}), 200),
            ("bob for another audience", "/", "EdDSA", json!({"iss": "bob"}), 401),
            ("bob's key in ann's name", "/", "EdDSA", json!({"iss": "ann"}), 401),
            ("ann's key in bob's name", "/api/users", "ES256", json!({"iss": "bob", "aud": "partners"}), 401),
            ("an unknown issuer", "/api/users", "ES256", json!({"iss": "eve"}), 401),
            ("no issuer", "/api/users", "ES256", json!({}), 401),
            ("root", "/admin", "ES256", root(), 200),
            ("root, deeper", "/admin/users/7", "ES256", root(), 200),
            ("root by the wrong algorithm", "/admin", "RS256", root(), 401),
            ("no scope", "/admin", "ES256", json!({"iss": "ann", "realm": {"roles": ["root"]}}), 403),
            ("no role", "/admin/", "ES256", json!({"iss": "ann", "scope": "write"}), 403),
            ("bob as admin", "/admin", "EdDSA", json!({"iss": "bob", "aud": "partners"}), 401),
            ("a path that is not listed", "/administration", "ES256", json!({"iss": "ann"}), 403),
            ("the same", "/administration", "ES256", root(), 200),
        ] {
            let request = get(path, algorithm, claims);
            match status {
                200 => {
                    edge.admits(what, &request);
                }
                status => {
                    edge.refuses(what, status, &request);
                }
            }
        }
        let response = edge.refuses("no scope", 403, &get("/admin", "ES256", json!({"iss": "ann"})));
        let challenge = response.header("www-authenticate").unwrap();
        assert!(
            challenge.contains(r#"error="insufficient_scope""#) && challenge.contains("scope"),
            "{challenge}"
        );
    }
}

#[test]
fn an_issuer_grants_scopes_by_a_claim_of_its_own_and_its_long_claims_have_short_names() {
    for shipped in ROUTES {
        const ROLE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
        let bobs = format!("scope_claim = \"permissions\"\nclaim_names = {{ role = \"{ROLE}\" }}\n");
        let admin = "[[policies]]\nname = \"admin\"\nall_scopes = [\"write\"]\nclaims = { role = [\"root\", \"boss\"] }\n";
        let (edge, _folder) = edge(shipped, &format!("{bobs}{admin}"));
        for (what, algorithm, claims, status) in [
            ("bob", "EdDSA", json!({ROLE: "root", "permissions": ["write"]}), 200),
            ("bob, in words", "EdDSA", json!({ROLE: ["boss"], "permissions": "read write"}), 200),
            ("bob, by the usual claim", "EdDSA", json!({ROLE: "root", "scope": "write"}), 403),
            (
                "bob, by a claim of the short name",
                "EdDSA",
                json!({"role": "root", "permissions": ["write"]}),
                403,
            ),
            ("bob, by both", "EdDSA", json!({"role": "root", ROLE: "user", "permissions": ["write"]}), 403),
            ("ann", "ES256", json!({"role": "root", "scope": "write"}), 200),
            ("ann, by bob's claims", "ES256", json!({ROLE: "root", "permissions": ["write"]}), 403),
        ] {
            let mut claims = claims;
            claims["iss"] = json!(if algorithm == "EdDSA" { "bob" } else { "ann" });
            claims["aud"] = json!("partners");
            let request = get("/admin", algorithm, claims);
            match status {
                200 => {
                    edge.admits(what, &request);
                }
                status => {
                    edge.refuses(what, status, &request);
                }
            }
        }
    }
}

#[test]
fn an_odd_spelling_of_a_path_gets_the_strictest_policy_and_never_a_laxer_one() {
    for shipped in ROUTES {
        let (edge, _folder) = edge(shipped, ADMIN);
        let lax = || json!({"iss": "ann", "exp": now() + 60});
        for path in [
            "//admin",
            "/./admin",
            "/x/../admin",
            "/%61dmin",
            "/admin%2f",
            "/x;/admin",
            "/admin/..;/",
            "/ADMIN/x",
            "/Admin",
            "/admin.json",
            "/admin.",
            "/admin%20",
            "/admin%3bx",
            "/api",
            "/api/",
            "/api/users.json",
            "/api/users/..",
            "/api/users/../admin",
            "/api/users/%2e%2e/admin",
            "/api/users/..;/admin",
            "/api/users//admin",
            "/api/users/.%2e/admin",
            "/api/users;/admin",
            "/api/users/x%2f..%2fadmin",
            "/api/users/..\\admin",
            "/api/%75sers",
            "/api/users/%20../admin",
            "/api/usersx",
            "/api/users/x.",
            "/api/users/.x",
        ] {
            edge.refuses(path, 403, &get(path, "ES256", lax()));
        }
        for path in [
            "/",
            "/api/users",
            "/api/users/",
            "/API/Users/7",
            "/api/users/anna@example.com",
            "/api/orders/a+b=c,d.js",
            "/api/users?x=/admin",
        ] {
            edge.admits(path, &get(path, "ES256", lax()));
        }
    }
}

#[test]
fn a_route_without_its_policy_is_closed() {
    for shipped in ROUTES {
        let (edge, _folder) = edge(shipped, "");
        edge.admits("the default policy", &get("/", "ES256", json!({"iss": "ann"})));
        // The token may be good; what is at fault is the configuration.
        edge.refuses("a policy that is missing", 503, &get("/admin", "ES256", json!({"iss": "ann"})));
    }
}

#[test]
fn a_client_does_not_choose_its_policy() {
    for shipped in ROUTES {
        let admin = format!("{ADMIN}acr_values = [\"2\"]\n");
        let (edge, _folder) = edge(shipped, &admin);
        let root = json!({"iss": "ann", "scope": "write", "realm": {"roles": ["root"]}, "acr": "1"});
        edge.admits("by the policy of the path", &get("/api/users", "ES256", root.clone()));
        for (target, name) in [
            ("/admin", "policy"),
            ("/admin", "tkn_policy"),
            ("/admin", "x-tkn-policy"),
            ("/admin", "txn.tkn_policy"),
            ("/admin", "cookie"),
            ("/admin?policy=default", "via"),
            ("/admin?tkn_policy=default&txn.tkn_policy=default", "via"),
        ] {
            let value = if name == "cookie" { "policy=default; tkn_policy=default" } else { "default" };
            let what = format!("{shipped:?} {target} {name}");
            let refused = edge.refuses(&what, 401, &get(target, "ES256", root.clone()).header(name, value));
            let challenge = refused.header("www-authenticate").unwrap();
            assert!(challenge.ends_with(r#"error_description="acr", acr_values="2""#), "{what}: {challenge}");
        }
    }
}
