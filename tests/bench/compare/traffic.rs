//! What is sent: tokens that an issuer with one key for each algorithm has signed, good ones and bad ones.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use integration_tests::keys::{SigningKey, key};
use integration_tests::load::Prepared;
use integration_tests::proof::Holder;
use integration_tests::token::{claims, encrypted, forge_signature, now, sign};
use serde_json::{Value, json};

/// The issuer that the agent and HAProxy's own check require.
pub(crate) const ISSUER: &str = "https://issuer.example/realms/main";
/// The audience that they require.
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The key of encrypted tokens.
pub(crate) const ENCRYPTION_KEY: [u8; 64] = [7; 64];
/// The subject whose rules are many.
pub(crate) const SUBJECT: &str = "alice";

/// The secret of HS256, as text: HAProxy takes it from its configuration.
pub(crate) const SECRET: &str = "a-secret-of-32-bytes-for-all-of-us";

/// Those that are compared.
pub(crate) const ALGORITHMS: [&str; 3] = ["HS256", "RS256", "ES256"];

/// The key of an algorithm.
pub(crate) fn signer(algorithm: &str) -> &'static SigningKey {
    static HS256: OnceLock<SigningKey> = OnceLock::new();
    if algorithm == "HS256" {
        return HS256.get_or_init(|| SigningKey::from_secret(SECRET, "HS256"));
    }
    key(algorithm)
}

/// One of so many requests carries a token that must be refused.
const BAD_EVERY: usize = 20;

/// The claims of a good token; `number` makes it another one.
fn good(number: usize) -> Value {
    claims(json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "username": SUBJECT,
        "email": "alice@example.com",
        "exp": now() + 7200,
        "rt": format!("r{number}"),
        "jti": number.to_string(),
        "scope": "openid profile email",
    }))
}

/// The one in `BAD_EVERY` whose token is refused, of three kinds in turns.
fn is_bad(number: usize) -> bool {
    number % BAD_EVERY == BAD_EVERY - 1
}

fn signed(algorithm: &str, number: usize, bad: bool) -> String {
    let signer = signer(algorithm);
    let mut claims = good(number);
    match (bad, number / BAD_EVERY % 3) {
        (false, _) => sign(signer, &claims),
        (true, 0) => forge_signature(&sign(signer, &claims)),
        (true, 1) => {
            claims["exp"] = json!(now() - 60);
            sign(signer, &claims)
        }
        (true, _) => {
            claims["aud"] = json!("https://other.example");
            sign(signer, &claims)
        }
    }
}

fn request(token: &str, expected: u16) -> Prepared {
    Prepared::get("/", &format!("Bearer {token}"), expected)
}

/// One good token again and again; one request in twenty carries one of three bad ones. Where tokens are not looked at,
/// or at the signature alone, all that pass there are expected to pass.
pub(crate) fn one_token(algorithm: &str, looks_at: Looks) -> Arc<[Prepared]> {
    let token = signed(algorithm, 0, false);
    let one = |number: usize| {
        if !is_bad(number) {
            return request(&token, 200);
        }
        let is_forged = (number / BAD_EVERY).is_multiple_of(3);
        let passes = match looks_at {
            Looks::Nothing => true,
            Looks::Signature => !is_forged,
            Looks::Everything => false,
        };
        request(&signed(algorithm, number, true), if passes { 200 } else { 401 })
    };
    (0..BAD_EVERY * 3).map(one).collect()
}

/// The same requests where a token for another audience is forbidden (403) rather than bad (401).
pub(crate) fn forbidding(requests: &[Prepared]) -> Arc<[Prepared]> {
    let mut requests = requests.to_vec();
    for (number, request) in requests.iter_mut().enumerate() {
        if is_bad(number) && number / BAD_EVERY % 3 == 2 {
            request.expected = 403;
        }
    }
    requests.into()
}

