//! JSON: chosen and generated texts, broken ones, JSONB and broken JSONB, paths and changes.

use super::oracle::{Oracle, Random, nasty, text};
use ringwood_format::value::Value;

const DOCUMENTS: [&str; 76] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.5",
    "-2e10",
    "1E+2",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999",
    "1e999",
    "\"\"",
    "\"abc\"",
    "[]",
    "{}",
    " [ 1 , 2 , 3 ] ",
    "{\"a\":1}",
    "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"x\"}",
    "[[[[1]]],[],{}]",
    "\"a\\nb\\u00e9\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\/\\b\\f\\r\\t\"",
    "{\"a\\u0062\":1,\"ab\":2}",
    "{\"a\":1,\"a\":2}",
    "[1,2,3,]",
    "{\"a\":1,}",
    "{a:1}",
    "{$a_1:1, b\u{e9}:2}",
    "{'a':'b'}",
    "'it\\'s'",
    "\"it's\"",
    "'say \"x\"'",
    "[0x1F,-0xff,+0x10]",
    "[.5,5.,-.5,+1,+.5e1,5.e2]",
    "[Infinity,-Infinity,+inf,NaN,QNaN,snan]",
    "/* c */ [1, // x\n 2]",
    "[1,/* open",
    "\u{feff}[1\u{a0},\u{2003}2]",
    "\"\\x41\\v\\0\\\n\\\r\n\\'\"",
    "\"\\01\"",
    "\"\\x4\"",
    "\"tab\there\"",
    "\"",
    "[1",
    "[1,,2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1 \"b\":2}",
    "{1:2}",
    "[1 2]",
    "tru",
    "truex",
    "nullx",
    "01",
    "-01",
    "1.",
    ".",
    "-",
    "+",
    "1e",
    "1e+",
    "1.2.3",
    "1e2e3",
    "0x",
    "[1]x",
    "[1] /* c */",
    "{\"a\":1}}",
    "]",
    ",",
    "\\u0061",
    "{\\u0061:1}",
    "\u{2028}1",
    "{\"\":1}",
    "[\"a\",\"\\\"b\"]",
];

const PATHS: [&str; 34] = [
    "$",
    "$.a",
    "$.a.b",
    "$.a.b[1]",
    "$.a.b[1].c",
    "$[0]",
    "$[1]",
    "$[3]",
    "$[#]",
    "$[#-1]",
    "$[#-2]",
    "$[#-99]",
    "$[0][0]",
    "$[0][0][0][0]",
    "$.\"a\"",
    "$.\"\"",
    "$.\"a\\u0062\"",
    "$.ab",
    "$.x.y.z",
    "$.x[0].y",
    "$[#][#].q",
    "$.",
    "$[",
    "$[]",
    "$[x]",
    "$[#-]",
    "$[-1]",
    "$x",
    "a",
    "",
    "$.a[",
    "$.\"a",
    "$..a",
    "$[99999999999999999999]",
];

fn documents() -> Vec<Value> {
    DOCUMENTS.iter().map(|t| text(t)).collect()
}

/// The same as JSONB, by stock SQLite; and some that is broken.
fn blobs(oracle: &Oracle) -> Vec<Value> {
    let mut blobs: Vec<Value> = DOCUMENTS
        .iter()
        .filter_map(|t| {
            let blob = oracle
                .stock()
                .query_row("SELECT jsonb(?)", [t], |row| row.get::<_, Vec<u8>>(0));
            blob.ok().map(Value::Blob)
        })
        .collect();
    let mut random = Random(31);
    let whole = blobs.clone();
    for _ in 0..400 {
        let Value::Blob(mut blob) = random.pick(&whole).clone() else {
            continue;
        };
        for _ in 0..=random.below(2) {
            let at = random.below(blob.len());
            match random.below(4) {
                0 => blob[at] = random.below(256) as u8,
                1 => blob.insert(at, random.below(256) as u8),
                2 => blob[at] ^= 1 << random.below(8),
                _ if blob.len() > 1 => {
                    blob.remove(at);
                }
                _ => {}
            }
        }
        blobs.push(Value::Blob(blob));
    }
    blobs
}

#[test]
fn of_one_argument() {
    let mut oracle = Oracle::new();
    let mut all = documents();
    all.extend(blobs(&oracle));
    all.extend(nasty());
    for value in &all {
        let one = std::slice::from_ref(value);
        for name in [
            "json",
            "jsonb",
            "json_valid",
            "json_type",
            "json_array_length",
            "json_error_position",
            "json_pretty",
            "json_quote",
            "json_array",
            "jsonb_array",
        ] {
            oracle.check_json(name, one);
        }
        for flags in 0..=16 {
            oracle.check_json("json_valid", &[value.clone(), Value::Integer(flags)]);
        }
    }
    for indent in ["", "  ", "\t", "é"] {
        for value in documents() {
            oracle.check_json("json_pretty", &[value, text(indent)]);
        }
    }
    oracle.finish();
}

