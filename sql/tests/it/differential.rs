//! Damaged statements: stock SQLite and the parser must agree whether the damage is one of syntax, in which words,
//! and where.
//!
//! Each seed takes a statement of the corpus (or of a small list, where the corpus is absent) and deletes, doubles,
//! swaps, inserts or replaces tokens. SQLite looks names up in the midst of parsing some statements (CREATE), so
//! where it complains of a name, nothing is said of syntax errors further on.
//!
//! RINGWOOD_MUTATIONS sets how many; a failure prints seed and text.

use ringwood_sql::lex::{KEYWORDS, Token, lex};
use ringwood_sql::parse::{ParseError, Parser};

use crate::corpus;
use crate::oracle::{Oracle, Refusal};

/// A small generator of numbers: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }
}

/// Statements for every rule of the grammar, used beside the corpus.
pub const SEEDS: &[&str] = &[
    "SELECT DISTINCT a, b AS c, t.*, * FROM t1 AS x INDEXED BY i, main.t2 NOT INDEXED LEFT OUTER JOIN f(1, 2) z \
     USING (a, b) NATURAL FULL JOIN (t3 CROSS JOIN t4) ON a = b WHERE a IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1 \
     WINDOW w AS (PARTITION BY a ORDER BY b), v AS (w ROWS 1 PRECEDING) ORDER BY a COLLATE nocase DESC NULLS LAST \
     LIMIT 1 OFFSET 2",
    "SELECT a BETWEEN 1 AND 2 OR NOT b LIKE 'x' ESCAPE '!' AND c NOT IN (1, 2) AND d IN t1 AND e IN main.f(1) \
     AND f IN (SELECT 1) AND g IS NOT DISTINCT FROM h AND i NOTNULL AND j NOT NULL AND k ISNULL",
    "SELECT -a || +b -> ~c ->> 'x' << 3 & 4 | 5 % 6 * 7 / 8 <> 9 == 10 < 11 >= 12, CASE a WHEN 1 THEN 2 ELSE 3 END, \
     CAST(a AS decimal(10, -5)), h(DISTINCT a, b ORDER BY c) FILTER (WHERE d), f(a, b) FILTER (WHERE d) OVER (w PARTITION BY e GROUPS BETWEEN \
     UNBOUNDED PRECEDING AND 5 FOLLOWING EXCLUDE NO OTHERS), g(*) OVER w, EXISTS (SELECT 1), (SELECT 2), (1, 2), \
     ?1, ?, :a, @b, $c::d(e), x'ab', 0x1f, 1_000, .5e3, current_date, RAISE(ABORT, 'x'), RAISE(IGNORE)",
    "WITH RECURSIVE a(x, y) AS MATERIALIZED (VALUES (1, 2), (3, 4) UNION ALL SELECT 1, 2 FROM a), b AS NOT \
     MATERIALIZED (SELECT 1) SELECT * FROM a EXCEPT SELECT * FROM b INTERSECT VALUES (1, 2)",
    "INSERT OR REPLACE INTO main.t1 AS x (a, b) SELECT 1, 2 ON CONFLICT (a COLLATE nocase, b) WHERE c DO UPDATE SET \
     a = 1, (b, c) = (2, 3) WHERE d ON CONFLICT DO NOTHING RETURNING a, b AS c, *",
    "REPLACE INTO t1 DEFAULT VALUES RETURNING rowid",
    "UPDATE OR FAIL main.t1 AS x NOT INDEXED SET a = 1, (b, c) = (SELECT 1, 2) FROM t2, t3 WHERE a = b RETURNING *",
    "DELETE FROM main.t1 AS x INDEXED BY y WHERE a RETURNING b",
    "CREATE TEMP TABLE IF NOT EXISTS main.x (a INTEGER PRIMARY KEY DESC ON CONFLICT ABORT AUTOINCREMENT, b \
     varchar(10, 20) CONSTRAINT c NOT NULL ON CONFLICT IGNORE DEFAULT -5 UNIQUE CHECK (b > 1) COLLATE nocase REFERENCES \
     p(a, b) ON DELETE SET NULL ON UPDATE CASCADE MATCH full NOT DEFERRABLE INITIALLY IMMEDIATE, d GENERATED ALWAYS AS \
     (a + 1) STORED, e AS (2) VIRTUAL, f DEFAULT (1 + 2) DEFAULT current_time NULL, PRIMARY KEY (a AUTOINCREMENT), \
     CONSTRAINT u UNIQUE (a, b) ON CONFLICT ROLLBACK CHECK (1), FOREIGN KEY (a, b) REFERENCES p DEFERRABLE INITIALLY \
     DEFERRED) WITHOUT ROWID, STRICT",
    "CREATE TABLE x AS SELECT 1 AS a",
    "CREATE UNIQUE INDEX IF NOT EXISTS main.i ON t1 (a, b COLLATE nocase DESC, a + b NULLS LAST) WHERE a > 1",
    "CREATE TEMP VIEW IF NOT EXISTS v(a, b) AS SELECT 1, 2",
    "CREATE TRIGGER IF NOT EXISTS tr AFTER UPDATE OF a, b ON t1 FOR EACH ROW WHEN new.a > 1 BEGIN UPDATE OR IGNORE t2 \
     SET a = 1 FROM t3 WHERE b; INSERT INTO t2 VALUES (1) ON CONFLICT DO NOTHING; DELETE FROM t2 WHERE a; SELECT 1; END",
    "CREATE TRIGGER tr INSTEAD OF DELETE ON t1 BEGIN SELECT raise(fail, 'x'); END",
    "CREATE VIRTUAL TABLE IF NOT EXISTS v USING fts5 (a, b (c, d) e, , tokenize = 'x y')",
    "DROP TABLE IF EXISTS main.t1",
    "DROP INDEX i",
    "DROP TRIGGER tr",
    "DROP VIEW v",
    "ALTER TABLE main.t1 RENAME TO x",
    "ALTER TABLE t1 RENAME COLUMN a TO b",
    "ALTER TABLE t1 ADD COLUMN x INTEGER DEFAULT 5 NOT NULL",
    "ALTER TABLE t1 DROP COLUMN a",
    "ALTER TABLE t1 DROP CONSTRAINT c",
    "ALTER TABLE t1 ALTER COLUMN a SET NOT NULL ON CONFLICT FAIL",
    "ALTER TABLE t1 ALTER a DROP NOT NULL",
    "ALTER TABLE t1 ADD CONSTRAINT c CHECK (a > 1) ON CONFLICT ABORT",
    "BEGIN IMMEDIATE TRANSACTION x",
    "COMMIT TRANSACTION",
    "END",
    "ROLLBACK TRANSACTION x TO SAVEPOINT y",
    "SAVEPOINT x",
    "RELEASE SAVEPOINT x",
    "PRAGMA main.cache_size = -5",
    "PRAGMA cache_size(+5)",
    "PRAGMA foreign_keys = ON",
    "ATTACH DATABASE 'x' AS y KEY 'z'",
    "DETACH DATABASE y",
    "VACUUM main INTO 'x'",
    "ANALYZE main.t1",
    "REINDEX nocase",
    "EXPLAIN QUERY PLAN SELECT 1",
    "VALUES (1, 2), (3, 4)",
];

