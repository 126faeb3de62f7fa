use super::*;

#[test]
fn an_identifier_is_kept_letter_for_letter_and_its_document_lies_between_host_and_path() {
    for (text, document, path) in [
        ("https://api.example.com", "https://api.example.com/.well-known/oauth-protected-resource", ""),
        ("https://api.example.com/", "https://api.example.com/.well-known/oauth-protected-resource", ""),
        (
            "https://api.example.com/mcp",
            "https://api.example.com/.well-known/oauth-protected-resource/mcp",
            "/mcp",
        ),
        (
            "https://api.example.com:8443/tenants/a",
            "https://api.example.com:8443/.well-known/oauth-protected-resource/tenants/a",
            "/tenants/a",
        ),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/.well-known/oauth-protected-resource", ""),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443/.well-known/oauth-protected-resource", ""),
        ("https://[::1]", "https://[::1]/.well-known/oauth-protected-resource", ""),
        (
            "https://h/A%20b;v=1@x",
            "https://h/.well-known/oauth-protected-resource/A%20b;v=1@x",
            "/A%20b;v=1@x",
        ),
    ] {
        let resource: Resource = text.parse().unwrap();
        assert_eq!(resource.as_str(), text);
        assert_eq!(resource.to_string(), text);
        assert_eq!(resource.metadata_url(), document, "{text}");
        assert_eq!(resource.metadata_path(), format!("{WELL_KNOWN}{path}"), "{text}");
        let url = format!("https://{}{WELL_KNOWN}{path}", resource.authority());
        assert_eq!(resource.metadata_url(), url, "{text}");
    }
}

#[test]
fn what_a_client_would_spell_in_another_way_is_a_fault() {
    use ResourceFault::*;
    let long = format!("https://h/{}", "a".repeat(MAX_RESOURCE_BYTES));
    for (text, fault) in [
        ("", Scheme),
        ("api.example.com", Scheme),
        ("http://api.example.com", Scheme),
        ("HTTPS://api.example.com", Scheme),
        ("https:/api.example.com", Scheme),
        (" https://api.example.com", Scheme),
        ("urn:example:api", Scheme),
        ("https://", Host),
        ("https:///mcp", Host),
        ("https://API.example.com", Host),
        ("https://api..example.com", Host),
        ("https://api.example.com.", Host),
        ("https://user@api.example.com", Host),
        ("https://user:secret@api.example.com", Host),
        ("https://b\u{fc}cher.example", Host),
        ("https://api%2eexample.com", Host),
        ("https://api.example.com\\mcp", Host),
        ("https://h\"", Host),
        ("https://h i", Host),
        ("https://[::1", Host),
        ("https://[0:0::1]", Host),
        ("https://[::G]", Host),
        ("https://127.1", Host),
        ("https://0x7f.0.0.0x1", Host),
        ("https://2130706433", Host),
        ("https://h:443/mcp", Port),
        ("https://h:", Port),
        ("https://h:0", Port),
        ("https://h:08443", Port),
        ("https://h:+80", Port),
        ("https://h:65536", Port),
        ("https://h/mcp?tenant=a", Suffix),
        ("https://h/mcp#a", Suffix),
        ("https://h?", Suffix),
        ("https://h/mcp/", TrailingSlash),
        ("https://h//", TrailingSlash),
        ("https://h//mcp", Path),
        ("https://h/a/../mcp", Path),
        ("https://h/./mcp", Path),
        ("https://h/mcp/..", Path),
        ("https://h/%2e%2e/mcp", Path),
        ("https://h/%6Dcp", Path),
        ("https://h/%2f", Path),
        ("https://h/%", Path),
        ("https://h/%2", Path),
        ("https://h/m\"cp", Path),
        ("https://h/m\\cp", Path),
        ("https://h/m cp", Path),
        ("https://h/m\r\nx: y", Path),
        ("https://h/m\u{e9}", Path),
        (&long, Length),
    ] {
        assert_eq!(text.parse::<Resource>(), Err(fault), "{text:?}");
    }
}

#[test]
fn the_document_is_sorted_and_says_nothing_that_was_not_configured() {
    let resource = "https://api.example.com:8443/mcp".parse().unwrap();
    let issuers = ["https://id.example.com", "joe", "https://a.example/", "https://id.example.com"];
    let document = ResourceMetadata::new(&resource, issuers.into_iter(), ["write", "read"].into_iter());
    assert_eq!(
        serde_json::to_string(&document).unwrap(),
        concat!(
            r#"{"authorization_servers":["https://a.example/","https://id.example.com"],"#,
            r#""bearer_methods_supported":["header"],"resource":"https://api.example.com:8443/mcp","#,
            r#""scopes_supported":["read","write"]}"#
        )
    );
    let issuers = ["http://id.example", "https://login.example/{tenantid}/v2.0", "https://id.example/?a"];
    let document = ResourceMetadata::new(&resource, issuers.into_iter(), std::iter::empty());
    assert_eq!(
        serde_json::to_string(&document).unwrap(),
        r#"{"bearer_methods_supported":["header"],"resource":"https://api.example.com:8443/mcp"}"#
    );
}
