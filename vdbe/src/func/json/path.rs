//! Paths into JSON, and changes of what they lead to.
//!
//! ```text
//!   $          the whole            .label   ."label"     a member
//!   [3]        an element           [#-1]    the last     [#]   behind the last
//! ```
//!
//! Rules:
//! 1. A walk goes down to the element; on the way back the sizes of what encloses a change are adapted.
//! 2. What is not there can be made: a member or an element behind the last, and objects and arrays below it as the
//!    rest of the path asks for.
//! 3. A replacement that is up to 8 bytes shorter gets a longer header instead, if there is one, so that nothing moves.
//!
//! Source: SQLite's `jsonLookupStep`, `jsonBlobEdit`, `jsonCreateEditSubstructure`, `jsonAfterEditSizeAdjust`.

use super::DEPTH_MAX;
use super::blob::{ARRAY, Header, OBJECT, TEXT, TEXT5, TEXTRAW};
use super::blob::{
    array_length, header, is_text, kind, push_header, raw_header, resize, stretched,
};
use super::escape::Label;
use std::borrow::Cow;

/// What is to be done with the element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Take it away.
    Remove,
    /// Put something in its place if it is there.
    Replace,
    /// Make it if it is not there.
    Insert,
    /// Either.
    Set,
    /// Put something before it, which is an element of an array.
    InsertBefore,
}

impl Change {
    fn makes(self) -> bool {
        matches!(self, Change::Insert | Change::Set | Change::InsertBefore)
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    NotFound,
    Malformed,
    NotArray,
    TooDeep,
    BadPath,
}

/// A walk down a path.
pub(super) struct Walk<'a> {
    pub blob: Cow<'a, [u8]>,
    pub change: Option<(Change, &'a [u8])>,
    /// By how many bytes the blob has grown since the sizes were adapted.
    pub delta: i64,
    depth: u32,
    /// The label in front of what was found.
    label: Option<usize>,
}

/// The element that a path (without its `$`) leads to.
pub(super) fn find(blob: &[u8], path: &[u8]) -> Result<usize, Lost> {
    let mut walk = Walk {
        blob: Cow::Borrowed(blob),
        change: None,
        delta: 0,
        depth: 0,
        label: None,
    };
    walk.step(0, path, 0, None)
}

/// The same with the label in front of it, if it is a member.
pub(super) fn find_labelled(blob: &[u8], path: &[u8]) -> Result<(usize, Option<usize>), Lost> {
    let mut walk = Walk {
        blob: Cow::Borrowed(blob),
        change: None,
        delta: 0,
        depth: 0,
        label: None,
    };
    let found = walk.step(0, path, 0, None)?;
    Ok((found, walk.label))
}

/// Changes what a path leads to.
pub(super) fn change(
    blob: &mut Vec<u8>,
    path: &[u8],
    change: Change,
    new: &[u8],
) -> Result<(), Lost> {
    let mut walk = Walk {
        blob: Cow::Owned(std::mem::take(blob)),
        change: Some((change, new)),
        delta: 0,
        depth: 0,
        label: None,
    };
    let outcome = walk.step(0, path, 0, None);
    *blob = walk.blob.into_owned();
    outcome.map(|_| ())
}

/// Replaces `old` bytes at `at`; by how many bytes the blob grew (rule 3).
pub(super) fn splice(blob: &mut Vec<u8>, at: usize, old: usize, new: &[u8]) -> i64 {
    let at = at.min(blob.len());
    let end = (at + old).min(blob.len());
    let shorter = (end - at).saturating_sub(new.len());
    if !new.is_empty() && (1..=8).contains(&shorter) {
        if let Some(stretched) = stretched(new, shorter) {
            blob[at..end].copy_from_slice(&stretched);
            return 0;
        }
    }
    let grown = new.len() as i64 - (end - at) as i64;
    blob.splice(at..end, new.iter().copied());
    grown
}

/// Adapts the size of the element at `root` to what changed within; by how much its header grew is added.
pub(super) fn adapt(blob: &mut Vec<u8>, root: usize, delta: &mut i64) {
    if *delta == 0 {
        return;
    }
    let size = raw_header(blob, root).map_or(0, |head| head.size) as i64 + *delta;
    *delta += resize(blob, root, size.max(0) as usize);
}

/// The member that a path names at `at`: its label, and where the path goes on.
fn member(path: &[u8], at: usize) -> Option<(Label<'_>, usize)> {
    let rest = &path[at..];
    if rest.first() == Some(&b'"') {
        let mut i = 1;
        while i < rest.len() && rest[i] != b'"' {
            i += if rest[i] == b'\\' && i + 1 < rest.len() {
                2
            } else {
                1
            };
        }
        if i >= rest.len() {
            return None;
        }
        let text = &rest[1..i];
        let is_raw = !text.contains(&b'\\');
        return Some((Label { text, is_raw }, at + i + 1));
    }
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b'.' | b'['))
        .unwrap_or(rest.len());
    if length == 0 {
        return None;
    }
    let text = &rest[..length];
    Some((Label { text, is_raw: true }, at + length))
}

