-- What drawn statements have shown.

-- RETURNING reads the registers of the row just stored: a copy of a REAL column is the integer that a record keeps.
CREATE TABLE t(a, b REAL, c AS (ifnull(b,1)), d REAL AS (b+0) STORED);
INSERT INTO t(a,b) VALUES(1, 3) RETURNING ifnull(b,1.5), b, typeof(b), b||'', b+0, coalesce(a,b), max(b,1), CASE WHEN 1 THEN b END, quote(b), (SELECT b), (SELECT ifnull(b,1)), c, d, ifnull(d,1), json_array(b), iif(1,b,2) || '', CAST(b AS TEXT), b = 3, b IN (3), printf('%s', b), (SELECT max(b) FROM t), rowid;
INSERT INTO t(a,b) VALUES(1, 3.0), (2, 2.5), (3, 'x'), (4, 1e20) RETURNING ifnull(b,1.5), b, c, d, ifnull(d,1);
UPDATE t SET b=4 WHERE a=1 RETURNING ifnull(b,1.5), b, c, d, ifnull(d,1);
UPDATE t SET a=4 RETURNING ifnull(b,1.5), b, c, d, ifnull(d,1);
DELETE FROM t RETURNING ifnull(b,1.5), b, c, d, ifnull(d,1);
CREATE TABLE s(a PRIMARY KEY, b REAL) WITHOUT ROWID;
INSERT INTO s VALUES(1,3) RETURNING ifnull(b,1), b;
INSERT INTO s VALUES(1,3) ON CONFLICT DO UPDATE SET b=excluded.b+1 RETURNING ifnull(b,1), b;
UPDATE s SET a=4 RETURNING ifnull(b,1.5), b;
REPLACE INTO s VALUES(4,3) RETURNING ifnull(b,1), b;
CREATE TABLE r(a ANY, b REAL, PRIMARY KEY(b)) STRICT;
INSERT INTO r VALUES(1,3) RETURNING ifnull(b,1), b;
UPDATE r SET b=4 RETURNING ifnull(b,1), b;
CREATE VIEW v AS SELECT * FROM t;
CREATE TRIGGER vt INSTEAD OF INSERT ON v BEGIN SELECT 1; END;
INSERT INTO v VALUES(1,3,3,3) RETURNING ifnull(b,1), b;

-- Left of an empty list nothing is looked at, unless a function is called there.
CREATE TABLE e(a INT, b);
INSERT INTO e VALUES(1,2),(3,4);
CREATE TRIGGER e1 DELETE ON e BEGIN SELECT 1 WHERE old.b IN (); END;
ALTER TABLE e RENAME COLUMN b TO c;
ALTER TABLE e DROP COLUMN c;
DELETE FROM e WHERE a = 3;
SELECT zz IN (), zz NOT IN () FROM e;
SELECT (zz + abs(1)) IN () FROM e;
SELECT abs(a) IN (), abs(a) NOT IN () FROM e;
SELECT count(*) IN (), count(*) NOT IN () FROM e;
SELECT a FROM e WHERE count(*) IN ();
SELECT (1, 2) IN ();
SELECT (1, abs(2)) IN ();
SELECT (SELECT zz) IN ();
CREATE VIEW ev AS SELECT a FROM e WHERE zz IN ();
SELECT * FROM ev;

-- A row of VALUES within a compound lets terms of WHERE into its other parts.
CREATE TABLE p(a VARCHAR(9), b);
INSERT INTO p VALUES (NULL,'A'),('b',10),('1.5','abc'),('','5'),(2.5,NULL),('x',1),(x'61',1),(5,'a');
CREATE VIEW pv(c0, c1, c2) AS VALUES (51.0, 'a', 10) UNION SELECT a, 0, a FROM p EXCEPT SELECT x'61', a, b FROM p;
SELECT c1, c2 FROM pv WHERE 1.0 >= c2 = c1;
SELECT c1 FROM (SELECT 1 AS c1, 2 AS c2 UNION VALUES(3, 4)) WHERE c2 > 2;
CREATE VIEW pw(c0, c1, c2) AS VALUES (5, 1.5, -0.5), ('b', x'', NULL), (1.0, 'a', 10) UNION ALL SELECT a, 0, a FROM p EXCEPT SELECT x'61', a, b FROM p;
SELECT c1, c2 FROM pw WHERE 1.0 >= c2 = c1;
SELECT c1, c2 FROM (SELECT a AS c1, 0 AS c2 FROM p UNION VALUES(1, 2), (3, 4), ('5', 0)) WHERE c1 < 4;

