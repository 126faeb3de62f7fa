//! The exchanges of RFC 8935 and RFC 8936, byte for byte.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use integration_tests::http::{header, read_head};
use integration_tests::token::forge_signature;
use integration_tests::wait::{DEADLINE, eventually};

use super::*;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// The token of RFC 8935 section 2.1, in one line: of the year 2017, signed under a secret, in the words of a draft.
const EXAMPLE: &str = "eyJ0eXAiOiJzZWNldmVudCtqd3QiLCJhbGciOiJIUzI1NiJ9Cg.\
    eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbS8iLCJqdGkiOiI3NTZFNjk\
    3MTc1NjUyMDY5NjQ2NTZFNzQ2OTY2Njk2NTcyIiwiaWF0IjoxNTA4MTg0ODQ1LC\
    JhdWQiOiI2MzZDNjk2NTZFNzQ1RjY5NjQiLCJldmVudHMiOnsiaHR0cHM6Ly9zY\
    2hlbWFzLm9wZW5pZC5uZXQvc2VjZXZlbnQvcmlzYy9ldmVudC10eXBlL2FjY291\
    bnQtZGlzYWJsZWQiOnsic3ViamVjdCI6eyJzdWJqZWN0X3R5cGUiOiJpc3Mtc3V\
    iIiwiaXNzIjoiaHR0cHM6Ly9pZHAuZXhhbXBsZS5jb20vIiwic3ViIjoiNzM3NT\
    YyNkE2NTYzNzQifSwicmVhc29uIjoiaGlqYWNraW5nIn19fQ.\
    Y4rXxMD406P2edv00cr9Wf3_XwNtLjB9n-jTqN1_lLc";

/// What polls show.
const TOKEN: &str = "a-token-for-polls";

/// The audience and the subject of the example.
const AUDIENCE: &str = "636C69656E745F6964";
const SUBJECT: &str = "7375626A656374";

/// Its issuer.
const EXAMPLE_ISSUER: &str = "https://idp.example.com/";

/// The claims of the example, as if it were of now.
fn example(changes: Value) -> Value {
    let subject = json!({ "subject_type": "iss-sub", "iss": EXAMPLE_ISSUER, "sub": SUBJECT });
    let mut claims = told(json!({
        "iss": EXAMPLE_ISSUER, "aud": AUDIENCE, "sub_id": null,
        "events": { ACCOUNT_DISABLED: { "subject": subject, "reason": "hijacking" } },
    }));
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// The request of RFC 8935 section 2.1, with the path and the value of our stream, and the length of the body.
fn pushed(authorization: &str, token: &str) -> String {
    format!(
        "POST /ssf/rfc HTTP/1.1\r\nHost: notify.rp.example.com\r\nAccept: application/json\r\nAccept-Language: en-US, \
         en;q=0.5\r\nContent-Type: application/secevent+jwt\r\nAuthorization: {authorization}\r\nContent-Length: {}\r\n\r\n{token}",
        token.len()
    )
}

/// The next answer of a connection that stays open, without its date: its first line, its headers in the order of their names, and its body.
fn answered(stream: &mut BufReader<TcpStream>) -> String {
    let (line, mut headers) = read_head(stream).unwrap().expect("an answer");
    let length = header(&headers, "content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    stream.read_exact(&mut body).unwrap();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{line}\n{headers}\n{}", String::from_utf8(body).unwrap())
}

/// An answer to a token that is not taken (RFC 8935 section 2.3).
fn refusal(line: &str, err: &str, description: &str) -> String {
    let body = json!({ "err": err, "description": description }).to_string();
    format!(
        "HTTP/1.1 {line}\ncache-control: no-store\ncontent-language: en\ncontent-length: {}\ncontent-type: application/json\n\n{body}",
        body.len()
    )
}

#[test]
fn pushes_are_answered_to_the_letter_of_rfc_8935() {
    let table = format!("issuer = '{EXAMPLE_ISSUER}'\naudiences = ['{AUDIENCE}']\nprofile = 'draft'\n");
    let streams = Streams::start(&stream("rfc", &table));
    let of = |claims: Value| set(key("RS256"), &claims);
    let refused = |err: &str, description: &str| refusal("400 Bad Request", err, description);
    let mut connection = BufReader::new(connect(streams.place));
    for (what, authorization, token, expected) in [
        (
            "the example itself, whose key is none of ours",
            PUSH,
            EXAMPLE.to_owned(),
            refused("invalid_key", "unknown_key"),
        ),
        (
            "the example of now",
            PUSH,
            of(example(json!({}))),
            "HTTP/1.1 202 Accepted\ncache-control: no-store\ncontent-length: 0\n\n".to_owned(),
        ),
        (
            "a key that is not known",
            PUSH,
            set(key("PS256"), &example(json!({}))),
            refused("invalid_key", "unknown_key"),
        ),
        ("another issuer", PUSH, of(example(json!({ "iss": ISSUER }))), refused("invalid_issuer", "issuer")),
        (
            "another audience",
            PUSH,
            of(example(json!({ "aud": "edge" }))),
            refused("invalid_audience", "its aud is none of the stream's audiences"),
        ),
        ("no token", PUSH, "garbage".to_owned(), refused("invalid_request", "malformed")),
        (
            "an event that says nothing",
            PUSH,
            of(example(json!({ "events": {} }))),
            refused("invalid_request", "the claim events is missing, or of another type than it must be"),
        ),
        (
            "a stranger",
            "Bearer another-value",
            of(example(json!({}))),
            refusal(
                "401 Unauthorized",
                "authentication_failed",
                "Authorization is not the value of a stream of this name",
            ),
        ),
    ] {
        connection.get_mut().write_all(pushed(authorization, &token).as_bytes()).unwrap();
        assert_eq!(answered(&mut connection), expected, "{what}");
    }
    assert_eq!(streams.rules(SUBJECT).len(), 1);
}

/// A transmitter that the test itself plays, since each of its bytes matters.
struct Transmitter(TcpListener);

/// A question, and where it is answered.
struct Question {
    head: Vec<String>,
    body: String,
    connection: TcpStream,
}

impl Transmitter {
    fn url(&self) -> String {
        format!("http://{}/Events", self.0.local_addr().unwrap())
    }

    /// The next question.
    fn asked(&self) -> Question {
        let (connection, _) = eventually("a question", || self.0.accept().ok());
        connection.set_nonblocking(false).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut stream = BufReader::new(connection);
        let (line, headers) = read_head(&mut stream).unwrap().expect("a question");
        let length = header(&headers, "content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        stream.read_exact(&mut body).unwrap();
        let mut head: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        head.sort();
        head.insert(0, line);
        Question { head, body: String::from_utf8(body).unwrap(), connection: stream.into_inner() }
    }
}

impl Question {
    /// As RFC 8936 section 2.5 shows answers: the end of the connection is that of the body.
    fn answer(mut self, body: &str) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        self.connection.write_all(head.as_bytes()).unwrap();
        self.connection.write_all(body.as_bytes()).unwrap();
    }

    /// The same, a byte at a time, in pieces of a known length.
    fn answer_slowly(mut self, body: &str) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        self.connection.set_nodelay(true).unwrap();
        self.connection.write_all(head.as_bytes()).unwrap();
        for byte in body.chars() {
            self.connection.write_all(format!("{:x}\r\n{byte}\r\n", byte.len_utf8()).as_bytes()).unwrap();
        }
        self.connection.write_all(b"0\r\n\r\n").unwrap();
    }
}

