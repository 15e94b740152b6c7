//! Which page goes when room is needed: S3-FIFO, and beside it CLOCK and LRU for comparison.
//!
//! ```text
//!  S3-FIFO         new pages                            hit while in small, or still remembered as a ghost
//!                     │                                                 │
//!                     ▼                                                 ▼
//!            ┌─ small (10 %) ─► evicted, remembered ─► ghost    ┌─ main (90 %) ◄─┐
//!            │  first in, first out                             │  hit since the │
//!            └──────────── hit twice or more ──────────────────►│  last round ───┘ else evicted
//! ```
//!
//! | policy  | on a hit                                 | on an eviction |
//! |---------|------------------------------------------|----------------|
//! | S3-FIFO | one relaxed load; a store up to 3 times  | oldest of small or main, as drawn |
//! | CLOCK   | the same                                 | oldest without a hit since the hand passed |
//! | LRU     | the lock of the class, and a list move   | least recently used; exact, and therefore not for production |
//!
//! Rules:
//! 1. A policy knows frames by their number in their class; the lists are arrays of links indexed by it, so that
//!    removing a frame that goes for other reasons costs nothing to speak of.
//! 2. A frame that cannot be claimed because it is pinned keeps its place in principle and is passed over.
//! 3. [`Policy::evict`] looks at every frame a bounded number of times; `None` means that all are pinned.
//!
//! Source: Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use hashbrown::HashMap;
use std::collections::VecDeque;

/// A policy by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PolicyKind {
    /// Resists scans and loops; nothing but a saturating counter on a hit.
    #[default]
    S3Fifo,
    /// Second chance.
    Clock,
    /// Exact least recently used, for comparison: each hit takes a lock.
    Lru,
}

impl PolicyKind {
    /// A policy without frames.
    pub fn build(self) -> Box<dyn Policy> {
        match self {
            PolicyKind::S3Fifo => Box::new(S3Fifo::default()),
            PolicyKind::Clock => Box::new(Clock::default()),
            PolicyKind::Lru => Box::new(Lru::default()),
        }
    }
}

/// What a policy may ask about, and do to, the frames that it orders.
pub trait Frames {
    /// Hits since the heat was last set, saturating at 3.
    fn heat(&self, frame: u32) -> u8;
    /// Sets the heat.
    fn set_heat(&self, frame: u32, heat: u8);
    /// Claims a frame for eviction; `false` if it is pinned. The policy has to forget a frame that it has claimed.
    fn claim(&mut self, frame: u32) -> bool;
}

/// An order of eviction over the published frames of one class; called under the lock of the class.
pub trait Policy: Send {
    /// Whether [`Policy::touch`] wants to hear of each hit.
    fn orders_hits(&self) -> bool {
        false
    }
    /// A page was published in `frame`; `key` names the page, to recognise it when it comes back.
    fn insert(&mut self, frame: u32, key: u64);
    /// `frame` is no longer published, for reasons that are not the policy's.
    fn remove(&mut self, frame: u32);
    /// `frame` was hit; called only where [`Policy::orders_hits`].
    fn touch(&mut self, _frame: u32) {}
    /// Chooses, claims and forgets a frame; `None` if each one is pinned.
    fn evict(&mut self, frames: &mut dyn Frames) -> Option<u32>;
    /// Frames that the policy orders.
    fn len(&self) -> usize;
    /// Whether the policy orders `frame`.
    fn contains(&self, frame: u32) -> bool;
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
    queue: u8,
    key: u64,
}

const UNLINKED: Link = Link {
    older: NONE,
    newer: NONE,
    queue: 0,
    key: 0,
};

#[derive(Clone, Copy)]
struct Ends {
    oldest: u32,
    newest: u32,
    len: usize,
}

/// Up to two queues over one array of links; queue 0 means "in none".
struct Queues {
    links: Vec<Link>,
    ends: [Ends; 3],
}

impl Default for Queues {
    fn default() -> Queues {
        Queues {
            links: Vec::new(),
            ends: [Ends {
                oldest: NONE,
                newest: NONE,
                len: 0,
            }; 3],
        }
    }
}

impl Queues {
    fn push(&mut self, frame: u32, queue: u8, key: u64) {
        let at = frame as usize;
        if at >= self.links.len() {
            self.links.resize(at + 1, UNLINKED);
        }
        assert!(self.links[at].queue == 0, "frame {frame} is queued twice");
        let ends = &mut self.ends[queue as usize];
        self.links[at] = Link {
            older: ends.newest,
            newer: NONE,
            queue,
            key,
        };
        match ends.newest {
            NONE => ends.oldest = frame,
            newest => self.links[newest as usize].newer = frame,
        }
        ends.newest = frame;
        ends.len += 1;
    }

    /// Takes a frame out of its queue; `None` if it is in none.
    fn take(&mut self, frame: u32) -> Option<Link> {
        let link = *self.links.get(frame as usize)?;
        if link.queue == 0 {
            return None;
        }
        let ends = &mut self.ends[link.queue as usize];
        match link.older {
            NONE => ends.oldest = link.newer,
            older => self.links[older as usize].newer = link.newer,
        }
        match link.newer {
            NONE => ends.newest = link.older,
            newer => self.links[newer as usize].older = link.older,
        }
        ends.len -= 1;
        self.links[frame as usize] = UNLINKED;
        Some(link)
    }

    /// Moves a frame to the new end of `queue`.
    fn requeue(&mut self, frame: u32, queue: u8) {
        if let Some(link) = self.take(frame) {
            self.push(frame, queue, link.key);
        }
    }

