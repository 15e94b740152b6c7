//! The bytes that operations own.
//!
//! | type | is | used for |
//! |---|---|---|
//! | [`Buf`] | owned, aligned, `Send`, from an [`Arena`] | reads, writes, page frames |
//! | [`WriteBuf`] | a `Buf`, or a share in bytes that nobody changes | writes |
//!
//! 1. The kernel owns a buffer from submission to completion: operations take buffers by value and
//!    give them back in [`Done`](crate::Done).
//! 2. What is written may be shared (an immutable page of the cache), what is read into may not.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::arena::{Arena, ArenaInner, Chunk};

/// An owned, aligned buffer that returns to its arena when dropped.
pub struct Buf {
    ptr: NonNull<u8>,
    len: u32,
    cap: u32,
    slab: u32,
    arena: Arc<ArenaInner>,
}

// SAFETY: a buffer is the sole owner of its bytes, and its arena may be used from any thread.
unsafe impl Send for Buf {}
// SAFETY: a shared buffer can only be read.
unsafe impl Sync for Buf {}

impl Buf {
    /// # Safety
    /// `chunk` was taken from `arena`, holds `cap` ≥ `len` initialised bytes, and is given up here.
    #[inline]
    pub(crate) unsafe fn from_chunk(
        chunk: Chunk,
        len: usize,
        cap: usize,
        arena: Arc<ArenaInner>,
    ) -> Buf {
        Buf {
            ptr: chunk.ptr,
            len: len as u32,
            cap: cap as u32,
            slab: chunk.slab,
            arena,
        }
    }

    /// How long the buffer could become without being replaced.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.cap as usize
    }

    /// Changes the length within the capacity; bytes that appear have unspecified contents.
    ///
    /// # Panics
    /// Where `len` exceeds the capacity.
    #[inline]
    pub fn set_len(&mut self, len: usize) {
        assert!(
            len <= self.cap as usize,
            "length {len} of a buffer of {}",
            self.cap
        );
        self.len = len as u32;
    }

    /// The arena that the buffer came from.
    pub fn arena(&self) -> Arena {
        Arena(self.arena.clone())
    }

    /// The slab of `arena` that holds this buffer, where it is one of that arena's.
    pub(crate) fn slab_in(&self, arena: &Arena) -> Option<u32> {
        (self.slab != crate::arena::NO_SLAB && Arc::ptr_eq(&self.arena, &arena.0))
            .then_some(self.slab)
    }
}

impl Deref for Buf {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` ≤ `cap` initialised bytes that this buffer alone owns.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len as usize) }
    }
}

impl DerefMut for Buf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len as usize) }
    }
}

impl Drop for Buf {
    #[inline]
    fn drop(&mut self) {
        let chunk = Chunk {
            ptr: self.ptr,
            slab: self.slab,
        };
        // SAFETY: the chunk came from this arena with this capacity, and dies with the buffer.
        unsafe { self.arena.give_back(chunk, self.cap as usize) }
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Buf({} of {} bytes at {:p})",
            self.len, self.cap, self.ptr
        )
    }
}

/// Bytes that stay where they are, and as they are, while a share in them exists.
///
/// # Safety
/// Every call of `bytes` on one value returns the same address, length and contents for as long
/// as the value, or a clone of an `Arc` holding it, lives.
pub unsafe trait StableBytes: Send + Sync {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

// SAFETY: the bytes are outside of the struct, and nobody can write to a shared buffer.
unsafe impl StableBytes for Buf {
    fn bytes(&self) -> &[u8] {
        self
    }
}

// SAFETY: the bytes are on the heap, and a shared vector cannot change.
unsafe impl StableBytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// What a write writes: a buffer of its own, or a share in bytes that do not change.
pub enum WriteBuf {
    /// An owned buffer; it comes home in the completion.
    Owned(Buf),
    /// A share, such as an immutable page of the cache.
    Shared(Arc<dyn StableBytes>),
}

impl WriteBuf {
    /// The owned buffer, where it is one.
    pub fn into_buf(self) -> Option<Buf> {
        match self {
            WriteBuf::Owned(buf) => Some(buf),
            WriteBuf::Shared(_) => None,
        }
    }
}

impl Deref for WriteBuf {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            WriteBuf::Owned(buf) => buf,
            WriteBuf::Shared(bytes) => bytes.bytes(),
        }
    }
}

impl From<Buf> for WriteBuf {
    fn from(buf: Buf) -> WriteBuf {
        WriteBuf::Owned(buf)
    }
}

impl<T: StableBytes + 'static> From<Arc<T>> for WriteBuf {
    fn from(bytes: Arc<T>) -> WriteBuf {
        WriteBuf::Shared(bytes)
    }
}

impl fmt::Debug for WriteBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            WriteBuf::Owned(_) => "owned",
            WriteBuf::Shared(_) => "shared",
        };
        write!(f, "WriteBuf({kind}, {} bytes)", self.len())
    }
}
