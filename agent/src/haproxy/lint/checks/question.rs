//! Is the agent asked what it must know, and is it found when it is needed?

use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::finding::{Id, Place};
use crate::haproxy::lint::sections::{Line, Proxy};
use crate::haproxy::lint::spoe::Engine;

/// A time of HAProxy's in milliseconds; without a unit it is in milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "us" => Some(number / 1000),
        "" | "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => None,
    }
}

/// What a proxy has of a timeout, its `defaults` included: the last line counts.
fn timeout<'a>(proxy: &'a Proxy, kind: &str) -> Option<(u64, &'a Line)> {
    let line = proxy.lines.iter().rfind(|line| line.begins(&["timeout", kind]))?;
    Some((milliseconds(line.word(2))?, line))
}

impl Checked<'_> {
    pub(super) fn questions(&mut self, guarded: &[Guarded<'_>]) {
        for place in guarded {
            self.unsent(place);
            let first = place
                .engines
                .iter()
                .find(|engine| self.asks_first(place, engine))
                .map(|engine| engine.name.clone());
            for engine in &place.engines {
                self.arguments(engine);
                self.certificate(engine);
                self.failure(engine);
                let is_first = first.as_ref() == Some(&engine.name);
                let backend = engine.use_backend.as_deref().and_then(|name| self.config.proxy(name));
                self.engine_timeouts(engine, is_first, backend);
                if let Some(backend) = backend {
                    self.agents(backend);
                }
            }
        }
    }

    fn asks_first(&self, place: &Guarded<'_>, engine: &Engine) -> bool {
        engine.has_event
            || place
                .asked_by_rules()
                .any(|(rule, name)| name == engine.name && !rule.line.text().contains("spoe_error"))
    }

    fn unsent(&mut self, place: &Guarded<'_>) {
        if place.is_asked_by_event() || place.asked_by_rules().next().is_some() {
            return;
        }
        let event = place.engines.iter().find(|engine| engine.has_event);
        let what = match event {
            Some(_) => "The event of this engine is one of frontends: in a backend the agent is never asked.",
            None => "No rule asks the agent: its variables are never set.",
        };
        self.find(place.filter.place, Id::GroupUnsent, what, "http-request send-spoe-group jwt-group jwt");
    }

    fn arguments(&mut self, engine: &Engine) {
        const CURE: &str =
            "args  authorization=req.fhdr(authorization) auth_count=req.fhdr_cnt(authorization) ..";
        let named: Vec<(&Line, &str, &str)> = engine.arguments().collect();
        let has = |wanted: &str| named.iter().any(|(_, name, _)| *name == wanted);
        let mut found: Vec<(Place, &str)> = Vec::new();
        for (line, name, sample) in &named {
            let is_cut = sample.starts_with("req.hdr(") || sample.starts_with("hdr(");
            if *name == "authorization" && is_cut {
                found.push((line.place, "`hdr` cuts the header at commas: the agent judges another token than the application reads."));
            }
            if name.starts_with("mcp_") && is_cut {
                found.push((
                    line.place,
                    "`hdr` cuts the header at commas: the agent judges another call than the server reads.",
                ));
            }
            if *name == "authorization" && !has("auth_count") {
                found.push((line.place, "Of two Authorization headers the agent sees one, and the application may read the other."));
            }
            let is_last_or_first = ["cook(", "url_param(", "urlp("].iter().any(|part| sample.contains(part));
            if *name == "token" && is_last_or_first {
                found.push((line.place, "Of two cookies or parameters of one name HAProxy takes one, and the application may read the other."));
            }
        }
        for (place, what) in found {
            self.find(place, Id::Question, what, CURE);
        }
    }

    fn certificate(&mut self, engine: &Engine) {
        let Some(who) = &self.agent.certificates else { return };
        if engine.arguments().all(|(_, name, _)| name != "cert") {
            let what = format!(
                "Tokens must be bound to a certificate, by {who}, and the agent is not told which one the client showed: each is refused."
            );
            let cure =
                "spoe-message certificate  with  args cert=ssl_c_der,sha2(256)  named by the line `messages`";
            self.find(engine.place, Id::CertificateUnsent, what, cure);
        }
    }

    fn failure(&mut self, engine: &Engine) {
        if engine.set_on_error.is_none() {
            self.find(
                engine.place,
                Id::SetOnError,
                "Where the agent fails in the middle of an answer no variable tells so.",
                "option set-on-error spoe_error",
            );
        }
    }

    fn engine_timeouts(&mut self, engine: &Engine, is_first: bool, backend: Option<&Proxy>) {
        let Some(line) = engine.timeouts.get("processing") else {
            return self.find(
                engine.place,
                Id::Timeouts,
                "Without `timeout processing` a request waits for an agent that hangs until its client gives up.",
                "timeout processing 100ms",
            );
        };
        let Some(processing) = milliseconds(line.word(2)) else { return };
        let place = line.place;
        let own = self.agent.timeout_ms;
        if is_first && processing <= own {
            self.find(
                place,
                Id::Timeouts,
                format!("HAProxy gives up after {processing} ms and the agent after {own} ms: slow answers come too late, and are 503."),
                format!("timeout processing {}ms  (or a lower JWT_TIMEOUT_MS)", own.saturating_add(20)),
            );
        }
        if let Some(hello) = engine.timeouts.get("hello")
            && milliseconds(hello.word(2)).is_some_and(|hello| hello > processing)
        {
            self.find(
                hello.place,
                Id::Timeouts,
                "A new connection may take longer than a request waits: after an agent's restart requests get 503.",
                format!("timeout hello {}", line.word(2)),
            );
        }
        let Some(backend) = backend else { return };
        for (kind, is_wrong, what) in [
            (
                "server",
                (|time, processing| time <= processing) as fn(u64, u64) -> bool,
                "The connection to the agent ends before a request has waited its time: answers are lost.",
            ),
            (
                "connect",
                |time, processing| time >= processing,
                "An agent that does not answer holds a request for longer than it waits, and the other one is not tried.",
            ),
        ] {
            if let Some((time, line)) = timeout(backend, kind)
                && is_first
                && is_wrong(time, processing)
            {
                // What `defaults` say is right for applications.
                let is_own = line.place.file != backend.head.file || line.place.line > backend.head.line;
                let at = if is_own { line.place } else { backend.head };
                let cure = if kind == "server" { "timeout server 1m" } else { "timeout connect 50ms" };
                self.find(at, Id::Timeouts, what, format!("{cure}  in backend {}", backend.name));
            }
        }
    }

    fn agents(&mut self, backend: &Proxy) {
        let is_checked = backend.with(&["option", "spop-check"]).next().is_some();
        let by_default =
            backend.with(&["default-server"]).any(|line| line.words.iter().any(|word| word == "check"));
        let servers: Vec<&Line> = backend.with(&["server"]).collect();
        let unchecked =
            servers.iter().find(|line| !by_default && !line.words.iter().any(|word| word == "check"));
        if !is_checked || unchecked.is_some() {
            let at =
                if is_checked { unchecked.map_or(backend.head, |line| line.place) } else { backend.head };
            self.find(
                at,
                Id::SpopCheck,
                "An agent that is down, or has no keys, is asked all the same: each request waits for the timeout, and gets 503.",
                "option spop-check  and  default-server check inter 500ms fastinter 100ms fall 2 rise 1",
            );
        }
        let chroot = self
            .config
            .global
            .iter()
            .rfind(|line| line.word(0) == "chroot")
            .map(|line| line.word(1).to_owned());
        let Some(chroot) = chroot else { return };
        let chroot = chroot.trim_end_matches('/');
        for line in servers {
            let Some(path) = line
                .word(2)
                .strip_prefix("unix@")
                .or_else(|| Some(line.word(2)).filter(|word| word.starts_with('/')))
            else {
                continue;
            };
            let inside = format!("{chroot}{path}");
            let is_twice = path.starts_with(&format!("{chroot}/"));
            let listens = &self.agent.listens;
            let is_elsewhere = !listens.is_empty() && !listens.contains(&inside);
            if is_twice || is_elsewhere {
                let cure = if is_twice {
                    let bare = path.strip_prefix(chroot).unwrap_or(path);
                    format!("server {} unix@{bare}", line.word(1))
                } else {
                    format!("JWT_AGENT_LISTEN=unix@{inside}")
                };
                self.find(
                    line.place,
                    Id::ChrootSocket,
                    format!("HAProxy opens it from inside its chroot, as {inside}, where no agent listens: every answer is 503."),
                    cure,
                );
            }
        }
    }
}