const OTHER_TOKENS: &[&str] = &[
    "x", "y", "\"q\"", "[b]", "`t`", "'s'", "1", "2.5", "1_0", "x'00'", "?", "?3", ":v", "#1",
    "#a", ";", "(", ")", ",", ".", "=", "==", "<>", "!=", "<", "<=", ">", ">=", "&", "|", "~",
    "<<", ">>", "+", "-", "*", "/", "%", "||", "->", "->>", "t1", "rowid", "strict", "stored",
    "0x1G", "!", "count", "within", "/* c */", "-- c\n",
];

fn token_texts(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    let mut at = 0;
    loop {
        let lexeme = lex(text.as_bytes(), at);
        if lexeme.token == Token::EndOfText {
            return list;
        }
        at = lexeme.end as usize;
        list.push(
            String::from_utf8_lossy(&text.as_bytes()[lexeme.start as usize..at]).into_owned(),
        );
    }
}

fn random_token(random: &mut Random) -> String {
    if random.below(2) == 0 {
        KEYWORDS[random.below(KEYWORDS.len())].0.to_string()
    } else {
        OTHER_TOKENS[random.below(OTHER_TOKENS.len())].to_string()
    }
}

/// `text` with a few tokens damaged.
pub fn mutate(text: &str, other: &str, random: &mut Random) -> String {
    let mut tokens = token_texts(text);
    for _ in 0..=random.below(3) {
        if tokens.is_empty() {
            break;
        }
        let at = random.below(tokens.len());
        match random.below(8) {
            0 => {
                tokens.remove(at);
            }
            1 => tokens.insert(at, tokens[at].clone()),
            2 => {
                let to = random.below(tokens.len());
                tokens.swap(at, to);
            }
            3 => tokens.truncate(at + 1),
            4 => {
                // A piece of another statement.
                let donor = token_texts(other);
                if !donor.is_empty() {
                    let from = random.below(donor.len());
                    let to = (from + 1 + random.below(8)).min(donor.len());
                    let end = (at + random.below(4)).min(tokens.len());
                    tokens.splice(at..end, donor[from..to].iter().cloned());
                }
            }
            5 | 6 => tokens[at] = random_token(random),
            _ => tokens.insert(at, random_token(random)),
        }
    }
    let mut out = String::new();
    for token in tokens {
        if !out.is_empty() && random.below(12) != 0 {
            out.push(' ');
        }
        out.push_str(&token);
    }
    out
}

