//! One test for each way to make a decrypter give in.

use jose::{
    AesSize, ContentEncryption, Decrypted, DecryptionKeys, Jwe, KeyManagement, MAX_INFLATED_BYTES, OaepHash,
    Reject, decrypt,
};
use miniz_oxide::deflate::compress_to_vec;
use serde_json::{Value, json};

use super::encrypter::{Token, bytes, concat_kdf, oaep, pkcs7, random, seal, seal_content};
use super::{ALL_KEYS, CLAIMS, SIGNED, jwk, jwk_with, parse};
use crate::support::b64;

const DIR: KeyManagement = KeyManagement::Dir;
const A256KW: KeyManagement = KeyManagement::AesKw(AesSize::A256);
const RSA: KeyManagement = KeyManagement::RsaOaep(OaepHash::Sha256);
const GCM: ContentEncryption = ContentEncryption::Gcm(AesSize::A256);
const CBC: ContentEncryption = ContentEncryption::CbcHs(AesSize::A128);

fn refusal(token: &str) -> Option<Reject> {
    decrypt(token, &ALL_KEYS).err()
}

/// A token under a shared secret whose header has further members.
fn with_members(members: Value) -> Token {
    seal(DIR, GCM, &jwk("oct256"), members, CLAIMS.as_bytes())
}

#[test]
fn only_five_parts_of_canonical_base64url_are_a_token() {
    let token = with_members(json!({})).encode();
    assert_eq!(refusal(&token), None);
    for text in [
        String::new(),
        ".".repeat(4),
        ".".repeat(100_000),
        SIGNED.to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        token.replacen('.', ".\n", 1),
        token.replacen("..", "...", 1),
        token.replacen("..", ".A.", 1),
        token.replacen("..", ".ä.", 1),
        format!("{}.{token}", b64("{")),
    ] {
        assert_eq!(
            refusal(&text),
            Some(Reject::Malformed),
            "{:?}",
            text.chars().take(80).collect::<String>()
        );
    }
    let [header, ..] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(refusal(&format!("{header}....")), Some(Reject::Decryption));
}

#[test]
fn a_header_that_would_change_the_rules_is_refused_before_any_key_is_tried() {
    for (members, reject) in [
        (json!({"crit": ["exp"], "exp": 1}), Reject::CriticalHeader),
        (json!({"b64": false}), Reject::CriticalHeader),
        (json!({"zip": "GZ"}), Reject::Algorithm),
        (json!({"alg": "RSA1_5"}), Reject::Algorithm),
        (json!({"alg": "PBES2-HS512+A256KW", "p2c": 2_000_000_000_u32, "p2s": "AA"}), Reject::Algorithm),
        (json!({"alg": "none"}), Reject::Algorithm),
        (json!({"alg": "DIR"}), Reject::Algorithm),
        (json!({"enc": "A256CBC"}), Reject::Algorithm),
        (json!({"enc": null}), Reject::Malformed),
        (json!({"kid": ["oct256"]}), Reject::Malformed),
    ] {
        assert_eq!(refusal(&with_members(members.clone()).encode()), Some(reject), "{members}");
    }
    let mut nested = json!([]);
    for _ in 0..40 {
        nested = json!([nested]);
    }
    assert_eq!(refusal(&with_members(json!({ "x": nested })).encode()), Some(Reject::Malformed));
}

