//! The driver of a [`SimProcess`]: operations wait, and are performed in an order that the seed
//! chooses.

use std::rc::Rc;

use super::blocking::perform;
use super::{Io, Wait};
use crate::op::{Done, Op};
use crate::simulated::SimProcess;
use crate::stats::Counters;

pub(crate) struct Simulated {
    process: SimProcess,
    waiting: Vec<(u64, Op)>,
    counters: Rc<Counters>,
}

impl Simulated {
    pub(crate) fn new(process: SimProcess, counters: Rc<Counters>) -> Simulated {
        Simulated {
            process,
            waiting: Vec::new(),
            counters,
        }
    }
}

impl Io for Simulated {
    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>> {
        self.waiting.push((token, op));
        Ok(())
    }

    fn run(&mut self, op: Op) -> Done {
        perform(op, &self.counters)
    }

    /// Performs one operation; where there is none, time passes.
    fn poll(&mut self, out: &mut Vec<Done>, wait: Wait) {
        if !self.waiting.is_empty() {
            let chosen = self.process.choose(self.waiting.len());
            let (token, op) = self.waiting.swap_remove(chosen);
            let done = perform(op, &self.counters);
            out.push(Done { token, ..done });
            return;
        }
        match wait {
            Wait::No => {}
            Wait::Until(deadline) => self.process.disk.advance_to(deadline),
            Wait::Forever => panic!("simulation: waiting for what never comes"),
        }
    }

    fn cancel(&mut self, _token: u64) {}

    fn in_flight(&self) -> usize {
        self.waiting.len()
    }
}
