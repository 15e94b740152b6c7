//! `.import`.

use crate::pair::same_with;

const PLAIN: &str = "id,name,note\n1,one,\n2,\"two, quoted\",\"say \"\"hi\"\"\"\n3,\"line\nbreak\",x\n4,short\n5,a,b,extra\n";

#[test]
fn csv_files() {
    let files = [
        ("plain.csv", PLAIN),
        ("crlf.csv", "a,b\r\n1,\"x\"\r\n2,y\r\n"),
        ("bom.csv", "\u{feff}a,b\n1,2\n"),
        ("bomquote.csv", "\u{feff}\"a\",b\n1,2\n"),
        ("dup.csv", "a,b,A,,\n1,2,3,4,5\n"),
        ("noend.csv", "a,b\n1,2"),
        ("open.csv", "a,b\n1,\"never closed\n2,3\n"),
        ("odd.csv", "a,b\n1,\"x\"y\"\n2,z\"z\n"),
        ("empty.csv", ""),
        ("blank.csv", "a\n\n1\n\n"),
        ("tabs.tsv", "a\tb\n1\t2\n"),
        ("ascii.txt", "a\x1fb\x1e1\x1f2\x1e"),
        ("wide.csv", "a,b,c,d,e,f,g,h,i,j\n1,2,3,4,5,6,7,8,9,10\n"),
        ("skip.csv", "junk\nmore,junk\na,b\n1,2\n"),
    ];
    let list = "SELECT * FROM t;\nSELECT count(*) FROM t;\n.schema\n";
    for name in [
        "plain", "crlf", "bom", "bomquote", "dup", "noend", "open", "odd", "empty", "blank", "wide",
    ] {
        same_with(&[], &format!(".import --csv {name}.csv t\n{list}"), &files);
        same_with(
            &[],
            &format!(".mode csv\n.import {name}.csv t\n{list}"),
            &files,
        );
        same_with(
            &[],
            &format!(
                ".import -csv -v {name}.csv t\n.import --csv -v -v --skip 1 {name}.csv t\n{list}"
            ),
            &files,
        );
    }
    same_with(
        &[],
        &format!(".mode tabs\n.import tabs.tsv t\n{list}"),
        &files,
    );
    same_with(&[], &format!(".import --ascii ascii.txt t\n{list}"), &files);
    same_with(
        &[],
        &format!(".import --csv --skip 2 skip.csv t\n{list}"),
        &files,
    );
    same_with(
        &[],
        &format!(
            "CREATE TABLE t(x INTEGER PRIMARY KEY, y, z DEFAULT 9);\n.import --csv plain.csv t\n{list}"
        ),
        &files,
    );
    same_with(
        &[],
        &format!(
            "CREATE TABLE t(x INT, y);\n.separator ,\n.import crlf.csv t\nSELECT typeof(x), typeof(y) FROM t;\n{list}"
        ),
        &files,
    );
    same_with(
        &[],
        &format!(".import --csv \"|printf 'a,b\\\\n1,2\\\\n'\" t\n{list}"),
        &files,
    );
    same_with(
        &[],
        &format!(".import --schema main --csv crlf.csv t\n{list}"),
        &files,
    );
    same_with(
        &[],
        "BEGIN;\n.import --csv crlf.csv t\nROLLBACK;\n.tables\n",
        &files,
    );
}

#[test]
fn what_cannot_be_imported() {
    let files = [("a.csv", "a,b\n1,2\n")];
    for line in [
        ".import missing.csv t",
        ".import",
        ".import a.csv",
        ".import a.csv t x",
        ".import --bad a.csv t",
        ".separator abc\n.import a.csv t",
        ".separator \"\"\n.import a.csv t",
        ".separator , ab\n.import a.csv t",
        "CREATE VIEW v AS SELECT 1 AS x;\n.import --csv a.csv v",
        ".import --csv --schema nowhere a.csv t",
    ] {
        same_with(&[], &format!("{line}\nSELECT 'after';\n"), &files);
    }
}
