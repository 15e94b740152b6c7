//! How fast texts become trees: MB/s over the statements of SQLite's own tests, and nanoseconds for a few single
//! statements. Run with `cargo run --release -p ringwood-sql --example parse_throughput`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ringwood_sql::lex::{Token, lex};
use ringwood_sql::parse::Parser;

#[allow(dead_code)] // what only the tests look at
#[path = "../tests/it/corpus.rs"]
mod corpus;

/// The least time of several runs.
fn best(runs: usize, mut run: impl FnMut()) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn parse_all(text: &[u8]) -> usize {
    let mut parser = Parser::new(text);
    let mut count = 0;
    while let Some(statement) = parser.next_statement() {
        count += usize::from(black_box(statement).is_ok());
    }
    count
}

fn lex_all(text: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    loop {
        let lexeme = lex(text, at);
        if matches!(lexeme.token, Token::EndOfText | Token::Illegal) {
            return count;
        }
        count += 1;
        at = lexeme.end as usize;
    }
}

fn main() {
    if let Some(lines) = corpus::load() {
        let texts: Vec<&str> = lines
            .iter()
            .filter(|line| line.class != corpus::Class::Syntax)
            .map(|line| line.sql.as_str())
            .collect();
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
        let lexed = best(20, || {
            black_box(
                texts
                    .iter()
                    .map(|text| lex_all(text.as_bytes()))
                    .sum::<usize>(),
            );
        });
        let parsed = best(20, || {
            black_box(
                texts
                    .iter()
                    .map(|text| parse_all(text.as_bytes()))
                    .sum::<usize>(),
            );
        });
        println!("{} texts, {bytes} bytes", texts.len());
        println!("lex    {:7.1} MB/s", rate(lexed));
        println!("parse  {:7.1} MB/s, drop included", rate(parsed));
    }
    for text in [
        "SELECT 1",
        "INSERT INTO t VALUES(1,'abc',2.5);",
        "SELECT a, b FROM t1 WHERE c=?1",
        "UPDATE t1 SET b=b+1 WHERE a BETWEEN 10 AND 20",
        "SELECT t.a, sum(u.b) FROM t JOIN u ON t.id=u.id WHERE t.x>5 AND u.y LIKE 'q%' GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    ] {
        const COUNT: u32 = 100_000;
        let time = best(5, || {
            for _ in 0..COUNT {
                black_box(parse_all(black_box(text.as_bytes())));
            }
        });
        println!("{:5} ns  {text}", (time / COUNT).as_nanos());
    }
}