/// The same requests where each is let in.
pub(crate) fn accepted(requests: &[Prepared]) -> Arc<[Prepared]> {
    requests.iter().map(|request| Prepared { expected: 200, ..request.clone() }).collect()
}

/// The same requests with this token in the place of each good one.
pub(crate) fn with_token(requests: &[Prepared], token: &str) -> Arc<[Prepared]> {
    let own = |each: &Prepared| if each.expected == 200 { request(token, 200) } else { each.clone() };
    requests.iter().map(own).collect()
}

/// An opaque token, as long as one of 256 random bits.
pub(crate) fn opaque_token(number: usize) -> String {
    format!("op_{number:040}")
}

/// So many different opaque tokens; in the place of one in twenty stands a bad JWT.
pub(crate) fn opaque_tokens(algorithm: &str, count: usize) -> Arc<[Prepared]> {
    in_parallel(count, |number| {
        if is_bad(number) {
            request(&signed(algorithm, number, true), 401)
        } else {
            request(&opaque_token(number), 200)
        }
    })
}

/// One forged token again and again.
pub(crate) fn refused(algorithm: &str) -> Arc<[Prepared]> {
    [request(&signed(algorithm, BAD_EVERY - 1, true), 401)].into()
}

/// The requests of `one_token`, each with the headers of an MCP call.
pub(crate) fn calls(algorithm: &str) -> Arc<[Prepared]> {
    const HEADERS: &str = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: read_x";
    let requests = one_token(algorithm, Looks::Everything).to_vec();
    requests.into_iter().map(|request| with(request, HEADERS)).collect()
}

/// A request with these lines more.
fn with(mut request: Prepared, lines: &str) -> Prepared {
    // In the place of the empty line at the end.
    request.bytes.truncate(request.bytes.len() - 2);
    request.bytes.extend_from_slice(format!("{lines}\r\n\r\n").as_bytes());
    request
}

/// So many requests with one token that is bound to a key, each with a proof of its own by this algorithm; one in twenty has a
/// forged signature, which costs as much as a good one.
pub(crate) fn proved(algorithm: &'static str, count: usize) -> Arc<[Prepared]> {
    let holder = Holder::of(algorithm);
    let token = bound(&json!({ "jkt": holder.thumbprint() }));
    in_parallel(count, |number| {
        let proof = holder.prove(&holder.claims(&token, "GET", "http://edge.test/"));
        let (proof, status) = if is_bad(number) { (forge_signature(&proof), 401) } else { (proof, 200) };
        with(Prepared::get("/", &format!("DPoP {token}"), status), &format!("DPoP: {proof}"))
    })
}

/// Requests with one token that is bound to a certificate, which a header tells; one in twenty has another one.
pub(crate) fn certified() -> Arc<[Prepared]> {
    /// Bytes of a certificate with a key on P-256 and a few names. Nothing of it is read.
    const BYTES: usize = 800;
    let hash = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &[0; BYTES]));
    let token = bound(&json!({ "x5t#S256": hash }));
    let one = |number: usize| {
        let (byte, status) = if is_bad(number) { (1, 401) } else { (0, 200) };
        let header = format!("Client-Cert: :{}:", BASE64_STANDARD.encode([byte; BYTES]));
        with(request(&token, status), &header)
    };
    (0..BAD_EVERY).map(one).collect()
}

/// A good token whose client has to prove what `cnf` says.
fn bound(cnf: &Value) -> String {
    let mut claims = good(0);
    claims["cnf"] = cnf.clone();
    sign(signer("HS256"), &claims)
}

/// How much of a token is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    Nothing,
    Signature,
    Everything,
}

/// So many different tokens, one in twenty a bad one.
pub(crate) fn tokens(algorithm: &str, count: usize) -> Arc<[Prepared]> {
    in_parallel(count, |number| {
        let bad = is_bad(number);
        request(&signed(algorithm, number, bad), if bad { 401 } else { 200 })
    })
}

