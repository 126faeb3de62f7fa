use super::*;
use crate::spoa::messages;

fn read(messages: &[u8]) -> Option<Request<'_>> {
    messages::read(messages)
}

fn text(text: &'static str) -> Text<'static> {
    Text::from(Value::Text(Cow::Borrowed(text)))
}

fn asked(request: &Request<'_>) -> Result<String, Reject> {
    let schemes = ["JWT".to_owned(), "Bearer".to_owned()];
    request.token(&schemes, 8).map(Cow::into_owned)
}

fn judge(authorization: &'static str, token: &'static str) -> Result<String, Reject> {
    asked(&Request { authorization: text(authorization), token: text(token), ..Request::default() })
}

#[test]
fn finds_the_one_token_or_says_why_there_is_none() {
    for (authorization, token, expected) in [
        ("Bearer a.b.c", "", Ok("a.b.c")),
        ("bearer a.b.c", "", Ok("a.b.c")),
        ("jWt a.b.c", "", Ok("a.b.c")),
        ("JWT  a.b.c", "", Ok("a.b.c")),
        (" JWT a.b.c\t", "", Ok("a.b.c")),
        ("JWT a.b c", "", Ok("a.b c")),
        ("", "a.b.c", Ok("a.b.c")),
        ("Bearer a.b.c", "a.b.c", Ok("a.b.c")),
        ("", "", Err(Reject::Missing)),
        (" ", "", Err(Reject::Missing)),
        ("Bearer", "", Err(Reject::Missing)),
        ("Bearer ", "", Err(Reject::Missing)),
        ("Basic dTpw", "", Err(Reject::Scheme)),
        ("Bearera.b.c", "", Err(Reject::Scheme)),
        ("Bearer\ta.b.c", "", Err(Reject::Scheme)),
        ("Bearer a.b.c", "x.y.z", Err(Reject::Ambiguous)),
        ("Basic dTpw", "x.y.z", Ok("x.y.z")),
        ("Bearer", "x.y.z", Ok("x.y.z")),
        ("DPoP eyJh.b.c", "x.y.z", Err(Reject::Ambiguous)),
        ("Bearer aaaa.b.cc", "", Err(Reject::TokenSize)),
    ] {
        assert_eq!(judge(authorization, token), expected.map(str::to_owned), "{authorization:?} {token:?}");
    }
}

#[test]
fn refuses_more_than_one_of_each_and_a_count_that_cannot_be_read() {
    let good = Ok("a.b.c".to_owned());
    for (what, count, with_it, without_it) in [
        ("absent", None, good.clone(), Err(Reject::Missing)),
        ("0", Some(TypedData::Int64(0)), good.clone(), Err(Reject::Missing)),
        ("1", Some(TypedData::Int32(1)), good.clone(), Err(Reject::Missing)),
        ("2", Some(TypedData::Int64(2)), Err(Reject::DuplicateHeader), Err(Reject::DuplicateHeader)),
        ("2 as u32", Some(TypedData::UInt32(2)), Err(Reject::DuplicateHeader), Err(Reject::DuplicateHeader)),
        (
            "many",
            Some(TypedData::UInt64(u64::MAX)),
            Err(Reject::DuplicateHeader),
            Err(Reject::DuplicateHeader),
        ),
        ("-1", Some(TypedData::Int64(-1)), Err(Reject::Argument), Err(Reject::Argument)),
        ("-1 as i32", Some(TypedData::Int32(-1)), Err(Reject::Argument), Err(Reject::Argument)),
        ("a text", Some(TypedData::String("1".into())), Err(Reject::Argument), Err(Reject::Argument)),
        ("no text", Some(TypedData::String(String::new())), Err(Reject::Argument), Err(Reject::Argument)),
        ("bytes", Some(TypedData::Binary(vec![1])), Err(Reject::Argument), Err(Reject::Argument)),
        ("true", Some(TypedData::Bool(true)), Err(Reject::Argument), Err(Reject::Argument)),
        ("NULL", Some(TypedData::Null), Err(Reject::Argument), Err(Reject::Missing)),
    ] {
        for (counts, counted, value) in [
            ("auth_count", "authorization", "Bearer a.b.c"),
            ("token_count", "token", "a.b.c"),
            ("cookies_count", "cookies", "c=a.b.c"),
            ("ws_protocol_count", "ws_protocol", "bearer, a.b.c"),
        ] {
            for (value, expected) in [(Some(value), &with_it), (None, &without_it)] {
                let value = value.map(|value| (counted, TypedData::String(value.to_owned())));
                let count = count.clone().map(|count| (counts, count));
                let name = ("cookie", TypedData::String("c".to_owned()));
                let arguments: Vec<_> = value.into_iter().chain(count).chain([name]).collect();
                let bytes = message("verify-jwt", &arguments);
                let request = read(&bytes).unwrap();
                assert_eq!(&asked(&request), expected, "{counts}={what} beside {counted} {arguments:?}");
            }
        }
    }
}

#[test]
fn many_cookies_are_refused_beside_a_good_header_too() {
    for token in ["", "a.b.c", "x.y.z"] {
        let request = Request {
            authorization: text("Bearer a.b.c"),
            token: text(token),
            token_count: Count::Number(2),
            ..Request::default()
        };
        assert_eq!(asked(&request), Err(Reject::DuplicateHeader), "{token}");
    }
}

#[test]
fn an_argument_that_cannot_be_read_is_never_taken_for_an_absent_one() {
    let text = |text: &str| TypedData::String(text.to_owned());
    let good = ("authorization", text("Bearer a.b.c"));
    for name in ["authorization", "token", "policy", "auth_count", "token_count"] {
        let valid = if name.ends_with("count") { TypedData::Int64(1) } else { text("a.b.c") };
        for again in [valid.clone(), TypedData::Null, text("")] {
            let bytes = message("verify-jwt", &[(name, valid.clone()), (name, again)]);
            let twice = read(&bytes).unwrap();
            let judged = twice.policy().and_then(|_| asked(&twice).map(drop));
            assert_eq!(judged, Err(Reject::Argument), "{name} twice");
        }
        for odd in
            [TypedData::Binary(b"a.b.c".to_vec()), TypedData::Bool(true), TypedData::IPv4([1; 4].into())]
        {
            let bytes = message("verify-jwt", &[(name, odd)]);
            let request = read(&bytes).unwrap();
            let judged = request.policy().and_then(|_| asked(&request).map(drop));
            assert_eq!(judged, Err(Reject::Argument), "{name} of an odd type");
        }
    }
    for second in [message("verify-jwt", &[]), message("verify-jwt", std::slice::from_ref(&good))] {
        let both = [message("verify-jwt", std::slice::from_ref(&good)), second].concat();
        assert_eq!(asked(&read(&both).unwrap()), Err(Reject::Argument), "two questions");
    }
}

/// As HAProxy writes it; all lengths are below 240, one byte each.
fn message(name: &str, arguments: &[(&str, TypedData)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut message = text(name);
    message.push(u8::try_from(arguments.len()).unwrap());
    for (name, value) in arguments {
        message.extend(text(name));
        value.to_bytes(&mut message);
    }
    message
}

#[test]
fn reads_arguments_by_name_and_ignores_others() {
    let text = |text: &str| TypedData::String(text.to_owned());
    let messages = [
        message("other", &[("token", text("no"))]),
        message(
            "verify-jwt",
            &[
                ("", text("unnamed")),
                ("policy", text("api")),
                ("auth_count", TypedData::Int64(2)),
                ("authorization", TypedData::Null),
                ("token", TypedData::Binary(vec![1])),
                ("path", text("/")),
                ("cookie", text("c")),
                ("cookies", text("c=a.b.c")),
                ("cookies_count", TypedData::Int64(1)),
                ("parameter", text("t")),
                ("query", text("")),
                ("ws_protocol", text("chat")),
                ("ws_protocol_count", TypedData::Null),
                ("request_id", text("r1")),
                ("cert", TypedData::Binary(vec![1; 32])),
            ],
        ),
        message("another", &[("policy", text("second"))]),
    ]
    .concat();
    let expected = Request {
        authorization: Text::Empty,
        auth_count: Count::Number(2),
        token: Text::Unreadable,
        token_count: Count::Absent,
        elsewhere: Some(Box::new(Elsewhere {
            cookie: Text::Given("c".into()),
            cookies: Text::Given("c=a.b.c".into()),
            cookies_count: Count::Number(1),
            parameter: Text::Given("t".into()),
            query: Text::Empty,
            ws_protocol: Text::Given("chat".into()),
            ws_protocol_count: Count::Null,
        })),
        policy: Text::Given("api".into()),
        mcp: None,
        certificate: None,
        proof: None,
        stream: None,
        request_id: Text::Given("r1".into()),
        asks_twice: false,
    };
    assert_eq!(expected.name(), Some("r1"));
    assert_eq!(read(&messages), Some(expected));
    assert_eq!(read(&[]), Some(Request::default()));
    for end in [1, 5, messages.len() - 1] {
        assert_eq!(read(&messages[..end]), None, "cut at {end}");
    }
}

#[test]
fn a_proof_is_told_by_its_own_message_beside_the_token() {
    let text = |text: &str| TypedData::String(text.to_owned());
    let proof = [
        ("dpop", text("a.b.c")),
        ("dpop_count", TypedData::Int64(1)),
        ("method", text("GET")),
        ("tls", TypedData::Bool(true)),
        ("host", text("api.example")),
        ("path", text("/a")),
    ];
    let schemes = ["Bearer", "DPoP"].map(str::to_owned);
    for (authorization, scheme) in
        [("DPoP x.y.z", AuthScheme::Dpop), ("Bearer x.y.z", AuthScheme::Bearer), ("", AuthScheme::Bearer)]
    {
        let asked = message("verify-jwt", &[("authorization", text(authorization))]);
        let messages = [message("proof", &proof), asked.clone()].concat();
        let request = read(&messages).unwrap();
        let shown = request.shown_proof().unwrap();
        assert_eq!((&*shown.proof, &*shown.path), ("a.b.c", "/a"));
        assert_eq!(request.scheme(&schemes), scheme, "{authorization}");
        assert_eq!(request.scheme(&schemes[..1]), AuthScheme::Bearer, "it is not an accepted one");
        let twice = [messages, message("proof", &proof)].concat();
        assert_eq!(read(&twice).unwrap().shown_proof().err(), Some(Reject::Argument));
        assert_eq!(read(&asked).unwrap().shown_proof().err(), Some(Reject::Binding));
    }
}

#[test]
fn a_call_is_told_by_its_own_message_and_then_decides_too() {
    let text = |text: &str| TypedData::String(text.to_owned());
    let one = || TypedData::Int64(1);
    let asked = [("authorization", text("Bearer a.b.c")), ("auth_count", one()), ("policy", text("mcp"))];
    let call = [
        ("mcp_method", text("tools/call")),
        ("mcp_method_count", one()),
        ("mcp_name", text("read_x")),
        ("mcp_name_count", one()),
        ("mcp_version", text("2026-07-28")),
        ("mcp_version_count", one()),
    ];
    let plain = message("verify-jwt", &asked);
    let request = read(&plain).unwrap();
    assert_eq!(request.mcp_call().map(drop), Err(Reject::McpHeader));
    assert_eq!(request.alone_in_authorization(), Some(("Bearer a.b.c", "mcp")));
    for messages in [
        [message("verify-jwt", &asked), message("mcp", &call)].concat(),
        [message("mcp", &call), message("verify-jwt", &asked)].concat(),
    ] {
        let request = read(&messages).unwrap();
        let expected = Call::read(Some("tools/call"), Some("read_x"), Some("2026-07-28"));
        assert_eq!(request.mcp_call(), expected);
        // HAProxy would find what it is given by the token and the name of the rows, whatever is called.
        assert_eq!(request.alone_in_authorization(), None);
    }
    let elsewhere = message("verify-jwt", &[&asked[..], &call[..]].concat());
    assert_eq!(read(&elsewhere).unwrap().mcp_call().map(drop), Err(Reject::McpHeader));
    let twice = [message("verify-jwt", &asked), message("mcp", &call), message("mcp", &call)].concat();
    assert_eq!(read(&twice).unwrap().mcp_call().map(drop), Err(Reject::Argument));
}

#[test]
fn a_certificate_is_told_by_its_own_message_in_any_order_and_leaves_the_header_alone() {
    let asked = message(
        "verify-jwt",
        &[
            ("authorization", TypedData::String("Bearer a.b.c".to_owned())),
            ("auth_count", TypedData::Int64(1)),
        ],
    );
    let hash = jose::Thumbprint::of(b"der");
    let shown = message("certificate", &[("cert", TypedData::Binary(hash.as_bytes().to_vec()))]);
    let of = |request: &Request<'_>| request.evidence(CertificateForm::Tls).map(|shown| shown.certificate);
    for (messages, expected) in [
        (asked.clone(), Ok(None)),
        ([asked.clone(), shown.clone()].concat(), Ok(Some(hash))),
        ([shown.clone(), asked.clone()].concat(), Ok(Some(hash))),
        ([asked.clone(), message("certificate", &[("cert", TypedData::Null)])].concat(), Ok(None)),
        ([asked.clone(), message("other", &[("cert", TypedData::Binary(vec![1; 32]))])].concat(), Ok(None)),
        ([shown.clone(), asked.clone(), shown].concat(), Err(Reject::Argument)),
        (
            [asked, message("certificate", &[("cert", TypedData::Binary(vec![1; 20]))])].concat(),
            Err(Reject::Argument),
        ),
    ] {
        let request = read(&messages).unwrap();
        assert_eq!(of(&request), expected);
        assert!(request.alone_in_authorization().is_some(), "what it shows is no part of the question");
    }
}

#[test]
fn each_type_of_value_is_a_text_a_number_or_cannot_be_read() {
    let given = |text: &'static str| Text::Given(text.into());
    for (value, as_text, as_count) in [
        (TypedData::Null, Text::Empty, Count::Null),
        (TypedData::Bool(true), Text::Unreadable, Count::Unreadable),
        (TypedData::Int32(7), Text::Unreadable, Count::Number(7)),
        (TypedData::Int32(-1), Text::Unreadable, Count::Unreadable),
        (TypedData::UInt32(u32::MAX), Text::Unreadable, Count::Number(4_294_967_295)),
        (TypedData::Int64(7), Text::Unreadable, Count::Number(7)),
        (TypedData::Int64(i64::MIN), Text::Unreadable, Count::Unreadable),
        (TypedData::UInt64(u64::MAX), Text::Unreadable, Count::Number(18_446_744_073_709_551_615)),
        (TypedData::IPv4([127, 0, 0, 1].into()), Text::Unreadable, Count::Unreadable),
        (TypedData::IPv6([0; 16].into()), Text::Unreadable, Count::Unreadable),
        (TypedData::String(String::new()), Text::Empty, Count::Unreadable),
        (TypedData::String("7".to_owned()), given("7"), Count::Unreadable),
        (TypedData::Binary(b"7".to_vec()), Text::Unreadable, Count::Unreadable),
    ] {
        for twice in [false, true] {
            let mut arguments = vec![("token", value.clone()), ("token_count", value.clone())];
            if twice {
                arguments.extend(arguments.clone());
            }
            let bytes = message("verify-jwt", &arguments);
            let request = read(&bytes).unwrap();
            let expected = if twice { (&Text::Unreadable, Count::Unreadable) } else { (&as_text, as_count) };
            assert!((&request.token, request.token_count) == expected, "{value:?}, twice: {twice}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let mut messages = message("verify-jwt", &[("token", TypedData::String("a.b?c".to_owned()))]);
    *messages.iter_mut().rfind(|byte| **byte == b'?').unwrap() = 0xff;
    assert!(read(&messages).unwrap().token == Text::Given("a.b\u{fffd}c".into()));
}

#[test]
fn a_name_that_would_fill_the_log_is_none() {
    let named = |name| Request { request_id: Text::from(name), ..Request::default() };
    let text = |bytes: usize| Value::Text("r".repeat(bytes).into());
    assert_eq!(named(text(MAX_REQUEST_ID_BYTES)).name().map(str::len), Some(MAX_REQUEST_ID_BYTES));
    let binary = TypedData::Binary(vec![b'r']);
    for refused in
        [text(MAX_REQUEST_ID_BYTES + 1), text(0), Value::Other(TypedData::Null), Value::Other(binary)]
    {
        assert_eq!(named(refused).name(), None);
    }
}

#[test]
fn cookies_and_queries_are_read_by_the_name_that_haproxy_tells() {
    for (cookie, cookies, parameter, query, expected) in [
        ("c", "x=1; c=a.b.c", "", "", Ok("a.b.c")),
        ("", "", "t", "x=1&%74=a.b.c", Ok("a.b.c")),
        ("c", "c=\"a.b.c\"", "t", "t=Bearer%20a.b.c", Ok("a.b.c")),
        ("c", "c=a.b.c", "t", "t=x.y.z", Err(Reject::Ambiguous)),
        ("c", "x=1", "t", "x=1", Err(Reject::Missing)),
        ("c", "", "t", "", Err(Reject::Missing)),
        ("", "c=a.b.c", "", "", Err(Reject::Argument)),
        ("", "", "", "t=a.b.c", Err(Reject::Argument)),
    ] {
        let (cookie, cookies, parameter, query) = (text(cookie), text(cookies), text(parameter), text(query));
        let elsewhere = Elsewhere { cookie, cookies, parameter, query, ..Elsewhere::default() };
        let request = Request { elsewhere: Some(Box::new(elsewhere)), ..Request::default() };
        assert_eq!(asked(&request), expected.map(str::to_owned), "{request:?}");
    }
}
