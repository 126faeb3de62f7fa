//! One provider's documents and tokens, made of what tests/interop/shapes/ says of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use integration_tests::documents::{Document, Documents};
use integration_tests::keys::SigningKey;
use integration_tests::process::repository;
use integration_tests::token::{forge_signature, now, sign_padded, sign_raw, unsigned};
use rcgen::{CertificateParams, PublicKeyData, SignatureAlgorithm};
use serde::Deserialize;
use serde_json::{Map, Value, json};

type Members = Map<String, Value>;

/// What a server of keys wants to see.
const BEARER: &str = "shown-to-get-keys";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    /// The chapter of docs/IDENTITY_PROVIDERS.md.
    pub(crate) section: String,
    /// By URL; the text `keys` stands for the key set, `pem` for the first key in PEM.
    documents: BTreeMap<String, Value>,
    /// The first signs.
    keys: Vec<KeyShape>,
    #[serde(default)]
    key_set: KeySetShape,
    /// Whether the parts of tokens are padded.
    #[serde(default)]
    padded: bool,
    /// What a key set has besides its keys.
    #[serde(default)]
    beside: Members,
    /// What stands in the files that the lines name.
    #[serde(default)]
    files: BTreeMap<String, FileShape>,
    token: TokenShape,
    #[serde(default)]
    accepted: Vec<Change>,
    refused: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyShape {
    algorithm: String,
    #[serde(default)]
    x5c: bool,
    members: Members,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum KeySetShape {
    #[default]
    Jwks,
    /// A map from `kid` to a certificate in PEM.
    Certificates,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum FileShape {
    /// A bearer token, without which there are no documents.
    Bearer,
    /// A certificate of an authority.
    Authority,
}

/// Dates are seconds from now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenShape {
    header: Members,
    claims: Members,
}

/// Another token: the good one with members changed, `null` taking one away, or a text as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    what: String,
    #[serde(default = "ok")]
    detail: String,
    #[serde(default)]
    header: Members,
    #[serde(default)]
    claims: Members,
    #[serde(default)]
    text: Option<String>,
}

fn ok() -> String {
    "ok".to_owned()
}

/// A token and what must be said of it.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) token: String,
    pub(crate) detail: String,
}

