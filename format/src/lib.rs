//! SQLite's file format: what a byte means.
//!
//! Views and codecs over byte slices, shared by every layer above. **Invariant**: a decoder never panics, whatever it
//! is given, and answers with [`Corrupt`](corrupt::Corrupt). **Absent**: I/O, async, unsafe code, page editing (the
//! b-tree's), SQL functions (the VM's).
//!
//! In reading order: what a file is made of ([`page`], [`header`]), what a page is ([`btree_page`], [`overflow`],
//! [`freelist`], [`ptrmap`], [`lockbyte`]), what the log is ([`wal`], [`wal_index`]), what a row is ([`varint`],
//! [`record`], [`key`]), and what a value is ([`value`], [`encoding`], [`collation`], [`affinity`], [`number`],
//! [`decimal`]).

pub mod bytes;
pub mod corrupt;

pub mod header;
pub mod page;

pub mod btree_page;
pub mod freelist;
pub mod lockbyte;
pub mod overflow;
pub mod ptrmap;

pub mod wal;
pub mod wal_index;

pub mod key;
pub mod record;
pub mod varint;

pub mod affinity;
pub mod collation;
pub mod decimal;
pub mod encoding;
pub mod number;
pub mod value;
