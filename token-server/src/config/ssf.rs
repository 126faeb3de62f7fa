//! The tables `[[ssf]]`: streams of shared signals (OpenID SSF 1.0), who sends them, and what their events do.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ::keys::trust::IssuerKeys;
use jose::{AlgorithmSet, IssuerName, Leeway, Trust};
use reqwest::Url;
use service::proxy::ProxyVariables;
use service::secret::Secret;
use service::secret_file::{NamedFile, Reload, SecretFile};
use service::settings::{Scalar, Settings};

use crate::bearer::TokenHash;
use crate::signals::EventType;

pub(crate) mod asking;
mod poll;
mod sources;
mod subjects;
#[cfg(test)]
mod tests;

use asking::Asking;
pub(super) use poll::INTERVALS;
pub use poll::Poll;
use sources::Sources;

/// Bytes of a stream's name, which is part of a URL and of metrics.
const MAX_NAME_BYTES: usize = 64;

/// The longest time between two tokens of a stream, seconds.
pub(super) const HEARTBEATS: RangeInclusive<u64> = 60..=604_800;

/// The same where a stream is polled, for a transmitter that answers shows that it is there.
const POLLED: Duration = Duration::from_secs(1_800);

/// How far the clock of a sender may be apart from ours, seconds.
pub(super) const LEEWAYS: RangeInclusive<u64> = 0..=300;

/// A stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// The path of its pushes is `/ssf/{name}`.
    pub name: Arc<str>,
    /// Its name at the transmitter; absent: as the transmitter tells.
    pub(crate) id: Option<String>,
    /// The transmitter: `iss` of its tokens, letter for letter.
    pub issuer: Arc<str>,
    /// The same, as tokens are verified by it.
    pub(crate) issuer_names: Vec<IssuerName>,
    /// Whom its tokens may be for.
    pub audiences: Vec<String>,
    /// What pushes show; absent: none is accepted.
    pub(crate) authorization: Option<Arc<SecretFile<AuthorizationValue>>>,
    /// All names of the issuer whose access tokens end.
    pub subject_issuers: Vec<String>,
    /// The issuers whose subjects are this one's: its names, and the transmitter's.
    pub speaks_of: Vec<String>,
    /// The claim of an access token that names its tenant.
    pub tenant_claim: Option<String>,
    /// Which form its tokens have.
    pub profile: Profile,
    /// What its events do.
    pub events: Actions,
    /// How far its clock may be apart from ours.
    pub leeway: Leeway,
    /// How long the longest access token of its subjects lives.
    pub hold: Duration,
    /// The oldest `iat` of a token that is accepted: what is older could end nothing.
    pub max_age: Duration,
    /// Which key set is its own.
    pub keys: usize,
    /// The algorithms of its signatures.
    pub algorithms: AlgorithmSet,
    /// Where its keys come from.
    pub sources: IssuerKeys,
    /// Where its transmitter's document is, if it has one.
    pub(crate) document: Option<Url>,
    /// How its transmitter is asked; absent where it has neither a document nor a place to poll.
    pub(crate) asking: Option<Asking>,
    /// Where its tokens are fetched, instead of being pushed.
    pub poll: Option<Poll>,
    /// The longest time in which something of it comes; absent: it may be silent.
    pub(crate) heartbeat: Option<Duration>,
}

/// Which form the tokens of a stream have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// As SSF 1.0 has it.
    #[default]
    Ssf,
    /// As drafts had it: `typ` may be absent or `JWT`, `sub` may be there and means nothing, and the subject may stand inside of the
    /// event.
    Draft,
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// All tokens of its subject that were issued until then end.
    Revoke,
    /// Those of its session alone end.
    Session,
    /// As `revoke`, as a rule that is only tried.
    Shadow,
    /// It is counted.
    Ignore,
}

/// What the events of a stream do, where that is not the usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions(Vec<(&'static str, Action)>);

/// What a push shows in `Authorization`, as its SHA-256.
pub(crate) struct AuthorizationValue(TokenHash);

