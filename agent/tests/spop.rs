//! Our seam to SPOP against the `spop` crate on its own: what either writes, the other reads as the same.

#[cfg(test)]
#[path = "corpus/properties/rewritten.rs"]
mod rewritten;

#[cfg(test)]
mod tests {
    use jwt_agent::request::{Request, Text};
    use jwt_agent::spoa::frame::{
        Frame, Ids, MAX_FRAME_SIZE, Notify, decode, encode_ack, encode_actions, encode_disconnect,
        encode_hello,
    };
    use proptest::prelude::*;
    use spop::frame::Message;
    use spop::frames::haproxy_disconnect::{HaproxyDisconnect, HaproxyDisconnectFrame};
    use spop::frames::haproxy_hello::HaproxyHelloFrame;
    use spop::frames::{Ack, FrameCapabilities, HaproxyHello};
    use spop::types::typed_data;
    use spop::{
        Action, FrameFlags, Metadata, SUPPORTED_VERSION, SpopFrame, StatusCode, TypedData, VarScope,
        decode_varint,
    };

    use crate::rewritten::notify;

    /// An action as data that can be compared.
    type Plain = (Option<TypedData>, u8, String);

    fn value() -> impl Strategy<Value = TypedData> {
        prop_oneof![
            Just(TypedData::Null),
            any::<bool>().prop_map(TypedData::Bool),
            any::<i32>().prop_map(TypedData::Int32),
            any::<u32>().prop_map(TypedData::UInt32),
            any::<i64>().prop_map(TypedData::Int64),
            any::<u64>().prop_map(TypedData::UInt64),
            any::<[u8; 4]>().prop_map(|octets| TypedData::IPv4(octets.into())),
            any::<[u8; 16]>().prop_map(|octets| TypedData::IPv6(octets.into())),
            ".{0,300}".prop_map(TypedData::String),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(TypedData::Binary),
        ]
    }

    fn argument() -> impl Strategy<Value = (String, TypedData)> {
        let ours = prop::sample::select(vec![
            "authorization",
            "auth_count",
            "token",
            "token_count",
            "cookie",
            "cookies",
            "cookies_count",
            "parameter",
            "query",
            "ws_protocol",
            "ws_protocol_count",
            "policy",
            "request_id",
        ]);
        (prop_oneof![3 => ours.prop_map(str::to_owned), 1 => "[a-z_]{0,20}"], value())
    }

    fn message() -> impl Strategy<Value = Message> {
        let name = prop_oneof![3 => Just("verify-jwt".to_owned()), 1 => "[a-z-]{0,20}"];
        let args = prop::collection::vec(argument(), 0..6);
        (name, args).prop_map(|(name, args)| Message { name, args: args.into_iter().collect() })
    }