#[test]
fn paths() {
    let mut oracle = Oracle::new();
    let mut all = documents();
    all.extend(blobs(&oracle));
    let mut paths: Vec<Value> = PATHS.iter().map(|t| text(t)).collect();
    paths.extend([
        Value::Null,
        Value::Integer(0),
        Value::Integer(-1),
        Value::Real(1.0),
        text("a b"),
        text("[1]"),
        text("a.b"),
    ]);
    for value in &all {
        for path in &paths {
            let two = [value.clone(), path.clone()];
            for name in [
                "json_extract",
                "jsonb_extract",
                "json_type",
                "json_array_length",
                "json_remove",
                "jsonb_remove",
            ] {
                oracle.check_json(name, &two);
            }
            let ours = oracle.ask_ours("->", &two);
            let stock = oracle.ask("SELECT ? -> ?", &two);
            oracle.note("->", &two, &ours, &stock);
            let ours = oracle.ask_ours("->>", &two);
            let stock = oracle.ask("SELECT ? ->> ?", &two);
            oracle.note("->>", &two, &ours, &stock);
        }
        oracle.check_json(
            "json_extract",
            &[value.clone(), text("$.a"), text("$[0]"), text("$.d")],
        );
        oracle.check_json(
            "jsonb_extract",
            &[value.clone(), text("$.a"), text("$[0]"), text("$.d")],
        );
        oracle.check_json(
            "json_remove",
            &[value.clone(), text("$.a"), text("$[0]"), text("$[0]")],
        );
    }
    oracle.finish();
}

#[test]
fn changes() {
    let mut oracle = Oracle::new();
    let mut random = Random(37);
    let mut all = documents();
    all.extend(blobs(&oracle));
    let mut values = vec![
        Value::Null,
        Value::Integer(7),
        Value::Integer(-1_234_567_890_123),
        Value::Real(0.5),
        Value::Real(f64::INFINITY),
        Value::Real(f64::NEG_INFINITY),
        text(""),
        text("x"),
        text("a longer text with \"quotes\""),
        text(&"y".repeat(300)),
        Value::Blob(vec![1]),
        Value::Blob(b"xyz".to_vec()),
        Value::Blob(vec![0x0b]),
        Value::Blob(vec![0x2b, 0x13, b'1']),
    ];
    values.push(text(&"z".repeat(70_000)));
    for value in &all {
        for path in PATHS {
            for _ in 0..4 {
                let new = random.pick(&values).clone();
                let args = [value.clone(), text(path), new];
                for name in [
                    "json_set",
                    "jsonb_set",
                    "json_insert",
                    "jsonb_insert",
                    "json_replace",
                    "jsonb_replace",
                ] {
                    oracle.check_json(name, &args);
                }
                oracle.check_json("json_array_insert", &args);
                oracle.check_json("jsonb_array_insert", &args);
            }
        }
    }
    for name in [
        "json_set",
        "json_insert",
        "json_replace",
        "json_array_insert",
        "json_remove",
        "json_extract",
    ] {
        oracle.check_json(name, &[]);
        oracle.check_json(name, &[text("{}")]);
        oracle.check_json(name, &[text("{}"), text("$.a")]);
        oracle.check_json(name, &[Value::Null, text("$.a"), text("$.b")]);
        oracle.check_json(name, &[text("[1,2]"), Value::Null, text("$.b")]);
    }
    oracle.finish();
}

#[test]
fn patches() {
    let mut oracle = Oracle::new();
    let mut random = Random(41);
    let mut all = documents();
    all.extend(blobs(&oracle));
    for a in &all {
        for _ in 0..20 {
            let two = [a.clone(), random.pick(&all).clone()];
            oracle.check_json("json_patch", &two);
            oracle.check_json("jsonb_patch", &two);
        }
    }
    for _ in 0..5000 {
        let two = [
            text(&generate(&mut random, 0)),
            text(&generate(&mut random, 0)),
        ];
        oracle.check_json("json_patch", &two);
        oracle.check_json("jsonb_patch", &two);
    }
    oracle.finish();
}

/// A random document.
fn generate(random: &mut Random, depth: usize) -> String {
    let kinds = if depth > 4 { 6 } else { 10 };
    match random.below(kinds) {
        0 => "null".into(),
        1 => ["true", "false"][random.below(2)].into(),
        2 => random.below(100_000).to_string(),
        3 => format!("{}.{}", random.below(100), random.below(100)),
        4 => format!(
            "\"{}\"",
            "ab\\né€"
                .chars()
                .take(random.below(7))
                .collect::<String>()
                .replace('\\', "\\\\")
        ),
        5 => format!("\"{}\"", "x".repeat(random.below(400))),
        6 | 7 => {
            let items: Vec<String> = (0..random.below(5))
                .map(|_| generate(random, depth + 1))
                .collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let labels = ["a", "b", "c", "d", "a\\u0062", "ab", ""];
            let items: Vec<String> = (0..random.below(5))
                .map(|_| {
                    format!(
                        "\"{}\":{}",
                        random.pick(&labels),
                        generate(random, depth + 1)
                    )
                })
                .collect();
            format!("{{{}}}", items.join(","))
        }
    }
}

