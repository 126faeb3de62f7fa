//! An encrypter that shares no code with the decrypter: key wrapping, Concat KDF and padding are written out.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
    PublicKeyComponents,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{AesSize, ContentEncryption, KeyManagement, OaepHash};
use serde_json::{Value, json};

use crate::support::b64;

/// A token before it is encoded, so that each part can be spoilt.
#[derive(Clone)]
pub struct Token {
    pub header: String,
    pub encrypted_key: Vec<u8>,
    pub iv: Vec<u8>,
    pub ciphertext: Vec<u8>,
    pub tag: Vec<u8>,
}

impl Token {
    pub fn encode(&self) -> String {
        [self.header.as_bytes(), &self.encrypted_key, &self.iv, &self.ciphertext, &self.tag]
            .map(b64)
            .join(".")
    }
}

/// A token for the key; the members go into the header.
pub fn seal(
    alg: KeyManagement,
    enc: ContentEncryption,
    key: &Value,
    members: Value,
    plaintext: &[u8],
) -> Token {
    let mut header = json!({"alg": alg.as_str(), "enc": enc.as_str(), "kid": key["kid"]});
    extend(&mut header, members);
    let (content_key, encrypted_key) = content_key(alg, enc, key, &mut header);
    seal_content(enc, &content_key, encrypted_key, &header, &pkcs7(plaintext, enc))
}

/// A token with a given content encryption key. For CBC the plaintext comes padded.
pub fn seal_content(
    enc: ContentEncryption,
    content_key: &[u8],
    encrypted_key: Vec<u8>,
    header: &Value,
    plaintext: &[u8],
) -> Token {
    let header = header.to_string();
    let aad = b64(&header);
    let (iv, ciphertext, tag) = match enc {
        ContentEncryption::Gcm(size) => gcm(size, content_key, aad.as_bytes(), plaintext),
        ContentEncryption::CbcHs(size) => {
            let (mac_key, cipher_key) = content_key.split_at(size.bytes());
            let iv: [u8; 16] = random(16).try_into().unwrap();
            let mut ciphertext = plaintext.to_vec();
            let key = UnboundCipherKey::new(block_cipher(size), cipher_key).unwrap();
            let context = EncryptionContext::Iv128((&iv).into());
            EncryptingKey::cbc(key).unwrap().less_safe_encrypt(&mut ciphertext, context).unwrap();
            let hash = match size {
                AesSize::A128 => hmac::HMAC_SHA256,
                AesSize::A192 => hmac::HMAC_SHA384,
                AesSize::A256 => hmac::HMAC_SHA512,
            };
            let aad_bits = (aad.len() as u64 * 8).to_be_bytes();
            let covered = [aad.as_bytes(), &iv, &ciphertext, &aad_bits].concat();
            let mac = hmac::sign(&hmac::Key::new(hash, mac_key), &covered);
            (iv.to_vec(), ciphertext, mac.as_ref()[..size.bytes()].to_vec())
        }
    };
    Token { header, encrypted_key, iv, ciphertext, tag }
}

/// Adds to the header what the `alg` needs; gives the content encryption key, plain and encrypted.
fn content_key(
    alg: KeyManagement,
    enc: ContentEncryption,
    key: &Value,
    header: &mut Value,
) -> (Vec<u8>, Vec<u8>) {
    match alg {
        KeyManagement::Dir => (bytes(&key["k"]), Vec::new()),
        KeyManagement::AesKw(size) => {
            let content_key = random(enc.key_len());
            let encrypted_key = wrap(size, &bytes(&key["k"]), &content_key);
            (content_key, encrypted_key)
        }
        KeyManagement::AesGcmKw(size) => {
            let content_key = random(enc.key_len());
            let (iv, encrypted_key, tag) = gcm(size, &bytes(&key["k"]), &[], &content_key);
            extend(header, json!({"iv": b64(iv), "tag": b64(tag)}));
            (content_key, encrypted_key)
        }
        KeyManagement::RsaOaep(hash) => {
            let content_key = random(enc.key_len());
            let encrypted_key = oaep(hash, key, &content_key);
            (content_key, encrypted_key)
        }
        KeyManagement::EcdhEs => {
            let shared = agree(key, header);
            (concat_kdf(&shared, enc.as_str(), header, enc.key_len()), Vec::new())
        }
        KeyManagement::EcdhEsKw(size) => {
            let content_key = random(enc.key_len());
            let shared = agree(key, header);
            let kek = concat_kdf(&shared, alg.as_str(), header, size.bytes());
            let encrypted_key = wrap(size, &kek, &content_key);
            (content_key, encrypted_key)
        }
    }
}

pub fn oaep(hash: OaepHash, key: &Value, content_key: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        OaepHash::Sha1 => &OAEP_SHA1_MGF1SHA1,
        OaepHash::Sha256 => &OAEP_SHA256_MGF1SHA256,
    };
    let components = PublicKeyComponents { n: bytes(&key["n"]), e: bytes(&key["e"]) };
    let key: PublicEncryptingKey = components.try_into().unwrap();
    let key = OaepPublicEncryptingKey::new(key).unwrap();
    let mut encrypted = vec![0; key.ciphertext_size()];
    key.encrypt(algorithm, content_key, &mut encrypted, None).unwrap().to_vec()
}