/// What all streams share.
pub(super) struct Shared<'a> {
    pub(super) trust: Option<&'a Trust>,
    /// `TOKEN_SERVER__SIGNALS__HOLD`
    pub(super) hold: Duration,
    /// Key sets that others have.
    pub(super) sets: usize,
    /// The environment's proxies.
    pub(super) proxies: ProxyVariables,
}

impl Stream {
    /// Every secret of it that is read from a file.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = Arc<dyn Reload>> {
        let pushes = self.authorization.iter().map(|file| Arc::clone(file) as Arc<dyn Reload>);
        let asks = self.asking.iter().filter_map(|asking| asking.token.as_ref());
        pushes.chain(asks.map(|token| Arc::clone(token.file()) as Arc<dyn Reload>))
    }
}

impl Actions {
    /// What an event of this type does.
    pub(crate) fn of(&self, kind: &EventType) -> Action {
        let own = self.0.iter().find(|(name, _)| *name == kind.name).map(|(_, action)| *action);
        own.or(kind.usual).unwrap_or(Action::Ignore)
    }
}

impl AuthorizationValue {
    fn parse(content: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(content).unwrap_or_default().trim_end_matches(['\r', '\n']);
        let is_value = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if text.trim() != text || text.len() < 8 || !text.bytes().all(is_value) {
            return Err("expected one line of 8 or more visible ASCII characters: the whole value of the Authorization header \
                        that the sender was given, such as Bearer and a token"
                .to_owned());
        }
        Ok(Self(TokenHash::of(text)))
    }

    /// Whether a header's value is this one. In constant time.
    pub(crate) fn is(&self, value: &str) -> bool {
        self.0.is(&TokenHash::of(value))
    }
}

impl fmt::Debug for AuthorizationValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(hidden)")
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "revoke" => Ok(Self::Revoke),
            "session" => Ok(Self::Session),
            "shadow" => Ok(Self::Shadow),
            "ignore" => Ok(Self::Ignore),
            _ => Err(()),
        }
    }
}

/// The streams, whose key sets stand behind those of the issuers.
pub(super) fn read(settings: &mut Settings, shared: &Shared<'_>) -> Vec<Arc<Stream>> {
    let mut streams: Vec<Arc<Stream>> = Vec::new();
    for mut table in settings.tables("ssf") {
        let keys = shared.sets.saturating_add(streams.len());
        if let Some(stream) = stream(&mut table, shared, keys) {
            if streams.iter().any(|known| known.name == stream.name) {
                table.fault("name", "comes twice; each stream has a name of its own");
            }
            streams.push(Arc::new(stream));
        }
        settings.adopt(table);
    }
    streams
}

fn stream(table: &mut Settings, shared: &Shared<'_>, keys: usize) -> Option<Stream> {
    let name =
        required(table, "name", "is required: the path that the sender pushes to is /ssf/ and this name");
    if name.as_ref().is_some_and(|name| !is_name(name)) {
        table.fault("name", "expected 1 to 64 letters, digits, hyphens and underscores");
    }
    let issuer = required(table, "issuer", "is required: the iss of the stream's tokens, letter for letter");
    let audiences = table.list("audiences");
    if audiences.is_none() {
        table.fault(
            "audiences",
            "is required: what the stream's tokens have in aud, as the stream was set up at the sender",
        );
    }
    let authorization = authorization(table);
    let Sources { keys: sources, document } = sources::read(table, issuer.as_deref());
    let poll = poll::read(table);
    let asking = asking::read(table, &sources.fetch, &shared.proxies, poll.as_ref(), document.as_ref());
    let heartbeat = heartbeat(table);
    if authorization.is_none() && poll.is_none() {
        let what = "is required, unless poll_url is set: a file with the value of the Authorization header that the sender was \
                    given when the stream was set up";
        table.fault("authorization_file", what);
    }
    let profile =
        table.word("profile", &[("ssf", Profile::Ssf), ("draft", Profile::Draft)]).unwrap_or_default();
    let events = actions(table);
    let tenant_claim = table.text("tenant_claim");
    let id = table.text("stream_id");
    let leeway = super::signals::within(table, "leeway", "seconds", LEEWAYS);
    let leeway = leeway.map_or_else(Leeway::default, |seconds| Leeway::both(Duration::from_secs(seconds)));
    let subjects = subjects::read(table, issuer.as_deref(), shared);
    let (name, issuer, audiences, subjects) = (name?, issuer?, audiences?, subjects?);
    let mut speaks_of = subjects.names.clone();
    if !speaks_of.contains(&issuer) {
        speaks_of.push(issuer.clone());
    }
    Some(Stream {
        name: name.into(),
        id,
        issuer_names: vec![IssuerName::from(issuer.as_str())],
        issuer: issuer.into(),
        audiences,
        authorization,
        subject_issuers: subjects.names,
        speaks_of,
        tenant_claim,
        profile,
        events,
        leeway,
        hold: subjects.hold,
        max_age: subjects.hold,
        keys,
        algorithms: AlgorithmSet::ALL,
        sources,
        document,
        asking,
        poll,
        heartbeat,
    })
}