#[test]
fn generated_documents() {
    let mut oracle = Oracle::new();
    let mut random = Random(43);
    let steps = [
        ".a", ".b", ".c", ".ab", "[0]", "[1]", "[2]", "[#-1]", "[#]", ".\"a\"", ".\"\"",
    ];
    for _ in 0..6000 {
        let mut document = generate(&mut random, 0);
        if random.below(4) == 0 && !document.is_empty() {
            // Break it somewhere.
            let at = random.below(document.len());
            if document.is_char_boundary(at) {
                document.insert(
                    at,
                    *random.pick(&[',', ']', '}', '"', ':', '1', ' ', '\\', '{', 'n', '/', '\'']),
                );
            }
        }
        let document = text(&document);
        let mut path = String::from("$");
        for _ in 0..random.below(4) {
            path.push_str(random.pick::<&str>(&steps));
        }
        let new = text(&"n".repeat(random.below(30)));
        let one = std::slice::from_ref(&document);
        for name in [
            "json",
            "jsonb",
            "json_valid",
            "json_error_position",
            "json_pretty",
        ] {
            oracle.check_json(name, one);
        }
        let two = [document.clone(), text(&path)];
        for name in [
            "json_extract",
            "jsonb_extract",
            "json_remove",
            "jsonb_remove",
            "json_type",
        ] {
            oracle.check_json(name, &two);
        }
        let three = [document, text(&path), new];
        for name in [
            "json_set",
            "jsonb_set",
            "jsonb_insert",
            "jsonb_replace",
            "json_array_insert",
        ] {
            oracle.check_json(name, &three);
        }
    }
    oracle.finish();
}

#[test]
fn depth() {
    let mut oracle = Oracle::new();
    for n in [998, 999, 1000, 1001, 1002, 5000] {
        let arrays = format!("{}{}", "[".repeat(n), "]".repeat(n));
        let objects = format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
        for document in [text(&arrays), text(&objects)] {
            let one = std::slice::from_ref(&document);
            for name in [
                "json",
                "jsonb",
                "json_valid",
                "json_error_position",
                "json_pretty",
                "json_array",
            ] {
                oracle.check_json(name, one);
            }
            oracle.check_json("json_patch", &[text("{}"), document.clone()]);
            oracle.check_json("json_patch", &[document.clone(), document]);
        }
        let path = text(&format!("${}", ".a".repeat(n)));
        oracle.check_json("json_set", &[text("{}"), path.clone(), Value::Integer(1)]);
        oracle.check_json("json_extract", &[text(&objects), path]);
    }
    oracle.finish();
}

#[test]
fn groups() {
    let mut oracle = Oracle::new();
    let mut random = Random(47);
    let mut values = nasty();
    values.extend([
        text("a,b"),
        text("[1,2]"),
        text("\"x\""),
        text("\\"),
        text("@"),
        text("{"),
    ]);
    values.retain(|value| !matches!(value, Value::Blob(_)));
    let names = [
        text("a"),
        text("b,c"),
        Value::Null,
        text("@"),
        text("\""),
        Value::Integer(1),
    ];
    for _ in 0..800 {
        let n = 3 + random.below(4);
        let rows: Vec<Vec<Value>> = (0..n).map(|_| vec![random.pick(&values).clone()]).collect();
        oracle.check_window("json_group_array", &rows);
        oracle.check_window("jsonb_group_array", &rows);
        let rows: Vec<Vec<Value>> = (0..n)
            .map(|_| vec![random.pick(&names).clone(), random.pick(&values).clone()])
            .collect();
        oracle.check_window("json_group_object", &rows);
        oracle.check_window("jsonb_group_object", &rows);
    }
    oracle.check_aggregate("json_group_array", &[]);
    oracle.check_aggregate("jsonb_group_array", &[]);
    oracle.check_aggregate("json_group_array", &[vec![Value::Blob(b"xyz".to_vec())]]);
    oracle.finish();
}

#[test]
fn objects() {
    let mut oracle = Oracle::new();
    let mut random = Random(53);
    let values = nasty();
    for _ in 0..3000 {
        let args: Vec<Value> = (0..random.below(6))
            .map(|_| random.pick(&values).clone())
            .collect();
        oracle.check_json("json_object", &args);
        oracle.check_json("jsonb_object", &args);
        oracle.check_json("json_array", &args);
        oracle.check_json("jsonb_array", &args);
    }
    oracle.finish();
}