#[test]
fn an_algorithm_is_bound_to_the_key_and_not_to_the_token() {
    let keys = parse(&json!([
        jwk_with("oct256", json!({"alg": "A256KW"})),
        jwk_with("oct512", json!({"alg": "dir", "enc": "A256CBC-HS512"})),
        jwk_with("oct128", json!({"alg": "A128GCM"})),
        jwk_with("rsa", json!({"alg": "RSA-OAEP-256", "enc": "A256GCM"})),
    ]));
    let enc = |name: &str| -> ContentEncryption { name.parse().unwrap() };
    for (kid, alg, enc, expected) in [
        ("oct256", A256KW, enc("A128GCM"), None),
        ("oct256", DIR, enc("A256GCM"), Some(Reject::UnknownKey)),
        ("oct256", KeyManagement::AesGcmKw(AesSize::A256), enc("A128GCM"), Some(Reject::UnknownKey)),
        ("oct512", DIR, enc("A256CBC-HS512"), None),
        ("oct128", DIR, enc("A128GCM"), None),
        ("oct128", KeyManagement::AesKw(AesSize::A128), enc("A128GCM"), Some(Reject::UnknownKey)),
        ("rsa", RSA, enc("A256GCM"), Some(Reject::Unsigned)),
        ("rsa", RSA, enc("A128GCM"), Some(Reject::UnknownKey)),
        ("rsa", KeyManagement::RsaOaep(OaepHash::Sha1), enc("A256GCM"), Some(Reject::UnknownKey)),
    ] {
        let token = seal(alg, enc, &jwk(kid), json!({}), CLAIMS.as_bytes()).encode();
        assert_eq!(decrypt(&token, &keys).err(), expected, "{kid} {alg} {enc}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // With the coordinate of a public key as the secret, and with the name of that key.
    let public = jwk("P-256");
    let secret = json!({"kid": "P-256", "k": public["x"]});
    let token = seal(DIR, GCM, &secret, json!({}), CLAIMS.as_bytes()).encode();
    assert_eq!(refusal(&token), Some(Reject::UnknownKey));
    // And with a key that the token brings along.
    let members = json!({"jwk": {"kty": "oct", "k": b64([7; 32])}});
    let token = seal(DIR, GCM, &json!({"kid": "oct256", "k": b64([7; 32])}), members, CLAIMS.as_bytes());
    assert_eq!(refusal(&token.encode()), Some(Reject::Decryption));
}

#[test]
fn a_token_without_a_known_kid_falls_back_to_the_default_secret_alone() {
    let default = jwk_with("oct512", json!({"default": true}));
    let with_default = parse(&json!([jwk("oct256"), default, jwk("rsa")]));
    let enc: ContentEncryption = "A256CBC-HS512".parse().unwrap();
    let rsa_for = |members| seal(RSA, GCM, &jwk("rsa"), members, SIGNED.as_bytes());
    let default_for = |members| seal(DIR, enc, &default, members, CLAIMS.as_bytes());
    let without_kid = |token: Token| {
        let mut header: Value = serde_json::from_str(&token.header).unwrap();
        header.as_object_mut().unwrap().remove("kid");
        seal_content(enc, &bytes(&default["k"]), Vec::new(), &header, &pkcs7(CLAIMS.as_bytes(), enc))
    };
    for (name, token, expected) in [
        ("its kid", default_for(json!({})), None),
        ("unknown kid", default_for(json!({"kid": "' OR 1=1 --"})), None),
        ("no kid", without_kid(default_for(json!({}))), None),
        ("kid of another key", default_for(json!({"kid": "oct256"})), Some(Reject::UnknownKey)),
        ("other secret, unknown kid", with_members(json!({"kid": "?"})), Some(Reject::UnknownKey)),
        ("public key, its kid", rsa_for(json!({})), None),
        ("public key, unknown kid", rsa_for(json!({"kid": "?"})), Some(Reject::UnknownKey)),
    ] {
        assert_eq!(decrypt(&token.encode(), &with_default).err(), expected, "{name}");
    }
    // A secret that is the only key is the default, unless its owner says that it is not.
    let token = default_for(json!({"kid": "?"})).encode();
    for (source, expected) in [
        (json!([jwk("oct512")]), None),
        (jwk("oct512"), None),
        (json!({"keys": [{"kty": "oct", "k": default["k"]}]}), None),
        (jwk_with("oct512", json!({"default": null})), None),
        (jwk_with("oct512", json!({"default": false})), Some(Reject::UnknownKey)),
        (json!([jwk("oct512"), jwk("oct256")]), Some(Reject::UnknownKey)),
        (json!([jwk("oct512"), jwk("rsa")]), Some(Reject::UnknownKey)),
        (json!([jwk("oct512"), {"kty": "oct", "kid": "bad", "k": ""}]), Some(Reject::UnknownKey)),
    ] {
        let keys = DecryptionKeys::parse(source.to_string().as_bytes()).unwrap();
        assert_eq!(decrypt(&token, &keys).err(), expected, "{source}");
    }
}

#[test]
fn keys_of_one_kid_are_all_tried() {
    let keys = parse(&json!([
        {"kty": "oct", "kid": "a", "k": b64([1; 32])},
        {"kty": "oct", "kid": "a", "k": b64([2; 16])},
        {"kty": "oct", "kid": "a", "k": b64([3; 32])},
    ]));
    for (secret, expected) in [(1, None), (3, None), (4, Some(Reject::Decryption))] {
        let key = json!({"kid": "a", "k": b64([secret; 32])});
        let token = seal(A256KW, GCM, &key, json!({}), CLAIMS.as_bytes()).encode();
        assert_eq!(decrypt(&token, &keys).err(), expected);
    }
}

#[test]
fn bad_padding_under_a_good_mac_is_refused_like_a_bad_mac() {
    let header = json!({"alg": "dir", "enc": CBC.as_str(), "kid": "oct256"});
    let sealed =
        |blocks: &[u8]| seal_content(CBC, &bytes(&jwk("oct256")["k"]), Vec::new(), &header, blocks).encode();
    assert_eq!(Jwe::decrypt(&sealed(&[16; 16]), &ALL_KEYS).unwrap().plaintext, b"");
    let wrong = [&[7; 14][..], &[1, 2]].concat();
    for blocks in [&[][..], &[0; 16], &[17; 16], &[255; 32], &wrong] {
        assert_eq!(refusal(&sealed(blocks)), Some(Reject::Decryption), "{blocks:?}");
    }
}

#[test]
fn a_content_key_of_the_wrong_size_is_refused() {
    for enc in ContentEncryption::ALL {
        let header = json!({"alg": "RSA-OAEP-256", "enc": enc.as_str(), "kid": "rsa"});
        for len in [0, 1, 16, 24, 32, 48, 64] {
            let content_key = random(len);
            let encrypted_key = oaep(OaepHash::Sha256, &jwk("rsa"), &content_key);
            // Sealed with what a lenient decrypter would make of it: the beginning, or zeros behind it.
            let mut used = content_key.clone();
            used.resize(enc.key_len(), 0);
            let plaintext = pkcs7(SIGNED.as_bytes(), enc);
            let token = seal_content(enc, &used, encrypted_key, &header, &plaintext).encode();
            let expected = (len != enc.key_len()).then_some(Reject::Decryption);
            assert_eq!(refusal(&token), expected, "{enc} {len}");
        }
    }
}

#[test]
fn rsa_gives_no_sign_of_what_it_made_of_an_encrypted_key() {
    let whole = seal(RSA, GCM, &jwk("rsa"), json!({}), SIGNED.as_bytes());
    assert_eq!(refusal(&whole.encode()), None);
    let n = bytes(&jwk("rsa")["n"]);
    let other_hash = oaep(OaepHash::Sha1, &jwk("rsa"), &random(32));
    for encrypted_key in [
        vec![],
        vec![0],
        vec![0; 256],
        vec![255; 256],
        vec![1; 257],
        random(256),
        n,
        other_hash,
        vec![0; 5000],
    ] {
        let token = Token { encrypted_key, ..whole.clone() };
        assert_eq!(refusal(&token.encode()), Some(Reject::Decryption));
    }
}

#[test]
fn a_point_that_would_betray_the_key_is_refused() {
    // For X25519 the shared secret of these points is zero, so that anybody can complete the token.
    let low_order = [
        [0; 32],
        std::array::from_fn(|at| u8::from(at == 0)),
        std::array::from_fn(|at| match at {
            0 => 0xed,
            31 => 0x7f,
            _ => 0xff,
        }),
    ];
    for point in low_order {
        let epk = json!({"kty": "OKP", "crv": "X25519", "x": b64(point)});
        let header = json!({"alg": "ECDH-ES", "enc": GCM.as_str(), "kid": "X25519", "epk": epk});
        let content_key = concat_kdf(&[0; 32], GCM.as_str(), &header, 32);
        let token = seal_content(GCM, &content_key, Vec::new(), &header, SIGNED.as_bytes());
        assert_eq!(refusal(&token.encode()), Some(Reject::Decryption), "{point:?}");
    }
}

#[test]
fn an_ephemeral_key_that_is_not_on_the_keys_curve_is_refused() {
    for kid in ["P-256", "P-384", "P-521", "X25519"] {
        let whole = seal(KeyManagement::EcdhEs, GCM, &jwk(kid), json!({}), SIGNED.as_bytes());
        let header: Value = serde_json::from_str(&whole.header).unwrap();
        let len = bytes(&header["epk"]["x"]).len();
        let own = |members: Value| {
            let mut epk = header["epk"].clone();
            epk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            epk
        };
        let longer = b64([vec![0], bytes(&header["epk"]["x"])].concat());
        let mut epks = vec![
            own(json!({"x": longer})),
            own(json!({"x": ""})),
            own(json!({"x": null})),
            own(json!({"x": "="})),
            own(json!({"kty": "oct"})),
            own(json!({"kty": null})),
            own(json!({"crv": "P-192"})),
            own(json!({"crv": "secp256k1"})),
            own(json!({"crv": "X448"})),
            own(json!({"crv": "Ed25519"})),
            json!({}),
        ];
        if kid != "X25519" {
            for (x, y) in [(0, 0), (1, 1), (255, 255)] {
                epks.push(own(json!({"x": b64(vec![x; len]), "y": b64(vec![y; len])})));
            }
            epks.push(own(json!({"y": header["epk"]["x"]})));
            epks.push(own(json!({"y": null})));
        }
        for other in ["P-256", "P-384", "P-521", "X25519"].into_iter().filter(|other| *other != kid) {
            let jwk = jwk(other);
            epks.push(json!({"kty": jwk["kty"], "crv": other, "x": jwk["x"], "y": jwk["y"]}));
            epks.push(own(json!({"crv": other})));
        }
        for epk in epks {
            let mut header = header.clone();
            header["epk"] = epk.clone();
            let token = Token { header: header.to_string(), ..whole.clone() };
            assert_eq!(refusal(&token.encode()), Some(Reject::Decryption), "{kid}: {epk}");
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let deflated = |plaintext: &[u8]| compress_to_vec(plaintext, 9);
    let token = |zipped: &[u8]| seal(DIR, GCM, &jwk("oct256"), json!({"zip": "DEF"}), zipped).encode();
    let claims = |padding: usize| format!("{{\"a\":\"{}\"}}", "a".repeat(padding));
    let most = MAX_INFLATED_BYTES - claims(0).len();
    assert!(matches!(
        decrypt(&token(&deflated(claims(most).as_bytes())), &ALL_KEYS),
        Ok(Decrypted::Claims { .. })
    ));

    let bomb = deflated(&vec![b' '; 200_000_000]);
    let whole = deflated(CLAIMS.as_bytes());
    let cut = &whole[..whole.len() - 3];
    let zlib = miniz_oxide::deflate::compress_to_vec_zlib(CLAIMS.as_bytes(), 9);
    for zipped in
        [&deflated(claims(most + 1).as_bytes())[..], &bomb, cut, &zlib, b"", b"\xff\xff", CLAIMS.as_bytes()]
    {
        assert_eq!(refusal(&token(zipped)), Some(Reject::Decryption), "{} bytes", zipped.len());
    }
}

#[test]
fn tokens_nest_once_and_say_what_they_hold() {
    let sealed = |members: Value, plaintext: &str| {
        refusal(&seal(DIR, GCM, &jwk("oct256"), members, plaintext.as_bytes()).encode())
    };
    let inner = with_members(json!({})).encode();
    for (members, plaintext, expected) in [
        (json!({"cty": "JWT"}), SIGNED, None),
        (json!({"cty": "jwt"}), SIGNED, None),
        (json!({}), SIGNED, None),
        (json!({"cty": "json"}), CLAIMS, None),
        (json!({}), r#"{"a":"b.c.d"}"#, None),
        (json!({"cty": "JWT"}), CLAIMS, Some(Reject::Malformed)),
        (json!({"cty": "Jwt"}), "", Some(Reject::Malformed)),
        (json!({"cty": "JWT"}), &inner, Some(Reject::Unsupported)),
        (json!({}), &inner, Some(Reject::Unsupported)),
        (json!({}), "", Some(Reject::Malformed)),
        (json!({}), "[]", Some(Reject::Malformed)),
        (json!({}), r#"{"a":1,"a":2}"#, Some(Reject::Malformed)),
        (json!({}), "a.b.c\n", Some(Reject::Malformed)),
        (json!({"cty": 1}), CLAIMS, Some(Reject::Malformed)),
    ] {
        assert_eq!(sealed(members.clone(), plaintext), expected, "{members} {plaintext}");
    }
    let token = seal(RSA, GCM, &jwk("rsa"), json!({"cty": "JWT"}), inner.as_bytes());
    assert_eq!(refusal(&token.encode()), Some(Reject::Unsupported));
}

#[test]
fn debug_shows_no_plaintext_and_no_key() {
    let token = with_members(json!({})).encode();
    let shown = format!(
        "{:?} {:?} {:?}",
        decrypt(&token, &ALL_KEYS).unwrap(),
        Jwe::decrypt(&token, &ALL_KEYS).unwrap(),
        *ALL_KEYS,
    );
    for secret in ["alice", "enc\"", &jwk("oct256")["k"].as_str().unwrap()[..8], "[0, "] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
