//! Dates and times: chosen and generated times, modifiers and formats.

use super::oracle::{Oracle, Random, nasty, text};
use ringwood_format::value::Value;
use ringwood_vdbe::func::{Facts, FunctionDef, FunctionFlags, builtins};
use std::process::Command;

const FUNCTIONS: [&str; 5] = ["date", "time", "datetime", "julianday", "unixepoch"];

const TIMES: [&str; 62] = [
    "2024-02-29",
    "2023-02-29",
    "2023-02-31",
    "2000-01-01 00:00:00",
    "1999-12-31T23:59:59.999",
    "2024-12-31 24:00:00",
    "2024-02-28 24:00",
    "2024-01-31 24:00:00.000",
    "2024-01-31 24:00:01",
    "-4713-11-24 12:00:00",
    "-4713-11-24 11:59:59",
    "-4714-01-01",
    "9999-12-31 23:59:59.999",
    "9999-12-31 24:00:00",
    "10000-01-01",
    "0000-01-01",
    "-0001-06-15 10:20",
    "14712-01-01",
    "1582-10-15",
    "1970-01-01",
    "1969-12-31 23:59:59.5",
    "2038-01-19 03:14:08",
    "12:34",
    "12:34:56",
    "12:34:56.7891",
    "12:34:56.99999",
    "24:00",
    "24:01",
    "25:00",
    "12:60",
    "12:34:60",
    "00:00:00.0009",
    "2024-06-15 12:00+02:00",
    "2024-06-15 12:00:00.123 -14:00",
    "2024-06-15 12:00+15:00",
    "2024-06-15 12:00Z",
    "2024-06-15 12:00 z ",
    "2024-06-15 12:00+00:00",
    "2024-06-15T12:00",
    "2024-06-15   T 12:00",
    "2024-06-15 12:00 x",
    "2024-06-15Z",
    "2024-6-15",
    "2024-13-01",
    "2024-00-10",
    "2024-04-31",
    "2024-04-00",
    "2024-04-32",
    "2460000.5",
    "0",
    "5373484.4999",
    "5373484.5",
    "-1",
    "1e6",
    "1700000000",
    " 2460000.5 ",
    "2460000.5x",
    "",
    "x",
    "now-ish",
    "2024-03-10 02:30:00",
    "2024-11-03 01:30:00",
];

const MODIFIERS: [&str; 88] = [
    "auto",
    "AUTO",
    "julianday",
    "unixepoch",
    "UnixEpoch",
    "ceiling",
    "floor",
    "start of day",
    "start of month",
    "start of year",
    "Start Of Day",
    "start of week",
    "end of day",
    "end of month",
    "end of year",
    "end of x",
    "subsec",
    "subsecond",
    "weekday 0",
    "weekday 3",
    "weekday 6",
    "weekday 7",
    "weekday -2",
    "weekday -0",
    "weekday 2.5",
    "weekday 1 ",
    "weekday",
    "utc",
    "1 day",
    "+1 day",
    "-1 days",
    "1.5 days",
    "-1.5 hours",
    "30 minutes",
    "-90.25 seconds",
    "0.0005 seconds",
    "1 month",
    "-1 month",
    "13 months",
    "-25 months",
    "1.5 months",
    "-0.5 years",
    "1 year",
    "-1 year",
    "4.75 years",
    "100000 days",
    "5373484 days",
    "5373485 days",
    "-5373485 days",
    "176545 months",
    "176546 months",
    "14712 years",
    "14713 years",
    "464269060799 seconds",
    "+12:30",
    "-12:30:15.5",
    "12:30",
    "+24:00",
    "+25:00",
    "+0001-02-03",
    "-0001-02-03",
    "0001-02-03",
    "+0001-12-00",
    "+0001-11-30",
    "+0001-11-31",
    "+0000-01-01 10:20:30.5",
    "-0000-01-01 10:20",
    "+0000-01-01 25:00",
    "+10000-00-00",
    "-04000-00-00",
    "+0001-02-03x",
    "+0001-02-03 ",
    "1",
    "+",
    "",
    "1 fortnight",
    "1 da",
    "1day",
    "1  days",
    "1 dayss",
    "9 s",
    "0 days",
    "+1 DAY",
    "-1 MONTHS",
    "1e2 days",
    "1x days",
    "+5:00",
    "nonsense",
];

fn times() -> Vec<Value> {
    let mut times: Vec<Value> = TIMES.iter().map(|t| text(t)).collect();
    times.extend(nasty());
    for n in [
        2_460_000,
        5_373_484,
        5_373_485,
        1_700_000_000,
        -1_700_000_000,
        253_402_300_799,
        253_402_300_800,
        -210_866_760_000,
        -210_866_760_001,
    ] {
        times.push(Value::Integer(n));
        times.push(Value::Real(n as f64 + 0.25));
    }
    times
}

