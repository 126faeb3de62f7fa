//! An agent that looks at nothing: the same listeners and connection loop as `jwt-agent`, and one fixed answer.
//!
//! `make bench` takes it along as the floor of a run: what is above it is the cost of judging a token, what is below it
//! the cost of asking anybody.
//!
//! ```text
//! do_nothing unix@/path/of.sock [--verify RS256|ES256|EdDSA] NAME=VALUE...
//! ```
//!
//! Each `NAME=VALUE` becomes a variable; `reason=ok` and `valid=true` follow, as in a real answer. With `--verify` each
//! question costs one verification as well, each time of another signature, and the hash of a token: the least that a token which
//! never came before can cost, or a proof of possession (RFC 9449 section 4.3, checks 7 and 12).

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use jwt_agent::listen::{Address, Listener};
use jwt_agent::spoa::connection::serve;
use jwt_agent::spoa::frame::{Fault, Notify, encode_ack, encode_actions};
use jwt_agent::spoa::leave::Leave;
use jwt_agent::spoa::respond::{DecidingTime, Respond};
use mimalloc::MiMalloc;
use spop::{Action, TypedData, VarScope};

/// The agent's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// As many bytes as are signed of a token or a proof with the usual claims.
const MESSAGE_BYTES: usize = 440;
/// As many bytes as a token with some claims has.
const TOKEN: [u8; 480] = [b'a'; 480];
/// Signatures that are verified in turns: of one and the same a processor would learn the way.
const SIGNATURES: usize = 4096;

type Message = [u8; MESSAGE_BYTES];

/// Messages, their signatures, and the key of all.
struct Signed {
    key: ParsedPublicKey,
    messages: Vec<(Message, Vec<u8>)>,
    next: AtomicUsize,
}

impl Signed {
    fn by(algorithm: &str) -> Result<Self, Box<dyn Error>> {
        match algorithm {
            "ES256" => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let random = SystemRandom::new();
                let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())?;
                Self::with(key, |message| Ok(pair.sign(&random, message)?.as_ref().to_vec()))
            }
            "RS256" => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let random = SystemRandom::new();
                let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key())?;
                Self::with(key, |message| {
                    let mut signature = vec![0; pair.public_modulus_len()];
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
                })
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::generate()?;
                let key = ParsedPublicKey::new(&ED25519, pair.public_key())?;
                Self::with(key, |message| Ok(pair.sign(message).as_ref().to_vec()))
            }
            other => Err(format!("--verify: RS256, ES256 or EdDSA, not {other}").into()),
        }
    }

    fn with(
        key: ParsedPublicKey,
        sign: impl Fn(&Message) -> Result<Vec<u8>, Unspecified>,
    ) -> Result<Self, Box<dyn Error>> {
        let one = |number: usize| {
            let mut message = [b'a'; MESSAGE_BYTES];
            for (byte, own) in message.iter_mut().zip(number.to_be_bytes()) {
                *byte = own;
            }
            sign(&message).map(|signature| (message, signature))
        };
        let messages = (0..SIGNATURES).map(one).collect::<Result<_, _>>()?;
        Ok(Self { key, messages, next: AtomicUsize::new(0) })
    }

    /// Verifies the next one.
    fn is_good(&self) -> bool {
        black_box(digest(&SHA256, black_box(&TOKEN)));
        let next = self.next.fetch_add(1, Ordering::Relaxed) % SIGNATURES;
        let message = self.messages.get(next);
        message.is_some_and(|(message, signature)| self.key.verify_sig(message, signature).is_ok())
    }
}

/// The encoded actions of every ACK, and what is verified before each.
struct Fixed {
    actions: Arc<[u8]>,
    signed: Option<Arc<Signed>>,
}

impl Respond for Fixed {
    type Request<'a> = ();

    /// Where the answer is larger than a frame, or a signature is not good, HAProxy gets none. A signature takes as long as one that
    /// the agent verifies, and is verified where the agent's are.
    fn answer(
        &self,
        notify: &Notify<()>,
        max: u32,
        time: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        let is_now = self.signed.is_none() || time.is_left();
        let is_good = || self.signed.as_ref().is_none_or(|signed| signed.is_good());
        if is_now && is_good() && encode_ack(notify.ids, &[&self.actions], max, out) {
            return None;
        }
        let signed = self.signed.clone();
        let (ids, actions) = (notify.ids, Arc::clone(&self.actions));
        Some(async move {
            let mut ack = Vec::new();
            let is_good = signed.is_some_and(|signed| signed.is_good());
            if is_good && encode_ack(ids, &[&actions], max, &mut ack) { ack } else { Vec::new() }
        })
    }

    fn answer_health_check(&self) -> bool {
        true
    }

    fn count_fault(&self, fault: &Fault) {
        tracing::warn!(%fault, "connection ended");
    }
}

fn actions(variables: impl Iterator<Item = String>) -> Arc<[u8]> {
    let set = |name: &str, value: TypedData| Action::SetVar {
        scope: VarScope::Transaction,
        name: name.to_owned(),
        value,
    };
    let chosen = variables.map(|variable| match variable.split_once('=') {
        Some((name, value)) => set(name, value.into()),
        None => set(&variable, true.into()),
    });
    encode_actions(chosen.chain([set("reason", "ok".into()), set("valid", true.into())]).collect()).into()
}

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "usage: do_nothing ADDRESS [--verify RS256|ES256|EdDSA] NAME=VALUE...";
    let mut arguments = std::env::args().skip(1).peekable();
    let address = arguments.next().ok_or(USAGE)?.parse::<Address>()?;
    let signed = match arguments.next_if(|argument| argument == "--verify") {
        Some(_) => Some(Arc::new(Signed::by(&arguments.next().ok_or(USAGE)?)?)),
        None => None,
    };
    let responder = Arc::new(Fixed { actions: actions(arguments), signed });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = Listener::bind(&address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, Arc::clone(&responder), Leave::new(), tracing::Span::none()));
        }
    })
}
