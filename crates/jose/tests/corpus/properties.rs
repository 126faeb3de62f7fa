//! What must hold for every input, wherever it comes from: one function for each kind of input, which panics if it does not.
//!
//! Other readers of the same bytes are asked too: jsonwebtoken about signatures, serde_json about JSON. Where one of
//! them is laxer than we are, only what we accept is compared.

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{
    AlgorithmSet, Claim, Claims, Decrypted, DecryptionKeys, Jwe, Jws, KeyOrigin, KeyRules, KeySet,
    MAX_INFLATED_BYTES, MAX_JSON_DEPTH, MAX_KEYS, Profile, Reject, TokenForm, decrypt, fingerprint,
    verify_signature,
};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// One public key, or secret, for each algorithm. `fuzz/make_seeds.py` made them with the tokens of the corpus.
const KEYS_JSON: &str = include_str!("keys.json");

const STRICT: KeyRules = KeyRules {
    origin: KeyOrigin::File,
    profile: Profile::Standard,
    allow_short_secrets: false,
    allow_mixed_keys: false,
};

/// The longest message that is fit for a log line: reasons for eight keys, each with two escaped excerpts of 32
/// characters.
const MAX_MESSAGE_CHARS: usize = 8 * 1000;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(KEYS_JSON.as_bytes(), &STRICT).unwrap());

/// The same keys as jsonwebtoken reads them, but for those of ES512 and ML-DSA, which it does not know.
static KEYS_OF_JSONWEBTOKEN: LazyLock<JwkSet> = LazyLock::new(|| {
    let mut keys: Value = serde_json::from_str(KEYS_JSON).unwrap();
    keys["keys"].as_array_mut().unwrap().retain(|key| key["alg"] != "ES512" && key["kty"] != "AKP");
    serde_json::from_value(keys).unwrap()
});

/// The secret among the keys, under which [`header`] signs, and a set of it alone.
static SECRET: LazyLock<(hmac::Key, KeySet)> = LazyLock::new(|| {
    let keys: Value = serde_json::from_str(KEYS_JSON).unwrap();
    let jwk = keys["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "HS256").unwrap();
    let secret = URL_SAFE_NO_PAD.decode(jwk["k"].as_str().unwrap()).unwrap();
    (hmac::Key::new(hmac::HMAC_SHA256, &secret), KeySet::parse(jwk.to_string().as_bytes(), &STRICT).unwrap())
});

/// Private keys and tokens that two libraries encrypted to them.
const JWE_JSON: &str = include_str!("../suite/data/jwe.json");

static DECRYPTION_KEYS: LazyLock<DecryptionKeys> = LazyLock::new(|| {
    let made: Value = serde_json::from_str(JWE_JSON).unwrap();
    DecryptionKeys::parse(made["keys"].to_string().as_bytes()).unwrap()
});

/// The one of 128 bits among those keys, under which [`jwe`] seals.
static SEALING_KEY: LazyLock<LessSafeKey> = LazyLock::new(|| {
    let made: Value = serde_json::from_str(JWE_JSON).unwrap();
    let jwk = made["keys"].as_array().unwrap().iter().find(|key| key["kid"] == "oct128").unwrap();
    let key = URL_SAFE_NO_PAD.decode(jwk["k"].as_str().unwrap()).unwrap();
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap())
});

/// A whole token, as a request brings it: there is one spelling of it, and who reads it the same way accepts it too.
pub fn token(input: &[u8]) {
    let Ok(token) = std::str::from_utf8(input) else { return };
    assert_eq!(fingerprint(token).len(), 32);

    let jws = match Jws::verify(token, &KEYS, AlgorithmSet::ALL) {
        Ok(jws) => jws,
        Err(reject) => {
            assert_eq!(verify_signature(token, &KEYS, AlgorithmSet::ALL).err(), Some(reject));
            assert!(!matches!(reject, Reject::NoKeys), "there are keys");
            return;
        }
    };
    assert_eq!(TokenForm::of(token), TokenForm::Jws);
    let [header, payload, signature] = parts(token);
    assert_eq!(payload, URL_SAFE_NO_PAD.encode(&jws.payload), "a payload has one spelling");
    assert_eq!(
        serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap(),
        serde_json::from_str::<Value>(&jws.header).unwrap(),
        "the header is given as it was signed"
    );
    let mut forged = URL_SAFE_NO_PAD.decode(signature).unwrap();
    forged[0] ^= 1;
    let forged = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(forged));
    assert_eq!(Jws::verify(&forged, &KEYS, AlgorithmSet::ALL), Err(Reject::Signature));

    match verify_signature(token, &KEYS, AlgorithmSet::ALL) {
        Ok(signed) => {
            assert_eq!(Ok(signed.claims), Claims::parse(&jws.payload));
            assert_jsonwebtoken_accepts(token);
        }
        Err(reject) => assert_eq!(Claims::parse(&jws.payload), Err(reject)),
    }
}

