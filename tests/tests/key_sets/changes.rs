//! What may happen to a key on its way into a document. Every change has a name, by which a difference between readers is
//! explained.

use serde_json::json;

use super::generator::Dice;
use super::pool::{Member, base64url};

/// A member of a JWK: its name and its JSON.
type JwkMember = (String, String);

/// A key on its way into a document.
pub(super) struct Written<'a> {
    pub(super) member: &'a Member,
    pub(super) jwk: Vec<JwkMember>,
    pub(super) changes: Vec<&'static str>,
}

impl Written<'_> {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.jwk.iter().find(|(known, _)| known == name).map(|(_, json)| json.clone())
    }

    pub(super) fn set(&mut self, name: &str, json: &str) {
        self.jwk.retain(|(known, _)| known != name);
        self.jwk.push((name.to_owned(), json.to_owned()));
    }

    pub(super) fn text(&self) -> String {
        let members: Vec<_> = self.jwk.iter().map(|(name, json)| format!("{}:{json}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    }

    /// A parameter of the key itself, its name and its text.
    fn parameter(&self, dice: &mut Dice) -> Option<(String, String)> {
        let own: Vec<_> = self
            .jwk
            .iter()
            .filter(|(name, _)| ["n", "e", "x", "y", "k", "pub"].contains(&name.as_str()))
            .collect();
        let (name, json) = own.get(dice.below(own.len().max(1)))?;
        Some((name.clone(), serde_json::from_str(json).ok()?))
    }

    pub(super) fn change(&mut self, dice: &mut Dice, usual: &[Member]) {
        let name = match dice.below(26) {
            0 => {
                self.set(dice.word(&["use", "alg", "key_ops", "kid", "x5c", "x5t", "oth", "d"]), "null");
                "null for a member"
            }
            1 => {
                let name = dice.word(&["use", "alg", "kid", "n", "x", "pub", "kty", "crv"]);
                let Some(json) = self.get(name) else { return };
                self.set(name, &format!("[{json}]"));
                "an array for a text"
            }
            2 => {
                self.set(dice.word(&["key_ops", "x5c", "oth"]), "[]");
                "an empty array"
            }
            3 => {
                let Some((name, text)) = self.parameter(dice) else { return };
                let padding = (4 - text.len() % 4) % 4;
                self.set(&name, &json!(format!("{text}{}", "=".repeat(padding))).to_string());
                "padding"
            }
            4 => {
                let Some((name, text)) = self.parameter(dice) else { return };
                self.set(&name, &json!(text.replace('-', "+").replace('_', "/")).to_string());
                "the other alphabet"
            }
            5 => {
                let zeros = vec![0; 1 + dice.below(3)];
                let Some((name, text)) = self.parameter(dice) else { return };
                let Ok(bytes) = decode(&text) else { return };
                self.set(&name, &json!(base64url(&[zeros, bytes].concat())).to_string());
                // What is no number is another text then.
                if self.member.is_number(&name) { "leading zeros" } else { "more octets" }
            }
            6 => {
                let Some((name, text)) = self.parameter(dice).filter(|(name, _)| name != "k") else { return };
                let Ok(bytes) = decode(&text) else { return };
                let short: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
                self.set(&name, &json!(base64url(&short)).to_string());
                "no leading zeros"
            }
            7 => {
                self.set("alg", dice.word(&[r#""RSA256""#, r#""foo""#, r#""rs256""#]));
                "an unknown alg"
            }
            8 => {
                self.set(
                    "alg",
                    dice.word(&[r#""RSA-OAEP""#, r#""ECDH-ES""#, r#""ES256K""#, r#""dir""#, r#""none""#]),
                );
                "an alg for something else"
            }
            9 => {
                self.set(
                    "alg",
                    dice.word(&[
                        r#""RS256""#,
                        r#""ES256""#,
                        r#""ES384""#,
                        r#""HS256""#,
                        r#""EdDSA""#,
                        r#""ML-DSA-44""#,
                        r#""ML-DSA-87""#,
                    ]),
                );
                "an alg of some type"
            }
            10 => {
                self.set("alg", r#""Ed25519""#);
                "Ed25519 as alg"
            }
            11 => {
                self.set("use", dice.word(&[r#""enc""#, r#""foo""#, r#""SIG""#]));
                "another use"
            }
            12 => {
                self.set("use", r#""""#);
                "an empty use"
            }
            13 => {
                self.set("key_ops", dice.word(&[r#"["verify"]"#, r#"["sign","verify"]"#]));
                "key_ops"
            }
            14 => {
                self.set(
                    "key_ops",
                    dice.word(&[r#"["sign"]"#, r#"["encrypt","wrapKey"]"#, r#""verify""#, "[7]"]),
                );
                "other key_ops"
            }
            15 => {
                self.set("key_ops", dice.word(&[r#"["verify","verify"]"#, r#"["verify","foo"]"#]));
                "odd key_ops"
            }
            16 => {
                self.set("crv", dice.word(&[r#""P-257""#, r#""secp256k1""#, r#""Ed448""#, r#""p-256""#]));
                "another crv"
            }
            17 => {
                let Some((_, own)) = &self.member.certificate else { return };
                let other = usual.iter().rev().find_map(|member| member.certificate.as_ref());
                let chain = if dice.one_in(2) { vec![own, &other.unwrap().1] } else { vec![own] };
                let chain = json!(chain).to_string();
                self.set("x5c", &chain);
                "x5c of the key"
            }
            18 => {
                let strange =
                    |member: &&Member| member.jwk != self.member.jwk && member.certificate.is_some();
                let Some(other) = usual.iter().find(strange) else { return };
                let chain = json!([other.certificate.as_ref().unwrap().1]).to_string();
                self.set("x5c", &chain);
                "x5c of another key"
            }
            19 => {
                self.set("x5c", dice.word(&[r#"["AAAA"]"#, r#"[""]"#, r#""AAAA""#, "[7]", "{}"]));
                "x5c that cannot be read"
            }
            20 => {
                let (name, json) = dice.pick(&self.jwk).clone();
                let json = if dice.one_in(2) { json } else { r#""x""#.to_owned() };
                self.jwk.insert(0, (name, json));
                "a member twice"
            }
            21 => {
                let extra =
                    [("foo", r#"{"a":[1,null]}"#), ("ext", "true"), ("iat", "12"), ("x5u", r#""https://x""#)];
                let (name, json) = dice.pick(&extra);
                self.set(name, json);
                "more members"
            }
            22 => {
                self.set("comment", &json!("x".repeat(30_000)).to_string());
                "a huge member"
            }
            23 => {
                for (name, value) in self.member.private.clone() {
                    self.set(name, &json!(value).to_string());
                }
                "private members"
            }
            24 => {
                self.set("ext", dice.word(&[r#""yes""#, "1"]));
                "an odd ext"
            }
            _ => {
                self.set("kty", dice.word(&[r#""rsa""#, r#""AKP""#, "null", "1"]));
                "another kty"
            }
        };
        self.changes.push(name);
    }
}

fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
    BASE64_URL_SAFE_NO_PAD.decode(text)
}
