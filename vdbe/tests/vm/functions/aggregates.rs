//! Aggregates over rows of awkward values, whole and as windows.

use super::oracle::{Oracle, Random, nasty, text};
use ringwood_format::value::Value;

#[test]
fn over_random_rows() {
    let mut oracle = Oracle::new();
    let mut random = Random(3);
    let values = nasty();
    for round in 0..1500 {
        let n = random.below(6);
        let rows: Vec<Vec<Value>> = (0..n).map(|_| vec![random.pick(&values).clone()]).collect();
        for name in ["sum", "total", "avg", "count", "min", "max", "group_concat"] {
            oracle.check_aggregate(name, &rows);
        }
        if round % 3 == 0 && n > 2 {
            oracle.check_window("group_concat", &rows);
        }
    }
    oracle.finish();
}

#[test]
fn over_numbers() {
    let mut oracle = Oracle::new();
    let mut random = Random(5);
    let numbers = [
        Value::Integer(1),
        Value::Integer(-7),
        Value::Integer(i64::MAX),
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX / 2),
        Value::Integer(1 << 53),
        Value::Real(0.1),
        Value::Real(1e100),
        Value::Real(-1e100),
        Value::Real(1e16),
        Value::Real(f64::INFINITY),
        text("12"),
        text("1.5"),
        Value::Null,
    ];
    for _ in 0..2000 {
        let n = 3 + random.below(6);
        let rows: Vec<Vec<Value>> = (0..n)
            .map(|_| vec![random.pick(&numbers).clone()])
            .collect();
        for name in ["sum", "total", "avg", "count"] {
            oracle.check_window(name, &rows);
        }
    }
    oracle.finish();
}

#[test]
fn separators() {
    let mut oracle = Oracle::new();
    let mut random = Random(9);
    let texts = [
        text("a"),
        text("bc"),
        text(""),
        Value::Null,
        Value::Integer(5),
        text("é"),
    ];
    let separators = [
        text(","),
        text("--"),
        text(""),
        Value::Null,
        Value::Integer(1),
    ];
    for _ in 0..1500 {
        let n = 3 + random.below(5);
        let rows: Vec<Vec<Value>> = (0..n)
            .map(|_| {
                vec![
                    random.pick(&texts).clone(),
                    random.pick(&separators).clone(),
                ]
            })
            .collect();
        oracle.check_window("group_concat", &rows);
        oracle.check_window("string_agg", &rows);
    }
    oracle.finish();
}
