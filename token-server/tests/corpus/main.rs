//! The committed inputs of the fuzz targets for what a token-server reads, each with its property.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod properties;
#[cfg(test)]
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

#[cfg(test)]
mod committed {
    use jose::Reject;

    use crate::properties;
    use crate::replay::replay;

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn every_committed_setting_keeps_the_property() {
        replay(HERE, "server_settings", properties::settings::server_settings);
    }

    #[test]
    fn every_committed_question_of_a_proxy_keeps_the_property() {
        replay(HERE, "forwarded", properties::forwarded::forwarded);
    }

    #[test]
    fn every_committed_message_of_a_provider_keeps_the_property() {
        replay(HERE, "security_event", properties::security_event::security_event);
    }

    #[test]
    fn the_corpus_holds_messages_of_every_kind() {
        for (input, expected) in [
            (&include_bytes!("../../../fuzz/corpus/security_event/caep_00")[..], &["revokes", "revokes"][..]),
            (include_bytes!("../../../fuzz/corpus/security_event/caep_03"), &["inexact", "inexact"]),
            (include_bytes!("../../../fuzz/corpus/security_event/caep_04"), &["tries", "tries"]),
            (include_bytes!("../../../fuzz/corpus/security_event/caep_07"), &["nothing", "nothing"]),
            (include_bytes!("../../../fuzz/corpus/security_event/logout"), &["revokes"]),
            (include_bytes!("../../../fuzz/corpus/security_event/draft"), &["revokes"]),
            (include_bytes!("../../../fuzz/corpus/security_event/two_events"), &[]),
            (include_bytes!("../../../fuzz/corpus/security_event/foreign"), &["inexact", "inexact"]),
        ] {
            let told = properties::security_event::explained(input);
            let does: Vec<_> = told.iter().map(|told| told["does"].as_str().unwrap()).collect();
            assert_eq!(does, expected, "{told:?}");
        }
    }

    #[test]
    fn the_corpus_holds_questions_of_every_kind() {
        for (input, expected) in [
            (&include_bytes!("../../../fuzz/corpus/forwarded/header")[..], Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/traefik_query"), Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/nginx_query"), Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/nginx_origin"), Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/nginx_host_hides"), Err(Reject::Ambiguous)),
            (include_bytes!("../../../fuzz/corpus/forwarded/encoded_name"), Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/name_of_php"), Err(Reject::Ambiguous)),
            (include_bytes!("../../../fuzz/corpus/forwarded/semicolon"), Err(Reject::Ambiguous)),
            (include_bytes!("../../../fuzz/corpus/forwarded/fragment"), Err(Reject::Malformed)),
            (include_bytes!("../../../fuzz/corpus/forwarded/envoy_query"), Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/cookie"), Ok(Some("a.b.c"))),
            (include_bytes!("../../../fuzz/corpus/forwarded/preflight"), Ok(None)),
            (include_bytes!("../../../fuzz/corpus/forwarded/missing"), Ok(None)),
            (include_bytes!("../../../fuzz/corpus/forwarded/two_tokens"), Err(Reject::Ambiguous)),
            (include_bytes!("../../../fuzz/corpus/forwarded/told_twice"), Err(Reject::Ambiguous)),
            (include_bytes!("../../../fuzz/corpus/forwarded/another_proxys_words"), Err(Reject::Missing)),
        ] {
            let found = properties::forwarded::token(input).unwrap();
            assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().map(|token| *token));
        }
    }
}