/// A header, under a good signature: what we accept says what we took it for, and a plain header is accepted.
pub fn header(input: &[u8]) {
    let (_, keys) = &*SECRET;
    let token = signed(input);
    match Jws::verify(&token, keys, AlgorithmSet::ALL) {
        Ok(jws) => {
            assert!(is_plain(&members(input).unwrap()), "accepted: {}", jws.header);
            let again = signed(jws.header.as_bytes());
            assert_eq!(
                Jws::verify(&again, keys, AlgorithmSet::ALL),
                Ok(jws),
                "a compact header stays as it is"
            );
            assert_jsonwebtoken_accepts(&token);
        }
        Err(reject) => {
            assert_ne!(reject, Reject::Signature, "the signature is good");
            let Ok(header) = serde_json::from_slice::<Value>(input) else { return };
            let header = header.to_string();
            // What made it refusable, such as a member that came twice, is gone in serde_json's own spelling.
            if members(header.as_bytes()).is_some_and(|members| is_plain(&members)) && is_shallow(&header) {
                let token = signed(header.as_bytes());
                assert!(Jws::verify(&token, keys, AlgorithmSet::ALL).is_ok(), "refused: {header}");
            }
        }
    }
}

/// A payload: its claims are those that serde_json reads, and their compact text is read as the same claims.
pub fn claims(input: &[u8]) {
    let Ok(claims) = Claims::parse(input) else {
        // What made it refusable, such as a member that came twice, is gone in serde_json's own spelling.
        if let Ok(object @ Value::Object(_)) = serde_json::from_slice::<Value>(input) {
            let object = object.to_string();
            assert_eq!(Claims::parse(object.as_bytes()).is_ok(), is_shallow(&object), "{object}");
        }
        return;
    };
    assert!(claims.as_json().len() <= input.len());
    assert_eq!(Claims::parse(claims.as_json().as_bytes()).as_ref(), Ok(&claims));

    let expected = members(input).unwrap();
    assert_eq!(claims.iter().count(), expected.len());
    for (name, claim) in claims.iter() {
        assert_eq!(claims.get(name).as_ref(), Some(&claim), "{name}");
        assert_eq!(claims.path(name).as_ref(), Some(&claim), "{name}");
        // A number beyond a double's range is a value for neither; an integer stays one, also below zero's sign.
        let raw = expected[name].get();
        assert_eq!(value(&claim), serde_json::from_str(if raw == "-0" { "0" } else { raw }).ok(), "{name}");
        if let (Ok(Some(date)), Some(number)) =
            (claims.numeric_date(name), value(&claim).and_then(|value| value.as_f64()))
        {
            let millis: f64 = date.as_millis().to_string().parse().unwrap();
            let distance = number.mul_add(1000.0, -millis).abs();
            assert!(distance <= 1.0 + number.abs() * 1e-9, "{name}: {number} is {date:?}");
        }
    }
    for profile in [Profile::Standard, Profile::MsUsers] {
        claims.subject(profile);
    }
}

/// A key source: what is taken can be used, what is not has a message, and laxer rules never take less.
pub fn key_set(input: &[u8]) {
    match DecryptionKeys::parse(input) {
        Ok(keys) => {
            assert!((1..=MAX_KEYS).contains(&keys.keys().len()));
            keys.skipped().iter().for_each(|skipped| assert_fit_for_a_log(&skipped.to_string()));
        }
        Err(error) => assert_fit_for_a_log(&error.to_string()),
    }
    let url = KeyRules { origin: KeyOrigin::Url, ..STRICT };
    let lax = KeyRules { allow_short_secrets: true, allow_mixed_keys: true, ..STRICT };
    let ms_users = KeyRules { profile: Profile::MsUsers, ..lax };
    let [strict, url, lax, ms_users] =
        [STRICT, url, lax, ms_users].map(|rules| match KeySet::parse(input, &rules) {
            Ok(set) => {
                assert_usable(&set);
                set.len()
            }
            Err(error) => {
                assert_fit_for_a_log(&error.to_string());
                0
            }
        });
    assert!(url <= strict && strict <= lax && lax <= ms_users, "{url}, {strict}, {lax}, {ms_users}");
}

/// An encrypted token as it is; and the same input as a header, a line's end and a plaintext, encrypted well.
pub fn jwe(input: &[u8]) {
    if let Ok(token) = std::str::from_utf8(input) {
        assert_sound(token);
    }
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, plaintext) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let token = sealed(header, plaintext);
    assert_sound(&token);
    if let Ok(jwe) = Jwe::decrypt(&token, &DECRYPTION_KEYS) {
        assert!(jwe.key_management.is_symmetric());
        let is_deflated = members(header).unwrap().contains_key("zip");
        assert!(is_deflated || jwe.plaintext == plaintext);
        let again = sealed(jwe.header.as_bytes(), plaintext);
        assert_eq!(Jwe::decrypt(&again, &DECRYPTION_KEYS), Ok(jwe), "a compact header stays as it is");
    }
}