#[test]
fn times_alone() {
    let mut oracle = Oracle::new();
    for time in times() {
        for function in FUNCTIONS {
            oracle.check(function, std::slice::from_ref(&time));
        }
    }
    oracle.finish();
}

#[test]
fn one_modifier() {
    let mut oracle = Oracle::new();
    let mut modifiers: Vec<Value> = MODIFIERS.iter().map(|m| text(m)).collect();
    modifiers.extend(nasty());
    for time in times() {
        for modifier in &modifiers {
            oracle.check(
                "datetime",
                &[time.clone(), modifier.clone(), text("subsec")],
            );
            oracle.check("julianday", &[time.clone(), modifier.clone()]);
        }
    }
    oracle.finish();
}

#[test]
fn several_modifiers() {
    let mut oracle = Oracle::new();
    let mut random = Random(17);
    let times = times();
    for _ in 0..100_000 {
        let mut args = vec![random.pick(&times).clone()];
        for _ in 0..=random.below(5) {
            args.push(if random.below(4) == 0 {
                let unit = random.pick(&["seconds", "minute", "hours", "day", "months", "year"]);
                let sign = random.pick(&["+", "-", ""]);
                let scale = 10usize.pow(random.below(6) as u32);
                text(&format!(
                    "{sign}{}.{} {unit}",
                    random.below(scale),
                    random.below(1000)
                ))
            } else {
                text(random.pick::<&str>(&MODIFIERS))
            });
        }
        oracle.check("julianday", &args);
        args.push(text("subsec"));
        oracle.check("datetime", &args);
        oracle.check("unixepoch", &args);
    }
    oracle.finish();
}

#[test]
fn strftime() {
    let mut oracle = Oracle::new();
    let mut random = Random(19);
    let times = times();
    let all = "%d|%e|%f|%F|%G|%g|%H|%k|%I|%l|%j|%J|%m|%M|%p|%P|%R|%s|%S|%T|%u|%w|%U|%V|%W|%Y|%%";
    for time in &times {
        oracle.check("strftime", &[text(all), time.clone()]);
        for modifier in MODIFIERS {
            oracle.check("strftime", &[text(all), time.clone(), text(modifier)]);
        }
        oracle.check("strftime", &[time.clone(), text("2024-02-03")]);
    }
    // Every day of some years, whose weeks begin on all days.
    for day in 0..4000 {
        let day = Value::Integer(2_455_000 + day);
        oracle.check("strftime", &[text("%G-%V %g %U %W %j %u %w %F"), day]);
    }
    for _ in 0..3000 {
        let time =
            Value::Real(random.below(5_400_000) as f64 + random.below(100_000) as f64 / 100_000.0);
        oracle.check("strftime", &[text(all), time.clone()]);
        oracle.check("strftime", &[text(all), time, text("subsec")]);
    }
    for format in ["", "%", "a%", "%x", "%d%", "plain", "%%d", "é%dé", "%Y\0%d"] {
        oracle.check("strftime", &[text(format), text("2024-02-03 04:05:06.789")]);
    }
    oracle.check("strftime", &[]);
    oracle.check("strftime", &[Value::Null, text("2024-02-03")]);
    oracle.finish();
}

#[test]
fn timediff() {
    let mut oracle = Oracle::new();
    let mut random = Random(23);
    let times = times();
    for a in &times {
        for b in times.iter().step_by(3) {
            oracle.check("timediff", &[a.clone(), b.clone()]);
        }
    }
    for _ in 0..20000 {
        let mut time = || {
            Value::Real(random.below(5_373_484) as f64 + random.below(864_000) as f64 / 864_000.0)
        };
        let (a, b) = (time(), time());
        oracle.check("timediff", &[a, b]);
    }
    oracle.finish();
}

/// Far dates added up leave the range of integers; nothing panics.
#[test]
fn sums_of_large_shifts() {
    let mut oracle = Oracle::new();
    for unit in [
        "464269999999999 seconds",
        "-464269999999999 seconds",
        "7737899999999 minutes",
    ] {
        let mut args = vec![text("2024-01-01")];
        args.extend(std::iter::repeat_n(text(unit), 100));
        let answer = oracle.ask_ours("datetime", &args);
        assert_eq!(answer, Ok(Value::Null));
        args.push(text("localtime"));
        args.push(text("start of month"));
        assert!(oracle.ask_ours("datetime", &args).is_ok());
    }
}

