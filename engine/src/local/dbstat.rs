//! `dbstat`: the pages of a database, tree by tree.
//!
//! ```text
//!   name   path          pageno  pagetype   ncell  payload  unused  mx_payload  pgoffset  pgsize
//!   t      /             2       internal
//!   t      /000/         5       leaf                                           the cells from the left; behind the
//!   t      /000/002+000000 9     overflow                                       page itself, for each cell its overflow
//!   t      /001/         6       leaf                                           pages, then its child
//! ```
//!
//! Rules:
//! 1. A page is read when its row is asked for; nothing is kept but the way from the root.
//! 2. What cannot be decoded is a page of type `corrupted`, and is not followed.
//!
//! Source: SQLite's `dbstat.c`.

use std::collections::VecDeque;
use std::sync::Arc;

use ringwood_format::btree_page::BtreePage;
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::value::Value;
use ringwood_vdbe::vtab::{
    ConstraintOp, Declared, IndexInfo, IndexPlan, LocalFuture, Module, ModuleArgs, ModuleKind,
    Unusable, VirtualCursor, VirtualTable, VtabContext, VtabStep, VtabStop, WaitContext,
};
use ringwood_vdbe::{Env, Error, Mem};

/// The module.
pub(super) struct DbStat;

const SCHEMA: &str = "CREATE TABLE x(name TEXT, path TEXT, pageno INTEGER, pagetype TEXT, \
     ncell INTEGER, payload INTEGER, unused INTEGER, mx_payload INTEGER, pgoffset INTEGER, \
     pgsize INTEGER, schema TEXT HIDDEN, aggregate BOOLEAN HIDDEN)";

impl Module for DbStat {
    fn kind(&self) -> ModuleKind {
        ModuleKind::Eponymous
    }

    fn connect(&self, args: &ModuleArgs) -> VtabStep<Declared> {
        let db = match args.args.first() {
            Some(db) => Arc::from(db.trim_matches(['"', '\'', '`', '[', ']'])),
            None if args.db.is_empty() => Arc::from("main"),
            None => args.db.clone(),
        };
        Ok(Declared::new(SCHEMA, DbStatTable { db }))
    }
}

struct DbStatTable {
    db: Arc<str>,
}

/// Bits of a plan: the arguments that are there, in this order, and the order of rows.
mod plan {
    pub const SCHEMA: i32 = 1;
    pub const NAME: i32 = 2;
    pub const AGGREGATE: i32 = 4;
    pub const ORDERED: i32 = 8;
}

impl VirtualTable for DbStatTable {
    fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
        let mut found = [
            (plan::SCHEMA, 10, None),
            (plan::NAME, 0, None),
            (plan::AGGREGATE, 11, None),
        ];
        for (i, constraint) in info.constraints.iter().enumerate() {
            if constraint.op != ConstraintOp::EQ {
                continue;
            }
            if !constraint.usable {
                return Err(Unusable::Constraint);
            }
            for (_, column, at) in &mut found {
                if *column == constraint.column {
                    *at = Some(i);
                }
            }
        }
        let mut argument = 0;
        for (bit, _, at) in found {
            let Some(at) = at else { continue };
            argument += 1;
            info.usage[at].argument = argument;
            info.usage[at].omit = bit == plan::SCHEMA;
            info.plan.number |= bit;
        }
        info.estimated_cost = 1.0;
        let by = |i: usize, column| {
            info.order_by
                .get(i)
                .is_some_and(|order| order.column == column && !order.desc)
        };
        let ordered = match info.order_by.len() {
            1 => by(0, 0),
            2 => by(0, 0) && by(1, 1),
            _ => false,
        };
        if ordered {
            info.order_by_consumed = true;
            info.plan.number |= plan::ORDERED;
        }
        info.hexadecimal = true;
        Ok(())
    }

    fn open(&mut self) -> Result<Box<dyn VirtualCursor>, Error> {
        Ok(Box::new(StatCursor {
            default_db: self.db.clone(),
            db: self.db.clone(),
            name: None,
            aggregate: false,
            ordered: false,
            begun: false,
            trees: VecDeque::new(),
            tree: Arc::from(""),
            way: Vec::new(),
            rows: VecDeque::new(),
            row: None,
            rowid: 0,
        }))
    }
}

/// A row: a page, or a tree as a whole.
#[derive(Clone, Debug)]
struct StatRow {
    name: Arc<str>,
    path: String,
    page: i64,
    kind: &'static str,
    cells: i64,
    payload: i64,
    unused: i64,
    largest: i64,
    offset: i64,
    size: i64,
}

/// A page of the way from the root to the page at hand: what of it is still to be visited.
struct Step {
    path: String,
    /// For each cell its overflow pages and the child; of the last only the child.
    cells: VecDeque<(usize, Option<Chain>, Option<PageNo>)>,
}

/// A chain of overflow pages.
#[derive(Clone, Copy)]
struct Chain {
    first: PageNo,
    /// Bytes of payload in it.
    size: u32,
}