/// What was decrypted is what it is taken for, and nothing can be changed in the token.
fn assert_sound(token: &str) {
    let jwe = match Jwe::decrypt(token, &DECRYPTION_KEYS) {
        Ok(jwe) => jwe,
        Err(reject) => {
            assert_eq!(decrypt(token, &DECRYPTION_KEYS), Err(reject));
            return;
        }
    };
    assert_eq!(TokenForm::of(token), TokenForm::Jwe);
    assert!(jwe.plaintext.len() <= MAX_INFLATED_BYTES.max(token.len()));
    match decrypt(token, &DECRYPTION_KEYS) {
        Ok(Decrypted::Claims { header, claims }) => {
            assert!(jwe.key_management.is_symmetric(), "anybody could have written these claims");
            assert_eq!((header, Ok(claims)), (jwe.header, Claims::parse(&jwe.plaintext)));
        }
        Ok(Decrypted::Nested { token, .. }) => assert_eq!(TokenForm::of(&token), TokenForm::Jws),
        Err(reject) => {
            assert!(
                matches!(reject, Reject::Unsupported | Reject::Unsigned | Reject::Malformed),
                "{reject:?}"
            );
        }
    }
    let (rest, tag) = token.rsplit_once('.').unwrap();
    let mut forged = URL_SAFE_NO_PAD.decode(tag).unwrap();
    forged[0] ^= 1;
    let forged = format!("{rest}.{}", URL_SAFE_NO_PAD.encode(forged));
    assert_eq!(Jwe::decrypt(&forged, &DECRYPTION_KEYS), Err(Reject::Decryption));
}

/// A token with this header, encrypted as `dir` and `A128GCM` say.
fn sealed(header: &[u8], plaintext: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    let mut ciphertext = plaintext.to_vec();
    // One nonce for all: nothing here is secret.
    let nonce = [7; 12];
    let tag = SEALING_KEY
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(header.as_bytes()),
            &mut ciphertext,
        )
        .unwrap();
    let [nonce, ciphertext, tag] =
        [nonce.as_slice(), &ciphertext, tag.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}..{nonce}.{ciphertext}.{tag}")
}

fn assert_usable(set: &KeySet) {
    assert!(!set.is_empty() && set.len() <= MAX_KEYS);
    for key in set.keys() {
        assert!(!key.algorithms().is_empty());
        for algorithm in key.algorithms().iter() {
            let mut header = json!({"alg": algorithm.to_string()});
            if let Some(kid) = key.kid() {
                header["kid"] = json!(kid);
            }
            let message = format!("{}.e30", URL_SAFE_NO_PAD.encode(header.to_string()));
            for signature in [vec![0; 64], vec![1; 256]] {
                let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
                assert_eq!(Jws::verify(&token, set, AlgorithmSet::ALL), Err(Reject::Signature));
            }
        }
    }
    for message in
        set.skipped().iter().map(ToString::to_string).chain(set.warnings().iter().map(ToString::to_string))
    {
        assert_fit_for_a_log(&message);
    }
}

fn assert_fit_for_a_log(message: &str) {
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(message.chars().count() <= MAX_MESSAGE_CHARS, "{message:?}");
}

/// jsonwebtoken reads the header into fixed types and knows no ES512; where it reads the header, it has to agree.
fn assert_jsonwebtoken_accepts(token: &str) {
    let Ok(header) = jsonwebtoken::decode_header(token) else { return };
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let accepts = KEYS_OF_JSONWEBTOKEN.keys.iter().any(|jwk| {
        let key = DecodingKey::from_jwk(jwk).unwrap();
        jsonwebtoken::decode::<HashMap<String, Box<RawValue>>>(token, &key, &validation).is_ok()
    });
    assert!(accepts, "jsonwebtoken refuses {token}");
}

/// A token with this header under our secret.
fn signed(header: &[u8]) -> String {
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(r#"{"sub":"alice"}"#));
    let signature = hmac::sign(&SECRET.0, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The members of an object as serde_json reads them, whose values may be numbers that it cannot hold.
fn members(json: &[u8]) -> Option<HashMap<String, Box<RawValue>>> {
    serde_json::from_slice(json).ok()
}

/// Whether a header asks for HS256 under the key of the set that is for it, and for nothing that we do not do.
fn is_plain(header: &HashMap<String, Box<RawValue>>) -> bool {
    let is = |name, expected| {
        header
            .get(name)
            .map(|raw| serde_json::from_str::<String>(raw.get()).is_ok_and(|text| text == expected))
    };
    is("alg", "HS256") == Some(true)
        && is("kid", "HS256") != Some(false)
        && ["crit", "b64"].iter().all(|name| !header.contains_key(*name))
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// The value that serde_json would have read.
fn value(claim: &Claim<'_>) -> Option<Value> {
    match claim {
        Claim::Null => Some(Value::Null),
        Claim::Bool(value) => Some(json!(value)),
        Claim::Int(number) => Some(json!(number)),
        Claim::Number(json) | Claim::Json(json) => serde_json::from_str(json).ok(),
        Claim::String(text) => Some(json!(text)),
    }
}

/// Whether the nesting of a JSON text is within our bound.
fn is_shallow(json: &str) -> bool {
    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    depth(&serde_json::from_str(json).unwrap()) <= MAX_JSON_DEPTH
}