impl Shape {
    pub(crate) fn all() -> Vec<Self> {
        let folder = fs::read_dir(repository().join("tests/interop/shapes")).unwrap();
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: &std::path::PathBuf| {
            serde_json::from_str(&fs::read_to_string(path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        files.iter().map(read).collect()
    }

    /// Serves the documents, writes the agent's file into `folder`, and makes the tokens.
    pub(crate) fn serve_and_make_tokens(&self, lines: &str, folder: &Path) -> Vec<Case> {
        let server = Documents::listen();
        let keys: Vec<Made> = self.keys.iter().map(Made::new).collect();
        let mut lines = server.moved(lines);
        for (path, shape) in &self.files {
            let file = folder.join(path.rsplit('/').next().unwrap());
            assert!(lines.contains(path.as_str()), "{}: {path} is not among the lines", self.section);
            lines = lines.replace(path.as_str(), &file.display().to_string());
            let content = match shape {
                FileShape::Bearer => format!("{BEARER}\n"),
                FileShape::Authority => certify(&SigningKey::generate("RS256", "")).pem(),
            };
            fs::write(&file, content).unwrap();
        }
        let bearer = self.files.values().any(|shape| *shape == FileShape::Bearer);
        let bearer = bearer.then(|| BEARER.to_owned());
        fs::write(folder.join("jwt-agent.toml"), lines).unwrap();
        let cases = self.cases(&keys, |text| server.moved(text));
        let serve = |(url, document): (&String, &Value)| {
            let body = match document.as_str() {
                Some("keys") => self.key_set(&keys),
                Some("pem") => keys[0].key.pem(),
                _ => document.to_string(),
            };
            (server.moved(url), Document { body: server.moved(&body), bearer: bearer.clone() })
        };
        let documents = self.documents.iter().map(serve).collect();
        server.serve(documents);
        cases
    }

    fn key_set(&self, keys: &[Made]) -> String {
        match self.key_set {
            KeySetShape::Jwks => {
                let mut set = self.beside.clone();
                set.insert("keys".to_owned(), keys.iter().map(|made| made.jwk.clone()).collect());
                Value::Object(set).to_string()
            }
            KeySetShape::Certificates => {
                let pem = |made: &Made| (made.key.kid.clone(), made.certificate().pem().into());
                Value::Object(keys.iter().map(pem).collect()).to_string()
            }
        }
    }

    fn cases(&self, keys: &[Made], moved: impl Fn(&str) -> String) -> Vec<Case> {
        let signs = &keys[0];
        let sign_with = |key: &SigningKey, change: &Change| match &change.text {
            Some(text) => text.clone(),
            None => {
                let header = signs.filled(&changed(&self.token.header, &change.header));
                let claims = dated(&changed(&self.token.claims, &change.claims));
                let sign = if self.padded { sign_padded } else { sign_raw };
                sign(key, &Value::Object(header).to_string(), &moved(&Value::Object(claims).to_string()))
            }
        };
        let sign = |change: &Change| sign_with(&signs.key, change);
        let good = sign(&Change::none("a good token"));
        let mut cases = vec![Case { what: "a good token".to_owned(), token: good.clone(), detail: ok() }];
        for change in self.accepted.iter().chain(&self.refused).chain(&self.refused_of_everyone()) {
            cases.push(Case {
                what: change.what.clone(),
                token: sign(change),
                detail: change.detail.clone(),
            });
        }
        let stranger = SigningKey::generate(signs.key.algorithm, &signs.key.kid);
        let unsigned = unsigned("none", &Value::Object(dated(&self.token.claims)));
        for (what, token, detail) in [
            ("another issuer's key under the same kid", sign_with(&stranger, &Change::none("")), "signature"),
            ("one bit of the signature", forge_signature(&good), "signature"),
            ("no signature", moved(&unsigned), "algorithm"),
        ] {
            cases.push(Case { what: what.to_owned(), token, detail: detail.to_owned() });
        }
        cases
    }

    /// What no provider's lines may let pass.
    fn refused_of_everyone(&self) -> Vec<Change> {
        let of = |what: &str, detail: &str, header: Value, claims: Value| Change {
            detail: detail.to_owned(),
            header: header.as_object().unwrap().clone(),
            claims: claims.as_object().unwrap().clone(),
            ..Change::none(what)
        };
        let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
        let mut refused = vec![
            of("an expired token", "expired", json!({}), json!({"exp": -1})),
            of("a token without an end", "exp_missing", json!({}), json!({"exp": null})),
            of("another issuer", "issuer", json!({}), json!({"iss": "https://issuer.example"})),
            of("no issuer", "issuer", json!({}), json!({"iss": null})),
            of("a logout token by its type", "typ", json!({"typ": "logout+jwt"}), json!({})),
            of("a logout token by its events", "typ", json!({}), json!({"events": logout})),
        ];
        if self.token.claims.contains_key("aud") {
            refused.push(of("another audience", "audience", json!({}), json!({"aud": "someone-else"})));
            refused.push(of("no audience", "audience", json!({}), json!({"aud": null})));
        }
        refused
    }
}

impl Change {
    fn none(what: &str) -> Self {
        Self { what: what.to_owned(), detail: ok(), header: Map::new(), claims: Map::new(), text: None }
    }
}

/// A key, and what is published of it.
struct Made {
    key: SigningKey,
    jwk: Value,
    certificate: Option<rcgen::Certificate>,
}

impl Made {
    fn new(shape: &KeyShape) -> Self {
        let algorithm = if shape.algorithm == "ES256" { "ES256" } else { "RS256" };
        assert_eq!(algorithm, shape.algorithm);
        let key = SigningKey::generate(algorithm, "");
        let certificate = shape.x5c.then(|| certify(&key));
        let mut made = Self { jwk: key.jwk(), key, certificate };
        let members = made.filled(&shape.members);
        let jwk = made.jwk.as_object_mut().unwrap();
        // Not every provider says the algorithm.
        jwk.remove("alg");
        jwk.extend(members);
        if let Some(certificate) = &made.certificate {
            jwk.insert("x5c".to_owned(), json!([BASE64_STANDARD.encode(certificate.der())]));
        }
        made.key.kid = made.jwk["kid"].as_str().unwrap().to_owned();
        made
    }

    fn certificate(&self) -> &rcgen::Certificate {
        self.certificate.as_ref().unwrap()
    }

    /// Members with this key's thumbprints in their places.
    fn filled(&self, members: &Members) -> Members {
        let print = |algorithm| BASE64_URL_SAFE_NO_PAD.encode(digest(algorithm, self.certificate().der()));
        let fill = |(name, value): (&String, &Value)| {
            let value = match value.as_str() {
                Some("$x5t") => print(&SHA1_FOR_LEGACY_USE_ONLY).into(),
                Some("$x5t#S256") => print(&SHA256).into(),
                _ => value.clone(),
            };
            (name.clone(), value)
        };
        members.iter().map(fill).collect()
    }
}

fn changed(members: &Members, changes: &Members) -> Members {
    let mut members = members.clone();
    members.extend(changes.clone());
    members.retain(|_, value| !value.is_null());
    members
}

fn dated(claims: &Members) -> Members {
    let mut claims = claims.clone();
    for name in ["iat", "nbf", "exp", "auth_time"] {
        if let Some(offset) = claims.get(name).and_then(Value::as_i64) {
            claims.insert(name.to_owned(), now().saturating_add_signed(offset).into());
        }
    }
    claims
}

/// A certificate that a key signs for itself, as identity providers put beside it.
fn certify(key: &SigningKey) -> rcgen::Certificate {
    struct Signer<'a>(&'a SigningKey, Vec<u8>);
    impl PublicKeyData for Signer<'_> {
        fn der_bytes(&self) -> &[u8] {
            &self.1
        }
        fn algorithm(&self) -> &'static SignatureAlgorithm {
            &rcgen::PKCS_RSA_SHA256
        }
    }
    impl rcgen::SigningKey for Signer<'_> {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
            Ok(self.0.sign(message))
        }
    }
    /// What stands before the key itself in a SubjectPublicKeyInfo of RSA with 2048 bits (RFC 3279 section 2.3.1).
    const SPKI_HEAD: usize = 24;
    assert_eq!(key.algorithm, "RS256", "only RSA keys have certificates here");
    let signer = Signer(key, key.spki()[SPKI_HEAD..].to_vec());
    CertificateParams::new(vec!["signs.example".to_owned()]).unwrap().self_signed(&signer).unwrap()
}
