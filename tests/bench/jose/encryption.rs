//! Encrypted tokens under shared secrets: the primitives alone against decryption with all claims validated.

use std::hint::black_box;
use std::time::SystemTime;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::key_wrap::{AES_256 as KEK_256, AesKek, KeyWrap};
use aws_lc_rs::{hmac, rand};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use integration_tests::token::claims;
use jose::{Decrypted, DecryptionKeys, IssuerPolicy, UnixTime, decrypt};
use serde_json::json;

use crate::measure::{Spread, in_turns};
use crate::report::Row;
use crate::signatures::{policy, registered_claims};

type Measure = fn(&str) -> Row;

const MEASURED: [(&str, Measure); 3] =
    [("dir, A256GCM", gcm), ("dir, A256CBC-HS512", cbc_hs), ("A256KW, A256GCM", wrapped_gcm)];

pub(crate) fn rows(is_wanted: impl Fn(&str) -> bool) -> Vec<Row> {
    MEASURED.into_iter().filter(|(name, _)| is_wanted(name)).map(|(name, measure)| measure(name)).collect()
}

fn gcm(name: &str) -> Row {
    let key: [u8; 32] = random();
    let token = Token::gcm(json!({"alg": "dir", "enc": "A256GCM", "kid": "k"}), &[], &key);
    let ready = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    row(
        name,
        &key,
        &token,
        || token.open_gcm(&LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap())),
        || token.open_gcm(&ready),
    )
}

fn wrapped_gcm(name: &str) -> Row {
    let (kek, key): ([u8; 32], [u8; 32]) = (random(), random());
    let mut wrapped = [0; 40];
    AesKek::new(&KEK_256, &kek).unwrap().wrap(&key, &mut wrapped).unwrap();
    let token = Token::gcm(json!({"alg": "A256KW", "enc": "A256GCM", "kid": "k"}), &wrapped, &key);
    // The wrapped key differs from token to token, and so does the key that aws-lc-rs has to be given.
    let open = || {
        let mut key = [0; 32];
        AesKek::new(&KEK_256, &kek).unwrap().unwrap(&wrapped, &mut key).unwrap();
        token.open_gcm(&LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap()));
    };
    row(name, &kek, &token, open, open)
}

fn cbc_hs(name: &str) -> Row {
    let key: [u8; 64] = random();
    let token = Token::cbc_hs(json!({"alg": "dir", "enc": "A256CBC-HS512", "kid": "k"}), &key);
    let (mac_key, cipher_key) = key.split_at(32);
    let mac = || hmac::Key::new(hmac::HMAC_SHA512, mac_key);
    let cipher =
        || PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, cipher_key).unwrap()).unwrap();
    let (ready_mac, ready_cipher) = (mac(), cipher());
    row(
        name,
        &key,
        &token,
        || token.open_cbc_hs(&mac(), &cipher()),
        || token.open_cbc_hs(&ready_mac, &ready_cipher),
    )
}

/// Measures the primitives against the whole.
fn row(name: &str, key: &[u8], token: &Token, mut fresh: impl FnMut(), mut ready: impl FnMut()) -> Row {
    let keys = json!([{"kty": "oct", "kid": "k", "k": base64url(key)}]);
    let keys = DecryptionKeys::parse(keys.to_string().as_bytes()).unwrap();
    let compact = token.compact();
    let policy: IssuerPolicy = policy();
    let now = UnixTime::from_system(SystemTime::now());
    let mut whole = || match decrypt(black_box(&compact), &keys) {
        Ok(Decrypted::Claims { claims, .. }) => policy.validate(&claims, now).unwrap(),
        Ok(Decrypted::Nested { .. }) | Err(_) => panic!("not decrypted"),
    };
    let [fresh, ready, whole]: [Spread; 3] = in_turns([&mut fresh, &mut ready, &mut whole]);
    Row { name: name.to_owned(), fresh, ready, signature_text: None, whole }
}

/// A token (RFC 7516 section 7.1) whose parts are at hand.
struct Token {
    header: String,
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl Token {
    fn gcm(header: serde_json::Value, encrypted_key: &[u8], key: &[u8]) -> Self {
        let header = base64url(header.to_string());
        let iv: [u8; 12] = random();
        let mut ciphertext = plaintext();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(header.as_bytes()),
                &mut ciphertext,
            )
            .unwrap();
        let tag = tag.as_ref().to_vec();
        Self { header, encrypted_key: encrypted_key.to_vec(), iv: iv.to_vec(), ciphertext, tag }
    }

    /// RFC 7518 section 5.2: half of the key is the MAC's, half the cipher's.
    fn cbc_hs(header: serde_json::Value, key: &[u8; 64]) -> Self {
        let header = base64url(header.to_string());
        let iv: [u8; 16] = random();
        let (mac_key, cipher_key) = key.split_at(32);
        let cipher =
            PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, cipher_key).unwrap())
                .unwrap();
        let mut ciphertext = plaintext();
        cipher.less_safe_encrypt(&mut ciphertext, EncryptionContext::Iv128(iv.into())).unwrap();
        let mut token =
            Self { header, encrypted_key: Vec::new(), iv: iv.to_vec(), ciphertext, tag: Vec::new() };
        token.tag =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, mac_key), &token.covered()).as_ref()[..32].to_vec();
        token
    }

    fn compact(&self) -> String {
        let [key, iv, ciphertext, tag] =
            [&self.encrypted_key, &self.iv, &self.ciphertext, &self.tag].map(base64url);
        format!("{}.{key}.{iv}.{ciphertext}.{tag}", self.header)
    }

    fn open_gcm(&self, key: &LessSafeKey) {
        let mut text = self.ciphertext.clone();
        let nonce = Nonce::try_assume_unique_for_key(&self.iv).unwrap();
        let aad = Aad::from(self.header.as_bytes());
        black_box(key.open_in_place_separate_tag(nonce, aad, &self.tag, &mut text).unwrap());
    }

    fn open_cbc_hs(&self, mac: &hmac::Key, cipher: &PaddedBlockDecryptingKey) {
        let tag = hmac::sign(mac, &self.covered());
        aws_lc_rs::constant_time::verify_slices_are_equal(&tag.as_ref()[..32], &self.tag).unwrap();
        let mut text = self.ciphertext.clone();
        let iv: [u8; 16] = self.iv.as_slice().try_into().unwrap();
        black_box(cipher.decrypt(&mut text, DecryptionContext::Iv128(iv.into())).unwrap());
    }

    /// What the MAC of CBC covers.
    fn covered(&self) -> Vec<u8> {
        let header_bits = u64::try_from(self.header.len() * 8).unwrap().to_be_bytes();
        [self.header.as_bytes(), &self.iv, &self.ciphertext, &header_bits].concat()
    }
}

fn plaintext() -> Vec<u8> {
    claims(registered_claims()).to_string().into_bytes()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).unwrap();
    bytes
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