/// The same, encrypted, as ms-users makes them.
pub(crate) fn encrypted_tokens(count: usize) -> Arc<[Prepared]> {
    in_parallel(count, |number| signed_or_encrypted("JWE", number, is_bad(number)))
}

/// One of so many requests carries a token that must be refused, where verdicts are kept in HAProxy: refusals are not, so
/// that more of them would measure something else.
const RARELY: usize = 200;
/// Tokens of the line whose tokens change that come again and again.
pub(crate) const IN_USE: usize = 1_000;
/// Requests of the line whose tokens change.
const CHANGING: usize = 40_000;
/// One of so many requests of the line whose tokens change has a token that never came before.
const NEW_EVERY: usize = 10;

/// So many good tokens in turns, encrypted ones for the algorithm `JWE`, and now and then a bad one.
pub(crate) fn steady(algorithm: &str, count: usize) -> Arc<[Prepared]> {
    let good = in_parallel(count, |number| signed_or_encrypted(algorithm, number, false));
    // Each kind of bad ones comes.
    (0..count.max(3 * RARELY))
        .flat_map(|number| {
            let bad = (number % RARELY == 0).then(|| rare(algorithm, number));
            std::iter::once(good[number % count].clone()).chain(bad)
        })
        .collect()
}

/// Good tokens that are in use, and requests of which one in ten has a token that comes never again.
pub(crate) fn changing(algorithm: &str) -> (Arc<[Prepared]>, Arc<[Prepared]>) {
    let good = in_parallel(IN_USE, |number| signed_or_encrypted(algorithm, number, false));
    let fresh =
        in_parallel(CHANGING / NEW_EVERY, |number| signed_or_encrypted(algorithm, IN_USE + number, false));
    let requests = (0..CHANGING).map(|number| match number % NEW_EVERY {
        0 => fresh[number / NEW_EVERY].clone(),
        1 if number % RARELY == 1 => rare(algorithm, number),
        _ => good[number % IN_USE].clone(),
    });
    let requests = requests.collect();
    (good, requests)
}

/// A bad token, of each kind in turns.
fn rare(algorithm: &str, number: usize) -> Prepared {
    signed_or_encrypted(algorithm, (number / RARELY % 3 + 1) * BAD_EVERY - 1, true)
}

fn signed_or_encrypted(algorithm: &str, number: usize, bad: bool) -> Prepared {
    let status = if bad { 401 } else { 200 };
    if algorithm != "JWE" {
        return request(&signed(algorithm, number, bad), status);
    }
    let mut claims = good(number);
    if bad {
        claims["exp"] = json!(now() - 60);
    }
    request(&encrypted(&ENCRYPTION_KEY, "main", &claims.to_string()), status)
}

/// Different things that are no good tokens: a good header and payload under a signature of nothing.
pub(crate) fn garbage(numbers: Range<usize>) -> Arc<[Prepared]> {
    let token = signed("HS256", 0, false);
    let (message, _) = token.rsplit_once('.').unwrap();
    numbers.map(|number| request(&format!("{message}.{number:043}"), 401)).collect()
}

/// Good tokens with these numbers.
pub(crate) fn good_tokens(numbers: Range<usize>) -> Arc<[Prepared]> {
    in_parallel(numbers.len(), |number| request(&signed("HS256", numbers.start + number, false), 200))
}

/// A good token of this subject.
pub(crate) fn good_token_of(subject: &str) -> Prepared {
    let mut claims = good(0);
    claims["sub"] = json!(subject);
    request(&sign(signer("HS256"), &claims), 200)
}

/// RSA signatures take a while: on all processors.
fn in_parallel(count: usize, one: impl Fn(usize) -> Prepared + Sync) -> Arc<[Prepared]> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let each = count.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(each)
            .map(|from| {
                let one = &one;
                scope.spawn(move || (from..count.min(from + each)).map(one).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}
