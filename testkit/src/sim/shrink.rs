//! The smallest scenario that still fails: parts are left out as long as something goes wrong.

use super::scenario::{End, Scenario, Wrong};
use super::{Failure, run};

/// Scenarios tried at most.
const TRIES_MAX: u32 = 1500;

/// Makes a failing scenario small. Any failure counts, so that what is left may fail otherwise than at first.
pub fn shrink(scenario: &Scenario, failure: Failure) -> (Scenario, Failure) {
    let mut best = (scenario.clone(), failure);
    // What comes after the failure does not matter.
    best.0.lives.truncate(best.1.life + 1);
    let mut tries = 0;
    loop {
        let before = best.0.clone();
        for candidate in candidates(&best.0) {
            tries += 1;
            if tries > TRIES_MAX {
                return best;
            }
            if candidate == best.0 || size(&candidate) > size(&best.0) {
                continue;
            }
            if let Err(failure) = run(&candidate) {
                best = (candidate, failure);
                break;
            }
        }
        if best.0 == before {
            return best;
        }
    }
}

fn size(scenario: &Scenario) -> usize {
    let actions = |life: &super::scenario::Life| -> usize {
        let all: usize = life.processes.iter().flatten().map(|a| 1 + a.len()).sum();
        let after = match life.end {
            End::Close => 0,
            End::Kill(n) | End::Cut(n) => 1 + n as usize,
        };
        let faults = usize::from(life.faults != Wrong::default()) * 10;
        50 + 20 * all + after + faults + 10 * usize::from(life.kill.is_some())
    };
    scenario.lives.iter().map(actions).sum()
}

/// Scenarios with something left out, the bold ones first.
fn candidates(from: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Scenario)| {
        let mut candidate = from.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for l in 0..from.lives.len() {
        push(&|s| {
            s.lives.remove(l);
        });
    }
    for (l, life) in from.lives.iter().enumerate() {
        push(&|s| s.lives[l].faults = Wrong::default());
        push(&|s| s.lives[l].kill = None);
        for p in 0..life.processes.len() {
            push(&|s| {
                s.lives[l].processes.remove(p);
            });
            for c in 0..life.processes[p].len() {
                push(&|s| {
                    s.lives[l].processes[p].remove(c);
                });
            }
        }
        if let End::Cut(n) | End::Kill(n) = life.end {
            for less in [n / 2, n * 3 / 4, n.saturating_sub(1)] {
                push(&|s| {
                    s.lives[l].end = match s.lives[l].end {
                        End::Cut(_) => End::Cut(less.max(1)),
                        _ => End::Kill(less.max(1)),
                    }
                });
            }
        }
    }
    for (l, life) in from.lives.iter().enumerate() {
        for (p, process) in life.processes.iter().enumerate() {
            for (c, actions) in process.iter().enumerate() {
                for part in [actions.len() / 2, actions.len() / 4, 4, 2, 1] {
                    if part == 0 || part > actions.len() {
                        continue;
                    }
                    for at in (0..=actions.len() - part).step_by(part) {
                        push(&|s| {
                            s.lives[l].processes[p][c].drain(at..at + part);
                        });
                    }
                }
            }
        }
    }
    all
}
