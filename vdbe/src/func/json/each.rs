//! The walk of `json_each` and `json_tree` over a document.
//!
//! ```text
//!   {"a":[1,2]}                       tree          key   fullkey   id  parent
//!     at: the element's label or the  {"a":[1,2]}         $          0
//!     element; parents: containers    [1,2]         a     $.a        1       0
//!     that it lies in, with the       1             0     $.a[0]     4       1
//!     length of the path at each      2             1     $.a[1]     6       1
//! ```
//!
//! Rules:
//! 1. Ids are offsets into the JSONB of the document.
//! 2. The document may be a malformed blob: what lies outside of it ends the walk.
//!
//! Source: SQLite's `jsonEachNext`, `jsonEachColumn`, `jsonEachFilter`.

use super::argument::as_jsonb;
use super::blob::{ARRAY, NAMES, OBJECT, header, kind};
use super::path::{self, Lost};
use super::{BLOB, Form, SUBTYPE, TEXT, bad_path, malformed, parse, put_value};
use crate::func::FnError;
use crate::func::argument::until_nul;
use crate::mem::Mem;
use crate::vtab::{IndexPlan, VirtualCursor, VtabContext, VtabStep};

/// A container that the element lies in.
struct Parent {
    /// Its label, or itself.
    head: usize,
    /// Itself.
    value: usize,
    end: usize,
    /// The length of the path that leads to it.
    path_len: usize,
    /// The number of the element in an array.
    key: i64,
}

/// A scan of a document.
pub struct EachCursor {
    recursive: bool,
    form: Form,
    rowid: i64,
    /// The element, or its label.
    at: usize,
    end: usize,
    /// The length of the root's path.
    root_len: usize,
    /// The kind of the container of the element.
    container: u8,
    parents: Vec<Parent>,
    path: Vec<u8>,
    blob: Vec<u8>,
    /// The argument, if it was a text.
    text: Option<Vec<u8>>,
}

impl EachCursor {
    /// A scan; `recursive` is that of `json_tree`.
    pub fn new(recursive: bool, binary: bool) -> EachCursor {
        EachCursor {
            recursive,
            form: if binary { BLOB } else { TEXT },
            rowid: 0,
            at: 0,
            end: 0,
            root_len: 0,
            container: 0,
            parents: Vec::new(),
            path: Vec::new(),
            blob: Vec::new(),
            text: None,
        }
    }

    fn begin(&mut self, args: &[Mem]) -> Result<(), FnError> {
        (self.at, self.end, self.rowid, self.container) = (0, 0, 0, 0);
        self.parents.clear();
        self.path.clear();
        self.text = None;
        self.blob.clear();
        let [json, root @ ..] = args else {
            return Ok(());
        };
        if let Some(blob) = as_jsonb(json) {
            self.blob.extend_from_slice(blob);
        } else {
            if json.is_null() {
                return Ok(());
            }
            let text = json.to_text();
            self.blob = parse::parse(&text).map_err(|_| malformed())?.blob;
            self.text = Some(text.into_owned());
        }
        let mut at = 0;
        self.path.push(b'$');
        if let Some(root) = root.first() {
            if root.is_null() {
                return Ok(());
            }
            let root = root.to_text();
            let root = until_nul(&root);
            let Some((b'$', rest)) = root.split_first() else {
                return Err(bad_path(root, Lost::BadPath));
            };
            if !rest.is_empty() {
                let (found, label) = match path::find_labelled(&self.blob, rest) {
                    Ok(found) => found,
                    Err(Lost::NotFound) => return Ok(()),
                    Err(lost) => return Err(bad_path(root, lost)),
                };
                at = found;
                self.at = label.unwrap_or(found);
                self.container = if label.is_some() { OBJECT } else { ARRAY };
            }
            self.path.clear();
            self.path.extend_from_slice(root);
        }
        self.root_len = self.path.len();
        let head = header(&self.blob, at).ok_or_else(malformed)?;
        self.end = at + head.whole();
        if kind(&self.blob, at) >= ARRAY && !self.recursive {
            self.at = at + head.len;
            self.container = kind(&self.blob, at);
            self.parents.push(Parent {
                head: self.at,
                value: at,
                end: self.end,
                path_len: self.path.len(),
                key: 0,
            });
        }
        Ok(())
    }

    /// Where the element itself is.
    fn value_at(&self) -> usize {
        if self.container == OBJECT {
            header(&self.blob, self.at).map_or(self.blob.len(), |label| self.at + label.whole())
        } else {
            self.at
        }
    }