/// Agrees with a fresh key, which becomes `epk`.
fn agree(key: &Value, header: &mut Value) -> Vec<u8> {
    let algorithm = match key["crv"].as_str().unwrap() {
        "P-256" => &agreement::ECDH_P256,
        "P-384" => &agreement::ECDH_P384,
        "P-521" => &agreement::ECDH_P521,
        "X25519" => &agreement::X25519,
        other => panic!("{other}"),
    };
    let ephemeral = PrivateKey::generate(algorithm).unwrap();
    let point = ephemeral.compute_public_key().unwrap();
    let (epk, theirs) = if key["kty"] == "OKP" {
        (json!({"kty": "OKP", "crv": "X25519", "x": b64(&point)}), bytes(&key["x"]))
    } else {
        let (x, y) = point.as_ref()[1..].split_at(point.as_ref().len() / 2);
        let theirs = [vec![4], bytes(&key["x"]), bytes(&key["y"])].concat();
        (json!({"kty": "EC", "crv": key["crv"], "x": b64(x), "y": b64(y)}), theirs)
    };
    extend(header, json!({ "epk": epk }));
    let theirs = UnparsedPublicKey::new(algorithm, theirs);
    agreement::agree(&ephemeral, theirs, (), |shared| Ok(shared.to_vec())).unwrap()
}

/// RFC 7518 section 4.6.2, with the `apu` and `apv` of the header.
pub fn concat_kdf(shared: &[u8], algorithm_id: &str, header: &Value, len: usize) -> Vec<u8> {
    let be = |number: usize| u32::try_from(number).unwrap().to_be_bytes().to_vec();
    let sized = |part: &[u8]| [&be(part.len()), part].concat();
    let party = |name: &str| header.get(name).map(bytes).unwrap_or_default();
    let info =
        [sized(algorithm_id.as_bytes()), sized(&party("apu")), sized(&party("apv")), be(len * 8)].concat();
    let rounds = (1_u32..).take(len.div_ceil(32));
    let hash = |round: u32| digest(&SHA256, &[&round.to_be_bytes(), shared, &info].concat());
    let mut derived: Vec<u8> = rounds.flat_map(|round| hash(round).as_ref().to_vec()).collect();
    derived.truncate(len);
    derived
}

/// RFC 3394 section 2.2.1.
pub fn wrap(size: AesSize, kek: &[u8], key: &[u8]) -> Vec<u8> {
    let cipher = EncryptingKey::ecb(UnboundCipherKey::new(block_cipher(size), kek).unwrap()).unwrap();
    let mut check = [0xa6; 8];
    let mut registers: Vec<Vec<u8>> = key.chunks(8).map(<[u8]>::to_vec).collect();
    let mut step = 0_u64;
    for _ in 0..6 {
        for register in &mut registers {
            step += 1;
            let mut block = [&check[..], register].concat();
            cipher.less_safe_encrypt(&mut block, EncryptionContext::None).unwrap();
            check = (u64::from_be_bytes(block[..8].try_into().unwrap()) ^ step).to_be_bytes();
            *register = block[8..].to_vec();
        }
    }
    [check.to_vec(), registers.concat()].concat()
}

fn gcm(size: AesSize, key: &[u8], aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let algorithm = match size {
        AesSize::A128 => &aead::AES_128_GCM,
        AesSize::A192 => &aead::AES_192_GCM,
        AesSize::A256 => &aead::AES_256_GCM,
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap());
    let iv = random(12);
    let nonce = Nonce::try_assume_unique_for_key(&iv).unwrap();
    let mut text = plaintext.to_vec();
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut text).unwrap();
    (iv, text, tag.as_ref().to_vec())
}

/// Pads where the content encryption needs it.
pub fn pkcs7(plaintext: &[u8], enc: ContentEncryption) -> Vec<u8> {
    let padding = match enc {
        ContentEncryption::CbcHs(_) => 16 - plaintext.len() % 16,
        ContentEncryption::Gcm(_) => 0,
    };
    [plaintext, &vec![u8::try_from(padding).unwrap(); padding]].concat()
}

fn block_cipher(size: AesSize) -> &'static cipher::Algorithm {
    match size {
        AesSize::A128 => &cipher::AES_128,
        AesSize::A192 => &cipher::AES_192,
        AesSize::A256 => &cipher::AES_256,
    }
}

pub fn bytes(encoded: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(encoded.as_str().unwrap()).unwrap()
}

pub fn random(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rand::fill(&mut bytes).unwrap();
    bytes
}

fn extend(object: &mut Value, members: Value) {
    let Value::Object(members) = members else { panic!("no object") };
    object.as_object_mut().unwrap().extend(members);
}
