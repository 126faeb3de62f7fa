//! A whole connection: the real loop, with the real reading of arguments, verification and encoding, against a peer
//! that may write anything. There is no HAProxy and no clock; time passes when nothing is left to do.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jose::{IssuerPolicy, KeyOrigin, KeyRules, KeySet, Profile, Refusal, Reject, Trust, UnixTime, Verdict};
use jwt_agent::answer::{Variables, answer};
use jwt_agent::decision::{Decision, Outcome};
use jwt_agent::request::Request;
use jwt_agent::spoa::connection::serve;
use jwt_agent::spoa::frame::{Fault, Notify, encode_ack, encode_actions};
use jwt_agent::spoa::leave::Leave;
use jwt_agent::spoa::respond::{DecidingTime, Respond};
use spop::types::typed_data;
use spop::{TypedData, decode_varint};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tracing::Span;

/// The token that `fuzz/make_protocol_seeds.py` signs; only who copies it whole is admitted.
const GOOD: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZ1enoifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MzI1MDM2ODAwMDB9.\
                    2YIpTUlfhsGZ69RquMOY6evTgHWC03GnhmU5cMf3LnM";
/// Its secret.
const KEY: &str =
    r#"{"kty":"oct","kid":"fuzz","k":"dGhlIHNlY3JldCBvZiB0aGUgZnV6eiB0YXJnZXRzLCAzMiBieXRlcyBhbmQgbW9yZQ"}"#;

const NOTIFY: u8 = 3;
const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;
const ACK: u8 = 103;

/// `max-frame-size` of the HELLO that a peer with manners begins with.
const FRAME_SIZES: [u32; 4] = [16_380, 256, 65_536, u32::MAX];
/// Far more than the loop ever waits for.
const FOREVER: Duration = Duration::from_secs(3600);

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let rules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: false,
    };
    KeySet::parse(KEY.as_bytes(), &rules).unwrap()
});

static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust::single(IssuerPolicy::of(Profile::Standard)));

/// The first byte says how the peer behaves (bit 0: it says HELLO first; bits 1 and 2: with which frame size; bit 3: the
/// agent is not ready; bits 4 to 7: into what pieces bytes are cut); the rest is what it writes.
///
/// The loop ends when its peer does; it writes whole frames: HELLO before any ACK, one ACK for each NOTIFY of a
/// connection without a fault and never two, DISCONNECT as the last. An ACK ends with `valid`, and that is true only
/// where the one good token was sent.
pub fn spop_connection(input: &[u8]) {
    admitted(input);
}

/// The same, and how many ACKs said `valid`.
pub fn admitted(input: &[u8]) -> usize {
    let Some((behaviour, bytes)) = input.split_first() else { return 0 };
    let greets = behaviour & 1 != 0;
    let size = FRAME_SIZES[usize::from(behaviour >> 1 & 3)];
    let written = if greets { [hello(size), bytes.to_vec()].concat() } else { bytes.to_vec() };
    let piece = 1_usize << (behaviour >> 4);
    let decides = Arc::new(Decides { is_ready: behaviour & 8 == 0 });
    let answered = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(converse(&written, if piece == 1 { written.len().max(1) } else { piece }, decides));
    judge(&written, &answered)
}

async fn converse(written: &[u8], piece: usize, decides: Arc<Decides>) -> Vec<u8> {
    let (ours, theirs) = tokio::io::duplex(4096);
    let serving = tokio::spawn(serve(theirs, decides, Leave::new(), Span::none()));
    let (mut reader, writer): (ReadHalf<_>, WriteHalf<_>) = split(ours);
    let mut answered = Vec::new();
    let talk = async {
        tokio::join!(write(writer, written, piece), reader.read_to_end(&mut answered)).1.unwrap();
        serving.await.unwrap();
    };
    timeout(FOREVER, talk).await.expect("a connection ends when its peer does");
    answered
}

async fn write(mut writer: WriteHalf<tokio::io::DuplexStream>, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        if writer.write_all(piece).await.is_err() {
            return;
        }
    }
    // Time passes only once the agent has done all that it can.
    sleep(Duration::from_millis(10)).await;
    // The agent may be gone already, which is no fault of a peer that leaves as well.
    writer.shutdown().await.ok();
}

fn judge(written: &[u8], answered: &[u8]) -> usize {
    let (asked, _) = frames(written);
    let mut unanswered: Vec<_> = asked
        .iter()
        .filter(|frame| frame.kind == NOTIFY)
        .map(|frame| (frame.stream_id, frame.frame_id))
        .collect();
    let (frames, rest) = frames(answered);
    assert!(rest.is_empty(), "half a frame: {rest:?}");
    let mut admitted = 0;
    let mut max = None;
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame.flags, 1, "FIN alone");
        match frame.kind {
            AGENT_HELLO => {
                assert_eq!(index, 0, "HELLO is the first frame, and the only one of its kind");
                max = Some(max_frame_size(frame.payload));
            }
            ACK => {
                let max = max.expect("no ACK before HELLO");
                assert!(frame.len <= max, "{} bytes, {max} were agreed on", frame.len);
                let place = unanswered.iter().position(|ids| *ids == (frame.stream_id, frame.frame_id));
                unanswered.swap_remove(place.expect("an ACK answers one NOTIFY"));
                admitted += usize::from(is_valid(frame.payload));
            }
            AGENT_DISCONNECT => assert_eq!(index, frames.len() - 1, "DISCONNECT is the last frame"),
            other => panic!("a frame of type {other}"),
        }
    }
    let good = written.windows(GOOD.len()).filter(|window| *window == GOOD.as_bytes()).count();
    assert!(admitted <= good, "{admitted} admitted, {good} good tokens sent");
    let has_ended = frames.last().is_none_or(|frame| frame.kind == AGENT_DISCONNECT);
    let health_check = written.windows(11).any(|window| window == b"healthcheck");
    assert!(has_ended || health_check || unanswered.is_empty(), "no answer for {unanswered:?}");
    admitted
}