/// Whether SQLite's message is one of its parser's, which the parser here must say, too.
fn is_of_syntax(message: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "near \"",
        "unrecognized token: ",
        "incomplete input",
        "syntax error after column name",
        "unknown join type: ",
        "a JOIN clause is required before",
        "variable number must be between",
        "too many SQL variables",
        "too many arguments on function",
        "unknown table option: ",
        "unsupported frame specification",
        "DISTINCT is not supported for window",
        "cannot use RETURNING in a trigger",
        "duplicate WITH table name",
        "Recursion limit",
        "Expression tree is too large",
    ];
    let later = message.contains(" clause should come after ");
    later
        || BEGINNINGS
            .iter()
            .any(|beginning| message.starts_with(beginning))
}

fn is_limit(error: &Refusal) -> bool {
    matches!(
        error.message.as_str(),
        "near \"ORDER\": syntax error" | "near \"LIMIT\": syntax error"
    )
}

/// What the two say of the first statement of `sql`; `None` if they agree.
fn disagreement(sql: &str, oracle: &Oracle) -> Option<String> {
    let mut parser = Parser::new(sql.as_bytes());
    let mine: Option<ParseError> = parser.next_statement().and_then(Result::err);
    // rusqlite looks at the rest of a text, too.
    let first = if mine.is_none() {
        &sql[..parser.tail()]
    } else {
        sql
    };
    let theirs = oracle.prepare(first.as_bytes()).err();
    match (mine, theirs) {
        (None, None) => None,
        (None, Some(theirs)) => {
            let excused = !is_of_syntax(&theirs.message) || is_limit(&theirs);
            (!excused).then(|| {
                format!(
                    "accepted; SQLite: {} at {:?}",
                    theirs.message, theirs.offset
                )
            })
        }
        (Some(mine), None) => Some(format!("{mine} at {:?}; SQLite accepts", mine.offset)),
        (Some(mine), Some(theirs)) => {
            let message = mine.to_string();
            let same = message == theirs.message && mine.offset == theirs.offset;
            let excused = !is_of_syntax(&theirs.message)
                || is_limit(&theirs)
                // The name of a table was in doubt before: SQLite then forgets the offset.
                || (message == theirs.message && theirs.offset.is_none() && sql.to_ascii_uppercase().contains("CREATE"));
            (!same && !excused).then(|| {
                format!(
                    "{message} at {:?}; SQLite: {} at {:?}",
                    mine.offset, theirs.message, theirs.offset
                )
            })
        }
    }
}

#[test]
fn damaged_statements() {
    let count: u64 = std::env::var("RINGWOOD_MUTATIONS")
        .map_or(20_000, |count| count.parse().expect("a number"));
    let first: u64 =
        std::env::var("RINGWOOD_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    let corpus = corpus::load().unwrap_or_default();
    let pool: Vec<&str> = corpus
        .iter()
        .map(|line| line.sql.as_str())
        .filter(|sql| sql.len() < 1000)
        .collect();
    let pick = |random: &mut Random| {
        if pool.is_empty() || random.below(3) == 0 {
            SEEDS[random.below(SEEDS.len())]
        } else {
            pool[random.below(pool.len())]
        }
    };
    let (mut failures, mut errors) = (0, 0);
    let (mut plain, mut with_tables) = (Oracle::new(), Oracle::with_tables());
    for seed in first..first + count {
        if seed % 5000 == 0 {
            // A pragma may have taken effect while it was prepared.
            (plain, with_tables) = (Oracle::new(), Oracle::with_tables());
        }
        let mut random = Random::new(seed);
        let (text, other) = (pick(&mut random), pick(&mut random));
        let sql = mutate(text, other, &mut random);
        let upper = sql.to_ascii_uppercase();
        let oracle = if upper.contains("TRIGGER") || upper.contains("ALTER") {
            &with_tables
        } else {
            &plain
        };
        errors += usize::from(
            oracle
                .prepare(sql.as_bytes())
                .is_err_and(|error| is_of_syntax(&error.message)),
        );
        if let Some(words) = disagreement(&sql, oracle) {
            failures += 1;
            if failures <= 40 {
                eprintln!("seed {seed}: {words}\n  {sql}");
            }
        }
    }
    println!(
        "{count} damaged statements, {errors} of them with syntax errors, {failures} disagreements"
    );
    assert_eq!(failures, 0);
}