/// What ends the sessions of a subject.
fn revoked(subject: &str) -> String {
    let sub_id = json!({ "format": "opaque", "id": subject });
    set(key("RS256"), &told(json!({ "jti": subject, "sub_id": sub_id, "events": { SESSION_REVOKED: {} } })))
}

#[test]
fn questions_are_asked_to_the_letter_of_rfc_8936_and_answers_taken_in_each_of_its_forms() {
    let transmitter = Transmitter(TcpListener::bind("127.0.0.1:0").unwrap());
    transmitter.0.set_nonblocking(true).unwrap();
    let table = format!(
        "[[ssf]]\nname = 'idp'\nissuer = '{ISSUER}'\naudiences = ['edge']\nkeys_file = 'FOLDER/keys'\npoll_url = '{}'\n\
         poll_interval = 1\npoll_token_file = 'FOLDER/token'\n",
        transmitter.url()
    );
    let streams = Streams::start(&table);
    let head = |length: usize, language: &[&str]| {
        let host = transmitter.0.local_addr().unwrap();
        let mut head = vec![
            "accept-encoding: gzip".to_owned(),
            "accept: application/json".to_owned(),
            format!("authorization: Bearer {TOKEN}"),
            format!("content-length: {length}"),
            "content-type: application/json".to_owned(),
            format!("host: {host}"),
            format!("user-agent: token-server/{}", env!("CARGO_PKG_VERSION")),
        ];
        head.extend(language.iter().map(|line| (*line).to_owned()));
        head.sort();
        head.insert(0, "POST /Events HTTP/1.1".to_owned());
        head
    };
    let plain = r#"{"maxEvents":20,"returnImmediately":false}"#;
    let english = ["content-language: en"];

    // The latest first, a forged one between, and more to come.
    let (anna, ben, forged) = (revoked("anna"), revoked("ben"), forge_signature(&revoked("mallory")));
    let first = transmitter.asked();
    assert_eq!((&first.head, first.body.as_str()), (&head(plain.len(), &[]), plain));
    first.answer(&format!(
        "{{\n  \"sets\":\n  {{\n    \"ben\":\n    \"{ben}\",\n    \"mallory\": \"{forged}\",\n    \"anna\":\n    \"{anna}\"\n  }},\n  \
         \"moreAvailable\": true\n}}\n"
    ));

    // What is told is told again until it is answered.
    let told = r#"{"maxEvents":20,"returnImmediately":false,"ack":["ben","anna"],"setErrs":{"mallory":{"err":"invalid_key","description":"signature"}}}"#;
    let lost = transmitter.asked();
    assert_eq!((&lost.head, lost.body.as_str()), (&head(told.len(), &english), told));
    drop(lost);
    let again = transmitter.asked();
    assert_eq!((&again.head, again.body.as_str()), (&head(told.len(), &english), told));
    let group = |name: &str| streams.rules(name).len();
    assert_eq!([group("anna"), group("ben"), group("mallory")], [1, 1, 0], "acknowledged when it is a rule");

    // Slowly: one that came before, one twice, and a new one.
    let carl = revoked("carl");
    again.answer_slowly(&format!(
        r#"{{"sets":{{"carl":"{carl}","anna":"{anna}","carl":"{carl}"}},"moreAvailable":false}}"#
    ));
    let told = r#"{"maxEvents":20,"returnImmediately":false,"ack":["carl","anna","carl"]}"#;
    let third = transmitter.asked();
    assert_eq!((&third.head, third.body.as_str()), (&head(told.len(), &[]), told));
    assert_eq!((group("carl"), streams.counted("revoked"), streams.counted("known")), (1, 3, 2));

    // Nothing, with members that are not known: nothing is left to tell.
    third.answer(r#"{"sets": {}, "moreAvailable": false, "other": {"sets": 7}}"#);
    let last = transmitter.asked();
    assert_eq!((&last.head, last.body.as_str()), (&head(plain.len(), &[]), plain));
}