-- ON of an outer join, and any beside a RIGHT JOIN, refers to nothing at its right; that is said last.
CREATE TABLE x(a, b);
CREATE TABLE y(c, d);
SELECT * FROM e LEFT JOIN x ON e.a = x.a AND c = 5 JOIN y ON x.b = d;
SELECT * FROM e LEFT JOIN x ON EXISTS (SELECT 1 WHERE d) JOIN y ON x.b = d;
SELECT * FROM e JOIN x ON d JOIN y;
SELECT * FROM e JOIN x ON d RIGHT JOIN y;
SELECT count(), 3 FROM x RIGHT JOIN e ON c, y GROUP BY 3;
SELECT zz FROM x LEFT JOIN e ON c, y;

-- Of a statement that replaces rows the keys of the row that comes are named.
PRAGMA foreign_keys=ON;
CREATE TABLE k1(b);
CREATE TABLE k2(a, d REFERENCES k1(a), e UNIQUE);
CREATE TABLE k3(c REFERENCES k2(a) ON UPDATE CASCADE ON DELETE SET DEFAULT);
REPLACE INTO k2 VALUES(1, 2, 3);
REPLACE INTO k2 VALUES(1, 2, 3), (4, 5, 6);
INSERT INTO k2 VALUES(1, 2, 3);
UPDATE OR REPLACE k2 SET e = 5;
DELETE FROM k2;

-- A view that has a WITH, after something else is wrong.
CREATE TABLE n1(a);
CREATE TABLE n2(a);
CREATE VIEW nv(c0) AS WITH q2(c0) AS (VALUES (0.5)), q3(c0) AS (SELECT c0 FROM q2) SELECT c0 FROM q3;
SELECT c0 FROM nv EXCEPT SELECT a FROM n1 RIGHT JOIN n2 NATURAL JOIN n2;
CREATE VIEW nw(c0) AS SELECT a FROM n1;
SELECT * FROM nw;
WITH q1(c1) AS (SELECT 1) SELECT c0 FROM nw JOIN q1 UNION SELECT 1 FROM q1 AS x JOIN q1 AS y FULL JOIN q1 USING(c1);

-- Of several keys that mean nothing one is named.
CREATE TABLE m1(a ANY, b INT REFERENCES m1(b) ON DELETE CASCADE, c REAL PRIMARY KEY) STRICT;
CREATE TABLE m2(c REFERENCES m1(a));
DELETE FROM m1 WHERE a = 1;
UPDATE m1 SET a = 1;
CREATE TABLE m3(a REFERENCES m3 DEFERRABLE INITIALLY DEFERRED, b UNIQUE ON CONFLICT REPLACE REFERENCES gone(b));
DELETE FROM m3 WHERE a;
UPDATE m3 SET b = 1;
INSERT INTO m3 VALUES(1, 2);
-- A UNIQUE index of NOT NULL columns is searched by what is behind its key, too.
CREATE TABLE behind(a, b, c, d NOT NULL UNIQUE, PRIMARY KEY(b)) WITHOUT ROWID;
INSERT INTO behind(a, b, c, d) VALUES (x'61', 5, 1, 2.5), ('', 0, 1, '');
SELECT s1.c, s1.b FROM behind s1 JOIN behind s2 ON s1.d = s2.d WHERE s1.b = s2.a ORDER BY s1.c, s1.b;
SELECT s1.c, s1.b FROM behind s1 JOIN behind s2 ON s1.d = s2.d WHERE s1.b > s2.a;
CREATE TABLE behind_rowid(k TEXT NOT NULL UNIQUE, v);
INSERT INTO behind_rowid VALUES ('one', 1), ('two', 2), ('three', 3);
SELECT v FROM behind_rowid WHERE k = 'two' AND rowid > 1;
SELECT v FROM behind_rowid WHERE k = 'two' AND rowid > 2;
SELECT v FROM behind_rowid WHERE k = 'two' AND rowid < 2;
UPDATE behind SET d = 7 WHERE b = 5;
REPLACE INTO behind VALUES (1, 9, 2, '');
SELECT * FROM behind ORDER BY d;
PRAGMA integrity_check;

-- NULLs do not tell the entries of a primary key apart.
CREATE TABLE nulls_of_key(a PRIMARY KEY, b);
REPLACE INTO nulls_of_key VALUES (NULL, '2'), (NULL, 1);
SELECT rowid, json_extract(json_array((rowid), 1), '$[1]') FROM nulls_of_key;
PRAGMA integrity_check;
