//! What the shell adds to the library's functions, next to what Debian's shell adds.

use std::fmt::Write as _;

use crate::pair::{same, same_with};
use crate::shell::{Folder, ringwood, run};

/// What our shell prints.
fn ours(script: &str) -> String {
    let folder = Folder::new("extensions");
    let output = run(ringwood(), &folder.file("test.db"), &[], script);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn hashes() {
    same(
        &[],
        "SELECT hex(sha3('abc')), hex(sha3('')), hex(sha3(x'00ff')), hex(sha3(NULL)), hex(sha3(12));\n\
         SELECT hex(sha3('abc', 224)), hex(sha3('abc', 384)), hex(sha3('abc', 512)), hex(sha3(1.5, 256));\n\
         SELECT sha3('abc', 100);\n",
    );
    let line = ours(
        "SELECT hex(sha3_agg(x)) = hex(sha3('T1:aN' || x'49' || x'')) FROM (SELECT 'a' AS x UNION ALL SELECT NULL);\n\
         SELECT hex(sha3_agg(x)) = hex(sha3('T1:aNB2:zz')) FROM (SELECT 'a' AS x UNION ALL SELECT NULL UNION ALL SELECT x'7a7a');\n\
         SELECT sha3_agg(1) IS NULL FROM (SELECT 1) WHERE false;\n",
    );
    assert_eq!(line, "0\n1\n1\n");
}

#[test]
fn decimals() {
    same(
        &[],
        "SELECT decimal_add('1.1', '2.2'), decimal_sub('1', '0.0000000001'), decimal_mul('1.25', '-8');\n\
         SELECT decimal('1e10'), decimal('-1.5e-3'), decimal('  +007.50x'), decimal('.5'), decimal('5.'), decimal('');\n\
         SELECT decimal_add('99999999999999999999', 1), decimal_add('-1', '1'), decimal_sub('1', '2'), decimal_add('0.1', '-0.3');\n\
         SELECT decimal_mul('123456789012345678901234567890', '987654321098765432109876543210');\n\
         SELECT decimal_cmp('-1', '1'), decimal_cmp('10', '9'), decimal_cmp('-10', '-9'), decimal_cmp('1.5', '1.25');\n\
         SELECT decimal_sum(x) FROM (SELECT '1.1' AS x UNION ALL SELECT '-2.25' UNION ALL SELECT NULL);\n\
         SELECT decimal_sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (SELECT 1 AS x UNION ALL SELECT 2 UNION ALL SELECT 4);\n\
         SELECT decimal_mul('2.50', '4.0'), decimal_mul('0.001', '0.001'), decimal_mul(NULL, 1);\n\
         SELECT x FROM (SELECT '10' AS x UNION ALL SELECT '9.5' UNION ALL SELECT '-3' UNION ALL SELECT '009') ORDER BY x COLLATE decimal;\n",
    );
    // What Debian's older shell does not have: the values are those of SQLite's own tests of decimal.
    let answers = ours(
        "SELECT decimal(0.1), decimal_cmp('1.0', '1');\n\
         SELECT decimal_exp('1234.5'), decimal_exp(0), decimal_exp('-0.00012');\n\
         SELECT decimal_pow2(10), decimal_pow2(-3), decimal_pow2(0), decimal_pow2(100);\n\
         SELECT decimal(1.5), decimal(x'3ff8000000000000'), decimal(2.5e-5, 3);\n\
         SELECT decimal('12345678.9', 3), decimal('99.96', 3), decimal_exp('123456', 2);\n",
    );
    assert_eq!(
        answers,
        "0.1000000000000000055511151231257827021181583404541015625|0\n\
         +1.2345e+03|+0.0e+00|-1.2e-04\n\
         +1.024e+03|+1.25e-01|+1.0e+00|+1.267650600228229401496703205376e+30\n\
         1.5|1.5|0.00002500000000000000000000000000000000000000000000000000000000000000\n\
         12300000.0|100.0|+1.2e+05\n"
    );
}

#[test]
fn reals_and_their_parts() {
    same(
        &[],
        "SELECT ieee754(2.0), ieee754(45.25), ieee754(0), ieee754(1e300), ieee754(5e-324);\n\
         SELECT ieee754(181, -2), ieee754(-1, 0), ieee754(0, 0), ieee754(1, 5000), ieee754(1, -5000);\n\
         SELECT ieee754_mantissa(47.49), ieee754_exponent(47.49), hex(ieee754_to_blob(1.5)), ieee754_from_blob(x'3ff8000000000000');\n\
         SELECT ieee754_from_blob(1), ieee754_to_blob('x'), ieee754(x'3ff8000000000000');\n",
    );
    assert_eq!(
        ours("SELECT ieee754_inc(1.0, 1) > 1.0, ieee754_inc(0.0, 1) = 5e-324, ieee754(-0.0);\n"),
        "1|1|ieee754(-1,-3071)\n"
    );
}

#[test]
fn patterns() {
    let patterns = [
        "abc",
        "^abc",
        "abc$",
        "a.c",
        "a.*c",
        "a+b",
        "colou?r",
        "(ab|cd)+",
        "[a-c]x",
        "[^a-c]x",
        r"\\d+",
        r"\\bfoo\\b",
        r"a{2}",
        r"a{2,3}",
        r"a{2,}",
        r"\\x41",
        r"\\u00e9",
        "^$",
        "a|b|",
        "*a",
        "(a",
        "a)",
        "[a",
        "a{2",
        "a{3,2}",
        r"\\q",
        "",
        "x*",
        "(x*)*y",
        ".",
        "^.$",
        r"\\.",
        r"[\\]a]+",
        r"\\w+\\s\\W",
        r"\\D\\S",
    ];
    let texts = [
        "abc", "xabcx", "ac", "color", "colour", "abcdab", "dx", "12", "foo bar", "aa", "aaa", "A",
        "é", "", "a]b", "y", "xxxy", "a .",
    ];
    let mut script = String::new();
    for pattern in patterns {
        let pattern = pattern.replace(r"\\", r"\");
        for text in texts {
            let _ = writeln!(
                script,
                "SELECT '{text}' REGEXP '{pattern}', regexpi('{pattern}', upper('{text}'));"
            );
        }
    }
    script.push_str("SELECT NULL REGEXP 'a', 'a' REGEXP NULL;\n");
    same(&[], &script);
}

#[test]
fn numbers_in_texts_are_ordered_by_value() {
    same(
        &[],
        "CREATE TABLE t(x COLLATE uint);\n\
         INSERT INTO t VALUES ('a10'), ('a9'), ('a09'), ('a'), ('10'), ('9'), ('a9b'), ('a9a2'), ('a9a10'), (''), ('0'), ('00'), ('x2y3'), ('x02y1'), ('b');\n\
         SELECT group_concat(x) FROM (SELECT x FROM t ORDER BY x, rowid);\n\
         SELECT count(*) FROM t WHERE x = '09';\n",
    );
}

#[test]
fn files() {
    same_with(
        &[],
        "SELECT readfile('one.txt'), readfile('none.txt');\n\
         SELECT writefile('new/file.txt', 'some text'), readfile('new/file.txt');\n\
         SELECT writefile('dir', NULL, 16877), lsmode(16877), lsmode(33188), lsmode(41471);\n\
         SELECT name, lsmode(mode) LIKE '-rw%', data FROM fsdir('one.txt');\n\
         SELECT name, data FROM fsdir('new') ORDER BY name;\n\
         SELECT name FROM fsdir('file.txt', 'new');\n\
         SELECT name FROM fsdir('none');\n\
         SELECT writefile('link', 'one.txt', 41471), readfile('link');\n\
         SELECT writefile();\n\
         CREATE VIEW v AS SELECT readfile('one.txt'); SELECT * FROM v;\n",
        &[("one.txt", "first\n")],
    );
}

#[test]
fn blobs_as_text() {
    let cases = [
        ("base64(x'')", ""),
        ("base64(x'00')", "AA==\n"),
        ("base64(x'666f6f62')", "Zm9vYg==\n"),
        ("base64(cast('foobar' AS BLOB))", "Zm9vYmFy\n"),
        ("length(base64(zeroblob(54)))", "73"),
        ("length(base64(zeroblob(55)))", "78"),
        ("hex(base64('Zm9vYmFy'))", "666F6F626172"),
        ("hex(base64('Zm9vYg=='))", "666F6F62"),
        (
            "hex(base64('Zm9v' || char(10) || '  YmFy' || char(10)))",
            "666F6F626172",
        ),
        ("hex(base64('Zm9v#YmFy'))", "666F6F626172"),
        ("base85(x'')", ""),
        ("base85(x'00')", "##\n"),
        ("base85(x'00000000')", "#####\n"),
        (
            "hex(base85(base85(x'0102030405060708090a')))",
            "0102030405060708090A",
        ),
        ("hex(base85(base85(x'ffffffffff')))", "FFFFFFFFFF"),
        ("length(base85(zeroblob(64)))", "81"),
        ("hex(base64(base64(randomblob(1000)))) IS NOT NULL", "1"),
    ];
    for (sql, want) in cases {
        assert_eq!(
            ours(&format!("SELECT {sql};\n")),
            format!("{want}\n"),
            "{sql}"
        );
    }
}

#[test]
fn collations_stand_in_the_order_of_stocks_table() {
    assert_eq!(
        ours("PRAGMA collation_list;\n"),
        "0|decimal\n1|BINARY\n2|NOCASE\n3|RTRIM\n4|uint\n"
    );
}
