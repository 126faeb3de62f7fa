//! Every algorithm with every content encryption, whole and damaged.

use jose::{ContentEncryption, Decrypted, Jwe, KeyManagement, Reject, decrypt};
use serde_json::{Value, json};

use super::encrypter::{Token, seal};
use super::{ALL_KEYS, CLAIMS, SIGNED, jwk};

/// One of the binary parts of a token.
type Part = fn(&mut Token) -> &mut Vec<u8>;

/// Every `alg` with every key that fits it, and every `enc`.
pub fn combinations() -> impl Iterator<Item = (KeyManagement, ContentEncryption, Value)> {
    KeyManagement::ALL.into_iter().flat_map(|alg| {
        ContentEncryption::ALL.into_iter().flat_map(move |enc| {
            let kids = match alg {
                KeyManagement::Dir => vec![format!("oct{}", enc.key_len() * 8)],
                KeyManagement::AesKw(size) | KeyManagement::AesGcmKw(size) => {
                    vec![format!("oct{}", size.bytes() * 8)]
                }
                KeyManagement::RsaOaep(_) => vec!["rsa".to_owned()],
                KeyManagement::EcdhEs | KeyManagement::EcdhEsKw(_) => {
                    ["P-256", "P-384", "P-521", "X25519"].map(str::to_owned).to_vec()
                }
            };
            kids.into_iter().map(move |kid| (alg, enc, jwk(&kid)))
        })
    })
}

#[test]
fn what_is_encrypted_is_decrypted_with_every_algorithm() {
    let mut count = 0;
    for (alg, enc, key) in combinations() {
        let name = format!("{alg} {enc} {}", key["kid"]);
        for plaintext in [&b""[..], b"a", &[0xff; 16], &[7; 1000]] {
            let token = seal(alg, enc, &key, json!({"apu": "QQ", "x": [1, {}]}), plaintext);
            let jwe = Jwe::decrypt(&token.encode(), &ALL_KEYS)
                .unwrap_or_else(|reject| panic!("{name}: {reject:?}"));
            assert_eq!(jwe.plaintext, plaintext, "{name}");
            assert_eq!((jwe.header, jwe.key_management), (token.header, alg), "{name}");
        }
        count += 1;
    }
    assert_eq!(count, (1 + 3 + 3 + 2 + 4 * 4) * 6);
}

#[test]
fn claims_count_only_under_a_shared_secret() {
    for (alg, enc, key) in combinations() {
        let token = |plaintext: &str| seal(alg, enc, &key, json!({}), plaintext.as_bytes()).encode();
        match decrypt(&token(CLAIMS), &ALL_KEYS) {
            Ok(Decrypted::Claims { header, claims }) => {
                assert!(alg.is_symmetric(), "{alg}");
                assert_eq!(claims.as_json(), CLAIMS);
                assert!(header.starts_with(r#"{"alg":"#));
            }
            other => {
                assert_eq!(other, Err(Reject::Unsigned), "{alg}");
                assert!(!alg.is_symmetric(), "{alg}");
            }
        }
        let nested = decrypt(&token(SIGNED), &ALL_KEYS);
        assert!(matches!(nested, Ok(Decrypted::Nested { token, .. }) if token == SIGNED), "{alg}");
    }
}

#[test]
fn damage_to_any_part_is_refused_with_one_and_the_same_word() {
    for (alg, enc, key) in combinations() {
        let whole = seal(alg, enc, &key, json!({}), CLAIMS.as_bytes());
        let refused = |what: &str, token: &Token| {
            let result = Jwe::decrypt(&token.encode(), &ALL_KEYS);
            assert_eq!(result, Err(Reject::Decryption), "{alg} {enc} {}: {what}", key["kid"]);
        };

        let mut token = whole.clone();
        token.header = token.header.replacen('{', "{ ", 1);
        refused("header with other white space", &token);
        token.header = whole.header.replacen('{', r#"{"x":1,"#, 1);
        refused("header with one more member", &token);

        let parts: [(&str, Part); 4] = [
            ("encrypted key", |token| &mut token.encrypted_key),
            ("iv", |token| &mut token.iv),
            ("ciphertext", |token| &mut token.ciphertext),
            ("tag", |token| &mut token.tag),
        ];
        for (name, part) in parts {
            let len = part(&mut whole.clone()).len();
            for at in [0, len / 2, len.saturating_sub(1)].into_iter().filter(|at| *at < len) {
                let mut token = whole.clone();
                part(&mut token)[at] ^= 1;
                refused(&format!("{name} damaged at {at}"), &token);
            }
            for cut in [0, 1, len / 2, len.saturating_sub(8), len.saturating_sub(1)] {
                if cut < len {
                    let mut token = whole.clone();
                    part(&mut token).truncate(cut);
                    refused(&format!("{name} cut at {cut}"), &token);
                }
            }
            for more in [1, 8, 16] {
                let mut token = whole.clone();
                part(&mut token).extend(vec![0; more]);
                refused(&format!("{name} longer by {more}"), &token);
            }
        }
    }
}

#[test]
fn the_key_wrapping_of_gcm_is_as_strict_as_its_content() {
    for (alg, enc, key) in combinations().filter(|(alg, ..)| matches!(alg, KeyManagement::AesGcmKw(_))) {
        let whole = seal(alg, enc, &key, json!({}), CLAIMS.as_bytes());
        let header: Value = serde_json::from_str(&whole.header).unwrap();
        for (name, value) in [
            ("tag", ""),
            ("tag", "AAAA"),
            ("tag", &header["tag"].as_str().unwrap()[..16]),
            ("iv", ""),
            ("iv", "AAAA"),
            ("iv", "AAAAAAAAAAAAAAAAAAAA"),
        ] {
            let mut header = header.clone();
            header[name] = json!(value);
            let token = Token { header: header.to_string(), ..whole.clone() };
            assert_eq!(Jwe::decrypt(&token.encode(), &ALL_KEYS), Err(Reject::Decryption), "{name} {value}");
        }
    }
}