/// Whether `valid` is true; it must be there, once, and last.
fn is_valid(mut actions: &[u8]) -> bool {
    let mut names = Vec::new();
    let mut last = None;
    while !actions.is_empty() {
        let rest = actions.strip_prefix(&[1, 3, 2]).expect("SET-VAR of three arguments, scope txn");
        let (rest, len) = decode_varint(rest).unwrap();
        let (name, rest) = rest.split_at(usize::try_from(len).unwrap());
        let (rest, value) = typed_data(rest).unwrap();
        names.push(String::from_utf8(name.to_vec()).unwrap());
        last = Some(value);
        actions = rest;
    }
    assert_eq!(names.iter().filter(|name| *name == "valid").count(), 1);
    assert_eq!(names.last().map(String::as_str), Some("valid"));
    last == Some(TypedData::Bool(true))
}

fn max_frame_size(mut items: &[u8]) -> usize {
    while !items.is_empty() {
        let (rest, len) = decode_varint(items).unwrap();
        let (name, rest) = rest.split_at(usize::try_from(len).unwrap());
        let (rest, value) = typed_data(rest).unwrap();
        if let (b"max-frame-size", TypedData::UInt32(size)) = (name, value) {
            return usize::try_from(size).unwrap();
        }
        items = rest;
    }
    panic!("a HELLO without max-frame-size");
}

struct RawFrame<'a> {
    kind: u8,
    flags: u32,
    stream_id: u64,
    frame_id: u64,
    /// Without the prefix that says it.
    len: usize,
    payload: &'a [u8],
}

/// The frames, and what is left behind the last that is one.
fn frames(mut bytes: &[u8]) -> (Vec<RawFrame<'_>>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = raw_frame(bytes) {
        frames.push(frame);
        bytes = rest;
    }
    (frames, bytes)
}

fn raw_frame(bytes: &[u8]) -> Option<(RawFrame<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let len = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (frame, rest) = rest.split_at_checked(len)?;
    let (kind, frame) = frame.split_first()?;
    let (flags, frame) = frame.split_first_chunk()?;
    let (frame, stream_id) = decode_varint(frame).ok()?;
    let (payload, frame_id) = decode_varint(frame).ok()?;
    Some((
        RawFrame { kind: *kind, flags: u32::from_be_bytes(*flags), stream_id, frame_id, len, payload },
        rest,
    ))
}

fn hello(max_frame_size: u32) -> Vec<u8> {
    let mut body = vec![1, 0, 0, 0, 1, 0, 0];
    for (name, value) in [
        ("supported-versions", TypedData::String("2.0".into())),
        ("max-frame-size", TypedData::UInt32(max_frame_size)),
        ("capabilities", TypedData::String("pipelining".into())),
    ] {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend(name.as_bytes());
        value.to_bytes(&mut body);
    }
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

/// Decides as the agent does, but for caches, keys that change, and servers to ask.
struct Decides {
    is_ready: bool,
}

impl Decides {
    fn ack(notify: &Notify<Request<'_>>, max: u32, out: &mut Vec<u8>) {
        let request = &notify.request;
        let token = request.token(&["Bearer".to_owned()], 8192);
        let outcome = match (request.policy(), token) {
            (Ok(None), Ok(token)) => {
                let now = UnixTime::from_secs(1_800_000_000);
                match TRUST.verify(&token, std::slice::from_ref(&KEYS), &TRUST.policies()[0], now) {
                    Verdict::Accept(signed) => Outcome::Accepted(signed),
                    Verdict::Refuse(Refusal { reject, signed }) => Outcome::Refused { reject, signed },
                }
            }
            (Ok(Some(_)), _) => Outcome::refused(Reject::UnknownPolicy),
            (Err(reject), _) | (Ok(None), Err(reject)) => Outcome::refused(reject),
        };
        let names = jose::ClaimNames::default();
        let confirmation = jose::Confirmation::NONE;
        let (id, version, policy, challenges) = (None, None, None, None);
        let scheme = jose::AuthScheme::Bearer;
        let decision = Decision { outcome, confirmation, names, id, version, policy, challenges, scheme };
        let whole = encode_actions(answer(&decision, &Variables::All, None).actions);
        if !encode_ack(notify.ids, &[&whole], max, out) {
            let decision = Decision { outcome: Outcome::refused(Reject::AnswerSize), ..decision };
            let small = encode_actions(answer(&decision, &Variables::All, None).actions);
            assert!(encode_ack(notify.ids, &[&small], max, out), "a refusal fits any frame");
        }
    }
}

impl Respond for Decides {
    type Request<'a> = Request<'a>;

    fn answer(
        &self,
        notify: &Notify<Request<'_>>,
        max: u32,
        _: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        if !notify.ids.frame.is_multiple_of(2) {
            Self::ack(notify, max, out);
            return None;
        }
        let mut ack = Vec::new();
        Self::ack(notify, max, &mut ack);
        let stream = notify.ids.stream;
        Some(async move {
            // Decisions end in another order than they began.
            for _ in 0..stream % 4 {
                tokio::task::yield_now().await;
            }
            ack
        })
    }

    fn answer_health_check(&self) -> bool {
        self.is_ready
    }

    fn count_fault(&self, fault: &Fault) {
        assert!(!fault.to_string().is_empty());
    }
}
