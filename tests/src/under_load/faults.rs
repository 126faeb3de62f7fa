//! The faults: how each is made, and how it is undone.

use std::fs;
use std::rc::Rc;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::agents::{self, Step, end};
use super::clock::Clock;
use super::link::{Direction, Link};
use super::peers::Peers;
use super::relay::Relay;
use super::stage::Stage;
use crate::agent;
use crate::key_server::Answer;
use crate::keys::{ALGORITHMS, SigningKey, jwks, key};
use crate::load::cost;
use crate::socket::Address;
use crate::wait::eventually;

/// What becomes of a fault.
pub struct Undo {
    /// Ends it; from here on the recovery is counted.
    pub(super) end: Step<Stage>,
    /// Puts the stage back as it was, when it has recovered.
    pub(super) tidy: Step<Stage>,
}

/// One thing that goes wrong.
pub struct Fault {
    pub name: &'static str,
    /// Whether Redis takes rules meanwhile.
    pub redis_takes_rules: bool,
    /// Whether the keys of good tokens are not published meanwhile, so that the tokens are bad.
    pub takes_keys: bool,
    pub make: Box<dyn Fn(&mut Stage) -> Undo>,
}

/// Enough of them to need more memory than a limited agent has.
const HUNGRY: usize = 4_000;

/// How often a feed did not answer.
const UNHEARD: &str = r#"feed_polls_total{outcome="timeout"}"#;

/// More connections than an agent takes, which is 8,192.
const BEYOND: usize = 8_500;

/// All of them, in the order in which they are tried.
pub fn all() -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(of_agents());
    faults.extend(servers());
    faults.extend(stores());
    faults.extend(keys());
    faults.extend(networks_and_clocks());
    faults.extend(limits_and_peers());
    faults
}

fn fault(name: &'static str, make: impl Fn(&mut Stage) -> Undo + 'static) -> Fault {
    Fault { name, redis_takes_rules: true, takes_keys: false, make: Box::new(make) }
}

fn undo(end: impl FnOnce(&mut Stage) + 'static) -> Undo {
    Undo { end: Box::new(end), tidy: Box::new(|_| ()) }
}

fn of_agents() -> impl Iterator<Item = Fault> {
    agents::faults().into_iter().map(|(name, make)| {
        fault(name, move |stage| Undo {
            end: make(stage).unwrap_or_else(|| Box::new(|_| ())),
            tidy: Box::new(|_| ()),
        })
    })
}

fn servers() -> Vec<Fault> {
    let killed = |count| {
        move |stage: &mut Stage| {
            stage.servers.iter_mut().take(count).for_each(|server| server.process.kill());
            undo(move |stage| (0..count).for_each(|index| stage.restart_server(index)))
        }
    };
    let hanging = |count| {
        move |stage: &mut Stage| {
            stage.servers.iter().take(count).for_each(|server| server.process.freeze());
            undo(|stage| stage.servers.iter().for_each(|server| server.process.thaw()))
        }
    };
    vec![
        fault("a token-server is killed", killed(1)),
        fault("both token-servers are killed", killed(2)),
        fault("a token-server hangs", hanging(1)),
        fault("both token-servers hang", hanging(2)),
        fault("the token-servers are restarted in turn", |stage| {
            for index in 0..stage.servers.len() {
                end(&mut stage.servers[index].process);
                stage.restart_server(index);
            }
            undo(|_| ())
        }),
    ]
}

fn stores() -> Vec<Fault> {
    let without_rules = |fault| Fault { redis_takes_rules: false, ..fault };
    vec![
        without_rules(fault("Redis is killed", |stage| {
            stage.redis.kill();
            undo(|stage| stage.redis.start_again())
        })),
        without_rules(fault("Redis hangs", |stage| {
            stage.redis.freeze();
            undo(|stage| stage.redis.thaw())
        })),
        fault("Consul is killed", |stage| {
            stage.consul.kill();
            undo(|stage| stage.consul.start_again())
        }),
        fault("Consul hangs", |stage| {
            stage.consul.freeze();
            undo(|stage| stage.consul.thaw())
        }),
    ]
}