/// The longest time in which something of the stream comes.
fn heartbeat(table: &mut Settings) -> Option<Duration> {
    let told = super::signals::within(table, "heartbeat", "seconds", HEARTBEATS).map(Duration::from_secs);
    if !table.is_set("poll_url") {
        return told;
    }
    if told.is_some() {
        table.fault("heartbeat", "is for streams that are pushed: answers to polls show that the transmitter is there; leave it out");
    }
    Some(POLLED)
}

fn is_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(of_name)
}

fn required(table: &mut Settings, name: &'static str, what: &str) -> Option<String> {
    let text = table.text(name);
    if text.is_none() {
        table.fault(name, what);
    }
    text
}

fn authorization(table: &mut Settings) -> Option<Arc<SecretFile<AuthorizationValue>>> {
    secret_file(table, "authorization_file", AuthorizationValue::parse)
}

/// A file with a secret, which must be good at the start.
fn secret_file<T: Send + Sync + 'static>(
    table: &mut Settings,
    name: &'static str,
    parse: fn(&[u8]) -> Result<T, String>,
) -> Option<Arc<SecretFile<T>>> {
    let path = table.text(name)?;
    let setting = format!("{}{name}", table.place());
    SecretFile::one(NamedFile::new(setting, path), parse)
        .map(Arc::new)
        .map_err(|fault| table.fault(name, fault.why))
        .ok()
}

/// One line that is a secret.
fn secret_line(content: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(content).unwrap_or_default().trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("expected one line of visible ASCII without white space".to_owned());
    }
    Ok(Secret::new(text))
}

fn actions(table: &mut Settings) -> Actions {
    let mut actions = Vec::new();
    for (name, values) in table.values("events") {
        let Some(kind) = EventType::named(&name) else {
            table.fault("events", format!("{name} is no event type that is known here; write the last part of its URL, such as session-revoked"));
            continue;
        };
        let action: Option<Action> = match values.as_slice() {
            [Scalar::Text(word)] => word.parse().ok(),
            _ => None,
        };
        match (action, kind.usual) {
            (None, _) => table.fault("events", format!("{name}: expected revoke, session, shadow or ignore")),
            (Some(Action::Ignore), _) | (Some(_), Some(_)) => {
                actions.extend(action.map(|action| (kind.name, action)))
            }
            (Some(_), None) => {
                table.fault(
                    "events",
                    format!(
                        "{name} says that nothing has ended, so that it can only be ignored; leave it out"
                    ),
                );
            }
        }
    }
    Actions(actions)
}

/// The stream of one table's fields, for tests.
#[cfg(test)]
pub(crate) fn of_table(fields: &str) -> Vec<Arc<Stream>> {
    use service::settings::Environment;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, format!("[[ssf]]\n{fields}")).unwrap();
    let environment = Environment::of([(super::CONFIG.into(), file.into())]);
    let mut settings = super::settings(environment).unwrap();
    let shared = Shared {
        trust: None,
        hold: Duration::from_secs(86_400),
        sets: 0,
        proxies: ProxyVariables::default(),
    };
    let streams = read(&mut settings, &shared);
    settings.finish().unwrap();
    streams
}
