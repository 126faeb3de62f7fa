//! Whom a check is given to, and what it costs when a connection stands still.

use std::net::SocketAddr;

use prometheus_client::registry::Registry;
use revocation::check::Check;
use service::background::{Background, TaskMetrics};
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::{TokenServerConfig, TokenServers};
use crate::token_server::TokenServer;

/// Above any delay of a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn the_server_with_the_least_work_is_chosen_and_one_that_is_left_out_only_as_the_last() {
    let up = |outstanding| Some((Rank::InService, outstanding));
    let out = |outstanding| Some((Rank::Doubtful, outstanding));
    let useless = |outstanding| Some((Rank::Useless, outstanding));
    let foreign = Some((Rank::Foreign, 0));
    for (loads, turn, expected) in [
        (&[][..], 5, None),
        (&[None, None], 5, None),
        (&[up(3), up(1), up(2)], 0, Some(1)),
        (&[up(0), up(0), up(0)], 4, Some(1)),
        (&[up(0), None, up(0)], 4, Some(2)),
        (&[out(0), up(9), out(0)], 0, Some(1)),
        (&[out(2), None, out(1)], 0, Some(2)),
        (&[useless(0), out(9), foreign], 0, Some(1)),
        (&[useless(0), foreign, None], 1, Some(0)),
        (&[foreign, None], 0, None),
    ] {
        assert_eq!(choose(loads.iter().copied(), turn), expected, "{loads:?}");
    }
}

/// An agent of one server.
async fn agent_of(server: SocketAddr, shutdown: &Shutdown) -> TokenServer {
    let config = TokenServerConfig {
        servers: TokenServers::Urls(vec![format!("http://{server}").parse().unwrap()]),
        token_file: None,
        ca_file: None,
        identity: None,
        budget: DEADLINE,
    };
    let metrics = Metrics::register(&mut Registry::default());
    let (agent, discovery) = TokenServer::new(&config, &crate::config::tests::trust(), "a", metrics).unwrap();
    let background = Background::new(shutdown.clone(), Readiness::new(), TaskMetrics::default());
    tokio::spawn(discovery.run(background));
    agent.servers().wait_for(|servers| !servers.is_empty()).await.unwrap();
    agent
}

async fn ask(agent: &TokenServer, patience: Duration) -> Result<Answer, Reject> {
    let deadline = std::time::Instant::now() + DEADLINE;
    let question = Question::new(&Check::Token("a.b.c.d.e".to_owned()), deadline).unwrap();
    let attempts = Attempts::new(&agent.choice, question).run(patience);
    timeout(DEADLINE, attempts).await.unwrap_or(Err(Reject::Timeout))
}

/// Reads a batch of one check.
async fn question(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"]}") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the connection ended");
    }
}

async fn answer(stream: &mut TcpStream) {
    let body = r#"{"store_id":"s","epoch":"e","revision":1,"results":[{"detail":"ok"}]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// The next connection, with a question on it.
async fn asked(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = timeout(DEADLINE, listener.accept()).await.expect("a connection").unwrap();
    question(&mut stream).await;
    stream
}

#[tokio::test]
async fn a_connection_that_stands_still_does_not_cost_a_check_that_another_would_answer() {
    for kept in [0, 1, 3] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = Shutdown::new();
        let agent = agent_of(listener.local_addr().unwrap(), &shutdown).await;
        let ask = |patience| {
            let agent = agent.clone();
            tokio::spawn(async move { ask(&agent, patience).await })
        };
        let (mut asking, mut connections) = (Vec::new(), Vec::new());
        for _ in 0..kept {
            // All that were opened before are being asked.
            asking.push(ask(DEADLINE));
            connections.push(asked(&listener).await);
        }
        for (asking, connection) in asking.into_iter().zip(&mut connections) {
            answer(connection).await;
            asking.await.unwrap().unwrap();
        }
        // From now on none of them is answered.
        let asking = ask(Duration::from_millis(50));
        if kept == 0 {
            connections.push(asked(&listener).await);
        }
        answer(&mut asked(&listener).await).await;
        let answer = asking.await.unwrap().unwrap();
        assert_eq!(answer.result.verdict(), Ok(()), "{kept}");
        shutdown.cancel();
    }
}
