//! json_patch: merging two objects.
//!
//! Rules:
//! 1. A patch that is no object takes the target's place.
//! 2. A member of the patch that is null removes the target's; others are merged into it, or added behind the last.
//!
//! Source: SQLite's `jsonMergePatch`; RFC 7396.

use super::blob::{Header, NULL, OBJECT, TEXT, TEXTRAW, header, header_within, is_text, kind};
use super::escape::Label;
use super::path::{adapt, splice};
use super::{DEPTH_MAX, malformed, too_deep};
use crate::func::FnError;

/// A label and its value.
struct Member {
    at: usize,
    /// Where the text of the label starts.
    text_at: usize,
    value_at: usize,
    end: usize,
    is_raw: bool,
}

impl Member {
    /// Reads the member at `at` of an object that ends at `end`; `limit` is how far elements may reach.
    fn read(blob: &[u8], at: usize, end: usize, limit: usize) -> Result<Member, FnError> {
        let label_kind = kind(blob, at);
        if !is_text(label_kind) {
            return Err(malformed());
        }
        let label = header_within(blob, at, limit).ok_or_else(malformed)?;
        let value_at = at + label.whole();
        if value_at >= end {
            return Err(malformed());
        }
        let value = header_within(blob, value_at, limit).ok_or_else(malformed)?;
        let member_end = value_at + value.whole();
        if member_end > end || member_end > blob.len() {
            return Err(malformed());
        }
        Ok(Member {
            at,
            text_at: at + label.len,
            value_at,
            end: member_end,
            is_raw: matches!(label_kind, TEXT | TEXTRAW),
        })
    }

    fn label<'a>(&self, blob: &'a [u8]) -> Label<'a> {
        Label {
            text: &blob[self.text_at..self.value_at],
            is_raw: self.is_raw,
        }
    }
}

/// Merges the patch into the target; by how many bytes the target grew is added to `delta`, which starts at 0.
pub(super) fn merge(
    target: &mut Vec<u8>,
    target_at: usize,
    patch: &[u8],
    patch_at: usize,
    depth: u32,
    delta: &mut i64,
) -> Result<(), FnError> {
    let patch_head = header(patch, patch_at);
    if kind(patch, patch_at) != OBJECT {
        let new = patch_head.map_or(0, Header::whole);
        let old = header(target, target_at).map_or(0, Header::whole);
        *delta += splice(target, target_at, old, &patch[patch_at..patch_at + new]);
        return Ok(());
    }
    if kind(target, target_at) != OBJECT {
        let head = header(target, target_at).ok_or_else(malformed)?;
        *delta += splice(target, target_at + head.len, head.size, b"");
        target[target_at] = target[target_at] & 0xf0 | OBJECT;
    }
    let patch_head = patch_head.ok_or_else(malformed)?;
    // The target's size is out of date from here on, until it is adapted at the end.
    let limit = |target: &Vec<u8>, delta: i64| {
        let before = target.len() as i64 - delta;
        target.len().max(before.max(0) as usize)
    };
    let target_head =
        header_within(target, target_at, limit(target, *delta)).ok_or_else(malformed)?;
    let target_start = target_at + target_head.len;
    let target_end = (target_start + target_head.size) as i64;
    let patch_end = patch_at + patch_head.whole();
    let mut patch_next = patch_at + patch_head.len;
    while patch_next < patch_end {
        let member = Member::read(patch, patch_next, patch_end, patch.len())?;
        patch_next = member.end;
        let end = (target_end + *delta).max(0) as usize;
        let mut next = target_start;
        let mut found = None;
        while next < end {
            let other = Member::read(target, next, end, limit(target, *delta))?;
            if member.label(patch).equals(other.label(target)) {
                found = Some(other);
                break;
            }
            next = other.end;
        }
        let value_kind = kind(patch, member.value_at);
        let mut within = 0;
        match found {
            Some(other) if value_kind == NULL => {
                *delta += splice(target, other.at, other.end - other.at, b"");
            }
            Some(other) => {
                if depth >= DEPTH_MAX {
                    return Err(too_deep());
                }
                let (at, value_at) = (other.value_at, member.value_at);
                merge(target, at, patch, value_at, depth + 1, &mut within)?;
                *delta += within;
            }
            None if value_kind == NULL => {}
            None if value_kind != OBJECT => {
                let end = end.min(target.len());
                *delta += splice(target, end, 0, &patch[member.at..member.end]);
            }
            None => {
                let end = end.min(target.len());
                let mut new = patch[member.at..member.value_at].to_vec();
                new.push(NULL);
                *delta += splice(target, end, 0, &new);
                if depth >= DEPTH_MAX {
                    return Err(too_deep());
                }
                let at = end + new.len() - 1;
                merge(target, at, patch, member.value_at, depth + 1, &mut within)?;
                *delta += within;
            }
        }
    }
    adapt(target, target_at, delta);
    Ok(())
}
