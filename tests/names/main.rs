//! Token-servers behind a name, as a name server tells it.

use std::fs;
use std::net::Ipv4Addr;

use integration_tests::agent::{Agent, command};
use integration_tests::keys::{jwks, key};
use integration_tests::name_server::NameServer;
use integration_tests::port::free_port;
use integration_tests::socket::Address;
use integration_tests::stores::Redis;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use tempfile::TempDir;

#[test]
fn servers_of_a_name_whose_answer_changes_at_each_look_stay() {
    let addresses = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)];
    let (redis, port) = (Redis::start(&[]), free_port().unwrap());
    let folders = addresses.map(|_| TempDir::with_prefix("token-server-").unwrap());
    let _servers: Vec<_> = addresses
        .iter()
        .zip(&folders)
        .map(|(address, folder)| {
            let settings = [
                ("TOKEN_SERVER__LISTEN", format!("{address}:{port}")),
                ("TOKEN_SERVER__REDIS__MODE", "standalone".to_owned()),
                ("TOKEN_SERVER__REDIS__URLS", redis.url().to_owned()),
            ];
            let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
            TokenServer::start_with(folder.path(), "standard", &settings)
        })
        .collect();
    let names = NameServer::start(addresses.to_vec());
    let folder = folders[0].path();
    let keys = folder.join("keys.json");
    fs::write(&keys, jwks([key("ES256")])).unwrap();
    let environment = [
        ("JWT_JWKS_FILE", keys.display().to_string()),
        ("JWT_TOKEN_SERVER_BACKEND", format!("http://servers.test:{port}")),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let listen = Address::Unix(folder.join("agent.sock"));
    let agent = Agent::start_as("agent", names.command(&command(), folder), listen, &environment);
    let sets_of_servers = || {
        let lines = agent.process.lines();
        lines.iter().filter(|line| line.contains(r#""message":"token-servers""#)).count()
    };
    // The log tells of them after the metric does.
    eventually("both are found, one at each look", || {
        (agent.metric("token_servers_up") == 2 && sets_of_servers() == 2).then_some(())
    });
    let (before, told) = (sets_of_servers(), names.told());
    eventually("it has looked four times more", || (names.told() >= told + 4).then_some(()));
    assert_eq!((sets_of_servers(), agent.metric("token_servers_up")), (before, 2), "{}", agent.process.log());
    assert!(agent.is_ready());
}
