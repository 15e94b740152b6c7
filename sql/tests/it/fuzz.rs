//! No text may make the parser panic, hang or point outside the text.

use ringwood_sql::ast::{Expr, ExprKind, ResultColumn, SelectCore, Stmt};
use ringwood_sql::lex::{Token, complete_statement, lex};
use ringwood_sql::parse::{Parser, parse_expression};

use crate::corpus;
use crate::differential::{Random, SEEDS, mutate};

/// Reads all of `text` and looks at the offsets.
fn read(text: &[u8]) {
    let end = memchr_nul(text);
    let mut parser = Parser::new(text);
    let mut before = 0;
    while let Some(result) = parser.next_statement() {
        let tail = parser.tail();
        assert!(
            before <= tail && tail <= end,
            "tail {tail} after {before} of {end}"
        );
        match result {
            Ok(statement) => {
                let span = statement.span;
                assert!(before <= span.start as usize && span.start < span.end);
                assert!(span.end <= statement.terminator && statement.terminator as usize <= end);
                for (index, name) in statement.params.names.iter().enumerate() {
                    assert!(
                        name.number >= 1 && name.number <= statement.params.count,
                        "{index}"
                    );
                }
                if let Stmt::Select(select) = &statement.kind {
                    assert!(span.start <= select.span.start && select.span.end <= span.end);
                    if let SelectCore::Select(clause) = &select.core {
                        for column in &clause.columns {
                            if let ResultColumn::Expr {
                                expr, span: text, ..
                            } = column
                            {
                                assert!(text.start <= expr.span.start && expr.span.end <= text.end);
                                nested(expr);
                            }
                        }
                    }
                }
            }
            Err(error) => {
                if let Some(offset) = error.offset {
                    assert!((offset as usize) < end, "{error} at {offset} of {end}");
                }
            }
        }
        before = tail;
    }
    assert!(parser.next_statement().is_none());
    complete_statement(text);
    drop(parse_expression(text));
}

fn memchr_nul(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len())
}

/// The operands of `expr` lie within it, in order.
fn nested(expr: &Expr) {
    let parts: Vec<&Expr> = match &expr.kind {
        ExprKind::Binary(_, operands) => operands.iter().collect(),
        ExprKind::Unary(_, operand) | ExprKind::IsNull(operand) | ExprKind::NotNull(operand) => {
            vec![operand]
        }
        ExprKind::Between { operands, .. } => operands.iter().collect(),
        ExprKind::InList { operands, .. } => {
            std::iter::once(&operands.0).chain(&operands.1).collect()
        }
        ExprKind::Like(like) => [Some(&like.expr), Some(&like.pattern), like.escape.as_ref()]
            .into_iter()
            .flatten()
            .collect(),
        ExprKind::Call(call) => call.arg_list().iter().collect(),
        ExprKind::Row(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let mut at = expr.span.start;
    for part in parts {
        assert!(
            at <= part.span.start
                && part.span.start < part.span.end
                && part.span.end <= expr.span.end,
            "{expr:?}"
        );
        at = part.span.end;
        nested(part);
    }
}

#[test]
fn random_bytes() {
    const ALPHABET: &[u8] = b"SELECTselect from where()\"'`[];,.*+-/|<>=!%&~?:@$#0123456789xX_\n\t\0\x80\xff\xc3\xa4\xef\xbb\xbf";
    for seed in 0..60_000 {
        let mut random = Random::new(seed);
        let length = random.below(60);
        let any_byte = seed % 4 == 0;
        let text: Vec<u8> = (0..length)
            .map(|_| {
                if any_byte {
                    random.next() as u8
                } else {
                    ALPHABET[random.below(ALPHABET.len())]
                }
            })
            .collect();
        read(&text);
    }
}

#[test]
fn damaged_bytes_of_statements() {
    let corpus = corpus::load().unwrap_or_default();
    let texts: Vec<&str> = SEEDS
        .iter()
        .copied()
        .chain(corpus.iter().map(|line| line.sql.as_str()))
        .collect();
    for seed in 0..60_000 {
        let mut random = Random::new(seed);
        let text = texts[random.below(if seed % 3 == 0 {
            SEEDS.len()
        } else {
            texts.len()
        })];
        let mut bytes = if seed % 2 == 0 {
            mutate(text, SEEDS[random.below(SEEDS.len())], &mut random).into_bytes()
        } else {
            text.as_bytes().to_vec()
        };
        for _ in 0..random.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes.truncate(at),
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, b"'\"`[](;,\0\xff"[random.below(10)]),
            }
        }
        read(&bytes);
    }
}

#[test]
fn every_prefix() {
    for text in SEEDS {
        for end in 0..=text.len() {
            read(&text.as_bytes()[..end]);
        }
    }
}

#[test]
fn tokens_cover_the_text() {
    for text in SEEDS {
        let mut at = 0;
        loop {
            let lexeme = lex(text.as_bytes(), at);
            if lexeme.token == Token::EndOfText {
                assert_eq!(lexeme.start as usize, text.len());
                break;
            }
            assert!(lexeme.start as usize >= at && lexeme.end > lexeme.start);
            assert!(
                text[at..lexeme.start as usize]
                    .bytes()
                    .all(|byte| byte == b' '),
                "{text}"
            );
            at = lexeme.end as usize;
        }
    }
}
