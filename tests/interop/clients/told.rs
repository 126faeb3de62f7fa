//! `oauth4webapi` reads every challenge that our programs can make, and the documents about resources.

use std::fs;

use integration_tests::agent::command;
use integration_tests::keys::{jwks, key};
use jose::{AuthScheme, Challenges, OfferedSchemes, Reason, Reject, Resource, Told};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::peers::{answer, node};

/// With every parameter, with none but the realm, and with both schemes.
fn told() -> [Told; 3] {
    let resource: Resource = "https://api.example:8443/mcp".parse().unwrap();
    let values = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let everything = Told {
        realm: "An API ~1/2".parse().unwrap(),
        scopes: values(&["read", "urn:scope:write!#$%&'()*+,-./:;<=>?@[]^_`{|}~"]),
        resource_metadata: Some((&resource).into()),
        acr_values: values(&["urn:mfa", "phr,pwd=1"]),
        max_age: 300.try_into().ok(),
        ..Told::default()
    };
    let both = Told { schemes: OfferedSchemes::Both, ..everything.clone() };
    [everything, Told::default(), both]
}

/// What a client must find in the challenge of a refusal (RFC 6750 section 3, RFC 9470 section 3, RFC 9728 section 5.1,
/// and of proofs RFC 9449 section 7.1). Nothing where a client can do nothing but wait.
fn expected(told: &Told, reject: Reject, used: AuthScheme) -> Option<Value> {
    let error = match (reject, reject.reason()) {
        (_, Reason::Ok | Reason::BackendUnavailable) => return None,
        (Reject::Missing | Reject::Scheme, _) => None,
        (_, Reason::Forbidden) => Some("insufficient_scope"),
        (_, Reason::StepUp) => Some("insufficient_user_authentication"),
        (Reject::Proof | Reject::ProofTime | Reject::ProofReplayed, _) => Some("invalid_dpop_proof"),
        (Reject::Nonce, _) => Some("use_dpop_nonce"),
        _ => Some("invalid_token"),
    };
    let is_proof = matches!(error, Some("invalid_dpop_proof" | "use_dpop_nonce"));
    let first = match used {
        _ if is_proof => AuthScheme::Dpop,
        _ if error.is_none() => AuthScheme::Bearer,
        used => used,
    };
    let realm = if told.scopes.is_empty() { "api" } else { "An API ~1/2" };
    let mut parameters = Map::from_iter([("realm".to_owned(), json!(realm))]);
    let mut told_is = |name: &str, value: Value| {
        parameters.insert(name.to_owned(), value);
    };
    if !told.scopes.is_empty() {
        told_is("scope", json!("read urn:scope:write!#$%&'()*+,-./:;<=>?@[]^_`{|}~"));
        let url = "https://api.example:8443/.well-known/oauth-protected-resource/mcp";
        told_is("resource_metadata", json!(url));
    }
    let always = parameters.clone();
    let mut told_is = |name: &str, value: Value| {
        parameters.insert(name.to_owned(), value);
    };
    if let Some(error) = error {
        told_is("error", json!(error));
        told_is("error_description", json!(reject.detail()));
    }
    if reject.reason() == Reason::StepUp && told.max_age.is_some() {
        told_is("acr_values", json!("urn:mfa phr,pwd=1"));
        told_is("max_age", json!("300"));
    }
    let challenge = |scheme: AuthScheme, mut parameters: Map<String, Value>| {
        if scheme == AuthScheme::Dpop {
            let names: Vec<&str> = told.proof_algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
            parameters.insert("algs".to_owned(), json!(names.join(" ")));
        }
        json!({ "scheme": scheme.as_str().to_ascii_lowercase(), "parameters": parameters })
    };
    let other = AuthScheme::ALL.into_iter().filter(|scheme| *scheme != first);
    let other = other.filter(|_| told.schemes == OfferedSchemes::Both);
    let offered = other.map(|scheme| challenge(scheme, always.clone()));
    Some([challenge(first, parameters)].into_iter().chain(offered).collect())
}

#[test]
fn oauth4webapi_reads_every_challenge_that_there_can_be() {
    let mut texts = Vec::new();
    let mut wanted = Vec::new();
    for told in told() {
        let challenges = Challenges::new(told.clone()).unwrap();
        let ways = Reject::ALL.iter().flat_map(|reject| AuthScheme::ALL.map(|scheme| (reject, scheme)));
        for (reject, scheme) in ways {
            let text = challenges.of(*reject, scheme);
            let expected = expected(&told, *reject, scheme);
            assert_eq!(text.is_some(), expected.is_some(), "{reject:?}: {text:?}");
            texts.extend(text.map(str::to_owned));
            wanted.extend(expected);
        }
    }
    let read = answer(node("read_told.mjs"), &json!({ "challenges": texts, "documents": [] }));
    for ((text, read), wanted) in texts.iter().zip(read["challenges"].as_array().unwrap()).zip(&wanted) {
        assert_eq!(read, wanted, "{text}");
    }
    assert_eq!(read["challenges"].as_array().unwrap().len(), texts.len());
}

#[test]
fn oauth4webapi_finds_the_document_of_a_resource_and_takes_it() {
    const RESOURCES: [&str; 6] = [
        "https://api.example",
        "https://api.example/",
        "https://api.example/mcp",
        "https://api.example:8443",
        "https://api.example:8443/a/b%20c",
        "https://[2001:db8::1]/mcp",
    ];
    let folder = TempDir::with_prefix("told-").unwrap();
    let keys = folder.path().join("keys.json");
    fs::write(&keys, jwks([key("ES256")])).unwrap();
    let resources = RESOURCES.map(|text| text.parse::<Resource>().unwrap());
    let documents = resources.iter().map(|resource| {
        let mut metadata = command();
        metadata.arg("metadata").env("JWT_JWKS_FILE", &keys).env("JWT_RESOURCE", resource.as_str());
        metadata.env("JWT_ISSUERS", "https://idp.example").env("JWT_CHALLENGE_SCOPES", "read,write");
        let printed = metadata.output().unwrap();
        assert!(printed.status.success(), "{resource}: {printed:?}");
        json!({ "resource": resource.as_str(), "document": String::from_utf8(printed.stdout).unwrap() })
    });
    let input = json!({ "challenges": [], "documents": documents.collect::<Vec<_>>() });
    let read = answer(node("read_told.mjs"), &input);
    for (resource, found) in resources.iter().zip(read["documents"].as_array().unwrap()) {
        assert_eq!(found["url"], resource.metadata_url(), "{resource}");
        let read = json!({
            "authorization_servers": ["https://idp.example"],
            "bearer_methods_supported": ["header"],
            "resource": resource.as_str(),
            "scopes_supported": ["read", "write"],
        });
        assert_eq!(found["read"], read, "{resource}");
    }
    assert_eq!(read["documents"].as_array().unwrap().len(), RESOURCES.len());
}
