//! Scalar functions over the cross product of awkward arguments.

use super::oracle::{Oracle, Random, nasty, text};
use ringwood_format::value::Value;

/// One argument: everything.
#[test]
fn of_one_argument() {
    let mut oracle = Oracle::new();
    for name in [
        "abs",
        "char",
        "concat",
        "hex",
        "length",
        "lower",
        "ltrim",
        "octet_length",
        "quote",
        "round",
        "rtrim",
        "sign",
        "soundex",
        "substr",
        "trim",
        "typeof",
        "unhex",
        "unicode",
        "unistr",
        "unistr_quote",
        "upper",
        "subtype",
    ] {
        for a in nasty() {
            oracle.check(name, &[a]);
        }
        oracle.check(name, &[]);
    }
    oracle.finish();
}

/// Two arguments: all pairs.
#[test]
fn of_two_arguments() {
    let mut oracle = Oracle::new();
    for name in [
        "char",
        "concat",
        "concat_ws",
        "glob",
        "instr",
        "like",
        "ltrim",
        "max",
        "min",
        "nullif",
        "round",
        "rtrim",
        "substr",
        "substring",
        "trim",
        "unhex",
    ] {
        for a in nasty() {
            for b in nasty() {
                oracle.check(name, &[a.clone(), b]);
            }
        }
    }
    oracle.finish();
}

/// Three arguments.
#[test]
fn of_three_arguments() {
    let mut oracle = Oracle::new();
    let numbers: Vec<Value> = [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, i64::MIN, i64::MAX]
        .into_iter()
        .map(Value::Integer)
        .chain([Value::Null, text("2")])
        .collect();
    for a in nasty() {
        for from in &numbers {
            for length in &numbers {
                oracle.check("substr", &[a.clone(), from.clone(), length.clone()]);
            }
        }
    }
    let small: Vec<Value> = nasty().into_iter().step_by(3).collect();
    for a in &small {
        for b in &small {
            for c in &small {
                for name in ["replace", "concat_ws", "like", "max", "min"] {
                    oracle.check(name, &[a.clone(), b.clone(), c.clone()]);
                }
            }
        }
    }
    oracle.finish();
}

/// Texts of few letters, so that searches find something.
#[test]
fn searches() {
    let mut oracle = Oracle::new();
    let mut random = Random(7);
    let pieces = ["a", "b", "ab", "é", "€", "\u{10348}", "", "aa", "A", "ba"];
    let mut make = |n: usize| -> Value {
        let mut out = String::new();
        for _ in 0..random.below(n) {
            out.push_str(random.pick::<&str>(&pieces));
        }
        text(&out)
    };
    for _ in 0..4000 {
        let (a, b, c) = (make(10), make(3), make(3));
        oracle.check("instr", &[a.clone(), b.clone()]);
        oracle.check("replace", &[a.clone(), b.clone(), c.clone()]);
        oracle.check("trim", &[a.clone(), b.clone()]);
        oracle.check("ltrim", &[a.clone(), c.clone()]);
        oracle.check("rtrim", &[a, c]);
    }
    oracle.finish();
}

/// Patterns made of wildcards and a few letters, against short texts.
#[test]
fn patterns() {
    let mut oracle = Oracle::new();
    let mut random = Random(11);
    let like = ["%", "_", "a", "B", "é", "É", "x", "\\", "%%", "-", "€"];
    let glob = [
        "*", "?", "a", "b", "[", "]", "^", "-", "[ab]", "[^a]", "[a-c]", "[]]", "é", "€", "[€-é]",
    ];
    let texts = [
        "a", "b", "A", "B", "é", "x", "%", "_", "]", "-", "€", "\\", "^",
    ];
    for _ in 0..30000 {
        let mut make = |pieces: &[&str], n: usize| -> Value {
            let mut out = Vec::new();
            for _ in 0..random.below(n) {
                out.extend_from_slice(random.pick(pieces).as_bytes());
                if random.below(60) == 0 {
                    out.push([0x80, 0xc3, 0, 0xff][random.below(4)]);
                }
            }
            Value::Text(out)
        };
        let subject = make(&texts, 8);
        let pattern = make(&like, 7);
        let escape = make(&["\\", "%", "_", "a", "é"], 3);
        oracle.check("like", &[pattern.clone(), subject.clone()]);
        oracle.check("like", &[pattern, subject.clone(), escape]);
        oracle.check("glob", &[make(&glob, 7), subject]);
    }
    oracle.finish();
}

