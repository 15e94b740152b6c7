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

/// The bundled SQLite is built without these: what they give is worked out by hand from its description.
#[test]
fn percentiles() {
    let mut oracle = Oracle::new();
    let rows = |values: &[f64], p: Option<f64>| -> Vec<Vec<Value>> {
        let row = |value: &f64| {
            let value = Value::Real(*value);
            p.map_or_else(
                || vec![value.clone()],
                |p| vec![value.clone(), Value::Real(p)],
            )
        };
        values.iter().map(row).collect()
    };
    let values = [9.0, 1.0, 4.0, 2.0];
    let mut ask = |name: &str, p: Option<f64>| oracle.ask_aggregate(name, &rows(&values, p), None);
    assert_eq!(ask("median", None), Ok(Value::Real(3.0)));
    assert_eq!(ask("percentile", Some(0.0)), Ok(Value::Real(1.0)));
    assert_eq!(ask("percentile", Some(100.0)), Ok(Value::Real(9.0)));
    assert_eq!(ask("percentile", Some(25.0)), Ok(Value::Real(1.75)));
    assert_eq!(ask("percentile_cont", Some(0.5)), Ok(Value::Real(3.0)));
    assert_eq!(ask("percentile_disc", Some(0.5)), Ok(Value::Real(2.0)));
    let refused = |name: &str, limit: &str| {
        Err(format!(
            "the fraction argument to {name}() is not between 0.0 and {limit}"
        ))
    };
    assert_eq!(
        ask("percentile", Some(101.0)),
        refused("percentile", "100.0")
    );
    assert_eq!(
        ask("percentile_disc", Some(-0.1)),
        refused("percentile_disc", "1.0")
    );
    let window = oracle.ask_aggregate("median", &rows(&[5.0, 7.0, 1.0, 3.0], None), Some(3));
    assert_eq!(window, Ok(Value::Real(3.0)));
    assert_eq!(
        oracle.ask_aggregate("median", &[vec![Value::Null]], None),
        Ok(Value::Null)
    );
    assert_eq!(
        oracle.ask_aggregate("median", &[vec![text("1")]], None),
        Err("input to median() is not numeric".into())
    );
    let mixed = [
        vec![Value::Integer(1), Value::Real(0.5)],
        vec![Value::Integer(1), Value::Real(0.6)],
    ];
    assert_eq!(
        oracle.ask_aggregate("percentile_cont", &mixed, None),
        Err("the fraction argument to percentile_cont() is not the same for all input rows".into())
    );
}