fn keys() -> Vec<Fault> {
    let right = || jwks(ALGORITHMS.map(key));
    let whole = right();
    let others = ALGORITHMS.map(|algorithm| SigningKey::generate(algorithm, algorithm));
    let answers = [
        ("the key server closes", Answer::Close),
        ("the key server hangs", Answer::Hang),
        ("the key server fails", Answer::Status(500)),
        ("the keys are cut short", Answer::Body(whole[..whole.len() / 2].to_owned())),
        ("the keys come a byte at a time", Answer::Drip(whole.clone())),
        ("the key server answers something else", Answer::Body("<html>maintenance</html>".to_owned())),
        ("the key server has no keys", Answer::Body(r#"{"keys":[]}"#.to_owned())),
    ];
    let make = |answer: Answer| {
        move |stage: &mut Stage| {
            stage.key_server.set(answer.clone());
            undo(move |stage| stage.key_server.set(Answer::Body(right())))
        }
    };
    let mut faults: Vec<_> = answers.into_iter().map(|(name, answer)| fault(name, make(answer))).collect();
    let replaced = fault("the keys are another issuer's", make(Answer::Body(jwks(&others))));
    faults.push(Fault { takes_keys: true, ..replaced });
    faults
}

fn networks_and_clocks() -> Vec<Fault> {
    vec![
        fault("packets from the agents are lost", |stage| cut(stage, Direction::Out)),
        fault("packets to the agents are lost", |stage| cut(stage, Direction::In)),
        fault("the agents' clocks jump two hours ahead", |stage| jump(stage, 7_200)),
        fault("the agents' clocks jump two hours back", |stage| jump(stage, -7_200)),
        fault("the servers' clocks jump two hours ahead", |stage| jump_of_servers(stage, 7_200)),
        fault("the servers' clocks jump two hours back", |stage| jump_of_servers(stage, -7_200)),
        fault("only the feeds are cut", cut_feeds),
    ]
}

/// The agents go behind a cable, with a token-server of their own on this side; then the cable is cut.
fn cut(stage: &mut Stage, direction: Direction) -> Undo {
    let link = Rc::new(Link::start());
    let server = stage.another_server(&format!("{}:0", link.here()));
    let key_file = stage.folder().join("keys");
    fs::write(&key_file, jwks(ALGORITHMS.map(key))).unwrap();
    let own = [
        ("JWT_TOKEN_SERVER_BACKEND".to_owned(), server.url()),
        ("JWT_JWKS_FILE".to_owned(), key_file.display().to_string()),
    ];
    // The key server is on the loopback of this side.
    let shared = stage.agent_environment().iter().filter(|(name, _)| name != "JWT_JWKS_URL").cloned();
    let environment: Vec<_> = shared.chain(own).collect();
    for index in 0..stage.edge.agents.len() {
        stage.replace_agent(index, link.command(&agent::command()), &environment);
    }
    link.cut(direction);
    let cable = Rc::clone(&link);
    Undo {
        end: Box::new(move |_| cable.mend(direction)),
        tidy: Box::new(move |stage| {
            (0..stage.edge.agents.len()).for_each(|index| stage.restart_agent(index));
            stage.wait_agents_up();
            drop((server, link));
        }),
    }
}

/// The wall clock of the agents, to which their token-servers' answers no longer fit.
fn jump(stage: &mut Stage, seconds: i64) -> Undo {
    let clock = Clock::start();
    let environment: Vec<_> = stage.agent_environment().iter().cloned().chain(clock.environment()).collect();
    for index in 0..stage.edge.agents.len() {
        stage.replace_agent(index, agent::command(), &environment);
    }
    clock.set(seconds);
    let clock = Rc::new(clock);
    let right = Rc::clone(&clock);
    Undo {
        end: Box::new(move |_| right.set(0)),
        tidy: Box::new(move |stage| {
            (0..stage.edge.agents.len()).for_each(|index| stage.restart_agent(index));
            stage.wait_agents_up();
            drop(clock);
        }),
    }
}

/// The wall clock of the token-servers, by which rules end and encrypted tokens are validated.
fn jump_of_servers(stage: &mut Stage, seconds: i64) -> Undo {
    let clock = Rc::new(Clock::start());
    for index in 0..stage.servers.len() {
        stage.replace_server(index, &clock.environment());
    }
    clock.set(seconds);
    let right = Rc::clone(&clock);
    Undo {
        end: Box::new(move |_| right.set(0)),
        tidy: Box::new(move |stage| {
            (0..stage.servers.len()).for_each(|index| stage.restart_server(index));
            drop(clock);
        }),
    }
}

/// The agents hear no changes any more while checks go on to be answered: what they keep may not outlive its lease.
fn cut_feeds(stage: &mut Stage) -> Undo {
    let relay = Rc::new(Relay::start(&stage.server_addresses()));
    let backend = ("JWT_TOKEN_SERVER_BACKEND".to_owned(), relay.urls().join(","));
    let environment: Vec<_> = stage.agent_environment().iter().cloned().chain([backend]).collect();
    for index in 0..stage.edge.agents.len() {
        stage.replace_agent(index, agent::command(), &environment);
    }
    relay.cut_feeds();
    let whole = Rc::clone(&relay);
    Undo {
        end: Box::new(move |stage| {
            for agent in &stage.edge.agents {
                let unheard = || (agent.metric(UNHEARD) > 0).then_some(());
                eventually("the agent misses its feeds", unheard);
            }
            whole.mend_feeds();
        }),
        tidy: Box::new(move |stage| {
            (0..stage.edge.agents.len()).for_each(|index| stage.restart_agent(index));
            stage.wait_agents_up();
            drop(relay);
        }),
    }
}

fn limits_and_peers() -> Vec<Fault> {
    let peers = |name, start: fn(&Address) -> Peers| {
        fault(name, move |stage| {
            let peers: Vec<_> = stage.edge.agents.iter().map(|agent| start(&agent.listen)).collect();
            undo(move |_| drop(peers))
        })
    };
    vec![
        fault("the agents have no descriptors left", |stage| {
            let at_their_limit =
                |process: u32| limit(process, Resource::Nofile, cost::descriptors(process).unwrap());
            let lifts: Vec<_> =
                stage.edge.agents.iter().map(|agent| at_their_limit(agent.process.id())).collect();
            let peers: Vec<_> =
                stage.edge.agents.iter().map(|agent| Peers::silent(&agent.listen, 100)).collect();
            undo(move |_| {
                lifts.into_iter().for_each(|lift| lift());
                drop(peers);
            })
        }),
        fault("the agents get no more memory", |stage| {
            let at_their_limit =
                |process: u32| limit(process, Resource::As, cost::address_space(process).unwrap());
            let lifts: Vec<_> =
                stage.edge.agents.iter().map(|agent| at_their_limit(agent.process.id())).collect();
            let peers: Vec<_> =
                stage.edge.agents.iter().map(|agent| Peers::silent(&agent.listen, HUNGRY)).collect();
            undo(move |stage| {
                drop(peers);
                for (index, lift) in lifts.into_iter().enumerate() {
                    // It may have died of it, as Rust programs do.
                    match stage.edge.agents[index].process.exited() {
                        Some(_) => stage.restart_agent(index),
                        None => lift(),
                    }
                }
            })
        }),
        peers("10,000 connections say nothing", |agent| Peers::silent(agent, 5_000)),
        fault("an agent has all connections it takes", |stage| {
            let peers = Peers::silent(&stage.edge.agents[0].listen, BEYOND);
            undo(move |_| drop(peers))
        }),
        peers("peers send a byte at a time", Peers::slow),
        peers("frames have absurd lengths", Peers::absurd),
    ]
}

/// Gives a process no more of something; what is returned gives it back.
fn limit(process: u32, resource: Resource, most: u64) -> impl FnOnce() + 'static {
    let process = Pid::from_raw(i32::try_from(process).unwrap());
    let maximum = getrlimit(resource).maximum;
    let before = prlimit(process, resource, Rlimit { current: Some(most), maximum }).unwrap();
    move || {
        prlimit(process, resource, before).unwrap();
    }
}
