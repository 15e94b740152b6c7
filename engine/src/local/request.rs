//! What a running program asks of the engine, and the answers.

use std::rc::Rc;

use ringwood_format::value::Value;
use ringwood_sql::parse::Parser;
use ringwood_vdbe::{Answer, Env, Error as VdbeError, Exit, Request, ResultCode, Vm};
use ringwood_wal::{CheckpointMode, Error as StoreError, JournalMode, TxState};

use super::Inner;
use super::schema::Filter;

type Outcome = std::result::Result<Answer, VdbeError>;

impl Inner {
    /// Carries a request out.
    pub(super) async fn answer(self: &Rc<Self>, env: &mut Env, request: Request) -> Answer {
        self.try_answer(env, request)
            .await
            .unwrap_or_else(Answer::Failed)
    }

    async fn try_answer(self: &Rc<Self>, env: &mut Env, request: Request) -> Outcome {
        match request {
            Request::ParseSchema { db, filter } => {
                self.reload(env, db, filter.as_deref().and_then(Filter::parse))
                    .await?;
            }
            Request::LoadAnalysis { db } => self.reload(env, db, None).await?,
            Request::DropTable { db, name } => self.edit_schema(db, |s| s.drop_table(&text(&name))),
            Request::DropIndex { db, name } => self.edit_schema(db, |s| s.drop_index(&text(&name))),
            Request::DropTrigger { db, name } => {
                self.edit_schema(db, |s| s.drop_trigger(&text(&name)));
            }
            Request::JournalMode { db, mode } => return journal_mode(env, db, mode).await,
            Request::Checkpoint { db, mode } => return checkpoint(env, db, mode).await,
            Request::Execute {
                sql,
                analysis_limit,
            } => self.execute_within(env, &sql, analysis_limit).await?,
            Request::Vacuum { db, into } => return self.vacuum(env, db, into).await,
            Request::Attach { file, name } => return self.attach(env, &file, &name).await,
            Request::Detach { name } => return self.detach(env, &name).await,
            Request::Setting { db, setting, value } => {
                let value = self.setting(env, db, setting, value).await?;
                return Ok(Answer::Values(vec![value]));
            }
            Request::MaxPageCount { db, pages } => {
                let tx = &mut env.dbs[db].tx;
                if pages > 0 {
                    tx.set_page_limit(pages);
                }
                let limit = i64::from(tx.page_limit());
                return Ok(Answer::Values(vec![Value::Integer(limit)]));
            }
        }
        Ok(Answer::Done)
    }
}

impl Inner {
    /// Runs statements while another one is under way.
    async fn execute_within(
        self: &Rc<Self>,
        env: &mut Env,
        sql: &[u8],
        analysis_limit: Option<u32>,
    ) -> Result<(), VdbeError> {
        let before = self.flags.get();
        if let Some(limit) = analysis_limit {
            let mut flags = before;
            flags.analysis_limit = limit;
            self.flags.set(flags);
        }
        // In a box: the statement may ask for things in turn.
        let outcome = Box::pin(self.run_all(env, sql)).await;
        self.flags.set(before);
        outcome
    }

    async fn run_all(self: &Rc<Self>, env: &mut Env, sql: &[u8]) -> Result<(), VdbeError> {
        let mut parser = Parser::new(sql);
        while let Some(parsed) = parser.next_statement() {
            let parsed = parsed.map_err(|e| VdbeError::new(ResultCode::ERROR, e.to_string()))?;
            let program = self.compile_in(env, &parsed, sql).await;
            let program = program.map_err(|e| {
                VdbeError::new(ResultCode::from_i32(e.extended_code()), e.message())
            })?;
            let mut vm = Vm::new(program);
            loop {
                match vm.step(env).await? {
                    Exit::Row => {}
                    Exit::Done => break,
                    Exit::Request(request) => {
                        let answer = self.answer(env, request).await;
                        // A failed answer is told by the next step.
                        let _ = vm.answer(env, answer);
                    }
                }
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sets or tells the journal mode; the number is SQLite's (0 delete … 5 wal, -1 ask). As in SQLite, a mode that cannot
/// be had leaves the one that is.
async fn journal_mode(env: &mut Env, db: usize, mode: i32) -> Outcome {
    let (autocommit, reading) = (env.autocommit, env.active_read);
    let tx = &mut env.dbs[db].tx;
    if tx.state() == TxState::None {
        // What it is is seen by looking.
        tx.begin_read().await?;
        tx.end_read();
    }
    let before = tx.journal_mode();
    let wanted = usize::try_from(mode)
        .ok()
        .and_then(|mode| JournalMode::ALL.get(mode).copied());
    if let Some(wanted) = wanted.filter(|wanted| *wanted != before) {
        let is_file = tx.database().path().is_some();
        let (is_log, wants_log) = (before == JournalMode::Wal, wanted == JournalMode::Wal);
        if is_file && is_log != wants_log && (!autocommit || reading > 1) {
            let way = if wants_log { "into" } else { "out of" };
            let message = format!("cannot change {way} wal mode from within a transaction");
            return Err(VdbeError::new(ResultCode::ERROR, message));
        }
        if tx.state() != TxState::Write {
            tx.set_journal_mode(wanted).await?;
        }
    }
    let mode = env.dbs[db].tx.journal_mode();
    Ok(Answer::Values(vec![Value::text(mode.name())]))
}

/// Checkpoints one database or all; of several, the last one's counts are told, as in SQLite.
async fn checkpoint(env: &mut Env, db: Option<usize>, mode: i32) -> Outcome {
    let mode = match mode {
        1 => CheckpointMode::Full,
        2 => CheckpointMode::Restart,
        3 => CheckpointMode::Truncate,
        _ => CheckpointMode::Passive,
    };
    let mut counts = (0, -1, -1);
    for (index, database) in env.dbs.iter_mut().enumerate() {
        if db.is_some_and(|db| db != index) {
            continue;
        }
        let tx = &mut database.tx;
        if tx.state() == TxState::None {
            // What it keeps is seen by looking.
            tx.begin_read().await?;
            tx.end_read();
        }
        if tx.journal_mode() != JournalMode::Wal {
            continue;
        }
        let result = match tx.checkpoint(mode).await {
            Ok(result) => result,
            // Somebody else makes a checkpoint.
            Err(StoreError::Busy) => {
                counts.0 = 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if db.is_some() || index == 0 {
            counts.1 = i64::from(result.log_frames);
            counts.2 = i64::from(result.checkpointed_frames);
        }
        counts.0 |= i64::from(result.busy);
    }
    let (busy, log, copied) = counts;
    Ok(Answer::Values(vec![
        Value::Integer(busy),
        Value::Integer(log),
        Value::Integer(copied),
    ]))
}
