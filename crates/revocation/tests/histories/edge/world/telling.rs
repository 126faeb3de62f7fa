//! What agents tell HAProxy, how much of it is carried out, and what they do with the answers.

use std::collections::VecDeque;

use jwt_agent::haproxy::edge::commands::{judge_changes, leases, misses_a_lease};

use super::super::AGENTS;
use super::super::haproxy::{Process, commands};
use super::{Connection, Renewal, World};

impl World {
    /// HAProxy is told more once it has answered.
    pub(super) fn tell(&mut self, agent: usize) {
        let look = self.agents[agent].look.take().unwrap_or(self.look(agent));
        let Some(connection) = self.agents[agent].connection else { return };
        if self.agents[agent].telling.is_some() {
            return;
        }
        let (changes, renewed) = self.agents[agent].tell(look);
        let (life, shift) = (self.agents[agent].life, self.shift_of(look.moment));
        for (name, until) in renewed {
            self.renewals.insert((name, until.as_millis()), Renewal { life, shift });
        }
        self.connections[connection].commands.extend(commands(&changes));
        self.take_answer(agent);
    }

    pub(super) fn carry_out(&mut self, connection: usize, most: usize) {
        let Connection { process, commands } = &mut self.connections[connection];
        let carried_out = most.min(commands.len());
        let process = &mut self.processes[*process];
        let answers: String =
            commands.drain(..carried_out).map(|command| process.carry_out(command)).collect();
        let agent = (0..AGENTS).find(|agent| self.agents[*agent].connection == Some(connection));
        if let Some(agent) = agent {
            if let Some(telling) = &mut self.agents[agent].telling {
                telling.answer.push_str(&answers);
            }
            self.take_answer(agent);
        }
    }

    /// Does what an agent does once HAProxy has answered all that it was told.
    fn take_answer(&mut self, agent: usize) {
        let agent = &mut self.agents[agent];
        let (Some(connection), Some(telling)) = (agent.connection, &mut agent.telling) else { return };
        let connection = &mut self.connections[connection];
        if !connection.commands.is_empty() {
            return;
        }
        judge_changes(&telling.answer).unwrap();
        if let Some(leases) = telling.leases.take() {
            telling.answer.clear();
            connection.commands.extend(commands(&leases));
            if !connection.commands.is_empty() {
                return;
            }
        }
        if misses_a_lease(&telling.answer) {
            agent.ledger.doubt();
        }
        agent.told = Some(telling.look.step);
        agent.telling = None;
    }

    pub(super) fn lose(&mut self, agent: usize, left: usize) {
        if let Some(connection) = self.agents[agent].connection {
            self.connections[connection].commands.truncate(left);
        }
        self.agents[agent].lose();
    }

    pub(super) fn connect(&mut self, agent: usize) {
        self.lose(agent, usize::MAX);
        let (process, now) = (self.processes.len() - 1, self.now());
        let found = leases(&self.processes[process].show_leases());
        self.agents[agent].connection = Some(self.connections.len());
        self.agents[agent].ledger.connect(found, now);
        self.connections.push(Connection { process, commands: VecDeque::new() });
    }

    pub(super) fn reload(&mut self) {
        self.processes.push(Process::start(self.deletes_first));
    }
}
