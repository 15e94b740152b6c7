//! Journal modes, checkpoints and locking modes: both shells say the same, and end with the same files.

use crate::shell::{Folder, ringwood, run, sqlite3};

const SCRIPTS: [&str; 8] = [
    "PRAGMA journal_mode=delete;\nCREATE TABLE t(a);\nPRAGMA journal_mode;\nINSERT INTO t VALUES (1);\n\
     PRAGMA journal_mode=persist;\nINSERT INTO t VALUES (2);\nPRAGMA journal_mode=truncate;\nINSERT INTO t VALUES (3);\n\
     PRAGMA journal_mode=memory;\nINSERT INTO t VALUES (4);\nPRAGMA journal_mode=off;\nINSERT INTO t VALUES (5);\n\
     PRAGMA journal_mode=wal;\nINSERT INTO t VALUES (6);\nPRAGMA journal_mode=delete;\nINSERT INTO t VALUES (7);\n\
     PRAGMA journal_mode=nonsense;\nSELECT sum(a) FROM t;\nPRAGMA integrity_check;\n",
    "PRAGMA journal_mode=wal;\nPRAGMA wal_checkpoint;\nCREATE TABLE t(a);\nINSERT INTO t VALUES (1);\n\
     PRAGMA wal_checkpoint;\nPRAGMA wal_checkpoint(FULL);\nPRAGMA wal_checkpoint(RESTART);\nINSERT INTO t VALUES (2);\n\
     PRAGMA wal_checkpoint(TRUNCATE);\nPRAGMA wal_checkpoint(nonsense);\nPRAGMA wal_autocheckpoint;\n\
     PRAGMA wal_autocheckpoint=7;\nPRAGMA wal_autocheckpoint=-1;\nSELECT * FROM t;\n",
    "PRAGMA journal_mode=delete;\nCREATE TABLE t(a);\nPRAGMA wal_checkpoint;\nBEGIN;\nPRAGMA journal_mode=wal;\n\
     SELECT count(*) FROM t;\nPRAGMA journal_mode=wal;\nCOMMIT;\nPRAGMA journal_mode=wal;\nBEGIN;\n\
     SELECT count(*) FROM t;\nPRAGMA journal_mode=delete;\nPRAGMA wal_checkpoint;\nROLLBACK;\nPRAGMA journal_mode=delete;\n",
    "PRAGMA journal_mode=wal;\nPRAGMA locking_mode;\nPRAGMA locking_mode=exclusive;\nCREATE TABLE t(a);\n\
     INSERT INTO t VALUES (1);\nSELECT * FROM t;\nPRAGMA locking_mode=exclusive;\n",
    "PRAGMA journal_mode=delete;\nPRAGMA synchronous;\nPRAGMA synchronous=off;\nCREATE TABLE t(a);\nPRAGMA synchronous=extra;\n\
     INSERT INTO t VALUES (1);\nPRAGMA synchronous;\nPRAGMA locking_mode=exclusive;\nINSERT INTO t VALUES (2);\n\
     SELECT * FROM t;\n",
    "PRAGMA journal_mode=delete;\nATTACH 'other.db' AS o;\nPRAGMA o.journal_mode=truncate;\nCREATE TABLE t(a);\n\
     CREATE TABLE o.t(a);\nBEGIN;\nINSERT INTO main.t VALUES (1);\nINSERT INTO o.t VALUES (2);\nCOMMIT;\n\
     SELECT * FROM main.t, o.t;\nPRAGMA journal_mode;\nPRAGMA o.journal_mode;\nPRAGMA o.integrity_check;\n",
    "PRAGMA locking_mode=EXCLUSIVE;\nPRAGMA journal_mode=WAL;\nCREATE TABLE t(a);\nPRAGMA locking_mode=NORMAL;\n\
     INSERT INTO t VALUES (1);\nPRAGMA locking_mode;\nPRAGMA journal_mode=DELETE;\nPRAGMA locking_mode=NORMAL;\nSELECT * FROM t;\n",
    "PRAGMA journal_mode=WAL;\nCREATE TABLE t(a);\nPRAGMA locking_mode=EXCLUSIVE;\nINSERT INTO t VALUES (1);\n\
     PRAGMA locking_mode=NORMAL;\nSELECT * FROM t;\nPRAGMA locking_mode;\n",
];

#[test]
fn pragmas_of_the_journal_answer_alike() {
    if sqlite3().is_none() {
        return;
    }
    for (n, script) in SCRIPTS.iter().enumerate() {
        let mut said = Vec::new();
        for mut shell in [ringwood(), sqlite3().expect("was there")] {
            let folder = Folder::new("journal-modes");
            shell.current_dir(folder.file(""));
            let out = run(shell, &folder.file("a.db"), &[], script);
            let mut names: Vec<String> = std::fs::read_dir(folder.file(""))
                .expect("lists")
                .map(|entry| {
                    entry
                        .expect("an entry")
                        .file_name()
                        .into_string()
                        .expect("text")
                })
                .collect();
            names.sort();
            // Where in the script an error was, the two shells say each in its own way.
            let errors: Vec<String> = String::from_utf8_lossy(&out.stderr)
                .lines()
                .filter_map(|line| line.rsplit(": ").next().map(str::to_owned))
                .collect();
            said.push((
                String::from_utf8_lossy(&out.stdout).into_owned(),
                errors,
                names,
            ));
        }
        assert_eq!(said[0], said[1], "script {n}: ours, then stock's");
    }
}
