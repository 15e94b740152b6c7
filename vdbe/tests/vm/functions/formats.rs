//! printf: chosen formats, and formats made of random pieces.

use super::oracle::{Oracle, Random, nasty, text};
use ringwood_format::value::Value;

/// Each conversion with each flag over all values.
#[test]
fn every_conversion() {
    let mut oracle = Oracle::new();
    let flags = [
        "", "-", "+", " ", "0", "#", "!", ",", "-0", "+#", "!#", "0,", "!0", "l", "ll",
    ];
    let sizes = [
        "", "5", "12", ".0", ".3", "10.4", "20.17", ".20", "3.1", ".30", ".40", "45",
    ];
    for conversion in "diurxXopfeEgGszcqQwjJn%ST".chars() {
        for (i, flags) in flags.iter().enumerate() {
            for (j, size) in sizes.iter().enumerate() {
                if (i + j) % 2 == 1 {
                    continue;
                }
                // A length modifier stands behind the width.
                let format = if flags.starts_with('l') {
                    format!("<%{size}{flags}{conversion}>")
                } else {
                    format!("<%{flags}{size}{conversion}>")
                };
                for value in nasty() {
                    oracle.check("printf", &[text(&format), value]);
                }
            }
        }
    }
    oracle.finish();
}

#[test]
fn odd_formats() {
    let mut oracle = Oracle::new();
    for value in nasty() {
        oracle.check("printf", std::slice::from_ref(&value));
        oracle.check("format", &[value.clone(), value]);
    }
    for format in [
        "%",
        "%%",
        "abc%",
        "%-",
        "%5",
        "%.",
        "%l",
        "%.5",
        "%*",
        "%5-d",
        "%y|%d",
        "a%db%sc%fd",
        "%lld",
        "%lllld",
        "%.*d",
        "%*.*f",
        "%-*d|",
        "%99999999999d",
        "%4294967297d",
        "%.4294967299d",
        "%d\0%d",
        "%!.3s",
        "%hd",
    ] {
        for args in [
            vec![],
            vec![Value::Integer(5)],
            vec![Value::Integer(-5), Value::Real(2.5)],
            vec![Value::Integer(5), Value::Integer(3), Value::Real(2.5)],
            vec![
                Value::Integer(i64::from(i32::MIN)),
                Value::Integer(i64::from(i32::MIN)),
                Value::Real(2.5),
            ],
            vec![
                Value::Integer(1 << 32 | 3),
                Value::Integer(-2),
                Value::Real(-2.5),
            ],
        ] {
            let mut all = vec![text(format)];
            all.extend(args);
            oracle.check("printf", &all);
        }
    }
    oracle.check("printf", &[]);
    oracle.finish();
}

/// Reals of every size with every number of digits.
#[test]
fn reals() {
    let mut oracle = Oracle::new();
    let mut random = Random(21);
    for _ in 0..30000 {
        let bits = (random.below(1 << 30) as u64) << 34
            ^ (random.below(1 << 30) as u64) << 10
            ^ random.below(1024) as u64;
        let r = match random.below(4) {
            0 => f64::from_bits(bits),
            1 => (bits as i64 as f64) / 1e14,
            2 => random.below(100_000) as f64 / 1000.0,
            _ => (random.below(2_000_001) as f64 - 1e6) * 10f64.powi(random.below(40) as i32 - 20),
        };
        if r.is_nan() {
            continue;
        }
        let flags = random.pick(&["", "!", "#", "!#", ",", "+", "0"]);
        let conversion = random.pick(&["f", "e", "g", "G", "E"]);
        let format = format!(
            "%{flags}{}.{}{conversion}",
            random.below(30) + 1,
            random.below(25)
        );
        oracle.check("printf", &[text(&format), Value::Real(r)]);
        oracle.check(
            "round",
            &[Value::Real(r), Value::Integer(random.below(32) as i64)],
        );
        oracle.check("quote", &[Value::Real(r)]);
    }
    oracle.finish();
}

#[test]
fn random_formats() {
    let mut oracle = Oracle::new();
    let mut random = Random(13);
    let values = nasty();
    let pieces = [
        "%", "%", "%", "d", "s", "f", "g", "e", "x", "q", "Q", "w", "c", "5", "10", ".", ".3", "-",
        "+", " ", "#", "!", "0", ",", "*", "l", "é", "r", "J", "j", "u", "z", "i", "%s", "%d",
        "text ",
    ];
    for _ in 0..60000 {
        let mut format = String::new();
        for _ in 0..random.below(14) {
            format.push_str(random.pick::<&str>(&pieces));
        }
        let mut args = vec![text(&format)];
        for _ in 0..random.below(5) {
            args.push(random.pick(&values).clone());
        }
        // Stars take arguments for widths: keep those small.
        if format.contains('*') {
            for arg in &mut args[1..] {
                if let Value::Integer(i) = arg {
                    *i %= 50;
                }
                if let Value::Real(_) = arg {
                    *arg = Value::Real(2.5);
                }
                if arg.as_ref().as_bytes().is_some_and(|b| b.starts_with(b"9")) {
                    *arg = text("9");
                }
            }
        }
        oracle.check("printf", &args);
    }
    oracle.finish();
}

#[test]
fn at_the_limit() {
    let mut oracle = Oracle::new();
    oracle
        .stock()
        .set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, 1000)
        .expect("a limit");
    oracle.facts.length_max = 1000;
    for conversion in ["d", "f", "g", "s", "c", "q", "Q", "x", "e", "J"] {
        for size in [
            "980",
            "1100",
            ".1100",
            "2000000000",
            ".2000000000",
            "-5000",
            "05000",
            ".5000",
            "800",
        ] {
            let format = format!("%{size}{conversion}");
            for value in [
                Value::Integer(5),
                Value::Real(1.5),
                text("abc"),
                Value::Null,
            ] {
                oracle.check("printf", &[text(&format), value]);
            }
        }
    }
    oracle.check(
        "printf",
        &[text("%s%s"), text(&"a".repeat(900)), text(&"b".repeat(200))],
    );
    oracle.finish();
}
