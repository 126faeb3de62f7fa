//! What Kubernetes adds to the environment of a pod by itself.
//!
//! A Service named `jwt-agent` gives every pod of its namespace `JWT_AGENT_SERVICE_HOST`, `JWT_AGENT_PORT_12345_TCP` and
//! so on ("Discovering services" in the Kubernetes documentation). They are no settings and must not pass for
//! misspelt ones. Only a name of one of these forms with a value of its form is taken for one, so that a setting that
//! does not exist (`JWT_AGENT_PORT=12345`) is still refused.

use std::net::IpAddr;

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Whether Kubernetes wrote this variable to tell where some Service is.
pub fn is_service_link(name: &str, value: &str) -> bool {
    // A Service's name can hold the words of a form itself (`port`), so a form may begin at any `_`.
    name.match_indices('_').filter_map(|(at, _)| name.get(at..)).any(|form| {
        form.strip_prefix("_SERVICE_").is_some_and(|tail| is_service_form(tail, value))
            || form.strip_prefix("_PORT").is_some_and(|tail| is_port_form(tail, value))
    })
}

/// `HOST`, `PORT`, `PORT_<name of a port>`.
fn is_service_form(tail: &str, value: &str) -> bool {
    match tail {
        "HOST" => is_address(value),
        "PORT" => is_port(value),
        _ => tail.strip_prefix("PORT_").is_some_and(|name| !name.is_empty()) && is_port(value),
    }
}

/// Nothing, or `_<port>_<PROTOCOL>`, alone or with `_PROTO`, `_PORT` or `_ADDR`.
fn is_port_form(tail: &str, value: &str) -> bool {
    if tail.is_empty() {
        return is_url(value);
    }
    let parts: Vec<&str> = tail.split('_').collect();
    let ["", port, protocol, rest @ ..] = parts.as_slice() else {
        return false;
    };
    if !is_port(port) || !PROTOCOLS.iter().any(|known| known.to_uppercase() == *protocol) {
        return false;
    }
    match rest {
        [] => is_url(value),
        ["PROTO"] => PROTOCOLS.contains(&value),
        ["PORT"] => is_port(value),
        ["ADDR"] => is_address(value),
        _ => false,
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// `tcp://10.0.0.1:4000`.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(protocol, place)| {
        PROTOCOLS.contains(&protocol) && place.rsplit_once(':').is_some_and(|(_, port)| is_port(port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_a_service_is_known() {
        for (name, value) in [
            ("JWT_AGENT_SERVICE_HOST", "10.0.0.1"),
            ("JWT_AGENT_SERVICE_HOST", "fd00::1"),
            ("JWT_AGENT_SERVICE_PORT", "12345"),
            ("JWT_AGENT_SERVICE_PORT_SPOP", "12345"),
            ("JWT_AGENT_PORT", "tcp://10.0.0.1:12345"),
            ("JWT_AGENT_PORT", "tcp://[fd00::1]:12345"),
            ("JWT_AGENT_PORT_12345_TCP", "tcp://10.0.0.1:12345"),
            ("JWT_AGENT_PORT_12345_TCP_PROTO", "tcp"),
            ("JWT_AGENT_PORT_12345_TCP_PORT", "12345"),
            ("JWT_AGENT_PORT_12345_TCP_ADDR", "10.0.0.1"),
            ("JWT_PORT_SERVICE_SERVICE_HOST", "10.0.0.1"),
            ("JWT_PORT_PORT_53_UDP_ADDR", "10.0.0.1"),
        ] {
            assert!(is_service_link(name, value), "{name}={value}");
        }
    }

    #[test]
    fn what_an_operator_may_have_made_up_is_no_variable_of_a_service() {
        for (name, value) in [
            ("JWT_AGENT_PORT", "12345"),
            ("JWT_AGENT_PORT", ""),
            ("JWT_AGENT_PORT", "https://10.0.0.1:12345"),
            ("JWT_AGENT_PORTS", "tcp://10.0.0.1:12345"),
            ("JWT_AGENT_PORT_TCP", "tcp://10.0.0.1:12345"),
            ("JWT_AGENT_PORT_12345_TCP_HOST", "10.0.0.1"),
            ("JWT_AGENT_SERVICE_HOST", "agent.example"),
            ("JWT_AGENT_SERVICE_PORT", "http"),
            ("JWT_AGENT_SERVICE_PORT_", "1"),
            ("JWT_AGENT_SERVICE_NAME", "a"),
            ("JWT_AGENT_LISTEN", "127.0.0.1:1"),
            ("JWT_TOKEN_SERVER_BACKEND", "tcp://10.0.0.1:4000"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }
}
