use super::*;

/// As `printf %s test | sha256sum` prints it.
const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn header(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn asked(headers: &[&str], parameters: &[(&str, &str)], known: Option<&Clients>) -> Result<Asked, Fault> {
    let proven = Proven::by_header(headers.iter().map(|header| header.as_bytes()), known)?;
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Asked::read(parameters.collect(), proven, known)
}

fn who(headers: &[&str], parameters: &[(&str, &str)], known: Option<&Clients>) -> Result<Client, Fault> {
    let asked = asked(headers, parameters, known)?;
    assert_eq!(asked.token, "T");
    Ok(asked.client)
}

fn clients() -> Clients {
    Clients::parse(format!("shop:{TEST}\na+b%:{TEST}").as_bytes()).unwrap()
}

#[test]
fn a_client_proves_itself_by_its_secret_in_the_header_or_in_the_body() {
    let clients = clients();
    let shop = || Ok(Client::Known("shop".into()));
    let basic = header("shop:test");
    for (headers, parameters, expected) in [
        (vec![basic.as_str()], vec![("token", "T")], shop()),
        (
            vec![&basic],
            vec![("token", "T"), ("client_id", "shop"), ("token_type_hint", "whatever"), ("x", "y")],
            shop(),
        ),
        (vec![], vec![("client_id", "shop"), ("client_secret", "test"), ("token", "T")], shop()),
        // RFC 6749 section 2.3.1: form-urlencoded first.
        (vec![&header("sh%6Fp:%74est")], vec![("token", "T")], shop()),
        (vec![&header("a%2Bb%25:test")], vec![("token", "T")], Ok(Client::Known("a+b%".into()))),
        // As those clients send it that encode nothing.
        (vec![&header("a+b%:test")], vec![("token", "T")], Ok(Client::Known("a+b%".into()))),
        (vec![&basic.replace("Basic", "bAsIc")], vec![("token", "T")], shop()),
        (vec![&basic], vec![("token", "T"), ("client_secret", "")], shop()),
    ] {
        assert_eq!(who(&headers, &parameters, Some(&clients)), expected, "{headers:?} {parameters:?}");
    }
}

#[test]
fn a_client_that_does_not_prove_itself_is_refused_and_told_how_it_tried() {
    let clients = clients();
    let token = ("token", "T");
    for (headers, parameters, tried) in [
        (vec![], vec![token], false),
        (vec![], vec![token, ("client_id", "shop")], false),
        (vec![], vec![token, ("client_id", "shop"), ("client_secret", "wrong")], false),
        (vec![], vec![token, ("client_id", "other"), ("client_secret", "test")], false),
        (vec![], vec![token, ("client_assertion", "x"), ("client_assertion_type", "y")], false),
        (vec![header("shop:wrong")], vec![token], true),
        (vec![header("other:test")], vec![token], true),
        (vec![header("shop")], vec![token], true),
        (vec![header(":test")], vec![token], true),
        (vec![header("shop:te%st")], vec![token], true),
        (vec![header("shop:test%7")], vec![token], true),
        // A plus is a blank.
        (vec![header("a+b%25:test")], vec![token], true),
        (vec!["Basic shop:test".to_owned()], vec![token], true),
        (vec!["Basic".to_owned()], vec![token], true),
        (vec!["Bearer dGVzdA==".to_owned()], vec![token], true),
        (vec![String::new()], vec![token], true),
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let refused = who(&headers, &parameters, Some(&clients));
        let is_client = matches!(refused, Err(Fault::Client { basic, .. }) if basic == tried);
        assert!(is_client, "{headers:?} {parameters:?}: {refused:?}");
    }
}

#[test]
fn what_is_asked_twice_or_in_two_ways_is_no_request() {
    let (clients, basic, token) = (clients(), header("shop:test"), ("token", "T"));
    for (headers, parameters) in [
        (vec![], vec![]),
        (vec![], vec![("token", "")]),
        (vec![], vec![("Token", "T")]),
        (vec![], vec![token, token]),
        (vec![], vec![token, ("token", "U")]),
        (vec![], vec![token, ("token_type_hint", ""), ("token_type_hint", "")]),
        (vec![], vec![token, ("x", "1"), ("x", "1")]),
        (vec![], vec![token, ("client_secret", "test")]),
        (vec![basic.as_str()], vec![token, ("client_id", "other")]),
        (vec![&basic], vec![token, ("client_id", "shop"), ("client_secret", "test")]),
        (vec![&basic, &basic], vec![token]),
    ] {
        let known = (!headers.is_empty()).then_some(&clients);
        let refused = asked(&headers, &parameters, known).map(|asked| asked.token);
        assert!(matches!(refused, Err(Fault::Request(_))), "{headers:?} {parameters:?}: {refused:?}");
    }
}

#[test]
fn without_known_clients_the_token_is_the_proof_and_no_secret_is_believed() {
    let token = ("token", "T");
    assert_eq!(who(&[], &[token], None), Ok(Client::Bearer(None)));
    assert_eq!(who(&[], &[token, ("client_id", "shop")], None), Ok(Client::Bearer(Some("shop".to_owned()))));
    for (headers, parameters) in [
        (vec![header("shop:test")], vec![token]),
        (vec![], vec![token, ("client_id", "shop"), ("client_secret", "test")]),
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        assert!(matches!(who(&headers, &parameters, None), Err(Fault::Client { .. })), "{parameters:?}");
    }
}

#[test]
fn a_token_is_of_the_client_that_it_was_issued_to() {
    for (client, issued_to, expected) in [
        (Client::Known("shop".into()), Some("shop"), true),
        (Client::Known("shop".into()), Some("other"), false),
        (Client::Known("shop".into()), None, false),
        (Client::Bearer(Some("shop".to_owned())), Some("shop"), true),
        (Client::Bearer(Some("shop".to_owned())), Some("other"), false),
        (Client::Bearer(Some("shop".to_owned())), None, false),
        (Client::Bearer(None), Some("shop"), true),
        (Client::Bearer(None), None, true),
    ] {
        assert_eq!(client.owns(issued_to), expected, "{client:?} {issued_to:?}");
    }
}
