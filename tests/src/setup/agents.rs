//! The agents of an edge: where they listen, and how they start.

use std::path::Path;

use super::Setup;
use crate::agent::{self, Agent};
use crate::scripted_agent::{Script, ScriptedAgent};
use crate::socket::Address;

/// What answers HAProxy's questions.
#[derive(Debug)]
pub(super) enum Agents {
    Real(usize),
    Scripted(Script),
    Absent,
}

impl Setup {
    pub(super) fn agent_addresses(&self, folder: &Path) -> Vec<Address> {
        let count = match self.agents {
            Agents::Real(count) => count,
            Agents::Scripted(_) | Agents::Absent => 1,
        };
        let unix = |number| Address::Unix(folder.join(format!("agent{number}.sock")));
        (1..=count)
            .map(|number| if self.tcp { Address::free_port().unwrap() } else { unix(number) })
            .collect()
    }

    pub(super) fn start_agents(&self, addresses: &[Address]) -> (Vec<Agent>, Option<ScriptedAgent>) {
        match &self.agents {
            Agents::Absent => (Vec::new(), None),
            Agents::Scripted(script) => {
                (Vec::new(), Some(ScriptedAgent::start(&addresses[0], script.clone())))
            }
            Agents::Real(_) => {
                let start = |(index, address): (usize, &Address)| {
                    let mut command = agent::command();
                    if self.agents_read_haproxy_cfg {
                        command.arg("--haproxy-cfg").arg(self.shipped.path());
                    }
                    let name = format!("agent{}", index + 1);
                    Agent::start_as(&name, command, address.clone(), &self.agent_environment)
                };
                let agents: Vec<Agent> = addresses.iter().enumerate().map(start).collect();
                if self.keys.is_some() {
                    agents.iter().for_each(Agent::wait_ready);
                }
                (agents, None)
            }
        }
    }
}
