//! The faults of two agents, alike for all that has some: how each is made, and how it is undone.

use std::ops::Range;

use crate::agent::Agent;
use crate::process::{Process, Signal};
use crate::wait::DEADLINE;

/// What has agents that fail.
pub(super) trait HasAgents {
    fn agents(&mut self) -> &mut [Agent];

    /// Starts one in the place of the one that is gone.
    fn start_again(&mut self, index: usize);

    /// Waits until one that was started is as good as it was.
    fn wait_until_used(&mut self, index: usize);
}

/// Something that is done once.
pub(super) type Step<P> = Box<dyn FnOnce(&mut P)>;

/// Makes a fault; what is returned ends it. Without that it is over when it is made.
pub(super) type Make<P> = Box<dyn Fn(&mut P) -> Option<Step<P>>>;

/// All of them, in the order in which they are tried.
pub(super) fn faults<P: HasAgents + 'static>() -> [(&'static str, Make<P>); 7] {
    // HAProxy keeps to the connections that it has: only one of the two agents may be in use.
    [
        ("the first agent is killed", killed(0..1)),
        ("the second agent is killed", killed(1..2)),
        ("both agents are killed", killed(0..2)),
        ("the first agent hangs", hanging(0..1)),
        ("the second agent hangs", hanging(1..2)),
        ("both agents hang", hanging(0..2)),
        ("the agents are restarted in turn", Box::new(restarted)),
    ]
}

fn killed<P: HasAgents>(which: Range<usize>) -> Make<P> {
    Box::new(move |place| {
        place.agents()[which.clone()].iter_mut().for_each(|agent| agent.process.kill());
        let which = which.clone();
        Some(Box::new(move |place| which.for_each(|index| place.start_again(index))))
    })
}

fn hanging<P: HasAgents>(which: Range<usize>) -> Make<P> {
    Box::new(move |place| {
        place.agents()[which.clone()].iter().for_each(|agent| agent.process.freeze());
        Some(Box::new(|place| place.agents().iter().for_each(|agent| agent.process.thaw())))
    })
}

/// As an operator does it: the next when the one before is in use again.
fn restarted<P: HasAgents>(place: &mut P) -> Option<Step<P>> {
    for index in 0..place.agents().len() {
        end(&mut place.agents()[index].process);
        place.start_again(index);
        place.wait_until_used(index);
    }
    None
}

/// Asks a process to end, and waits until it has.
pub(super) fn end(process: &mut Process) {
    process.signal(Signal::TERM);
    let ended = process.wait(DEADLINE);
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}:\n{}", process.log());
}