struct StatCursor {
    default_db: Arc<str>,
    db: Arc<str>,
    name: Option<Vec<u8>>,
    aggregate: bool,
    ordered: bool,
    /// The list of trees has been read.
    begun: bool,
    trees: VecDeque<(Arc<str>, PageNo)>,
    tree: Arc<str>,
    way: Vec<Step>,
    rows: VecDeque<StatRow>,
    row: Option<StatRow>,
    rowid: i64,
}

impl StatCursor {
    /// Takes the next row, if it is there.
    fn take(&mut self) -> VtabStep {
        self.row = self.rows.pop_front();
        if self.row.is_none() && !(self.begun && self.trees.is_empty() && self.way.is_empty()) {
            return Err(VtabStop::Wait);
        }
        Ok(())
    }

    /// Reads the list of trees.
    async fn begin(&mut self, cx: &mut WaitContext<'_>) -> Result<(), Error> {
        self.begun = true;
        let db = self.db.replace('"', "\"\"");
        let mut sql = format!(
            "SELECT * FROM (SELECT 'sqlite_schema' AS name,1 AS rootpage UNION ALL \
             SELECT name,rootpage FROM \"{db}\".sqlite_schema WHERE rootpage!=0)"
        );
        let mut params = Vec::new();
        if let Some(name) = &self.name {
            sql.push_str(" WHERE name=?1");
            params.push(Value::Text(name.clone()));
        }
        if self.ordered {
            sql.push_str(" ORDER BY name");
        }
        for row in cx.query(&sql, &params).await? {
            if let [Value::Text(name), Value::Integer(root)] = row.as_slice() {
                if let Some(root) = u32::try_from(*root).ok().and_then(PageNo::new) {
                    let name = String::from_utf8_lossy(name);
                    self.trees.push_back((Arc::from(&*name), root));
                }
            }
        }
        Ok(())
    }

    /// Visits pages until there is a row, or nothing left.
    async fn advance(&mut self, env: &mut Env) -> Result<(), Error> {
        let Some(db) = env
            .dbs
            .iter()
            .find(|db| db.name.eq_ignore_ascii_case(&self.db))
        else {
            (self.trees, self.way) = (VecDeque::new(), Vec::new());
            return Ok(());
        };
        let tx = &db.tx;
        let geometry = tx.geometry();
        let mut total: Option<StatRow> = None;
        loop {
            let next = match self.way.last_mut() {
                None if total.is_some() => break,
                None => {
                    let Some((name, root)) = self.trees.pop_front() else {
                        break;
                    };
                    self.tree = name;
                    Some(("/".to_owned(), root))
                }
                Some(step) => match step.cells.pop_front() {
                    None => None,
                    Some((i, Some(chain), child)) => {
                        let path = step.path.clone();
                        if child.is_some() {
                            step.cells.push_front((i, None, child));
                        }
                        self.visit_chain(tx, geometry, &path, i, chain).await?;
                        if !self.aggregate {
                            return Ok(());
                        }
                        self.add_up(&mut total);
                        continue;
                    }
                    Some((i, None, Some(child))) => Some((format!("{}{i:03x}/", step.path), child)),
                    Some((_, None, None)) => continue,
                },
            };
            let Some((path, page)) = next else {
                self.way.pop();
                continue;
            };
            if self.way.len() > 40 || page.get() > tx.page_count().max(1) {
                return Err(Error::corrupt());
            }
            let data = tx.page(page).await?;
            self.visit(&data, geometry, path, page);
            if !self.aggregate {
                return Ok(());
            }
            self.add_up(&mut total);
        }
        self.rows.extend(total);
        Ok(())
    }

    /// A page of a tree.
    fn visit(&mut self, data: &[u8], geometry: Geometry, path: String, page: PageNo) {
        let size = i64::from(geometry.page_size());
        let mut row = StatRow {
            name: self.tree.clone(),
            path: path.clone(),
            page: i64::from(page.get()),
            kind: "corrupted",
            cells: 0,
            payload: 0,
            unused: 0,
            largest: 0,
            offset: size * (i64::from(page.get()) - 1),
            size,
        };
        let mut step = Step {
            path,
            cells: VecDeque::new(),
        };
        if decode(data, geometry, page, &mut row, &mut step).is_none() {
            (row.kind, row.cells, row.payload, row.unused, row.largest) = ("corrupted", 0, 0, 0, 0);
            step.cells.clear();
        }
        self.rows.push_back(row);
        self.way.push(step);
    }

