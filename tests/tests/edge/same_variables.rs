//! A verdict from the maps sets the variables that the agent's answer sets, byte for byte. What the agent says is encoded by
//! the tests, written into the map, and compared with what HAProxy makes of it.

use std::fmt::Write as _;

use integration_tests::token::sign_raw;
use serde_json::Value;

use super::*;

/// The claims of the table, and one that no token has.
const CLAIMS: [&str; 24] = [
    "absent", "b64", "big", "empty", "exp", "exponent", "float", "huge", "least", "list", "long", "n", "neg",
    "no", "none", "object", "odd", "sub", "text", "void", "white", "x_y", "yes", "zero",
];
/// What else an answer has.
const OTHERS: [&str; 6] = ["body", "header", "id", "legacy", "policy", "stateless"];

/// Every name of the layout, in its order.
pub(super) fn layout() -> Vec<String> {
    let claims = CLAIMS.map(|claim| format!("payload.{claim}"));
    let mut names: Vec<String> = OTHERS.map(str::to_owned).into_iter().chain(claims).collect();
    names.sort();
    names
}

/// The shipped file with a longer layout, and a header for each variable that is set: what prints it, as hexadecimal, with a dot
/// at its end.
pub(super) fn with_claims(text: &str, folder: &Path) -> String {
    let text = shown(text, folder);
    let (before, rest) = text.split_once("    http-request set-var(txn.tkn.body) ").unwrap();
    let (_, after) = rest.split_once("    http-request send-spoe-group jwt-group jwt ").unwrap();
    let mut fields = String::new();
    let mut headers = String::new();
    for (index, name) in layout().iter().enumerate() {
        let number = index + 1;
        writeln!(
            fields,
            "    http-request set-var(txn.tkn.{name}) var(txn.tkn_edge),field({number},|),url_dec if {{ var(txn.tkn.valid) -m bool }}"
        )
        .unwrap();
        writeln!(
            headers,
            "    http-after-response set-header v-{index} %[var(txn.tkn.{name}),concat(.),hex] if {{ var(txn.tkn.{name}) -m found }}"
        )
        .unwrap();
    }
    for (header, condition) in [
        ("valid", "var(txn.tkn.valid) -m bool"),
        ("reason", "var(txn.tkn.reason) -m str ok"),
        ("detail", "var(txn.tkn.detail) -m str ok"),
        ("yes", "var(txn.tkn.payload.yes) -m bool"),
        ("no", "var(txn.tkn.payload.no) -m bool"),
        ("n", "var(txn.tkn.payload.n) -m int 42"),
        ("neg", "var(txn.tkn.payload.neg) -m int lt 0"),
        ("empty", "var(txn.tkn.payload.empty) -m len 0"),
        ("text", "var(txn.tkn.payload.text) -m sub b"),
    ] {
        writeln!(headers, "    http-after-response set-header m-{header} 1 if {{ {condition} }}").unwrap();
    }
    let mark = "    # Refusals have the pages";
    let text = format!("{before}{fields}    http-request send-spoe-group jwt-group jwt {after}");
    text.replace(LAYOUT, &layout().join(",")).replace(mark, &format!("{headers}{mark}"))
}