/// Many wildcards neither recurse nor take for ever.
#[test]
fn patterns_without_end() {
    let mut oracle = Oracle::new();
    let pattern = text(&"a%".repeat(20_000));
    let subject = text(&"a".repeat(30_000));
    assert_eq!(
        oracle.ask_ours("like", &[pattern, subject.clone()]),
        Ok(Value::Integer(1))
    );
    let pattern = text(&format!("{}b", "%a".repeat(1000)));
    assert_eq!(
        oracle.ask_ours("like", &[pattern, subject.clone()]),
        Ok(Value::Integer(0))
    );
    let pattern = text(&format!("{}b", "*[a]".repeat(1000)));
    assert_eq!(
        oracle.ask_ours("glob", &[pattern, subject]),
        Ok(Value::Integer(0))
    );
    let long = text(&"a".repeat(50_001));
    oracle.check("like", &[long.clone(), Value::Null]);
    oracle.check("glob", &[long, text("a")]);
    oracle.finish();
}

/// Everything fails alike at the limit of lengths.
#[test]
fn at_the_limit() {
    let mut oracle = Oracle::new();
    let limit = 100;
    oracle
        .stock()
        .set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, limit)
        .expect("a limit");
    oracle.facts.length_max = limit as u64;
    for n in [32, 33, 46, 47, 48, 49, 50, 95, 96, 97, 98, 99, 100] {
        let a = text(&"a".repeat(n));
        let quotes = text(&"'".repeat(n.min(50)));
        let blob = Value::Blob(vec![7; n]);
        for name in ["upper", "lower", "hex", "quote", "trim", "unhex", "concat"] {
            oracle.check(name, std::slice::from_ref(&a));
            oracle.check(name, std::slice::from_ref(&blob));
        }
        oracle.check("quote", &[quotes]);
        oracle.check("zeroblob", &[Value::Integer(n as i64 + 1)]);
        oracle.check("replace", &[a.clone(), text("a"), text("bb")]);
        oracle.check("replace", &[a.clone(), text("a"), text("")]);
        oracle.check("concat", &[a.clone(), a.clone()]);
        oracle.check_group("group_concat", &[a]);
    }
    oracle.finish();
}

/// What a function says of a call that makes no sense.
#[test]
fn errors() {
    let mut oracle = Oracle::new();
    oracle.check("load_extension", &[text("x")]);
    oracle.check("load_extension", &[text("x"), text("y")]);
    oracle.check("concat", &[]);
    oracle.check("substr", &[text("x")]);
    oracle.check("zeroblob", &[Value::Integer(i64::MAX)]);
    oracle.check("randomblob", &[Value::Integer(i64::MAX)]);
    oracle.check("regexp", &[text("x"), text("y")]);
    oracle.finish();
}

/// Random numbers are of their kind.
#[test]
fn random() {
    let mut oracle = Oracle::new();
    for n in [-1, 0, 1, 7, 8, 100] {
        let Ok(Value::Blob(bytes)) = oracle.ask_ours("randomblob", &[Value::Integer(n)]) else {
            panic!("no blob");
        };
        assert_eq!(bytes.len() as i64, n.max(1));
    }
    let a = oracle.ask_ours("random", &[]);
    let b = oracle.ask_ours("random", &[]);
    assert!(matches!(
        (&a, &b),
        (Ok(Value::Integer(_)), Ok(Value::Integer(_)))
    ));
    assert_ne!(a, b);
}
