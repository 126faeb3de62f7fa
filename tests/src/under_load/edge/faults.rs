//! The faults where HAProxy keeps verdicts: how each is made, and how it is undone.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::agent::Agent;
use crate::haproxy::program;
use crate::process::Process;
use crate::site::{Mode, Plan, Site};
use crate::socket::{Address, Connection};
use crate::token::now;
use crate::under_load::agents::{self, HasAgents, Make, Step};
use crate::under_load::clock::Clock;
use crate::under_load::relay::Relay;
use crate::wait::{DEADLINE, eventually};

/// Everything, and what stands in the way of some of it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) site: Site,
    clock: Clock,
    relay: Option<Relay>,
}

/// One thing that goes wrong.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// Whether the token-server takes rules meanwhile.
    pub(super) rules_are_taken: bool,
    /// Why it cannot be made here.
    pub(super) obstacle: fn(&Run) -> Option<&'static str>,
    /// What has to be so before; everything works again after it.
    pub(super) prepare: fn(&mut Run),
    /// Makes it; what is returned ends it. Without that it is over when it is made.
    pub(super) make: Make<Run>,
    /// Takes back what was prepared.
    pub(super) tidy: fn(&mut Run),
}

/// Connections to stats sockets that HAProxy takes.
const STATS_CONNECTIONS: usize = 10;
/// In which a program says its version.
const SOON: Duration = Duration::from_secs(5);
/// Verdicts that a stranger writes.
const STRANGE: usize = 200;

impl Run {
    pub(super) fn start() -> Self {
        let global = format!("    stats maxconn {STATS_CONNECTIONS}");
        let site = Site::start(&Plan { agents: 2, global, ..Plan::default() });
        Self { site, clock: Clock::start(), relay: None }
    }

    fn restart_agents(&mut self, more: &[(String, String)]) {
        for index in 0..self.site.agents.len() {
            self.site.restart_agent(index, more);
        }
    }
}

impl HasAgents for Run {
    fn agents(&mut self) -> &mut [Agent] {
        &mut self.site.agents
    }

    fn start_again(&mut self, index: usize) {
        self.site.restart_agent(index, &[]);
    }

    fn wait_until_used(&mut self, index: usize) {
        self.site.agents[index].wait_ready();
    }
}

/// All of them, in the order in which they are tried.
pub(super) fn all() -> Vec<Fault> {
    let mut faults: Vec<_> = agents::faults().into_iter().map(|(name, make)| fault(name, make)).collect();
    faults.extend(servers());
    faults.extend(reloads());
    faults.extend(sockets());
    faults.extend(strangers());
    faults.extend(clocks());
    faults
}

fn fault(name: &'static str, make: impl Fn(&mut Run) -> Option<Step<Run>> + 'static) -> Fault {
    let nothing = |_: &mut Run| ();
    Fault {
        name,
        rules_are_taken: true,
        obstacle: |_| None,
        prepare: nothing,
        make: Box::new(make),
        tidy: nothing,
    }
}

/// A fault that stays until this is done.
fn end(step: impl FnOnce(&mut Run) + 'static) -> Option<Step<Run>> {
    Some(Box::new(step))
}

fn servers() -> Vec<Fault> {
    let gone = fault("the token-server is killed", |run| {
        run.site.token_server.as_mut().unwrap().process.kill();
        end(|run| run.site.restart_server())
    });
    let hung = fault("the token-server hangs", |run| {
        run.site.token_server.as_ref().unwrap().process.freeze();
        end(|run| run.site.token_server.as_ref().unwrap().process.thaw())
    });
    let cut = fault("only the feed is cut", |run| {
        run.relay.as_ref().unwrap().cut_feeds();
        end(|run| {
            run.relay.as_ref().unwrap().mend_feeds();
            // A poll that was sent before is waited for as long as any, and the next one is the first that can be answered.
            eventually("the agents hear their feed", || run.site.agents.iter().all(hears).then_some(()));
        })
    });
    vec![
        Fault { rules_are_taken: false, ..gone },
        Fault { rules_are_taken: false, ..hung },
        Fault {
            prepare: |run| {
                let server = run.site.token_server.as_ref().unwrap().address.to_string();
                let relay = Relay::start(&[server]);
                let backend = ("JWT_TOKEN_SERVER_BACKEND".to_owned(), relay.urls().join(","));
                run.relay = Some(relay);
                run.restart_agents(&[backend]);
            },
            tidy: |run| {
                run.restart_agents(&[]);
                run.relay = None;
            },
            ..cut
        },
    ]
}

