-- Faults that SQLite's own tests have shown.
CREATE TABLE t1(a);
INSERT INTO t1 VALUES('abc'),('def'),('ghi');
CREATE TABLE t2(b);
INSERT INTO t2 VALUES('DEF'),('abc');
-- A COLLATE of ORDER BY is not the operator's.
SELECT a FROM t1 EXCEPT SELECT b FROM t2 ORDER BY a COLLATE nocase;
SELECT a FROM t1 UNION SELECT b FROM t2 ORDER BY 1 COLLATE nocase, a LIMIT 3;
-- The ORDER BY of a part is not the compound's.
SELECT 9 FROM (SELECT * FROM t1) UNION ALL SELECT a FROM (SELECT a FROM t1 ORDER BY a DESC) LIMIT 5;
-- A COLLATE of a bound of BETWEEN counts more than the column's own collation.
SELECT b, b BETWEEN 'a' COLLATE nocase AND 'e' COLLATE nocase, b BETWEEN 'a' AND 'e' FROM t2;
SELECT b FROM t2 WHERE b BETWEEN 'd' COLLATE nocase AND 'e' COLLATE nocase;
SELECT CASE b WHEN 'def' COLLATE nocase THEN 1 ELSE 0 END FROM t2;
SELECT a FROM t1 WHERE a IN ((SELECT b FROM t2));
SELECT a FROM t1 WHERE a IN (((SELECT b FROM t2)));
-- A scalar subquery with DISTINCT, ORDER BY and OFFSET.
CREATE TABLE t3(x UNIQUE);
INSERT INTO t3 VALUES(1234);
SELECT (SELECT DISTINCT x FROM t3 ORDER BY +x LIMIT 1 OFFSET 0);
SELECT (SELECT DISTINCT x FROM t3 ORDER BY +x LIMIT 1 OFFSET 1);
-- A window with a subquery in it.
CREATE TABLE t7(a, b);
INSERT INTO t7(rowid, a, b) VALUES (1, 1, 3), (2, 10, 4), (3, 100, 2);
SELECT rowid, sum(a) OVER (PARTITION BY b IN (SELECT rowid FROM t7)) FROM t7;
-- A trigger of a row that REPLACE deletes must not change the row that is being updated.
PRAGMA recursive_triggers = true;
CREATE TABLE t4(a UNIQUE ON CONFLICT REPLACE, b);
INSERT INTO t4(a,b) VALUES(4,12),(9,13);
CREATE INDEX i4 ON t4(b);
CREATE TRIGGER r4 DELETE ON t4 BEGIN UPDATE t4 SET b = a; END;
UPDATE t4 SET a=0;
SELECT * FROM t4;
PRAGMA integrity_check;
-- A view that cannot be looked at has no columns.
CREATE VIEW v AS SELECT nothing_of_that_name(a) FROM t1;
SELECT name, type, ncol FROM pragma_table_list WHERE name = 'v';
-- The temp database is listed once something was in it.
CREATE TEMP TABLE gone(x);
DROP TABLE temp.gone;
SELECT name FROM pragma_database_list;
