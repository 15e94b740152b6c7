//! The pool: every page frame of the process, in classes of equal page size under one budget.
//!
//! ```text
//!  Pool ── budget, bytes in use, counters
//!   └─ class of 512, 1024, …, 65536 bytes, each under its own lock:
//!        chunks of headers   ■■■■■■■■■■■■■■■■   64 a chunk, at fixed addresses
//!        headers without a buffer
//!        policy              the order in which published pages go
//! ```
//!
//! Rules:
//! 1. The budget bounds what is kept, never what works: where each frame is pinned, the pool grows past it, and
//!    shrinks again as soon as a page is wanted and something can be evicted.
//!    Private pages count as well, but leave published ones an eighth: a large database in memory does not empty the
//!    cache of the files beside it.
//! 2. A hit touches neither locks nor lists. Locks are taken for a page that is made, published, evicted or given back.
//! 3. Locks are taken in the order file cache, class, arena; never two classes at once.
//!
//! Absent: write-back. Dirty pages are private, and their transaction decides when and where they are written.

use crate::frame::{EXCLUSIVE, Frame, PIN_MASK, PRIVATE, PageRef};
use crate::policy::{Frames, Policy, PolicyKind};
use ringwood_io::{Arena, Buf};
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const CLASS_COUNT: usize = 8;
const SMALLEST: usize = 512;
/// The part of the budget (one in so many) that published pages keep in any case.
const PUBLISHED_SHARE_MIN: usize = 8;
/// Headers made at once.
const CHUNK: usize = 64;

/// How a pool is made.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Bytes of pages that are kept.
    pub budget_bytes: usize,
    /// The order of eviction.
    pub policy: PolicyKind,
    /// Where the memory comes from.
    pub arena: Arena,
}

impl Default for PoolOptions {
    /// 64 MiB, S3-FIFO, the arena that the process shares.
    fn default() -> PoolOptions {
        PoolOptions {
            budget_bytes: 64 << 20,
            policy: PolicyKind::default(),
            arena: Arena::global().clone(),
        }
    }
}

/// What happened in a pool so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolCounters {
    /// Lookups that found their page.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Pages evicted to make room.
    pub evictions: u64,
    /// Pages made beyond the budget because everything was pinned.
    pub grown: u64,
    /// Bytes of pages in memory.
    pub used_bytes: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    evictions: AtomicU64,
    grown: AtomicU64,
}

/// All headers of one page size.
struct Class {
    chunks: Vec<Box<[Frame; CHUNK]>>,
    /// Numbers of headers without a buffer.
    empty: Vec<u32>,
    policy: Box<dyn Policy>,
}

impl Class {
    #[inline]
    fn frame(&self, index: u32) -> &Frame {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    /// A header without a buffer.
    fn take_empty(&mut self) -> &Frame {
        if self.empty.is_empty() {
            let first = (self.chunks.len() * CHUNK) as u32;
            let ordered = self.policy.orders_hits();
            self.chunks.push(Box::new(std::array::from_fn(|i| {
                Frame::new(first + i as u32, ordered)
            })));
            self.empty.extend((first..first + CHUNK as u32).rev());
        }
        let index = self.empty.pop().expect("made above");
        self.frame(index)
    }

    /// Evicts a page: its buffer.
    fn evict(&mut self) -> Option<Buf> {
        let mut frames = ClassFrames(&self.chunks);
        let index = self.policy.evict(&mut frames)?;
        let buf = self.frame(index).empty();
        self.empty.push(index);
        Some(buf)
    }
}

struct ClassFrames<'a>(&'a [Box<[Frame; CHUNK]>]);

impl ClassFrames<'_> {
    fn frame(&self, index: u32) -> &Frame {
        &self.0[index as usize / CHUNK][index as usize % CHUNK]
    }
}

impl Frames for ClassFrames<'_> {
    fn heat(&self, frame: u32) -> u8 {
        self.frame(frame).heat.load(Relaxed)
    }
    fn set_heat(&self, frame: u32, heat: u8) {
        self.frame(frame).heat.store(heat, Relaxed);
    }
    fn claim(&mut self, frame: u32) -> bool {
        self.frame(frame).claim()
    }
}

/// The page frames of a process; shared as `Arc<Pool>` by all its threads and files.
pub struct Pool {
    classes: [Mutex<Class>; CLASS_COUNT],
    arena: Arena,
    budget: AtomicUsize,
    used: AtomicUsize,
    /// Of these, published pages, which can be evicted.
    published: AtomicUsize,
    used_by_class: [AtomicUsize; CLASS_COUNT],
    pub(crate) counters: Counters,
}

