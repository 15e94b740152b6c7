//! Number ↔ text against stock SQLite.

use crate::oracle::{ask, memory};
use crate::random::Random;
use ringwood_format::number::{
    LiteralError, Number, integer_to_text, parse_literal, parse_real, push_real_digits,
    real_to_text,
};
use ringwood_format::value::{Value, ValueRef};

#[test]
fn reals_print_as_sqlite_prints_them() {
    let db = memory("UTF-8");
    let mut statement = db.prepare("SELECT CAST(?1 AS TEXT)").unwrap();
    let mut random = Random::new(1);
    for i in 0..1_500_000 {
        let r = random.real();
        let expected = ask(&mut statement, &[ValueRef::Real(r)]);
        let got = Value::Text(real_to_text(r));
        assert_eq!(got, expected, "case {i}: {r:e} {:#x}", r.to_bits());
    }
}

#[test]
fn reals_print_with_any_precision() {
    let db = memory("UTF-8");
    let mut statement = db.prepare("SELECT printf('%!.*g', ?1, ?2)").unwrap();
    let mut random = Random::new(2);
    for i in 0..300_000 {
        let (digits, r) = (random.below(24) as u8 + 1, random.real());
        let expected = ask(
            &mut statement,
            &[ValueRef::Integer(digits as i64), ValueRef::Real(r)],
        );
        let mut got = Vec::new();
        push_real_digits(r, digits, &mut got);
        assert_eq!(Value::Text(got), expected, "case {i}: {r:e} with {digits}");
    }
}

#[test]
fn reals_survive_the_way_to_text_and_back() {
    let mut random = Random::new(3);
    for _ in 0..500_000 {
        let r = random.real();
        if r.is_finite() {
            let text = real_to_text(r);
            assert_eq!(
                parse_real(&text).value,
                r,
                "{}",
                String::from_utf8_lossy(&text)
            );
        }
    }
}

#[test]
fn integers_print_in_decimal() {
    let mut random = Random::new(4);
    for _ in 0..300_000 {
        let i = random.integer();
        assert_eq!(integer_to_text(i), i.to_string().into_bytes());
    }
}

#[test]
fn text_reads_as_sqlite_reads_it() {
    let db = memory("UTF-8");
    let mut statement = db.prepare("SELECT CAST(?1 AS REAL)").unwrap();
    let mut random = Random::new(5);
    for i in 0..800_000 {
        let text = random.number_text();
        let expected = ask(&mut statement, &[ValueRef::Text(text.as_bytes())]);
        let got = parse_real(text.as_bytes()).value;
        let Value::Real(expected) = expected else {
            panic!("no real for {text:?}")
        };
        assert_eq!(
            got.to_bits(),
            expected.to_bits(),
            "case {i}: {text:?} gives {got:e}, not {expected:e}"
        );
    }
}

#[test]
fn literals_mean_what_they_mean_to_sqlite() {
    let db = memory("UTF-8");
    let mut random = Random::new(6);
    let fixed = [
        "0",
        "00",
        "1",
        "9223372036854775807",
        "9223372036854775808",
        "9223372036854775809",
        "99999999999999999999",
        "0x0",
        "0x7fffffffffffffff",
        "0x8000000000000000",
        "0xffffffffffffffff",
        "0x00000000000000000001",
        "0x10000000000000000",
        "1_000",
        "1_000.5_0e1_0",
        "0xff_ff",
        ".5",
        "5.",
        "1e5",
        "1E+5",
        "1e-400",
        "1e400",
        "0X1F",
        "1_0e5",
        "18446744073709551616",
    ];
    for i in 0..20_000 {
        let token = match random.below(4) {
            _ if i < fixed.len() => fixed[i].to_owned(),
            0 => random.next().to_string(),
            1 => format!("0x{:x}", random.next() as i64 >> random.below(64)),
            2 => format!(
                "{}.{}e{}",
                random.below(99),
                random.below(99999),
                random.below(700) as i64 - 350
            ),
            _ => format!("{}{}", random.next(), random.below(100)),
        };
        for negated in [false, true] {
            let sql = format!("SELECT {}{token}", if negated { "-" } else { "" });
            let expected = db
                .prepare(&sql)
                .map(|mut statement| ask(&mut statement, &[]));
            match (parse_literal(token.as_bytes(), negated), expected) {
                (Ok(number), Ok(expected)) => assert_eq!(Value::from(number), expected, "{sql}"),
                (Err(LiteralError::HexTooBig), Err(error)) => {
                    assert!(
                        error.to_string().contains("hex literal too big"),
                        "{sql}: {error}"
                    );
                }
                (got, expected) => panic!("{sql}: {got:?}, not {expected:?}"),
            }
        }
    }
}

#[test]
fn separators_stand_between_digits() {
    for token in [
        "1__0", "1_", "1_.5", "1._5", "1e_5", "0x_1", "0x1_", "0x1_g",
    ] {
        assert_eq!(
            parse_literal(token.as_bytes(), false),
            Err(LiteralError::Malformed),
            "{token}"
        );
    }
    assert_eq!(parse_literal(b"0xa_b", false), Ok(Number::Integer(0xab)));
    for token in ["", "0x", "x", "1x", "1e", "."] {
        assert_eq!(
            parse_literal(token.as_bytes(), false),
            Err(LiteralError::Malformed),
            "{token}"
        );
    }
}
