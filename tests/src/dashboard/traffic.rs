//! What clients, operators and identity providers do in one round, in which each panel of the dashboard gets something to show.

use std::io::Write as _;

use serde_json::{Value, json};

use super::stage::{API, BEARER, ISSUER, Stage, signer};
use crate::agent::ask;
use crate::backend::WEBSOCKET_KEY;
use crate::edge::Edge;
use crate::http::{Client, Request};
use crate::key_server::Answer;
use crate::proof::Holder;
use crate::scan::noted;
use crate::token::{forge_signature, now, sign_raw, token};
use crate::transmitter::AUDIENCE;
use crate::wait::DEADLINE;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// How many streams of clients that do nothing are open at a time.
const OPEN: usize = 8;

/// What outlasts a round.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    round: u64,
    open: Vec<Client>,
    holder: Holder,
    /// Of users who come again and again.
    known: Vec<String>,
}

fn of(mut claims: Value) -> String {
    claims["iss"] = ISSUER.into();
    token(signer(), claims)
}

fn get(edge: &Edge, token: &str) {
    edge.send(&Request::get("/api").bearer(token));
}

impl Stage {
    /// One round.
    ///
    /// # Panics
    ///
    /// HAProxy or the token-server is gone.
    pub fn round(&mut self) {
        let round = self.traffic.round;
        self.traffic.round += 1;
        if self.traffic.known.is_empty() {
            self.traffic.known = (0..6).map(|user| of(json!({"sub": format!("user-{user}")}))).collect();
            self.server().revoke_on_trial("user-0");
        }
        self.users(round);
        self.bound_tokens();
        self.open_streams(round);
        self.opaque_tokens(round);
        self.proxies();
        self.identity_providers(round);
        self.stranger();
    }

    /// Good tokens that come often, and those that are refused.
    fn users(&self, round: u64) {
        for token in &self.traffic.known {
            (0..4).for_each(|_| get(&self.kept, token));
            get(&self.streams, token);
        }
        let once = of(json!({"sub": format!("visitor-{round}")}));
        get(&self.kept, &once);
        get(&self.kept, &forge_signature(&once));
        get(&self.kept, &of(json!({"sub": "late", "exp": now() - 60})));
        self.kept.send(&Request::get("/api"));
        // Of another issuer: the streams' HAProxy, which asks about each request.
        get(&self.streams, &token(signer(), json!({"iss": "https://other.example.com"})));
        let user = format!("leaver-{}", round % 4);
        let leaver = of(json!({"sub": user}));
        get(&self.kept, &leaver);
        self.server().revoke(&user, &json!({"iat": {"lte": now()}}));
        get(&self.kept, &leaver);
        get(&self.streams, &leaver);
        if round % 8 == 7 {
            (0..4).for_each(|user| self.server().restore(&format!("leaver-{user}")));
        }
    }

    fn bound_tokens(&self) {
        let holder = &self.traffic.holder;
        let bound = holder.token(json!({"iss": ISSUER}));
        let request = |path: &str| Request::get(path).header("Authorization", format!("DPoP {bound}"));
        let prove = || holder.prove(&holder.claims(&bound, "GET", &format!("{API}/api")));
        let proof = prove();
        // The second time it is a copy.
        (0..2).for_each(|_| _ = self.streams.send(&request("/api").header("DPoP", &proof)));
        self.streams.send(&request("/api"));
        self.verify(request("/verify").header("DPoP", prove()));
        self.verify(request("/verify"));
    }

    /// One stream ends by a rule, one by its client, and some stay.
    fn open_streams(&mut self, round: u64) {
        let user = format!("watcher-{round}");
        let _ends_by_a_rule = self.stream(&of(json!({"sub": user})));
        self.server().revoke(&user, &json!({"iat": {"lte": now()}}));
        let stays = self.stream(&of(json!({"sub": "reader"})));
        self.traffic.open.push(stays);
        if self.traffic.open.len() > OPEN {
            self.traffic.open.remove(0);
        }
    }

    fn stream(&self, token: &str) -> Client {
        let request = Request::get("/live")
            .bearer(token)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", WEBSOCKET_KEY);
        let mut client = self.streams.client();
        client.write(&request.to_bytes()).unwrap();
        let answered = client.response().unwrap();
        assert_eq!(answered.status, 101, "{answered}");
        client
    }

    fn opaque_tokens(&self, round: u64) {
        let good = noted(format!("an-opaque-token-of-round-{}", round / 4));
        let strange = noted(format!("a-text-of-no-meaning-{round}"));
        let answer = json!({"active": true, "token_type": "Bearer", "sub": "opal", "exp": now() + 600});
        for (token, answer) in [(good, answer), (strange, json!({"active": false}))] {
            self.authorization.set(Answer::Body(answer.to_string()));
            (0..3).for_each(|_| self.verify(Request::get("/verify").bearer(&token)));
            get(&self.kept, &token);
        }
    }

    fn proxies(&self) {
        self.traffic.known.iter().for_each(|token| self.verify(Request::get("/verify").bearer(token)));
        self.verify(Request::get("/verify").bearer(&forge_signature(&self.traffic.known[0])));
        self.verify(Request::get("/verify"));
    }

    /// Asks as nginx does.
    fn verify(&self, request: Request) {
        let asked = request.header("X-Original-Method", "GET").header("X-Original-URL", format!("{API}/api"));
        ask(&self.server().address, &asked);
    }

    /// One that takes an agent's port for something else.
    fn stranger(&self) {
        let mut stranger = self.streams.agents[0].listen.connect(DEADLINE).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }

    fn identity_providers(&self, round: u64) {
        let subject = json!({"format": "iss_sub", "iss": ISSUER, "sub": format!("guest-{round}")});
        let header = json!({"alg": signer().algorithm, "kid": signer().kid, "typ": "secevent+jwt"});
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "iat": now(), "jti": format!("push-{round}"),
            "sub_id": subject, "events": {SESSION_REVOKED: {}}});
        let event = sign_raw(signer(), &header.to_string(), &claims.to_string());
        for token in [&event, &forge_signature(&event)] {
            let head = Request::line("POST /ssf/pushed HTTP/1.1")
                .header("Authorization", BEARER)
                .header("Content-Type", "application/secevent+jwt")
                .header("Content-Length", token.len().to_string());
            let mut sender = Client::new(self.signals.connect(DEADLINE).unwrap());
            sender.write(&[&head.to_bytes(), token.as_bytes()].concat()).unwrap();
            sender.response().unwrap();
        }
        self.transmitter.send(json!({"sub_id": subject, "events": {SESSION_REVOKED: {}}}));
    }
}
