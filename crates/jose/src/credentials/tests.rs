use super::*;

/// What is read of places, written `kind` and value; cookies are called `my_s`, parameters `my_t`.
fn read(places: &[(&str, &str)], max_bytes: usize) -> Result<String, Reject> {
    let places = places.iter().map(|(kind, text)| {
        Ok(match *kind {
            "authorization" => Place::Authorization(text),
            "bare" => Place::Bare(text),
            "cookie" => Place::Cookie { name: "my_s", headers: vec![text] },
            "query" => Place::Query { name: "my_t", query: text },
            "websocket" => Place::WebSocket(text),
            _ => return Err(Reject::Argument),
        })
    });
    let schemes = ["JWT".to_owned(), "Bearer".to_owned()];
    Credentials::read(places, &schemes, max_bytes)?.required().map(Cow::into_owned)
}

fn assert_read(places: &[(&str, &str)], expected: Result<&str, Reject>) {
    assert_eq!(read(places, 64), expected.map(str::to_owned), "{places:?}");
}

#[test]
fn a_place_holds_a_token_with_or_without_a_scheme() {
    let (missing, other) = (Err(Reject::Missing), Err(Reject::Scheme));
    for (value, bare, authorization) in [
        ("a.b.c", Ok("a.b.c"), other),
        ("Bearer a.b.c", Ok("a.b.c"), Ok("a.b.c")),
        ("bEARER  a.b.c\t", Ok("a.b.c"), Ok("a.b.c")),
        (" JWT a.b.c", Ok("a.b.c"), Ok("a.b.c")),
        ("Bearer%20a.b.c", Ok("a.b.c"), other),
        ("Bearer+a.b.c", Ok("a.b.c"), other),
        ("\"a.b.c\"", Ok("a.b.c"), other),
        ("\"Bearer a.b.c\"", Ok("a.b.c"), other),
        ("\"a.b.c", Ok("\"a.b.c"), other),
        ("", missing, missing),
        (" ", missing, missing),
        ("\"\"", missing, other),
        ("\"", Ok("\""), other),
        ("Bearer", missing, missing),
        ("Bearer ", missing, missing),
        ("Bearer%20", missing, other),
        ("Basic dTpw", other, other),
        ("Basic", Ok("Basic"), other),
        ("Bearera.b.c", Ok("Bearera.b.c"), other),
        ("Bearer\ta.b.c", Ok("Bearer\ta.b.c"), other),
        ("JWT a.b c", Ok("a.b c"), Ok("a.b c")),
        ("é", Ok("é"), other),
    ] {
        assert_read(&[("bare", value)], bare);
        assert_read(&[("authorization", value)], authorization);
        if !value.contains([';', '#']) {
            assert_read(&[("cookie", &format!("a=b; my_s={value}; c"))], bare);
            assert_read(&[("query", &format!("a=b&my_t={value}&c"))], bare);
        }
    }
}

#[test]
fn another_scheme_is_nothing_beside_a_token_unless_it_may_be_a_token_too() {
    const FORGED: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.";
    for (value, beside, alone) in [
        ("Basic dTpw", Ok("a.b.c"), Err(Reject::Scheme)),
        ("Negotiate YIIZ+/==", Ok("a.b.c"), Err(Reject::Scheme)),
        ("Digest realm=\"example.com.au\", uri=\"/a.b.c\"", Ok("a.b.c"), Err(Reject::Scheme)),
        ("Bearer", Ok("a.b.c"), Err(Reject::Missing)),
        ("", Ok("a.b.c"), Err(Reject::Missing)),
        (&format!("DPoP {FORGED}"), Err(Reject::Ambiguous), Err(Reject::Scheme)),
        (&format!("Basic {FORGED}"), Err(Reject::Ambiguous), Err(Reject::Scheme)),
        (FORGED, Err(Reject::Ambiguous), Err(Reject::Scheme)),
        (&format!("Bearer\t{FORGED}"), Err(Reject::Ambiguous), Err(Reject::Scheme)),
        (&format!("x Bearer={FORGED}, y"), Err(Reject::Ambiguous), Err(Reject::Scheme)),
        ("Token IHsi.x.y", Err(Reject::Ambiguous), Err(Reject::Scheme)),
        ("Token ICAKIHsiYWxnIjoiSFMyNTYifQ.x.y", Err(Reject::Ambiguous), Err(Reject::Scheme)),
        ("Token ewoi.x", Err(Reject::Ambiguous), Err(Reject::Scheme)),
    ] {
        for other in ["bare", "cookie", "query", "websocket"] {
            let text = match other {
                "cookie" => "my_s=a.b.c",
                "query" => "my_t=a.b.c",
                "websocket" => "bearer, a.b.c",
                _ => "a.b.c",
            };
            assert_read(&[("authorization", value), (other, text)], beside);
            assert_read(&[(other, text), ("authorization", value)], beside);
        }
        assert_read(&[("authorization", value)], alone);
    }
}