impl Pool {
    /// A pool of its own.
    pub fn new(options: PoolOptions) -> Arc<Pool> {
        Arc::new(Pool {
            classes: std::array::from_fn(|_| {
                Mutex::new(Class {
                    chunks: Vec::new(),
                    empty: Vec::new(),
                    policy: options.policy.build(),
                })
            }),
            arena: options.arena,
            budget: AtomicUsize::new(options.budget_bytes),
            used: AtomicUsize::new(0),
            published: AtomicUsize::new(0),
            used_by_class: Default::default(),
            counters: Counters::default(),
        })
    }

    /// A pool of its own that keeps `frame_count` pages of `page_size` bytes: for tests and small tools.
    pub fn with_frames(frame_count: usize, page_size: usize) -> Arc<Pool> {
        Pool::new(PoolOptions {
            budget_bytes: frame_count * page_size,
            ..PoolOptions::default()
        })
    }

    /// The number of the class of a page size.
    fn class_of(page_size: usize) -> usize {
        assert!(
            page_size.is_power_of_two()
                && (SMALLEST..=SMALLEST << (CLASS_COUNT - 1)).contains(&page_size),
            "{page_size} is no page size"
        );
        (page_size / SMALLEST).trailing_zeros() as usize
    }

    fn class(&self, number: usize) -> MutexGuard<'_, Class> {
        // Nothing panics while the lists are inconsistent, but for the asserts that say they are.
        self.classes[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of pages that the pool keeps.
    pub fn budget_bytes(&self) -> usize {
        self.budget.load(Relaxed)
    }

    /// Changes the budget; it takes effect as pages are made.
    pub fn set_budget_bytes(&self, bytes: usize) {
        self.budget.store(bytes, Relaxed);
    }

    /// Where the pages' memory comes from.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// A new private page of unspecified contents.
    pub fn page(self: &Arc<Pool>, page_size: usize) -> PageRef {
        self.reserve(page_size);
        let buf = self.arena.alloc(page_size);
        self.install(buf)
    }

    /// A new private page of zeros.
    pub fn page_zeroed(self: &Arc<Pool>, page_size: usize) -> PageRef {
        self.reserve(page_size);
        let buf = self.arena.alloc_zeroed(page_size);
        self.install(buf)
    }

    /// A new private page holding a copy of `bytes`, whose length is a page size.
    pub fn page_copy(self: &Arc<Pool>, bytes: &[u8]) -> PageRef {
        self.reserve(bytes.len());
        let mut buf = self.arena.alloc(bytes.len());
        buf.copy_from_slice(bytes);
        self.install(buf)
    }

    /// A buffer to read a page into, for [`Pool::adopt`]. It counts towards the budget only once adopted.
    pub fn buffer(&self, page_size: usize) -> Buf {
        self.reserve(page_size);
        self.arena.alloc(page_size)
    }

    /// Makes a private page of a buffer whose length is a page size.
    pub fn adopt(self: &Arc<Pool>, buf: Buf) -> PageRef {
        self.install(buf)
    }

    fn install(self: &Arc<Pool>, buf: Buf) -> PageRef {
        let number = Pool::class_of(buf.len());
        self.used.fetch_add(buf.len(), Relaxed);
        self.used_by_class[number].fetch_add(buf.len(), Relaxed);
        self.class(number).take_empty().fill(buf, self)
    }

    /// Evicts until there is room for one more page, or nothing more can be evicted: from the class
    /// that has the most, so that none starves another.
    fn reserve(&self, page_size: usize) {
        let budget = self.budget.load(Relaxed);
        let has_room = || {
            self.used.load(Relaxed) + page_size <= budget
                || self.published.load(Relaxed) <= budget / PUBLISHED_SHARE_MIN
        };
        if has_room() {
            return;
        }
        let mut exhausted = [false; CLASS_COUNT];
        loop {
            let open = (0..CLASS_COUNT).filter(|&number| !exhausted[number]);
            let Some(number) = open.max_by_key(|&number| self.used_by_class[number].load(Relaxed))
            else {
                self.counters.grown.fetch_add(1, Relaxed);
                return;
            };
            match self.class(number).evict() {
                Some(buf) => {
                    self.published.fetch_sub(buf.len(), Relaxed);
                    self.release(number, buf);
                    self.counters.evictions.fetch_add(1, Relaxed);
                }
                None => exhausted[number] = true,
            }
            if has_room() {
                return;
            }
        }
    }

    fn release(&self, class: usize, buf: Buf) {
        self.used.fetch_sub(buf.len(), Relaxed);
        self.used_by_class[class].fetch_sub(buf.len(), Relaxed);
    }

    /// Takes a frame back that its last pin made EXCLUSIVE.
    pub(crate) fn take_back(&self, frame: &Frame) {
        let buf = frame.empty();
        let number = Pool::class_of(buf.len());
        self.class(number).empty.push(frame.index);
        self.release(number, buf);
    }

    /// Puts a frame that was just published under the policy. The caller has it pinned.
    pub(crate) fn admit(&self, frame: &Frame, page_size: usize, tag: u64) {
        self.published.fetch_add(page_size, Relaxed);
        self.class(Pool::class_of(page_size))
            .policy
            .insert(frame.index, tag);
    }

    /// Empties a published frame, if it still holds `tag` and nobody has it pinned.
    pub(crate) fn retire(&self, frame: &Frame, page_size: usize, tag: u64) -> bool {
        let mut class = self.class(Pool::class_of(page_size));
        if !frame.claim() {
            return false;
        }
        if frame.tag.load(Relaxed) != tag {
            frame.unclaim();
            return false;
        }
        class.policy.remove(frame.index);
        let buf = frame.empty();
        class.empty.push(frame.index);
        drop(class);
        self.published.fetch_sub(page_size, Relaxed);
        self.release(Pool::class_of(page_size), buf);
        true
    }

    /// Tells a policy that orders hits of a hit. The caller has the frame pinned.
    #[cold]
    pub(crate) fn touch(&self, frame: &Frame, page_size: usize) {
        let mut class = self.class(Pool::class_of(page_size));
        if class.policy.contains(frame.index) {
            class.policy.touch(frame.index);
        }
    }

    /// Adds what a user of the pool counted for itself.
    pub fn count(&self, hits: u64, misses: u64) {
        self.counters.hits.fetch_add(hits, Relaxed);
        self.counters.misses.fetch_add(misses, Relaxed);
    }

    /// What happened so far.
    pub fn counters(&self) -> PoolCounters {
        PoolCounters {
            hits: self.counters.hits.load(Relaxed),
            misses: self.counters.misses.load(Relaxed),
            evictions: self.counters.evictions.load(Relaxed),
            grown: self.counters.grown.load(Relaxed),
            used_bytes: self.used.load(Relaxed) as u64,
        }
    }

    /// Pins at the moment, over all frames.
    pub fn pin_count(&self) -> usize {
        (0..CLASS_COUNT)
            .map(|n| self.class(n).frames().map(Frame::pins).sum::<usize>())
            .sum()
    }

    /// Checks every frame against the state diagram of the module `frame`.
    ///
    /// # Panics
    /// If a frame is in an impossible state. Call it while no other thread uses the pool.
    pub fn assert_pool_state(&self) {
        let (mut used, mut published_bytes) = (0, 0);
        for number in 0..CLASS_COUNT {
            let class = self.class(number);
            let page_size = SMALLEST << number;
            let mut is_empty = vec![false; class.chunks.len() * CHUNK];
            for &index in &class.empty {
                assert!(
                    !std::mem::replace(&mut is_empty[index as usize], true),
                    "frame {index} is empty twice"
                );
            }
            let mut published = 0;
            for frame in class.frames() {
                let state = frame.state.load(Relaxed);
                let tag = frame.tag.load(Relaxed);
                let queued = class.policy.contains(frame.index);
                if is_empty[frame.index as usize] {
                    assert_eq!(
                        (state, tag, queued),
                        (EXCLUSIVE, 0, false),
                        "an empty frame"
                    );
                    continue;
                }
                used += page_size;
                if state & PRIVATE != 0 {
                    assert!(
                        state & EXCLUSIVE == 0 && state & PIN_MASK > 0,
                        "a private frame in state {state:#x}"
                    );
                    assert_eq!((tag, queued), (0, false), "a private frame");
                } else {
                    assert!(
                        state & EXCLUSIVE == 0,
                        "a published frame in state {state:#x}"
                    );
                    assert!(
                        queued && tag != 0,
                        "a published frame is in a queue and has a tag"
                    );
                    published += 1;
                }
            }
            assert_eq!(
                published,
                class.policy.len(),
                "the policy knows each published frame"
            );
            published_bytes += published * page_size;
        }
        assert_eq!(used, self.used.load(Relaxed), "bytes in use");
        assert_eq!(
            published_bytes,
            self.published.load(Relaxed),
            "bytes published"
        );
    }
}

impl Class {
    fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

impl Frame {
    fn pins(&self) -> usize {
        (self.state.load(Relaxed) & PIN_MASK) as usize
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Private frames hold a share of the pool, so there are none; published ones may outlive it (rule 5 of `frame`).
        for class in &mut self.classes {
            let class = class.get_mut().unwrap_or_else(PoisonError::into_inner);
            for chunk in class.chunks.drain(..) {
                if chunk.iter().any(|frame| frame.pins() > 0) {
                    std::mem::forget(chunk);
                }
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Pool(budget {} bytes, {:?})",
            self.budget_bytes(),
            self.counters()
        )
    }
}
