-- What is found while names are resolved: quoted types, COLLATE in GROUP BY, ON that looks to the right, stars without
-- tables, operators in the expressions of indexes.
CREATE TABLE quoted(id "INTEGER" PRIMARY KEY AUTOINCREMENT, b [TEXT], c `INT`);
PRAGMA table_info(quoted);
INSERT INTO quoted(b, c) VALUES (1, '2');
SELECT id, typeof(b), typeof(c) FROM quoted;
CREATE TABLE t1(a, b);
CREATE TABLE t2(c, d);
CREATE TABLE t3(e, f);
INSERT INTO t1 VALUES (1, 2), (1, 3), (2, 4);
SELECT a, sum(b) FROM t1 GROUP BY a COLLATE binary HAVING a = 2;
SELECT a, sum(b) FROM t1 GROUP BY a COLLATE nocase HAVING a = 2;
SELECT a, sum(b) FROM t1 GROUP BY a HAVING 1;
SELECT a, sum(b) FROM t1 GROUP BY a HAVING 0;
SELECT * FROM t1 LEFT JOIN t2 ON (e = 5) CROSS JOIN t3;
SELECT e + f AS ef FROM t1 LEFT JOIN t2 ON (ef = 5) CROSS JOIN t3;
SELECT * FROM t1 JOIN t2 ON (e = 5) JOIN t3;
WITH RECURSIVE c(i) AS (SELECT * UNION ALL SELECT i + 1 FROM c WHERE i < 10) SELECT i FROM c;
WITH RECURSIVE c(i) AS (SELECT 5, * UNION ALL SELECT i + 1 FROM c WHERE i < 10) SELECT i FROM c;
WITH RECURSIVE c(i, j) AS (SELECT 5, * UNION ALL SELECT i + 1, 11 FROM c WHERE i < 10) SELECT i FROM c;
CREATE TABLE g(c0 REAL, c1);
INSERT INTO g VALUES ('xyz', 11), ('uvw', 22);
CREATE INDEX g0 ON g(c1) WHERE c0 GLOB 3;
UPDATE g SET c1 = 345 WHERE c0 <> 'FROM g0 like';
SELECT * FROM g;
PRAGMA writable_schema = ON;
CREATE TABLE sqlite_odd(a);
PRAGMA writable_schema = OFF;
CREATE TABLE sqlite_even(a);