    /// Ids around the steps at which a varint grows, and any.
    fn id() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..300, 2_200_u64..2_400, 264_000_u64..265_000, any::<u64>()]
    }

    fn action() -> impl Strategy<Value = Plain> {
        (prop::option::of(value()), 0_u8..5, "[A-Za-z0-9_.]{0,300}")
    }

    fn to_crate((value, scope, name): Plain) -> Action {
        let scope = [
            VarScope::Process,
            VarScope::Session,
            VarScope::Transaction,
            VarScope::Request,
            VarScope::Response,
        ][usize::from(scope)];
        match value {
            Some(value) => Action::SetVar { scope, name, value },
            None => Action::UnSetVar { scope, name },
        }
    }

    /// Type, ids and payload of the only frame in these bytes.
    fn open(bytes: &[u8]) -> (u8, u64, u64, &[u8]) {
        let len = u32::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(bytes.len() - 4, usize::try_from(len).unwrap());
        assert_eq!(bytes[5..9], [0, 0, 0, 1], "FIN alone");
        let (rest, stream_id) = decode_varint(&bytes[9..]).unwrap();
        let (payload, frame_id) = decode_varint(rest).unwrap();
        (bytes[4], stream_id, frame_id, payload)
    }

    fn text<'a>(input: &'a [u8]) -> (&'a [u8], String) {
        let (rest, len) = decode_varint(input).unwrap();
        let (text, rest): (&'a [u8], _) = rest.split_at(usize::try_from(len).unwrap());
        (rest, String::from_utf8(text.to_vec()).unwrap())
    }

    fn actions(mut payload: &[u8]) -> Vec<Plain> {
        let mut found = Vec::new();
        while let [kind, arguments, scope, rest @ ..] = payload {
            let (rest, name) = text(rest);
            let (rest, value) = match (kind, arguments) {
                (1, 3) => typed_data(rest).map(|(rest, value)| (rest, Some(value))).unwrap(),
                (2, 2) => (rest, None),
                other => panic!("{other:?}"),
            };
            found.push((value, *scope, name));
            payload = rest;
        }
        assert!(payload.is_empty());
        found
    }

    fn items(mut payload: &[u8]) -> Vec<(String, TypedData)> {
        let mut found = Vec::new();
        while !payload.is_empty() {
            let (rest, name) = text(payload);
            let (rest, value) = typed_data(rest).unwrap();
            found.push((name, value));
            payload = rest;
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }

    fn one(bytes: &[u8]) -> Frame<Request<'_>> {
        let (frame, used) = decode(bytes, MAX_FRAME_SIZE).unwrap().unwrap();
        assert_eq!(used, bytes.len());
        frame
    }

    /// What the crate knows of; HAProxy's others are left out when it reads.
    const CAPABILITIES: [FrameCapabilities; 1] = [FrameCapabilities::Pipelining];

    proptest! {
        // A case that fails is kept as a test of its own, not in a file beside.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_notify_of_the_crates_values_is_read_as_those(
            (stream_id, frame_id) in (id(), id()), messages in prop::collection::vec(message(), 0..4),
        ) {
            let bytes = notify(stream_id, frame_id, &messages);
            let Frame::Notify(read) = one(&bytes) else { panic!("another frame") };
            prop_assert_eq!(read.ids, Ids { stream: stream_id, frame: frame_id });

            let (rest, theirs) = spop::parser::parse_frame(&bytes).unwrap();
            prop_assert!(rest.is_empty());
            let spop::FramePayload::ListOfMessages(theirs) = theirs.payload() else { panic!("another payload") };
            let again = notify(stream_id, frame_id, theirs);
            let Frame::Notify(again) = one(&again) else { panic!("another frame") };
            prop_assert_eq!(&again.request, &read.request);
            let mut ours = messages.iter().filter(|message| message.name == "verify-jwt");
            let asked = ours.next();
            prop_assert_eq!(read.request.asks_twice, ours.next().is_some());
            let mut tokens = asked.iter().flat_map(|asked| &asked.args).filter(|(name, _)| name == "token");
            if let (Some((_, TypedData::String(token))), None) = (tokens.next(), tokens.next()) {
                let expected = if token.is_empty() { Text::Empty } else { Text::Given(token.as_str().into()) };
                prop_assert!(read.request.token == expected);
            }
        }

        #[test]
        fn a_hello_of_the_crate_is_read_as_it_was_meant_and_answered_in_its_words(
            max_frame_size in 256_u32.., capabilities in prop::sample::subsequence(CAPABILITIES.to_vec(), 0..=1),
            healthcheck in prop::option::of(any::<bool>()), engine_id in prop::option::of("[a-f0-9-]{0,36}"),
        ) {
            let flags = FrameFlags::new(true, false);
            let payload = HaproxyHello {
                supported_versions: vec![SUPPORTED_VERSION.clone()],
                max_frame_size,
                capabilities: capabilities.clone(),
                healthcheck,
                engine_id: engine_id.clone(),
            };
            let metadata = Metadata { flags, stream_id: 0, frame_id: 0 };
            let bytes = HaproxyHelloFrame { metadata, payload }.serialize().unwrap();
            let Frame::Hello(read) = one(&bytes) else { panic!("another frame") };
            prop_assert_eq!(&read.capabilities, &capabilities);
            prop_assert_eq!((read.max_frame_size, read.healthcheck), (max_frame_size, healthcheck));
            prop_assert_eq!(&read.engine_id, &engine_id);

            let mut answer = Vec::new();
            encode_hello(&read, max_frame_size, &mut answer);
            let (kind, 0, 0, payload) = open(&answer) else { panic!("ids") };
            let pipelining = capabilities.contains(&FrameCapabilities::Pipelining);
            prop_assert_eq!(kind, 101);
            prop_assert_eq!(items(payload), [
                ("capabilities".to_owned(), TypedData::String(if pipelining { "pipelining" } else { "" }.to_owned())),
                ("max-frame-size".to_owned(), TypedData::UInt32(max_frame_size)),
                ("version".to_owned(), TypedData::String("2.0".to_owned())),
            ]);
        }

        #[test]
        fn a_disconnect_is_read_and_written_as_the_crate_does(status in 0_u32..13, words in ".{0,100}") {
            let metadata = Metadata { flags: FrameFlags::new(true, false), stream_id: 0, frame_id: 0 };
            let payload = HaproxyDisconnect { status_code: status, message: words.clone() };
            let bytes = HaproxyDisconnectFrame { metadata, payload }.serialize().unwrap();
            let Frame::Disconnect { status: read, message } = one(&bytes) else { panic!("another frame") };
            prop_assert_eq!((read, &message), (status, &words));

            let mut answer = Vec::new();
            encode_disconnect(StatusCode::from_u32(status), &words, &mut answer);
            let (kind, 0, 0, payload) = open(&answer) else { panic!("ids") };
            prop_assert_eq!(kind, 102);
            prop_assert_eq!(items(payload), [
                ("message".to_owned(), TypedData::String(words)),
                ("status-code".to_owned(), TypedData::UInt32(StatusCode::from_u32(status).to_u32())),
            ]);
        }

        #[test]
        fn an_ack_is_the_crates_byte_for_byte_and_reads_back_as_it_was_meant(
            (stream_id, frame_id) in (id(), id()), plain in prop::collection::vec(action(), 0..6),
        ) {
            let meant = || plain.iter().cloned().map(to_crate).collect::<Vec<_>>();
            let mut ours = Vec::new();
            let ids = Ids { stream: stream_id, frame: frame_id };
            prop_assert!(encode_ack(ids, &[&encode_actions(meant())], u32::MAX, &mut ours));
            let theirs = Ack { stream_id, frame_id, actions: meant() }.serialize().unwrap();
            prop_assert_eq!(&ours, &theirs);
            let (kind, stream, number, payload) = open(&ours);
            prop_assert_eq!((kind, stream, number), (103, stream_id, frame_id));
            prop_assert_eq!(actions(payload), plain);
        }

        #[test]
        fn ids_come_back_from_a_notify_in_its_ack(stream_id in id(), frame_id in id()) {
            let bytes = notify(stream_id, frame_id, &[]);
            let Frame::Notify(Notify { ids, .. }) = one(&bytes) else { panic!("another frame") };
            let mut ack = Vec::new();
            prop_assert!(encode_ack(ids, &[], MAX_FRAME_SIZE, &mut ack));
            let (_, stream, number, _) = open(&ack);
            prop_assert_eq!((stream, number), (stream_id, frame_id));
        }
    }
}