/// Whether its token-server's feed tells it every change.
fn hears(agent: &Agent) -> bool {
    let metrics = String::from_utf8(agent.admin("/metrics").body).unwrap();
    metrics.lines().any(|line| line.starts_with("jwt_agent_feed_complete{") && line.ends_with(" 1"))
}

fn reloads() -> Vec<Fault> {
    let reload = |name| {
        fault(name, |run| {
            run.site.proxies[0].reload();
            None
        })
    };
    vec![
        reload("HAProxy is reloaded by -sf"),
        Fault {
            prepare: |run| run.site.proxies[0].restart(Mode::Master, &[]),
            tidy: |run| run.site.proxies[0].restart(Mode::Alone, &[]),
            ..reload("HAProxy is reloaded by SIGUSR2")
        },
        fault("HAProxy is killed", |run| {
            run.site.proxies[0].process.kill();
            end(|run| run.site.proxies[0].restart(Mode::Alone, &[]))
        }),
    ]
}

fn sockets() -> Vec<Fault> {
    vec![
        // Agents that start meanwhile find no socket; the next reload makes it anew.
        fault("the stats socket is removed", |run| {
            fs::remove_file(run.site.proxies[0].socket()).unwrap();
            run.restart_agents(&[]);
            end(|run| run.site.proxies[0].restart(Mode::Alone, &[]))
        }),
        fault("others have all stats connections", |run| {
            let taken: Vec<_> =
                (0..STATS_CONNECTIONS).map(|_| prompt(run.site.proxies[0].socket())).collect();
            run.restart_agents(&[]);
            end(move |_| drop(taken))
        }),
    ]
}

/// A connection that stays.
fn prompt(socket: &std::path::Path) -> Connection {
    let mut connection = Address::Unix(socket.to_owned()).connect(DEADLINE).unwrap();
    connection.write_all(b"prompt\n").unwrap();
    connection
}

fn strangers() -> Vec<Fault> {
    vec![
        fault("a stranger clears the verdicts", |run| {
            clear(run, "verdicts");
            None
        }),
        fault("a stranger clears the leases", |run| {
            clear(run, "leases");
            None
        }),
        fault("a stranger sets every lease to a day", |run| {
            let proxy = &run.site.proxies[0];
            let until = (now() + 86_400) * 1_000;
            for (name, _) in proxy.leases() {
                proxy.ask(&format!("set map {} {name} {until}", proxy.map_file("leases")));
            }
            None
        }),
        fault("a stranger writes what is no verdict", |run| {
            let proxy = &run.site.proxies[0];
            let keys: Vec<_> = proxy.verdicts().into_iter().map(|(key, _)| key).collect();
            for key in &keys {
                proxy.ask(&format!("set map {} {key} nonsense", proxy.map_file("verdicts")));
            }
            let lines: String =
                (0..STRANGE).map(|number| format!("{number:064X} {number}|x|body|y\n")).collect();
            proxy.ask(&format!("add map {} <<\n{lines}", proxy.map_file("verdicts")));
            None
        }),
    ]
}

fn clear(run: &Run, map: &str) {
    let proxy = &run.site.proxies[0];
    proxy.ask(&format!("clear map {}", proxy.map_file(map)));
}

/// The clock of the host, of HAProxy and both agents.
fn clocks() -> Vec<Fault> {
    let steps = |name, seconds| Fault {
        obstacle: |run| {
            let mut version = Command::new(program());
            version.arg("-v").envs(run.clock.environment());
            // Where they do not fit it turns in a circle.
            let ended = Process::start("haproxy -v", version).unwrap().wait(SOON);
            (!ended.is_some_and(|status| status.success())).then_some(
                "libfaketime, which is this system's, does not work with the libraries of this HAProxy",
            )
        },
        prepare: |run| {
            let clock = run.clock.environment();
            run.restart_agents(&clock);
            run.site.proxies[0].restart(Mode::Alone, &clock);
        },
        tidy: |run| {
            run.clock.set(0);
            run.restart_agents(&[]);
            run.site.proxies[0].restart(Mode::Alone, &[]);
        },
        ..fault(name, move |run| {
            run.clock.set(seconds);
            for agent in &run.site.agents {
                let has_noticed = || agent.process.log().contains("the time of day was set").then_some(());
                eventually("the agent notices it", has_noticed);
            }
            // The clock stays so.
            None
        })
    };
    vec![steps("the clock is set 60 s ahead", 60), steps("the clock is set 60 s back", -60)]
}
