//! Files: `readfile`, `writefile`, `lsmode`, and the table `fsdir` of what is in a directory.
//!
//! | | |
//! |---|---|
//! | `readfile(name)` | the bytes of a file; NULL if it cannot be read |
//! | `writefile(name, bytes [, mode [, mtime]])` | writes a file, or makes what `mode` says: a directory, a link to `bytes` |
//! | `lsmode(mode)` | a mode as `ls -l` writes it |
//! | `fsdir(path [, dir])` | a row for each file under it: name, mode, mtime, data, level |
//!
//! Source: SQLite's `ext/misc/fileio.c`.

use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringwood::vtab::{
    ConstraintOp, Declared, IndexInfo, IndexPlan, Module, ModuleArgs, ModuleKind, Unusable, Usage,
    VirtualCursor, VirtualTable, VtabContext, VtabError, VtabStep,
};
use ringwood::{FnContext, FnError, FunctionFlags, LocalConnection, Mem, Result};

/// The kind of a file, within its mode.
const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

fn path_of(value: &Mem) -> PathBuf {
    let text = value.to_text();
    let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

fn readfile(ctx: &mut FnContext<'_>, args: &[Mem]) -> std::result::Result<(), FnError> {
    if args[0].is_null() {
        return Ok(());
    }
    let path = path_of(&args[0]);
    let length_max = ctx.facts().length_max;
    if fs::metadata(&path).is_ok_and(|about| about.is_file() && about.len() > length_max) {
        return Err(FnError::too_big());
    }
    if let Ok(bytes) = fs::read(&path) {
        if bytes.len() as u64 > length_max {
            return Err(FnError::too_big());
        }
        ctx.result().set_blob_vec(bytes);
    }
    Ok(())
}

fn writefile(ctx: &mut FnContext<'_>, args: &[Mem]) -> std::result::Result<(), FnError> {
    if !(2..=4).contains(&args.len()) {
        return Err(FnError::new(
            "wrong number of arguments to function writefile()",
        ));
    }
    if args[0].is_null() {
        return Ok(());
    }
    let path = path_of(&args[0]);
    let mode = args.get(2).map_or(0, Mem::to_int) as u32;
    let mtime = args.get(3).map(Mem::to_int);
    let mut written = write(&path, &args[1], mode, mtime);
    if written.is_err() {
        // Perhaps directories before it are missing.
        if let Some(parent) = path.parent() {
            if fs::create_dir_all(parent).is_ok() {
                written = write(&path, &args[1], mode, mtime);
            }
        }
    }
    match written {
        Ok(Some(bytes)) => ctx.result().set_int(bytes as i64),
        Ok(None) => {}
        Err(_) if mode & KIND == LINK => {
            return Err(FnError::new(format!(
                "failed to create symlink: {}",
                path.display()
            )));
        }
        Err(_) if mode & KIND == DIRECTORY => {
            return Err(FnError::new(format!(
                "failed to create directory: {}",
                path.display()
            )));
        }
        Err(_) => {
            return Err(FnError::new(format!(
                "failed to write file: {}",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Makes a file; the bytes of an ordinary one.
fn write(path: &Path, data: &Mem, mode: u32, mtime: Option<i64>) -> std::io::Result<Option<usize>> {
    match mode & KIND {
        LINK => {
            std::os::unix::fs::symlink(path_of(data), path)?;
            return Ok(None);
        }
        DIRECTORY => {
            if !fs::metadata(path).is_ok_and(|about| about.is_dir()) {
                fs::DirBuilder::new().mode(mode & 0o777).create(path)?;
            }
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777))?;
            set_time(&File::open(path)?, mtime)?;
            return Ok(None);
        }
        _ => {}
    }
    let bytes = data.to_bytes();
    let mut file = File::create(path)?;
    file.write_all(&bytes)?;
    if mode & 0o777 != 0 {
        file.set_permissions(fs::Permissions::from_mode(mode & 0o777))?;
    }
    set_time(&file, mtime)?;
    Ok(Some(bytes.len()))
}

fn set_time(file: &File, mtime: Option<i64>) -> std::io::Result<()> {
    match mtime.and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) => file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        None => Ok(()),
    }
}

fn lsmode(ctx: &mut FnContext<'_>, args: &[Mem]) -> std::result::Result<(), FnError> {
    let mode = args[0].to_int() as u32;
    let kind = match mode & KIND {
        LINK => b'l',
        FILE => b'-',
        DIRECTORY => b'd',
        _ => b'?',
    };
    let mut text = vec![kind];
    for shift in [6, 3, 0] {
        let bits = mode >> shift;
        for (bit, letter) in [(4, b'r'), (2, b'w'), (1, b'x')] {
            text.push(if bits & bit != 0 { letter } else { b'-' });
        }
    }
    ctx.result().set_text_vec(text);
    Ok(())
}

/// The module of `fsdir`.
struct FsDir;

const NAME: usize = 0;
const MODE: usize = 1;
const MTIME: usize = 2;
const DATA: usize = 3;
const LEVEL: usize = 4;
const PATH: usize = 5;
const DIR: usize = 6;

impl Module for FsDir {
    fn kind(&self) -> ModuleKind {
        ModuleKind::EponymousOnly
    }

    fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
        Ok(Declared::new(
            "CREATE TABLE x(name,mode,mtime,data,level,path HIDDEN,dir HIDDEN)",
            FsTable,
        ))
    }
}

struct FsTable;

impl VirtualTable for FsTable {
    fn best_index(&self, info: &mut IndexInfo) -> std::result::Result<(), Unusable> {
        let find = |info: &IndexInfo, column: usize| {
            let wanted = |at: &usize| {
                let constraint = &info.constraints[*at];
                constraint.op == ConstraintOp::EQ && constraint.column == column as i32
            };
            (0..info.constraints.len())
                .filter(wanted)
                .collect::<Vec<_>>()
        };
        for column in [PATH, DIR] {
            let unusable = find(info, column)
                .into_iter()
                .any(|at| !info.constraints[at].usable);
            if unusable {
                return Err(Unusable::Constraint);
            }
        }
        let Some(path) = find(info, PATH).first().copied() else {
            info.estimated_rows = i64::from(i32::MAX);
            return Ok(());
        };
        let usage = |argument| Usage {
            argument,
            omit: true,
            in_all: false,
        };
        info.usage[path] = usage(1);
        (info.plan.number, info.estimated_cost) = (1, 100.0);
        if let Some(dir) = find(info, DIR).first().copied() {
            info.usage[dir] = usage(2);
            (info.plan.number, info.estimated_cost) = (2, 10.0);
        }
        Ok(())
    }

    fn open(&mut self) -> std::result::Result<Box<dyn VirtualCursor>, VtabError> {
        Ok(Box::new(FsCursor::default()))
    }
}

/// A walk through directories, each before what is in it.
#[derive(Default)]
struct FsCursor {
    /// The directories that are open: what is left of them.
    open: Vec<fs::ReadDir>,
    /// Where the walk is; none at its end.
    now: Option<(PathBuf, Metadata)>,
    /// What is before the names that are shown.
    base: PathBuf,
    row: i64,
}

impl FsCursor {
    fn visit(&mut self, path: PathBuf) -> std::result::Result<(), VtabError> {
        match fs::symlink_metadata(&path) {
            Ok(about) => {
                self.now = Some((path, about));
                Ok(())
            }
            Err(_) => {
                self.now = None;
                Err(error(&format!("cannot stat file: {}", path.display())))
            }
        }
    }
}

fn error(message: &str) -> VtabError {
    VtabError::new(ringwood::ResultCode::ERROR, message)
}

impl VirtualCursor for FsCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        *self = FsCursor::default();
        if plan.number == 0 {
            return Err(error("table function fsdir requires an argument").into());
        }
        if args[0].is_null() {
            return Err(error("table function fsdir requires a non-NULL argument").into());
        }
        let mut path = path_of(&args[0]);
        if let Some(dir) = args.get(1) {
            self.base = path_of(dir);
            path = self.base.join(path);
        }
        self.row = 1;
        Ok(self.visit(path)?)
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.row += 1;
        if let Some((path, about)) = &self.now {
            if about.is_dir() {
                match fs::read_dir(path) {
                    Ok(entries) => self.open.push(entries),
                    Err(_) => {
                        let message = format!("cannot read directory: {}", path.display());
                        return Err(error(&message).into());
                    }
                }
            }
        }
        while let Some(entries) = self.open.last_mut() {
            match entries.next() {
                Some(Ok(entry)) => return Ok(self.visit(entry.path())?),
                Some(Err(e)) => return Err(error(&e.to_string()).into()),
                None => {
                    self.open.pop();
                }
            }
        }
        self.now = None;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.now.is_none()
    }

    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        let Some((path, about)) = &self.now else {
            return Ok(());
        };
        match column {
            NAME => {
                let shown = path.strip_prefix(&self.base).unwrap_or(path);
                out.set_text(shown.as_os_str().as_bytes());
            }
            MODE => out.set_int(i64::from(about.mode())),
            MTIME => out.set_int(about.mtime()),
            DATA if about.is_dir() => out.set_null(),
            DATA if about.is_symlink() => {
                let target = fs::read_link(path).map_err(|e| error(&e.to_string()))?;
                out.set_text(target.as_os_str().as_bytes());
            }
            DATA => match fs::read(path) {
                Ok(bytes) => out.set_blob_vec(bytes),
                Err(_) => out.set_null(),
            },
            LEVEL => out.set_int(self.open.len() as i64 + 1),
            // Arguments are not shown.
            _ => out.set_null(),
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.row)
    }
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    let flags = FunctionFlags::DIRECT_ONLY;
    conn.create_scalar_function("readfile", 1, flags, readfile)?;
    conn.create_scalar_function("writefile", -1, flags, writefile)?;
    conn.create_scalar_function("lsmode", 1, FunctionFlags::empty(), lsmode)?;
    conn.create_module("fsdir", Some(Arc::new(FsDir)));
    Ok(())
}