/// Digits as a number, of which those beyond 2^32 do not matter, and how many they are.
fn digits(text: &[u8]) -> (u64, usize) {
    let mut n = 0u64;
    let mut length = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(length) {
        if n < 0xffff_ffff {
            n = n * 10 + u64::from(digit - b'0');
        }
        length += 1;
    }
    (n, length)
}

impl Walk<'_> {
    /// Goes on from the element at `root` along `path[at..]`; `label` is the label in front of it.
    fn step(
        &mut self,
        root: usize,
        path: &[u8],
        at: usize,
        label: Option<usize>,
    ) -> Result<usize, Lost> {
        match path.get(at) {
            None => self.arrive(root, path, label),
            Some(b'.') => self.step_member(root, path, at + 1),
            Some(b'[') => self.step_element(root, path, at),
            Some(_) => Err(Lost::BadPath),
        }
    }

    /// Does what is to be done with the element.
    fn arrive(&mut self, root: usize, path: &[u8], label: Option<usize>) -> Result<usize, Lost> {
        let Some((change, new)) = self.change else {
            self.label = label;
            return Ok(root);
        };
        let whole = header(&self.blob, root).map_or(0, Header::whole);
        match change {
            Change::Remove => {
                let from = label.unwrap_or(root);
                let gone = whole + root - from;
                self.delta += splice(self.blob.to_mut(), from, gone, b"");
            }
            Change::Insert => {}
            Change::InsertBefore => {
                if path.last() != Some(&b']') {
                    return Err(Lost::NotArray);
                }
                self.delta += splice(self.blob.to_mut(), root, 0, new);
            }
            Change::Replace | Change::Set => {
                self.delta += splice(self.blob.to_mut(), root, whole, new);
            }
        }
        Ok(root)
    }

    /// Goes down a level and adapts the size afterwards.
    fn descend(
        &mut self,
        root: usize,
        to: usize,
        path: &[u8],
        at: usize,
        label: Option<usize>,
    ) -> Result<usize, Lost> {
        self.depth += 1;
        if self.depth >= DEPTH_MAX {
            return Err(Lost::TooDeep);
        }
        let outcome = self.step(to, path, at, label);
        self.depth -= 1;
        if self.delta != 0 {
            adapt(self.blob.to_mut(), root, &mut self.delta);
        }
        outcome
    }

    fn step_member(&mut self, root: usize, path: &[u8], at: usize) -> Result<usize, Lost> {
        let (key, tail) = member(path, at).ok_or(Lost::BadPath)?;
        if kind(&self.blob, root) != OBJECT {
            return Err(Lost::NotFound);
        }
        let head = header(&self.blob, root).unwrap_or_default();
        let end = root + head.whole();
        let mut j = root + head.len;
        while j < end {
            let label_kind = kind(&self.blob, j);
            let label = header(&self.blob, j).ok_or(Lost::Malformed)?;
            let value_at = j + label.whole();
            if !is_text(label_kind) || value_at >= end {
                return Err(Lost::Malformed);
            }
            let text = &self.blob[j + label.len..value_at];
            let is_raw = matches!(label_kind, TEXT | TEXTRAW);
            let is_it = key.equals(Label { text, is_raw });
            if kind(&self.blob, value_at) > OBJECT {
                return Err(Lost::Malformed);
            }
            let value = header(&self.blob, value_at).ok_or(Lost::Malformed)?;
            let value_end = value_at + value.whole();
            if is_it {
                if value_end > end {
                    return Err(Lost::Malformed);
                }
                return self.descend(root, value_at, path, tail, Some(j));
            }
            j = value_end;
        }
        if j > end {
            return Err(Lost::Malformed);
        }
        let Some((change, _)) = self.change.filter(|(change, _)| change.makes()) else {
            return Err(Lost::NotFound);
        };
        if change == Change::InsertBefore && path[tail..].last() != Some(&b']') {
            return Err(Lost::NotArray);
        }
        let value = self.substructure(path, tail)?;
        let mut new = Vec::with_capacity(9 + key.text.len() + value.len());
        let label_kind = if key.is_raw { TEXTRAW } else { TEXT5 };
        push_header(label_kind, key.text.len(), &mut new);
        new.extend_from_slice(key.text);
        new.extend_from_slice(&value);
        self.insert(root, j, &new);
        Ok(j)
    }

    fn step_element(&mut self, root: usize, path: &[u8], at: usize) -> Result<usize, Lost> {
        if kind(&self.blob, root) != ARRAY {
            return Err(Lost::NotFound);
        }
        let head = header(&self.blob, root).unwrap_or_default();
        let index = &path[at + 1..];
        let (mut wanted, mut length) = digits(index);
        if length == 0 {
            if index.first() != Some(&b'#') {
                return Err(Lost::BadPath);
            }
            wanted = array_length(&self.blob, root) as u64;
            length = 1;
            if let [b'#', b'-', b'0'..=b'9', ..] = index {
                let (back, digits) = digits(&index[2..]);
                length = 2 + digits;
                wanted = wanted.checked_sub(back).ok_or(Lost::NotFound)?;
            }
        }
        if index.get(length) != Some(&b']') {
            return Err(Lost::BadPath);
        }
        let tail = at + 1 + length + 1;
        let end = root + head.whole();
        let mut j = root + head.len;
        while j < end {
            if wanted == 0 {
                return self.descend(root, j, path, tail, None);
            }
            wanted -= 1;
            j += header(&self.blob, j).ok_or(Lost::Malformed)?.whole();
        }
        if j > end {
            return Err(Lost::Malformed);
        }
        if wanted > 0 || !self.change.is_some_and(|(change, _)| change.makes()) {
            return Err(Lost::NotFound);
        }
        let value = self.substructure(path, tail)?;
        self.insert(root, j, &value);
        Ok(j)
    }

    fn insert(&mut self, root: usize, at: usize, new: &[u8]) {
        let blob = self.blob.to_mut();
        self.delta += splice(blob, at, 0, new);
        adapt(blob, root, &mut self.delta);
    }

    /// What is to be inserted, within the objects and arrays that the rest of the path asks for (rule 2).
    fn substructure(&mut self, path: &[u8], tail: usize) -> Result<Vec<u8>, Lost> {
        let Some((change, new)) = self.change else {
            return Err(Lost::NotFound);
        };
        let empty = match path.get(tail) {
            None => return Ok(new.to_vec()),
            Some(b'.') => OBJECT,
            Some(_) => ARRAY,
        };
        let mut walk = Walk {
            blob: Cow::Owned(vec![empty]),
            change: Some((change, new)),
            delta: 0,
            depth: self.depth + 1,
            label: None,
        };
        if walk.depth >= DEPTH_MAX {
            return Err(Lost::TooDeep);
        }
        walk.step(0, path, tail, None)?;
        Ok(walk.blob.into_owned())
    }
}
