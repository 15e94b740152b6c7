//! Shapes of trees: precedence, names, numbers, parameters, texts that the schema keeps, scripts.

use ringwood_sql::ast::{
    ColumnConstraintKind, Explain, Expr, ExprKind, JoinConstraint, JoinType, Literal, Quote,
    ResultColumn, Select, SelectClause, SelectCore, Source, Span, Statement, Stmt, TableBody,
    UnaryOp,
};
use ringwood_sql::parse::{Parser, parse_expression, parse_statement};

use crate::oracle::Oracle;

fn statement(sql: &str) -> Statement {
    match parse_statement(sql.as_bytes()) {
        Ok(Some(statement)) => statement,
        other => panic!("{sql}: {other:?}"),
    }
}

fn select(sql: &str) -> Select {
    match statement(sql).kind {
        Stmt::Select(select) => *select,
        other => panic!("{other:?}"),
    }
}

fn clause(sql: &str) -> SelectClause {
    match select(sql).core {
        SelectCore::Select(clause) => *clause,
        SelectCore::Values(values) => panic!("{values:?}"),
    }
}

fn message(sql: &str) -> String {
    parse_statement(sql.as_bytes()).expect_err(sql).to_string()
}

/// An expression with a parenthesis around every operator.
fn shape(expr: &Expr) -> String {
    let not = |not: bool| if not { "NOT " } else { "" };
    match &expr.kind {
        ExprKind::Id(name) => name.to_string(),
        ExprKind::Column(column) => format!("{}.{}", column.table, column.column),
        ExprKind::Literal(Literal::Integer(value)) => value.to_string(),
        ExprKind::Literal(Literal::Null) => "NULL".into(),
        ExprKind::Unary(op, operand) => {
            let op = match op {
                UnaryOp::Not => "NOT ",
                UnaryOp::BitNot => "~",
                UnaryOp::Minus => "-",
                UnaryOp::Plus => "+",
            };
            format!("({op}{})", shape(operand))
        }
        ExprKind::Binary(op, operands) => {
            let [left, right] = &**operands;
            format!("({} {} {})", shape(left), op.symbol(), shape(right))
        }
        ExprKind::IsNull(operand) => format!("({} ISNULL)", shape(operand)),
        ExprKind::NotNull(operand) => format!("({} NOTNULL)", shape(operand)),
        ExprKind::Between { not: n, operands } => {
            let [x, low, high] = &**operands;
            format!(
                "({} {}BETWEEN {} AND {})",
                shape(x),
                not(*n),
                shape(low),
                shape(high)
            )
        }
        ExprKind::InList { not: n, operands } => {
            let list: Vec<String> = operands.1.iter().map(shape).collect();
            format!(
                "({} {}IN [{}])",
                shape(&operands.0),
                not(*n),
                list.join(" ")
            )
        }
        ExprKind::InTable(table) => format!(
            "({} {}IN {})",
            shape(&table.expr),
            not(table.not),
            table.table.name
        ),
        ExprKind::Like(like) => {
            let escape = like
                .escape
                .as_ref()
                .map_or(String::new(), |escape| format!(" ESCAPE {}", shape(escape)));
            format!(
                "({} {}{} {}{escape})",
                shape(&like.expr),
                not(like.not),
                like.op.name().to_uppercase(),
                shape(&like.pattern)
            )
        }
        ExprKind::Collate(collate) => {
            format!("({} COLLATE {})", shape(&collate.expr), collate.collation)
        }
        ExprKind::Row(items) => {
            let items: Vec<String> = items.iter().map(shape).collect();
            format!("[{}]", items.join(" "))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn precedence() {
    for (text, expected) in [
        ("a+b*c-d", "((a + (b * c)) - d)"),
        ("a OR b AND NOT c = d", "(a OR (b AND (NOT (c = d))))"),
        ("a + NOT b = c", "(a + (NOT (b = c)))"),
        ("a = b = c", "((a = b) = c)"),
        ("a < b = c > d", "((a < b) = (c > d))"),
        ("a || b -> c ->> d", "(((a || b) -> c) ->> d)"),
        ("- a || b", "((-a) || b)"),
        ("~ - + a * b", "((~(-a)) * b)"),
        ("- a COLLATE x", "((-a) COLLATE x)"),
        ("a || b COLLATE x", "(a || (b COLLATE x))"),
        ("a & b << c | d", "(((a & b) << c) | d)"),
        ("a = b NOT NULL", "((a = b) NOTNULL)"),
        ("a AND b NOT NULL", "(a AND (b NOTNULL))"),
        ("NOT a NOT NULL", "(NOT (a NOTNULL))"),
        ("NOT a ISNULL", "(NOT (a ISNULL))"),
        ("a = b ISNULL", "((a = b) ISNULL)"),
        ("a IS NOT b = c", "((a IS NOT b) = c)"),
        ("a IS NOT NOT b", "(a IS NOT (NOT b))"),
        ("a IS NOT DISTINCT FROM b", "(a IS b)"),
        ("a IS DISTINCT FROM b + 1", "(a IS NOT (b + 1))"),
        ("a BETWEEN b AND c AND d", "((a BETWEEN b AND c) AND d)"),
        ("a BETWEEN b = c AND d", "(a BETWEEN (b = c) AND d)"),
        ("a BETWEEN NOT b AND c", "(a BETWEEN (NOT b) AND c)"),
        (
            "a BETWEEN b BETWEEN c AND d AND e",
            "(a BETWEEN (b BETWEEN c AND d) AND e)",
        ),
        ("a BETWEEN b OR c AND d AND e", "?"),
        ("a NOT BETWEEN b AND c = d", "((a NOT BETWEEN b AND c) = d)"),
        ("a LIKE b ESCAPE c LIKE d", "((a LIKE b ESCAPE c) LIKE d)"),
        (
            "a LIKE NOT b LIKE c ESCAPE d ESCAPE e",
            "(a LIKE (NOT (b LIKE c ESCAPE d)) ESCAPE e)",
        ),
        ("a NOT GLOB b < c", "(a NOT GLOB (b < c))"),
        ("a IN (b, c) = d", "((a IN [b c]) = d)"),
        ("a NOT IN t AND b", "((a NOT IN t) AND b)"),
        ("(a, b) = (c, d + 1)", "([a b] = [c (d + 1)])"),
        ("((a))", "a"),
        ("a MATCH b AND c REGEXP d", "((a MATCH b) AND (c REGEXP d))"),
    ] {
        let parsed = parse_expression(text.as_bytes());
        match expected {
            "?" => assert!(parsed.is_err(), "{text}"),
            _ => assert_eq!(shape(&parsed.expect(text)), expected, "{text}"),
        }
    }
}

#[test]
fn literals() {
    let literal = |text: &str| match parse_expression(text.as_bytes()).expect(text).kind {
        ExprKind::Literal(literal) => literal,
        other => panic!("{other:?}"),
    };
    assert_eq!(literal("9223372036854775807"), Literal::Integer(i64::MAX));
    assert_eq!(
        literal("9223372036854775808"),
        Literal::BigInteger("9223372036854775808".into())
    );
    assert_eq!(literal("00001_000"), Literal::Integer(1000));
    assert_eq!(literal("0xFFFFFFFFFFFFFFFF"), Literal::Integer(-1));
    assert_eq!(literal("0x0000000000000000000f"), Literal::Integer(15));
    assert_eq!(
        literal("0x1ffffffffffffffff"),
        Literal::BigHex("0x1ffffffffffffffff".into())
    );
    assert_eq!(literal("1_0.5_0e1_0"), Literal::Float("10.50e10".into()));
    assert_eq!(literal("0xe"), Literal::Integer(14));
    assert_eq!(literal("'it''s'"), Literal::String((*b"it's").into()));
    assert_eq!(literal("X'00fF'"), Literal::Blob([0, 255].into()));
    assert_eq!(message("SELECT 1__0"), "unrecognized token: \"1__0\"");
    let text = b"SELECT '\xff', \"\xfe\"";
    let Stmt::Select(select) = parse_statement(text).unwrap().unwrap().kind else {
        panic!()
    };
    let SelectCore::Select(clause) = select.core else {
        panic!()
    };
    let kinds: Vec<&ExprKind> = clause
        .columns
        .iter()
        .map(|column| match column {
            ResultColumn::Expr { expr, .. } => &expr.kind,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(*kinds[0], ExprKind::Literal(Literal::String([0xff].into())));
    assert!(
        matches!(kinds[1], ExprKind::Id(name) if name.as_str() == "\u{fffd}" && name.quote == Quote::Double)
    );
}

#[test]
fn names() {
    let clause = clause("SELECT \"a\"\"b\" 'c''d', [e f] AS `g`, left, t.'x' FROM t");
    let names: Vec<(String, Option<(String, Quote)>)> = clause
        .columns
        .iter()
        .map(|column| match column {
            ResultColumn::Expr { expr, alias, .. } => (
                shape(expr),
                alias.as_ref().map(|name| (name.to_string(), name.quote)),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        names,
        [
            ("a\"b".into(), Some(("c'd".into(), Quote::Single))),
            ("e f".into(), Some(("g".into(), Quote::Backtick))),
            ("left".into(), None),
            ("t.x".into(), None),
        ]
    );
}

#[test]
fn parameters() {
    let params = statement("SELECT ?, :a, ?5, ?, @b, :a, ?2, $c::d(e), ?5").params;
    let names: Vec<(u32, &str)> = params
        .names
        .iter()
        .map(|name| (name.number, &*name.text))
        .collect();
    assert_eq!(params.count, 8);
    assert_eq!(names, [(2, ":a"), (5, "?5"), (7, "@b"), (8, "$c::d(e)")]);
    assert_eq!(params.number("@b"), Some(7));
    assert_eq!(params.name(1), None);
    assert_eq!(
        message("SELECT ?0"),
        "variable number must be between ?1 and ?32766"
    );
    assert_eq!(
        message("SELECT ?32767"),
        "variable number must be between ?1 and ?32766"
    );
    assert_eq!(
        message("SELECT ?99999999999999999999"),
        "variable number must be between ?1 and ?32766"
    );
    assert_eq!(message("SELECT ?32766, ?"), "too many SQL variables");
}

/// The texts that name unaliased columns are SQLite's.
#[test]
fn column_texts() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for sql in [
        "SELECT 1+  1 , ( 2 ) /* c */ , -- d\n 3\n",
        "SELECT  max( 1,2 )  , 'x' || \"y\", CASE WHEN 1 THEN 2 END  x, (SELECT 5 ) ",
        "SELECT ((1)) /* end */",
        "SELECT 1 -- x",
        "SELECT 1 ; ",
    ] {
        let prepared = connection
            .prepare(sql.trim_end_matches([';', ' ']))
            .unwrap();
        let expected: Vec<String> = prepared.column_names().map(str::to_string).collect();
        let actual: Vec<String> = clause(sql.trim_end_matches([';', ' ']))
            .columns
            .iter()
            .map(|column| match column {
                ResultColumn::Expr {
                    alias: Some(alias), ..
                } => alias.to_string(),
                ResultColumn::Expr { span, .. } => {
                    String::from_utf8_lossy(span.slice(sql.as_bytes())).into_owned()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(actual, expected, "{sql}");
    }
}

/// The texts that the schema keeps are SQLite's.
#[test]
fn schema_texts() {
    for sql in [
        "CREATE TABLE  t ( a , b )  ",
        "CREATE TABLE t(a) -- comment\n",
        "CREATE TABLE IF NOT EXISTS main . \"t\"(a int primary key) /* c */ WITHOUT rowid , strict /* d */ ;",
        "CREATE TABLE t(a int) strict -- e\n",
        "CREATE TABLE x(a); CREATE  UNIQUE  INDEX  i ON x(a)  /* c */ ;",
        "CREATE TABLE x(a); CREATE INDEX main.i ON x(a) WHERE a  ",
        "CREATE VIEW  v  AS SELECT 1 /* c */  ; ",
        "CREATE TEMP VIEW v(a) AS SELECT 1  ",
        "CREATE TABLE x(a); CREATE TRIGGER  r  AFTER INSERT ON x BEGIN SELECT 1 ;  END /* c */ ; ",
        "CREATE VIRTUAL TABLE  v  USING  fts5 ( a , b )  ;",
        "CREATE VIRTUAL TABLE v USING rtree(id, x0 , x1 )",
    ] {
        let oracle = Oracle::new();
        oracle.run(sql);
        let last = sql.rfind("CREATE").unwrap();
        let (kind, name, text) = match statement(&sql[last..]).kind {
            Stmt::CreateTable(create) => ("TABLE", create.name.name, create.text),
            Stmt::CreateIndex(create) => (
                if create.unique {
                    "UNIQUE INDEX"
                } else {
                    "INDEX"
                },
                create.name.name,
                create.text,
            ),
            Stmt::CreateView(create) => ("VIEW", create.name.name, create.text),
            Stmt::CreateTrigger(create) => ("TRIGGER", create.name.name, create.text),
            Stmt::CreateVirtualTable(create) => ("VIRTUAL TABLE", create.name.name, create.text),
            other => panic!("{other:?}"),
        };
        let text = String::from_utf8_lossy(text.slice(&sql.as_bytes()[last..])).into_owned();
        let query = format!(
            "SELECT sql FROM (SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema) WHERE name='{name}'"
        );
        assert_eq!(
            format!("CREATE {kind} {text}"),
            oracle.text(&query),
            "{sql}"
        );
    }
}

#[test]
fn tables() {
    let sql = "CREATE TABLE t(a INTEGER CONSTRAINT c CHECK( a > 1 ) DEFAULT ( 5 ), b x y(1, -2) GENERATED ALWAYS AS (1) \
               STORED, c generated always AS (2), d DEFAULT - 3 REFERENCES p NOT DEFERRABLE CONSTRAINT e, CHECK (1))";
    let Stmt::CreateTable(create) = statement(sql).kind else {
        panic!()
    };
    let TableBody::Columns {
        columns,
        constraints,
        columns_end,
        ..
    } = create.body
    else {
        panic!()
    };
    let cut = |span: Span| String::from_utf8_lossy(span.slice(sql.as_bytes())).into_owned();
    let types: Vec<Option<&str>> = columns
        .iter()
        .map(|column| column.type_name.as_ref().map(|type_name| &*type_name.text))
        .collect();
    assert_eq!(types, [Some("INTEGER"), Some("x y(1, -2)"), None, None]);
    assert_eq!(&sql[columns_end as usize..], ", CHECK (1))");
    assert_eq!(constraints.len(), 1);
    let ColumnConstraintKind::Check { text, .. } = &columns[0].constraints[0].kind else {
        panic!()
    };
    assert_eq!(cut(*text), "a > 1");
    assert_eq!(
        columns[0].constraints[1].name.as_ref().unwrap().as_str(),
        "c"
    );
    let ColumnConstraintKind::Default { text, .. } = &columns[0].constraints[1].kind else {
        panic!()
    };
    assert_eq!(cut(*text), "5");
    let ColumnConstraintKind::Default { text, .. } = &columns[3].constraints[0].kind else {
        panic!()
    };
    assert_eq!(cut(*text), "- 3");
    let ColumnConstraintKind::References(references) = &columns[3].constraints[1].kind else {
        panic!()
    };
    assert!(references.deferral.is_some());
    assert_eq!(
        columns[3].constraints[2].kind,
        ColumnConstraintKind::NameOnly
    );
}

#[test]
fn from_clauses() {
    let from = |text: &str| clause(&format!("SELECT * FROM {text}")).from.unwrap().items;
    let opened = from("(a JOIN b ON x) LEFT JOIN c USING (y, z)");
    assert_eq!(opened.len(), 3);
    assert_eq!(opened[1].join, JoinType::INNER);
    assert!(opened[2].join.is_outer() && opened[2].join.contains(JoinType::LEFT));
    assert!(
        matches!(&opened[2].constraint, Some(JoinConstraint::Using(names)) if names.len() == 2)
    );
    let nested = from("a, (b, c) AS d");
    assert!(matches!(&nested[1].source, Source::Join(join) if join.items.len() == 2));
    let single = from("a, (b AS x)");
    assert!(matches!(&single[1].source, Source::Table { .. }) && single[1].alias.is_none());
    let function = from("f(1, 2) AS g, (SELECT 1) h, main.t NOT INDEXED");
    assert!(matches!(&function[0].source, Source::Function { args, .. } if args.len() == 2));
    assert_eq!(
        message("SELECT * FROM a LEFT INNER JOIN b"),
        "unknown join type: LEFT INNER"
    );
    assert_eq!(
        message("SELECT * FROM a OUTER JOIN b"),
        "unknown join type: OUTER"
    );
    assert_eq!(
        message("SELECT * FROM a ON b"),
        "a JOIN clause is required before ON"
    );
}

#[test]
fn values_are_flat() {
    let SelectCore::Values(values) = select("VALUES (1, 2), (3), (4, 5, 6)").core else {
        panic!()
    };
    let rows: Vec<Vec<String>> = values
        .rows()
        .map(|row| row.iter().map(shape).collect())
        .collect();
    assert_eq!(rows, [vec!["1", "2"], vec!["3"], vec!["4", "5", "6"]]);
}

#[test]
fn compounds() {
    assert_eq!(
        select("SELECT 1 UNION ALL SELECT 2 EXCEPT VALUES (3)")
            .compounds
            .len(),
        2
    );
    assert_eq!(
        message("SELECT 1 ORDER BY 1 UNION SELECT 2 LIMIT 1 UNION ALL SELECT 3"),
        "LIMIT clause should come after UNION ALL not before"
    );
    let terms = |count: usize| vec!["SELECT 1"; count].join(" UNION ALL ");
    assert!(parse_statement(terms(500).as_bytes()).is_ok());
    assert_eq!(message(&terms(501)), "too many terms in compound SELECT");
}

#[test]
fn scripts() {
    let text = b"; SELECT 1;; EXPLAIN QUERY PLAN SELECT 2 /* c */ ; -- end";
    let mut parser = Parser::new(text);
    let first = parser.next_statement().unwrap().unwrap();
    assert_eq!(first.span.slice(text), b"SELECT 1");
    assert_eq!(&text[parser.tail()..][..2], b"; ");
    let second = parser.next_statement().unwrap().unwrap();
    assert_eq!(second.explain, Explain::QueryPlan);
    assert_eq!(second.span.slice(text), b"EXPLAIN QUERY PLAN SELECT 2");
    assert_eq!(text[second.terminator as usize], b';');
    assert!(parser.next_statement().is_none());
    assert_eq!(parser.tail(), text.len());

    // SQLite's pzTail after errors.
    for (text, tail) in [
        ("SELECT 1 1 2; SELECT 3", 10),
        ("SELECT ! 2", 7),
        ("SELECT", 6),
    ] {
        let mut parser = Parser::new(text.as_bytes());
        assert!(parser.next_statement().unwrap().is_err());
        assert_eq!(parser.tail(), tail, "{text}");
        assert!(parser.next_statement().is_none());
    }
}

#[test]
fn limit_on_changes() {
    let Stmt::Delete(delete) = statement("DELETE FROM t WHERE a ORDER BY b LIMIT 1 OFFSET 2").kind
    else {
        panic!()
    };
    assert!(delete.order_by.len() == 1 && delete.limit.is_some_and(|limit| limit.offset.is_some()));
    assert_eq!(
        message("UPDATE t SET a=1 ORDER BY b"),
        "ORDER BY without LIMIT on UPDATE"
    );
}

#[test]
fn triggers() {
    let begin = "CREATE TRIGGER r AFTER INSERT ON t BEGIN ";
    assert_eq!(
        message(&format!(
            "{begin} INSERT INTO t VALUES (1) RETURNING a; END"
        )),
        "cannot use RETURNING in a trigger"
    );
    assert_eq!(
        message(&format!("{begin} DELETE FROM t NOT INDEXED; END")),
        "the NOT INDEXED clause is not allowed on UPDATE or DELETE statements within triggers"
    );
    assert_eq!(
        message(&format!("{begin} DELETE FROM t LIMIT 1; END")),
        "near \"LIMIT\": syntax error"
    );
    let Stmt::CreateTrigger(trigger) =
        statement(&format!("{begin} SELECT 1; VALUES (2) ; END")).kind
    else {
        panic!()
    };
    assert_eq!(trigger.steps.len(), 2);
}

#[test]
fn an_expression_is_small() {
    assert_eq!(size_of::<Expr>(), 48);
}