/// The time of a statement stays, and is the time.
#[test]
fn now() {
    let mut oracle = Oracle::new();
    let ours = oracle.ask_ours("julianday", &[text("now")]);
    let again = oracle.ask_ours("julianday", &[]);
    assert_eq!(ours, again);
    let Ok(Value::Real(ours)) = ours else {
        panic!("{ours:?}")
    };
    let stock: f64 = oracle
        .stock()
        .query_row("SELECT julianday('now')", [], |row| row.get(0))
        .expect("a number");
    assert!((ours - stock).abs() < 0.01, "{ours} {stock}");
    for (name, length) in [
        ("current_date", 10),
        ("current_time", 8),
        ("current_timestamp", 19),
    ] {
        let answer = oracle.ask_ours(name, &[]);
        assert!(
            matches!(&answer, Ok(Value::Text(t)) if t.len() == length),
            "{answer:?}"
        );
    }
}

/// Local time and back, in the zone of the process.
#[test]
fn local_time() {
    let mut oracle = Oracle::new();
    let mut random = Random(29);
    let seconds = |n: i64| Value::Integer(n);
    let mut times = times();
    // Around the changes of some years, and anywhere.
    for year in [1971, 1985, 1999, 2007, 2024, 2037] {
        for month in 1..=12 {
            for day in [1, 10, 28] {
                times.push(text(&format!("{year}-{month:02}-{day:02} 01:59:59.5")));
            }
        }
    }
    for _ in 0..4000 {
        let n = random.below(1 << 31) as i64;
        oracle.check(
            "datetime",
            &[seconds(n), text("unixepoch"), text("localtime")],
        );
        oracle.check("datetime", &[seconds(n), text("unixepoch"), text("utc")]);
        oracle.check(
            "julianday",
            &[
                seconds(n - n % 1800),
                text("unixepoch"),
                text("localtime"),
                text("utc"),
            ],
        );
    }
    for n in (0..2_150_000_000).step_by(1_800 * 347) {
        oracle.check(
            "datetime",
            &[seconds(n), text("unixepoch"), text("localtime")],
        );
        let spelled = text(&format!("1970-01-01 00:00:{:02}", n % 60));
        oracle.check(
            "unixepoch",
            &[spelled, text(&format!("{n} seconds")), text("utc")],
        );
    }
    for time in times {
        for modifiers in [
            vec!["localtime"],
            vec!["utc"],
            vec!["localtime", "utc"],
            vec!["utc", "localtime"],
            vec!["utc", "utc"],
            vec!["localtime", "localtime"],
            vec!["localtime", "start of month", "utc"],
            vec!["auto", "localtime"],
            vec!["6 months", "localtime"],
            vec!["subsec", "utc"],
            vec!["100 years", "localtime"],
        ] {
            let mut args = vec![time.clone()];
            args.extend(modifiers.into_iter().map(text));
            oracle.check("datetime", &args);
        }
    }
    oracle.finish();
}

/// The same in other zones, each in a process of its own because the zone is read once.
#[test]
fn local_time_elsewhere() {
    let program = std::env::current_exe().expect("this program");
    for zone in [
        "Europe/Zurich",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "Pacific/Apia",
        "America/Sao_Paulo",
        "Europe/Dublin",
        "EST5EDT,M3.2.0,M11.1.0",
        "XYZ-3:30",
        "<-03>3<-02>,J60/1,300/23",
        "UTC",
        "",
        ":Europe/London",
        "No/Such",
        "AEST-10AEDT,M10.1.0,M4.1.0/3",
    ] {
        let output = Command::new(&program)
            .args(["--exact", "functions::dates::local_time"])
            .env("TZ", zone)
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("1 passed"),
            "{zone}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// In definitions a time that depends on the clock or the zone is refused, when it is asked for.
#[test]
fn definitions_do_not_ask_for_the_time() {
    let registry = builtins();
    let mut facts = Facts::default();
    let mut ask = |name: &str, flag: FunctionFlags, args: &[&str]| {
        let def = registry.find(name, args.len()).expect("a function");
        let args: Vec<Value> = args.iter().map(|arg| text(arg)).collect();
        let def = FunctionDef::clone(&def).with(flag);
        def.call(&mut facts, &args).map_err(|e| e.message)
    };
    let refused =
        |name: &str, place: &str| Err(format!("non-deterministic use of {name}() in {place}"));
    let check = FunctionFlags::IN_CHECK;
    assert_eq!(
        ask("date", check, &["now"]),
        refused("date", "a CHECK constraint")
    );
    assert_eq!(
        ask("time", check, &[]),
        refused("time", "a CHECK constraint")
    );
    let generated = FunctionFlags::IN_GENERATED;
    assert_eq!(
        ask("strftime", generated, &["%s", "2024-01-01", "localtime"]),
        refused("strftime", "a generated column")
    );
    let index = FunctionFlags::IN_INDEX;
    assert_eq!(
        ask("julianday", index, &["2024-01-01", "utc"]),
        refused("julianday", "an index")
    );
    assert_eq!(
        ask("date", index, &["2024-02-30", "1 day"]),
        Ok(text("2024-03-02"))
    );
    assert_eq!(
        ask("date", FunctionFlags::empty(), &["now"]).map(|v| v.is_null()),
        Ok(false)
    );
}
