use service::secret::Secret;

use super::*;

fn variable(name: &'static str, value: &str) -> Option<Variable> {
    Some(Variable { name, value: Secret::new(value) })
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn a_url_goes_through_the_proxy_of_its_scheme_unless_it_is_excepted_or_this_machine() {
    let environment = ProxyVariables {
        https: variable("HTTPS_PROXY", "http://user:hunter2@secure:1"),
        http: variable("HTTP_PROXY", "clear:2"),
        all: None,
        except: variable(
            "NO_PROXY",
            "Internal.example, .dotted.example,*.starred.example,ported.example:8443 10.0.0.0/8,192.0.2.7,2001:db8::/32",
        ),
    };
    let proxies = Proxies::of(&Fetch::default(), &environment).unwrap();
    for (asked, expected) in [
        ("https://id.example/", Some("http://secure:1 of HTTPS_PROXY")),
        ("http://id.example/", Some("http://clear:2 of HTTP_PROXY")),
        ("https://internal.example/", None),
        ("https://a.INTERNAL.example/", None),
        ("https://notinternal.example/", Some("http://secure:1 of HTTPS_PROXY")),
        ("https://dotted.example/", None),
        ("https://a.dotted.example/", None),
        ("https://a.starred.example/", None),
        ("https://ported.example:8443/", None),
        ("https://ported.example/", Some("http://secure:1 of HTTPS_PROXY")),
        ("https://10.255.0.1/", None),
        ("https://11.0.0.1/", Some("http://secure:1 of HTTPS_PROXY")),
        ("https://192.0.2.7/", None),
        ("https://192.0.2.8/", Some("http://secure:1 of HTTPS_PROXY")),
        ("https://[2001:db8:1::5]/", None),
        ("https://[2001:db9::5]/", Some("http://secure:1 of HTTPS_PROXY")),
        ("http://localhost:8080/", None),
        ("https://127.0.0.1/", None),
        ("https://[::1]/", None),
    ] {
        let through = proxies.for_url(&url(asked)).map(ToString::to_string);
        assert_eq!(through.as_deref(), expected, "{asked}");
    }
    assert!(!format!("{proxies:?}").contains("hunter2"), "{proxies:?}");
}

#[test]
fn one_variable_serves_for_both_and_a_star_for_everything() {
    let all = ProxyVariables { all: variable("ALL_PROXY", "http://all:1"), ..ProxyVariables::default() };
    let proxies = Proxies::of(&Fetch::default(), &all).unwrap();
    for asked in ["https://a.example/", "http://a.example/"] {
        assert!(proxies.for_url(&url(asked)).is_some(), "{asked}");
    }
    let none = ProxyVariables { except: variable("no_proxy", "*"), ..all };
    assert!(Proxies::of(&Fetch::default(), &none).unwrap().for_url(&url("https://a.example/")).is_none());
}

#[test]
fn what_an_issuer_says_of_proxies_counts_before_the_environment() {
    let environment = ProxyVariables {
        https: variable("HTTPS_PROXY", "http://environment:1"),
        except: variable("NO_PROXY", "*"),
        ..ProxyVariables::default()
    };
    let says = |proxy| Proxies::of(&Fetch { proxy, ..Fetch::default() }, &environment).unwrap();
    assert!(says(ProxyChoice::Never).is_empty());
    let through = says(ProxyChoice::Through(Secret::new("http://own:2")));
    for asked in ["https://a.example/", "http://127.0.0.1/"] {
        let proxy = through.for_url(&url(asked)).unwrap();
        assert_eq!(proxy.to_string(), "http://own:2 of fetch_proxy", "{asked}");
    }
}

#[test]
fn what_is_no_proxy_is_a_fault_that_does_not_show_it() {
    let with = |https: &str, except: &str| ProxyVariables {
        https: variable("HTTPS_PROXY", https),
        except: variable("NO_PROXY", except),
        ..ProxyVariables::default()
    };
    for (environment, expected) in [
        (with("socks5://hunter2:1", ""), "HTTPS_PROXY: expected http://"),
        (with("http://", ""), "HTTPS_PROXY: expected http://"),
        (with("http://hunter2:port", ""), "HTTPS_PROXY: expected http://"),
        (with("http://p:1", "a.example,10.0.0.0/99"), "NO_PROXY: entry 2 is neither"),
        (with("http://p:1", "10.*"), "NO_PROXY: entry 1 is neither"),
        (with("http://p:1", "https://hunter2"), "NO_PROXY: entry 1 is neither"),
    ] {
        let fault = Proxies::of(&Fetch::default(), &environment).unwrap_err().to_string();
        assert!(fault.starts_with(expected) && !fault.contains("hunter2"), "{expected}: {fault}");
    }
    let unused = ProxyVariables { except: variable("NO_PROXY", "10.*"), ..ProxyVariables::default() };
    assert!(Proxies::of(&Fetch::default(), &unused).unwrap().is_empty());
}