    /// Appends what leads from the container to the element.
    fn push_step(&mut self) {
        if self.container == ARRAY {
            let key = self.parents.last().map_or(0, |parent| parent.key);
            self.path.extend_from_slice(format!("[{key}]").as_bytes());
            return;
        }
        let Some(head) = header(&self.blob, self.at) else {
            return;
        };
        let label = &self.blob[self.at + head.len..self.at + head.whole()];
        self.path.push(b'.');
        let is_word = label.iter().all(u8::is_ascii_alphanumeric);
        if label.first().is_some_and(u8::is_ascii_alphabetic) && is_word {
            self.path.extend_from_slice(label);
        } else {
            self.path.push(b'"');
            self.path.extend_from_slice(label);
            self.path.push(b'"');
        }
    }

    fn step(&mut self) {
        let at = self.value_at();
        let size = header(&self.blob, at);
        if self.recursive {
            let mut level_changes = false;
            match size {
                Some(head) if kind(&self.blob, at) == ARRAY || kind(&self.blob, at) == OBJECT => {
                    level_changes = true;
                    let parent = Parent {
                        head: self.at,
                        value: at,
                        end: at + head.whole(),
                        path_len: self.path.len(),
                        key: -1,
                    };
                    if self.container != 0 && !self.parents.is_empty() {
                        self.push_step();
                    }
                    self.parents.push(parent);
                    self.at = at + head.len;
                }
                Some(head) => self.at = at + head.whole(),
                None => self.at = self.end,
            }
            while let Some(parent) = self.parents.last().filter(|parent| self.at >= parent.end) {
                self.path.truncate(parent.path_len);
                self.parents.pop();
                level_changes = true;
            }
            if level_changes {
                let value = self.parents.last().map(|parent| parent.value);
                self.container = value.map_or(0, |value| kind(&self.blob, value));
            }
        } else {
            self.at = size.map_or(self.end, |head| at + head.whole());
        }
        if self.container == ARRAY {
            if let Some(parent) = self.parents.last_mut() {
                parent.key += 1;
            }
        }
        self.rowid += 1;
    }

    /// How much of the path is that of the element's container: of the first row of a tree below a root, less than all.
    fn path_length(&self) -> usize {
        let mut n = self.path.len();
        if self.rowid == 0 && self.recursive && n >= 2 {
            while n > 1 {
                n -= 1;
                if !matches!(self.path[n], b'[' | b'.') {
                    continue;
                }
                let Ok(found) = path::find(&self.blob, &self.path[1..n]) else {
                    continue;
                };
                if header(&self.blob, found).is_some_and(|head| found + head.len == self.at) {
                    break;
                }
            }
        }
        n
    }

    fn key(&self, out: &mut Mem) -> Result<(), FnError> {
        if let Some(parent) = self.parents.last() {
            if self.container == OBJECT {
                return put_value(out, &self.blob, self.at, TEXT);
            }
            out.set_int(parent.key);
            return Ok(());
        }
        if self.root_len == 1 {
            return Ok(());
        }
        let step = &self.path[self.path_length().min(self.root_len)..self.root_len];
        match step {
            [] => {}
            [b'[', digits @ .., _] => {
                let digits = String::from_utf8_lossy(digits);
                out.set_int(digits.parse().unwrap_or(0));
            }
            [_, b'"', label @ .., _] => out.set_text(label),
            [_, label @ ..] => out.set_text(label),
        }
        Ok(())
    }
}

impl VirtualCursor for EachCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        let args = if plan.number == 0 { &[] } else { args };
        let begun = self.begin(args);
        if begun.is_err() {
            self.end = 0;
        }
        Ok(begun?)
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.step();
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at >= self.end
    }

    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        let at = self.value_at();
        match column {
            0 => self.key(out)?,
            1 => {
                put_value(out, &self.blob, at, self.form)?;
                if kind(&self.blob, at) >= ARRAY {
                    out.set_subtype(SUBTYPE);
                }
            }
            2 => out.set_text(NAMES[usize::from(kind(&self.blob, at))].as_bytes()),
            3 if kind(&self.blob, at) < ARRAY => put_value(out, &self.blob, at, TEXT)?,
            4 => out.set_int(self.at as i64),
            5 if self.recursive => {
                if let Some(parent) = self.parents.last() {
                    out.set_int(parent.head as i64);
                }
            }
            6 => {
                let length = self.path.len();
                if !self.parents.is_empty() {
                    self.push_step();
                }
                out.set_text(&self.path);
                self.path.truncate(length);
            }
            7 => out.set_text(&self.path[..self.path_length()]),
            8 => match &self.text {
                Some(text) => out.set_text(text),
                None => out.set_blob(&self.blob),
            },
            9 => out.set_text(&self.path[..self.root_len]),
            _ => {}
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.rowid)
    }
}