    fn len(&self, queue: u8) -> usize {
        self.ends[queue as usize].len
    }

    fn oldest(&self, queue: u8) -> Option<u32> {
        Some(self.ends[queue as usize].oldest).filter(|&frame| frame != NONE)
    }

    fn contains(&self, frame: u32) -> bool {
        self.links
            .get(frame as usize)
            .is_some_and(|link| link.queue != 0)
    }
}

const SMALL: u8 = 1;
const MAIN: u8 = 2;

/// S3-FIFO; see the module's header.
#[derive(Default)]
struct S3Fifo {
    queues: Queues,
    /// Keys that left the small queue lately, oldest first, each with the serial number of its departure.
    ghost: VecDeque<(u64, u64)>,
    ghost_of: HashMap<u64, u64, foldhash::fast::RandomState>,
    serial: u64,
}

impl S3Fifo {
    fn remember(&mut self, key: u64) {
        self.serial += 1;
        self.ghost.push_back((key, self.serial));
        self.ghost_of.insert(key, self.serial);
        // As many ghosts as the main queue may have frames.
        let limit = (self.len() * 9 / 10).max(1);
        while self.ghost.len() > limit {
            if let Some((key, serial)) = self.ghost.pop_front() {
                if self.ghost_of.get(&key) == Some(&serial) {
                    self.ghost_of.remove(&key);
                }
            }
        }
    }

    fn evict_small(&mut self, frames: &mut dyn Frames) -> Option<u32> {
        for _ in 0..self.queues.len(SMALL) {
            let frame = self.queues.oldest(SMALL)?;
            if frames.heat(frame) > 1 {
                frames.set_heat(frame, 0);
                self.queues.requeue(frame, MAIN);
            } else if frames.claim(frame) {
                let link = self.queues.take(frame).expect("it was the oldest");
                self.remember(link.key);
                return Some(frame);
            } else {
                self.queues.requeue(frame, SMALL);
            }
        }
        None
    }

    fn evict_main(&mut self, frames: &mut dyn Frames) -> Option<u32> {
        // A heat of at most 3 is gone after three rounds.
        for _ in 0..self.queues.len(MAIN) * 4 {
            let frame = self.queues.oldest(MAIN)?;
            let heat = frames.heat(frame);
            if heat > 0 {
                frames.set_heat(frame, heat - 1);
                self.queues.requeue(frame, MAIN);
            } else if frames.claim(frame) {
                self.queues.take(frame);
                return Some(frame);
            } else {
                self.queues.requeue(frame, MAIN);
            }
        }
        None
    }
}

impl Policy for S3Fifo {
    fn insert(&mut self, frame: u32, key: u64) {
        let queue = if self.ghost_of.remove(&key).is_some() {
            MAIN
        } else {
            SMALL
        };
        self.queues.push(frame, queue, key);
    }

    fn remove(&mut self, frame: u32) {
        self.queues.take(frame);
    }

    fn evict(&mut self, frames: &mut dyn Frames) -> Option<u32> {
        if self.queues.len(SMALL) * 10 >= self.len() {
            self.evict_small(frames).or_else(|| self.evict_main(frames))
        } else {
            self.evict_main(frames).or_else(|| self.evict_small(frames))
        }
    }

    fn len(&self) -> usize {
        self.queues.len(SMALL) + self.queues.len(MAIN)
    }

    fn contains(&self, frame: u32) -> bool {
        self.queues.contains(frame)
    }
}

/// Second chance: a queue in which a frame that was hit goes to the end instead of going.
#[derive(Default)]
struct Clock {
    queues: Queues,
}

impl Policy for Clock {
    fn insert(&mut self, frame: u32, key: u64) {
        self.queues.push(frame, MAIN, key);
    }

    fn remove(&mut self, frame: u32) {
        self.queues.take(frame);
    }

    fn evict(&mut self, frames: &mut dyn Frames) -> Option<u32> {
        for _ in 0..self.queues.len(MAIN) * 2 {
            let frame = self.queues.oldest(MAIN)?;
            if frames.heat(frame) > 0 {
                frames.set_heat(frame, 0);
            } else if frames.claim(frame) {
                self.queues.take(frame);
                return Some(frame);
            }
            self.queues.requeue(frame, MAIN);
        }
        None
    }

    fn len(&self) -> usize {
        self.queues.len(MAIN)
    }

    fn contains(&self, frame: u32) -> bool {
        self.queues.contains(frame)
    }
}

/// Exact least recently used.
#[derive(Default)]
struct Lru {
    queues: Queues,
}

impl Policy for Lru {
    fn orders_hits(&self) -> bool {
        true
    }

    fn insert(&mut self, frame: u32, key: u64) {
        self.queues.push(frame, MAIN, key);
    }

    fn remove(&mut self, frame: u32) {
        self.queues.take(frame);
    }

    fn touch(&mut self, frame: u32) {
        self.queues.requeue(frame, MAIN);
    }

    fn evict(&mut self, frames: &mut dyn Frames) -> Option<u32> {
        for _ in 0..self.queues.len(MAIN) {
            let frame = self.queues.oldest(MAIN)?;
            if frames.claim(frame) {
                self.queues.take(frame);
                return Some(frame);
            }
            // Pinned is used.
            self.queues.requeue(frame, MAIN);
        }
        None
    }

    fn len(&self) -> usize {
        self.queues.len(MAIN)
    }

    fn contains(&self, frame: u32) -> bool {
        self.queues.contains(frame)
    }
}