    /// The overflow pages of a cell.
    async fn visit_chain(
        &mut self,
        tx: &ringwood_wal::Tx,
        geometry: Geometry,
        path: &str,
        cell: usize,
        chain: Chain,
    ) -> Result<(), Error> {
        let room = i64::from(geometry.usable()) - 4;
        let (mut at, mut left) = (Some(chain.first), i64::from(chain.size));
        let mut i = 0;
        while let Some(page) = at.filter(|_| left > 0) {
            if page.get() > tx.page_count() {
                break;
            }
            let payload = left.min(room);
            let size = i64::from(geometry.page_size());
            self.rows.push_back(StatRow {
                name: self.tree.clone(),
                path: format!("{path}{cell:03x}+{i:06x}"),
                page: i64::from(page.get()),
                kind: "overflow",
                cells: 0,
                payload,
                unused: room - payload,
                largest: 0,
                offset: size * (i64::from(page.get()) - 1),
                size,
            });
            left -= payload;
            i += 1;
            let data = tx.page(page).await?;
            at = overflow::next(&data).map_err(|_| Error::corrupt())?;
        }
        Ok(())
    }

    /// Adds the rows so far to the row of the tree.
    fn add_up(&mut self, total: &mut Option<StatRow>) {
        for row in self.rows.drain(..) {
            let total = total.get_or_insert_with(|| StatRow {
                page: 0,
                cells: 0,
                payload: 0,
                unused: 0,
                largest: 0,
                size: 0,
                ..row.clone()
            });
            total.page += 1;
            total.cells += row.cells;
            total.payload += row.payload;
            total.unused += row.unused;
            total.largest = total.largest.max(row.largest);
            total.size += row.size;
        }
    }
}

/// Fills in what a page says; none if it is malformed (rule 2).
fn decode(
    data: &[u8],
    geometry: Geometry,
    no: PageNo,
    row: &mut StatRow,
    step: &mut Step,
) -> Option<()> {
    let page = BtreePage::new(data, geometry, no).ok()?;
    row.kind = if page.is_leaf() { "leaf" } else { "internal" };
    row.cells = page.cell_count() as i64;
    row.unused = page.free_space().ok()? as i64;
    for i in 0..page.cell_count() {
        let cell = page.cell_info(i).ok()?;
        let holds_payload = !page.kind().is_table() || page.is_leaf();
        let mut chain = None;
        if holds_payload {
            row.payload += i64::from(cell.local_size);
            row.largest = row.largest.max(i64::from(cell.payload_size));
            chain = cell.overflow.map(|first| Chain {
                first,
                size: cell.payload_size - u32::from(cell.local_size),
            });
        }
        if chain.is_some() || cell.left_child.is_some() {
            step.cells.push_back((i, chain, cell.left_child));
        }
    }
    if let Some(right) = page.right_child() {
        step.cells.push_back((page.cell_count(), None, Some(right)));
    }
    Some(())
}

impl VirtualCursor for StatCursor {
    fn filter(&mut self, _: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep {
        if self.begun && self.rowid == 0 {
            // Called again behind a wait.
            self.take()?;
            self.rowid = 1;
            return Ok(());
        }
        (self.db, self.name) = (self.default_db.clone(), None);
        self.aggregate = false;
        self.ordered = plan.number & plan::ORDERED != 0;
        let mut args = args.iter();
        if plan.number & plan::SCHEMA != 0 {
            let db = args.next().map(|arg| arg.to_text().into_owned());
            self.db = String::from_utf8_lossy(&db.unwrap_or_default()).into();
        }
        if plan.number & plan::NAME != 0 {
            self.name = args.next().map(|arg| arg.to_text().into_owned());
        }
        if plan.number & plan::AGGREGATE != 0 {
            self.aggregate = args.next().is_some_and(|arg| arg.to_real() != 0.0);
        }
        (self.begun, self.rowid, self.row) = (false, 0, None);
        (self.trees, self.way, self.rows) = (VecDeque::new(), Vec::new(), VecDeque::new());
        Err(VtabStop::Wait)
    }

    fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
        self.take()?;
        self.rowid += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.row.is_none()
    }

    fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
        let Some(row) = &self.row else { return Ok(()) };
        match column {
            0 => out.set_text(row.name.as_bytes()),
            1 if !self.aggregate => out.set_text(row.path.as_bytes()),
            2 => out.set_int(row.page),
            3 if !self.aggregate => out.set_text(row.kind.as_bytes()),
            4 => out.set_int(row.cells),
            5 => out.set_int(row.payload),
            6 => out.set_int(row.unused),
            7 => out.set_int(row.largest),
            8 if !self.aggregate => out.set_int(row.offset),
            9 => out.set_int(row.size),
            10 => out.set_text(self.db.as_bytes()),
            11 => out.set_bool(self.aggregate),
            _ => {}
        }
        Ok(())
    }

    fn rowid(&mut self) -> VtabStep<i64> {
        Ok(self.row.as_ref().map_or(0, |row| row.page))
    }

    fn wait<'a>(&'a mut self, mut cx: WaitContext<'a>) -> LocalFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if !self.begun {
                let known = cx
                    .env()
                    .dbs
                    .iter()
                    .any(|db| db.name.eq_ignore_ascii_case(&self.db));
                if !known {
                    self.begun = true;
                    return Ok(());
                }
                self.begin(&mut cx).await?;
            }
            while self.rows.is_empty() && !(self.trees.is_empty() && self.way.is_empty()) {
                self.advance(cx.env()).await?;
            }
            Ok(())
        })
    }
}