/// Payloads beyond `exp`. JSON can hold any character; NUL is one that HAProxy cannot decode, so that agents keep no such token.
pub(super) fn payloads() -> Vec<String> {
    let controls: String = (1..0x20).fold(String::new(), |all, byte| all + &format!("\\u{byte:04x}"));
    let printable: String = (0x20..0x7f_u8).map(char::from).collect();
    let quoted = |text: &str| Value::from(text).to_string();
    let mut payloads = vec![
        concat!(
            r#""sub":"alice","n":42,"neg":-7,"zero":0,"big":12345678901234567,"least":-9223372036854775808,"#,
            r#""huge":123456789012345678901234567890,"float":1.50,"exponent":1e3,"yes":true,"no":false,"empty":"","none":null,"#,
            r#""text":"a \"b\" é \u00e9","list":[1,"two",[]],"void":[],"object":{"a":{"b":[1.0,12345678901234567]}},"x-y":1"#
        )
        .to_owned(),
        r#""sub":"nothing else""#.to_owned(),
        format!(r#""odd":"{controls}\u007f""#),
        format!(r#""odd":{}"#, quoted(&printable)),
        format!(r#""long":"{}""#, "long ".repeat(200)),
        r#""odd":"\u0080\u00ff\u0100\u2028\ufffd\uffff\ud83d\ude00""#.to_owned(),
        r#""sub":" a  b ","white":" \t\r\n ","empty":"""#.to_owned(),
        r#""list":["%","|","a|b"],"object":{"%":"%7C","|":";"},"b64":"YT8/Pj4+Zg==+/="#.to_owned() + "\"",
    ];
    let odd = [
        "%", "%%", "%2", "%20", "%zz", "%00", "a%", "|", "||", "a|b|c", "+", "a+b", "?", "?a+b", ";", "a;b",
        "\\", "\\\\", "\\n", "\"", "'", "#", "# x", "<", "<<", "&&", "$(x)", "${HOME}", "\n", "a\nb", "\r\n",
        "\t", " ", "1", "true", "null", "-",
    ];
    payloads.extend(odd.map(|text| format!(r#""odd":{},"text":{}"#, quoted(text), quoted(text))));
    payloads
}

/// The header of the tokens.
const JOSE: &str = r#"{"alg":"ES256","kid":"ES256","odd":"%|;+é"}"#;

/// A token with these claims, byte for byte, as the value of `Authorization`.
pub(super) fn bearer(members: &str) -> String {
    let payload = format!(r#"{{"exp":4102444800,{members}}}"#);
    format!("Bearer {}", sign_raw(signing_key("ES256"), JOSE, &payload))
}

/// What an answer shows of the variables, each with its header's name.
pub(super) fn variables(response: &Response) -> Vec<(String, String)> {
    let own = |name: &str| name.starts_with("v-") || name.starts_with("m-");
    response.headers.iter().filter(|(name, _)| own(name)).cloned().collect()
}

/// The variable at this place of the layout, as bytes.
pub(super) fn bytes(response: &Response, index: usize) -> Option<Vec<u8>> {
    let digits = response.header(&format!("v-{index}"))?;
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let mut bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    assert_eq!(bytes.pop(), Some(b'.'));
    Some(bytes)
}

/// What the agent says of a token, and that an entry made of it says the same.
fn assert_same(edge: &Edge, what: &str, bearer: &str) -> Vec<Option<Vec<u8>>> {
    let request = Request::get("/x").header("Authorization", bearer);
    edge.kept.clear();
    let told = edge.send(&request);
    assert_eq!((told.status, source(&told)), (200, Some("agent")), "{what}: {told}");
    assert!(variables(&told).len() >= 8, "{what}: {told}");
    let values: Vec<_> = (0..layout().len()).map(|index| bytes(&told, index)).collect();

    let fields: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
    edge.kept.put(&key(bearer, &layout().join(","), ""), &entry(now_ms() + 50_000, NAME, &fields));
    let kept = eventually("an entry with its lease", || {
        let response = edge.send(&request);
        (source(&response) == Some("edge")).then_some(response)
    });
    assert_eq!(variables(&kept), variables(&told), "{what}: {kept}");
    values
}

pub(super) fn place(name: &str) -> usize {
    layout().iter().position(|known| known == name).unwrap()
}

#[test]
fn a_verdict_from_the_maps_sets_the_variables_of_an_answer_byte_for_byte() {
    let edge = Setup::new(Shipped::EdgeDenying).edit(with_claims).start();
    let _held = edge.kept.hold(NAME);
    for members in payloads() {
        let values = assert_same(&edge, &members, &bearer(&members));
        let parsed: Value = serde_json::from_str(&format!("{{{members}}}")).unwrap();
        let odd = parsed.get("odd").and_then(Value::as_str).map(str::as_bytes);
        assert_eq!(values[place("payload.odd")].as_deref(), odd, "{members}");
        assert_eq!(values[place("header")].as_deref(), Some(JOSE.as_bytes()), "{members}");
    }
}

/// The profile of ms-users tells the version of a token.
#[test]
fn a_verdict_from_the_maps_sets_the_version_of_an_answer() {
    let setup = Setup::new(Shipped::EdgeDenying).agent_env("JWT_PROFILE", "ms-users").edit(with_claims);
    let edge = setup.start();
    let _held = edge.kept.hold(NAME);
    let bearer = format!("JWT {}", token(signing_key("ES256"), json!({"username": "ann", "st": 1})));
    let values = assert_same(&edge, "a token of ms-users", &bearer);
    assert_eq!(values[place("stateless")].as_deref(), Some(&b"1"[..]));
    assert_eq!(values[place("legacy")], None);
}