#[test]
fn two_places_may_only_agree() {
    let places = [
        ("authorization", "Bearer a.b.c", "JWT x.y.z"),
        ("bare", "a.b.c", "Bearer x.y.z"),
        ("cookie", "my_s=a.b.c", "my_s=x.y.z"),
        ("query", "my_t=a.b.c", "my_t=x.y.z"),
        ("websocket", "bearer, a.b.c", "base64url.bearer.authorization.k8s.io.eC55Lno"),
    ];
    for (first, same, _) in places {
        for (second, equal, different) in places {
            assert_read(&[(first, same), (second, equal)], Ok("a.b.c"));
            assert_read(&[(first, same), (second, different)], Err(Reject::Ambiguous));
        }
    }
    assert_eq!(read(&[("bare", "a.b.cc")], 6), Ok("a.b.cc".to_owned()));
    assert_eq!(read(&[("bare", "a.b.ccc")], 6), Err(Reject::TokenSize));
    assert_eq!(read(&[], 6), Err(Reject::Missing));
    assert_eq!(read(&[("bare", "a.b.c"), ("fault", "")], 6), Err(Reject::Argument));
}

#[test]
fn the_subprotocols_of_a_websocket_hold_one_token_in_either_convention() {
    for (list, expected) in [
        ("bearer, a.b.c", Ok("a.b.c")),
        ("Bearer,a.b.c", Ok("a.b.c")),
        ("chat, jwt ,\ta.b.c, soap", Ok("a.b.c")),
        ("base64url.bearer.authorization.k8s.io.YS5iLmM, v4.channel.k8s.io", Ok("a.b.c")),
        ("chat, base64url.bearer.authorization.k8s.io.YS5iLmM", Ok("a.b.c")),
        ("", Err(Reject::Missing)),
        ("chat, soap", Err(Reject::Missing)),
        ("bearer", Err(Reject::Missing)),
        ("chat, bearer, ", Err(Reject::Missing)),
        ("a.b.c", Err(Reject::Missing)),
        ("base64url.bearer.authorization.k8s.io.", Err(Reject::Missing)),
        ("base64url.bearer.authorization.k8s.io.YS5iLmM=", Err(Reject::Malformed)),
        ("base64url.bearer.authorization.k8s.io.!", Err(Reject::Malformed)),
        ("base64url.bearer.authorization.k8s.io._w", Err(Reject::Malformed)),
        ("bearer, a.b.c, bearer, x.y.z", Err(Reject::Ambiguous)),
        ("bearer, a.b.c, jwt, a.b.c", Err(Reject::Ambiguous)),
        ("base64url.bearer.authorization.k8s.io.YS5iLmM, bearer, x.y.z", Err(Reject::Ambiguous)),
        ("base64url.bearer.authorization.k8s.io.YS5iLmM, bearer", Err(Reject::Ambiguous)),
    ] {
        assert_read(&[("websocket", list)], expected);
    }
}

/// Every name under which some application reads the parameter `my_t` or the cookie `my_s`.
#[test]
fn a_place_that_is_there_twice_is_refused_in_every_spelling_of_its_name() {
    for name in [
        "my_t",
        "my%5Ft",
        "my%5ft",
        "%6dy_t",
        "MY_T",
        "my.t",
        "my+t",
        "my%20t",
        "my%2Et",
        "my[t",
        "my_t[]",
        "my_t[a]",
        "my_t%5B%5D",
        "+my_t",
        "%20my_t",
        "my_t%20",
        "my_t%00x",
    ] {
        for query in [
            format!("my_t=a.b.c&{name}=x.y.z"),
            format!("{name}=x.y.z&my_t=a.b.c"),
            format!("my_t=a.b.c&{name}=a.b.c"),
            format!("my_t=a.b.c&{name}="),
            format!("{name}&my_t=a.b.c"),
            format!("a=1;{name}=x.y.z&my_t=a.b.c"),
        ] {
            assert_read(&[("query", &query)], Err(Reject::Ambiguous));
        }
    }
    // Of another spelling alone, and so read by one application and not by another.
    for query in ["MY_T=x.y.z", "my.t=x.y.z", "my_t[]=x.y.z", "a=1;my_t=x.y.z"] {
        assert_read(&[("query", query)], Err(Reject::Ambiguous));
    }
    assert_read(&[("query", "%6dy%5Ft=a.b.c")], Ok("a.b.c"));
    assert_read(
        &[("query", "x=my_t&my_tt=x.y.z&my_t=a.b.c&y=my_t=x.y.z&-my_t=1&my_t-=1&my_t%5=1")],
        Ok("a.b.c"),
    );
    assert_read(&[("query", "my_t=a.b.c#x")], Err(Reject::Malformed));
    // Read as one parameter by some applications and as two by others: no token.
    assert_read(&[("query", "my_t=a.b;c=1")], Ok("a.b;c=1"));
    for name in ["my_s", "my.s", "my s", "my[s", "my_s[]", "my_s[a]", "my%5Fs"] {
        for cookie in [
            format!("my_s=a.b.c; {name}=x.y.z"),
            format!("{name}=x.y.z; my_s=a.b.c"),
            format!("my_s=a.b.c;{name}=a.b.c"),
            format!("my_s=a.b.c; {name}="),
        ] {
            assert_read(&[("cookie", &cookie)], Err(Reject::Ambiguous));
        }
    }
    assert_read(&[("cookie", "my_s=a.b.c; MY_S=x.y.z; my-s=x.y.z; _my_s=1; my_s")], Ok("a.b.c"));
}
