//! The committed inputs of the fuzz targets for what an agent reads, each with its property.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod properties;
#[cfg(test)]
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

#[cfg(test)]
mod committed {
    use crate::properties;
    use crate::replay::replay;

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn every_committed_frame_keeps_the_property() {
        replay(HERE, "spop_frame", properties::frame::spop_frame);
    }

    #[test]
    fn every_committed_connection_keeps_the_property() {
        replay(HERE, "spop_connection", properties::connection::spop_connection);
    }

    #[test]
    fn every_committed_setting_keeps_the_property() {
        replay(HERE, "agent_settings", properties::settings::agent_settings);
    }

    #[test]
    fn a_good_token_is_admitted_in_the_corpus_and_nothing_else_is() {
        for (input, expected) in [
            (&include_bytes!("../../../fuzz/corpus/spop_connection/good")[..], 2),
            (include_bytes!("../../../fuzz/corpus/spop_connection/mixed"), 2),
            (include_bytes!("../../../fuzz/corpus/spop_connection/many"), 0),
            (include_bytes!("../../../fuzz/corpus/spop_connection/notify_first"), 0),
            (include_bytes!("../../../fuzz/corpus/spop_connection/two_headers"), 0),
            (include_bytes!("../../../fuzz/corpus/spop_connection/two_cookies"), 0),
            (include_bytes!("../../../fuzz/corpus/spop_connection/less_than_none"), 0),
            (include_bytes!("../../../fuzz/corpus/spop_connection/two_questions"), 0),
            (include_bytes!("../../../fuzz/corpus/spop_connection/an_argument_twice"), 0),
        ] {
            assert_eq!(properties::connection::admitted(input), expected);
        }
    }
}
