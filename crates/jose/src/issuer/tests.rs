use super::*;

const ONE: &str = "11111111-2222-3333-4444-555555555555";
const TWO: &str = "99999999-8888-7777-6666-aaaaaaaaaaaa";

fn these(tenants: &[&str]) -> Tenants {
    Tenants::parse(&tenants.iter().map(|tenant| (*tenant).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn template(text: &str, tenants: &[&str]) -> IssuerName {
    IssuerName::with_tenants(text, &these(tenants)).unwrap()
}

#[test]
fn an_issuer_that_is_called_by_one_name_has_those_beside_it_of_the_same_tenant() {
    let text = |prefix: &str, tenant: &str| format!("https://{prefix}.example/{tenant}/v2.0");
    let names = [
        template("https://login.example/{tenantid}/v2.0", &[ONE, TWO]),
        template("https://sts.example/{tenantid}/v2.0", &[ONE]),
        IssuerName::from("https://own.example"),
    ];
    let own = || "https://own.example".to_owned();
    for (name, expected) in [
        (text("login", ONE), vec![text("login", ONE), text("sts", ONE), own()]),
        (text("login", TWO), vec![text("login", TWO), own()]),
        (text("sts", TWO), vec![]),
        (text("login", "{tenantid}"), vec![]),
        (text("login", "x"), vec![]),
        (own(), vec![own()]),
        ("https://own.example/".to_owned(), vec![]),
        (String::new(), vec![]),
    ] {
        assert_eq!(IssuerName::beside(&names, &name), expected, "{name}");
    }
    let plain = [IssuerName::from("a"), IssuerName::from("b")];
    assert_eq!(IssuerName::beside(&plain, "b"), ["a", "b"]);
}

#[test]
fn a_tenant_is_a_guid_and_every_one_stands_alone() {
    let upper = TWO.to_uppercase();
    for (list, expected) in [
        (vec![ONE], true),
        (vec![ONE, &upper], true),
        (vec!["*"], true),
        (vec![], false),
        (vec!["*", ONE], false),
        (vec!["**"], false),
        (vec![""], false),
        (vec!["contoso.onmicrosoft.com"], false),
        (vec!["11111111-2222-3333-4444-55555555555"], false),
        (vec!["11111111-2222-3333-4444-5555555555555"], false),
        (vec!["11111111-2222-3333-4444-55555555555g"], false),
        (vec!["111111112222333344445555555555555555"], false),
        (vec!["11111111-2222-3333-4444-555555555555-"], false),
        (vec!["../111-2222-3333-4444-555555555555"], false),
    ] {
        let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
        assert_eq!(Tenants::parse(&list).is_ok(), expected, "{list:?}");
    }
    assert_eq!(these(&[&upper]), these(&[TWO]));
}

#[test]
fn the_placeholder_is_a_whole_part_of_the_path() {
    for (text, expected) in [
        ("https://login.example/{tenantid}/v2.0", true),
        ("https://sts.example/{tenantid}/", true),
        ("https://login.example/a/{tenantid}", true),
        ("https://{tenantid}/v2.0", false),
        ("https://{tenantid}.example/v2.0", false),
        ("https://login.example/x{tenantid}/v2.0", false),
        ("https://login.example/{tenantid}x", false),
        ("https://login.example/{tenantid}/{tenantid}", false),
        ("https://login.example/{a}/{tenantid}", false),
        ("https://login.example/?x=/{tenantid}", false),
        ("https://login.example/#/{tenantid}", false),
        ("https:///{tenantid}", false),
        ("login.example/{tenantid}", false),
        ("{tenantid}", false),
    ] {
        assert_eq!(IssuerName::with_tenants(text, &Tenants::Every).is_ok(), expected, "{text}");
    }
    let plain = IssuerName::with_tenants("https://id.example/{x}", &Tenants::Every);
    assert_eq!(plain, Ok("https://id.example/{x}".into()), "no template");
}

#[test]
fn iss_is_the_template_with_the_tokens_own_tenant() {
    let upper = TWO.to_uppercase();
    let listed = template("https://login.example/{tenantid}/v2.0", &[ONE]);
    let every = template("https://login.example/{tenantid}/v2.0", &["*"]);
    let iss = |tenant: &str| format!("https://login.example/{tenant}/v2.0");
    for (iss, tid, by_list, by_every) in [
        (iss(ONE), format!("{ONE:?}"), true, true),
        (iss(TWO), format!("{TWO:?}"), false, true),
        (iss(ONE), format!("{TWO:?}"), false, false),
        (iss(TWO), format!("{ONE:?}"), false, false),
        (iss(&upper), format!("{upper:?}"), false, false),
        (iss(ONE), "null".into(), false, false),
        (iss(ONE), format!("[{ONE:?}]"), false, false),
        (iss("{tenantid}"), r#""{tenantid}""#.into(), false, false),
        (iss("*"), r#""*""#.into(), false, false),
        (iss(""), r#""""#.into(), false, false),
        (iss("7"), "7".into(), false, false),
        (iss("evil/../x"), r#""evil/../x""#.into(), false, false),
        (iss(&format!("{ONE}/v2.0/x/{ONE}")), format!("{ONE:?}"), false, false),
        (format!("{}/", iss(ONE)), format!("{ONE:?}"), false, false),
        (iss(ONE).to_uppercase(), format!("{ONE:?}"), false, false),
        (iss(ONE).replace("https", "http"), format!("{ONE:?}"), false, false),
        (iss(ONE).replace(".example", ".example.evil"), format!("{ONE:?}"), false, false),
    ] {
        let claims = Claims::parse(format!(r#"{{"tid":{tid}}}"#).as_bytes()).unwrap();
        assert_eq!(listed.accepts(&iss, &claims), by_list, "{iss} {tid}");
        assert_eq!(every.accepts(&iss, &claims), by_every, "{iss} {tid}");
    }
    assert!(!every.accepts(&iss(ONE), &Claims::parse(b"{}").unwrap()), "without tid");
}

#[test]
fn names_that_one_token_could_have_meet() {
    let v2 = "https://h.example/{tenantid}/v2.0";
    let of_one = format!("https://h.example/{ONE}/v2.0");
    for (one, other, expected) in [
        (IssuerName::from("a"), IssuerName::from("a"), true),
        (IssuerName::from("a"), IssuerName::from("b"), false),
        (template(v2, &["*"]), of_one.as_str().into(), true),
        (template(v2, &[ONE]), of_one.as_str().into(), true),
        (template(v2, &[TWO]), of_one.as_str().into(), false),
        (template(v2, &[ONE]), template(v2, &["*"]), true),
        (template(v2, &[ONE]), template(v2, &[TWO, ONE]), true),
        (template(v2, &[ONE]), template(v2, &[TWO]), false),
        (template(v2, &["*"]), template("https://h.example/{tenantid}/v1", &["*"]), false),
        (template(v2, &["*"]), template("https://i.example/{tenantid}/v2.0", &["*"]), false),
        (
            template(&format!("https://h.example/{{tenantid}}/x/{TWO}"), &["*"]),
            template(&format!("https://h.example/{ONE}/x/{{tenantid}}"), &["*"]),
            true,
        ),
        (
            template(&format!("https://h.example/{{tenantid}}/x/{TWO}"), &[TWO]),
            template(&format!("https://h.example/{ONE}/x/{{tenantid}}"), &["*"]),
            false,
        ),
    ] {
        assert_eq!((one.meets(&other), other.meets(&one)), (expected, expected), "{one} {other}");
    }
}
