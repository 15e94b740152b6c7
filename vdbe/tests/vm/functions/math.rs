//! The mathematical functions, which the bundled SQLite is built without: `math.txt` is what SQLite 3.54 with glibc
//! gave, arguments and results as the bits of doubles. Another C library may differ in the last bit.

use super::oracle::{Oracle, nasty, text};
use ringwood_format::value::Value;

const TABLE: &str = include_str!("math.txt");

fn real(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).expect("bits"))
}

fn near(a: f64, b: f64) -> bool {
    a.to_bits().abs_diff(b.to_bits()) <= 1
}

#[test]
fn as_the_shell_computes() {
    let mut oracle = Oracle::new();
    for line in TABLE.lines() {
        let (call, result) = line.split_once(" = ").expect("a result");
        let mut words = call.split(' ');
        let name = words.next().expect("a name");
        let args: Vec<Value> = words.map(|word| Value::Real(real(word))).collect();
        let answer = oracle.ask_ours(name, &args).expect("no error");
        let same = match (&answer, result) {
            (Value::Null, "null") => true,
            (Value::Real(r), bits) if bits != "null" => near(*r, real(bits)),
            _ => false,
        };
        assert!(same, "{name}{args:?}: {answer:?}, not {result}");
    }
}

#[test]
fn of_other_types() {
    let mut oracle = Oracle::new();
    let mut ask = |name: &str, args: &[Value]| oracle.ask_ours(name, args).expect("no error");
    assert_eq!(ask("ceil", &[Value::Integer(7)]), Value::Integer(7));
    assert_eq!(ask("floor", &[text("7")]), Value::Integer(7));
    assert_eq!(ask("floor", &[text("-7.5")]), Value::Real(-8.0));
    assert_eq!(ask("trunc", &[text("7.5x")]), Value::Null);
    assert_eq!(ask("sqrt", &[Value::Integer(16)]), Value::Real(4.0));
    assert_eq!(ask("sqrt", &[Value::Blob(b"16".to_vec())]), Value::Null);
    assert_eq!(ask("pow", &[text("2"), text("10")]), Value::Real(1024.0));
    assert_eq!(ask("pow", &[text("2"), Value::Null]), Value::Null);
    assert_eq!(
        ask("log", &[Value::Integer(2), text("8x")]),
        Value::Real(3.0)
    );
    assert_eq!(
        ask("log", &[Value::Integer(1), Value::Integer(8)]),
        Value::Null
    );
    assert_eq!(
        ask("mod", &[Value::Integer(7), Value::Integer(0)]),
        Value::Null
    );
    assert_eq!(ask("pi", &[]), Value::Real(std::f64::consts::PI));
    for value in nasty() {
        for name in ["ceil", "ln", "sinh", "atanh"] {
            assert!(oracle.ask_ours(name, std::slice::from_ref(&value)).is_ok());
        }
    }
}
