-- Statements with several mistakes: which one is reported, and where.
CREATE TABLE t(a, b); CREATE TABLE u(a, c); CREATE TEMP TABLE w(a, b);
-- Tables, joins and stars of the whole query come before any name.
SELECT nosuch FROM t WHERE a IN (SELECT x FROM missing);
SELECT nosuch FROM t, (SELECT nosuch2 FROM missing);
SELECT (SELECT nosuch FROM t), (SELECT 1 FROM missing) FROM t;
SELECT nosuch FROM missing1 UNION SELECT nosuch FROM missing2;
SELECT nosuch UNION SELECT *;
SELECT nosuch, t.* FROM u;
SELECT nosuch FROM t JOIN u USING(b);
SELECT nosuch FROM t JOIN (SELECT a AS z, nosuch3 FROM u) USING(a);
SELECT nosuch FROM t JOIN (t JOIN u) USING(zz);
SELECT nosuch FROM t INDEXED BY none;
SELECT nosuch FROM t, (SELECT *);
SELECT *, (SELECT 1 FROM missing) FROM (SELECT *);
WITH q AS (SELECT nosuch FROM missing) SELECT other FROM q;
WITH q AS (SELECT nosuch) SELECT other FROM q, missing;
WITH q(x, y) AS (SELECT nosuch) SELECT other FROM q;
WITH RECURSIVE q(x) AS (SELECT nosuch UNION ALL SELECT x+1 FROM q, missing) SELECT other FROM q;
WITH RECURSIVE q(x) AS (SELECT nosuch UNION ALL SELECT x+1 FROM q WHERE x IN q) SELECT other FROM q;
WITH q AS (SELECT * FROM q) SELECT nosuch FROM q;
SELECT nosuch FROM t WHERE a IN missing;
SELECT nosuch FROM t ORDER BY (SELECT 1 FROM m1) LIMIT (SELECT 1 FROM m2);
SELECT sum(nosuch) OVER w FROM t WINDOW w AS (ORDER BY (SELECT 1 FROM missing));
UPDATE t SET a = nosuch, b = (SELECT nosuch FROM missing);
DELETE FROM t WHERE nosuch OR a IN (SELECT nosuch FROM missing);
-- Parts of a compound from the last to the first, their widths with them.
SELECT 1, 2 UNION SELECT nosuch UNION SELECT 3;
SELECT nosuch UNION SELECT 1, 2 UNION SELECT 3;
-- Ordinals that are too large are found when all terms are known.
SELECT a FROM t GROUP BY 5, 0;
SELECT a FROM t GROUP BY 5, nosuch;
SELECT a FROM t ORDER BY 5, 0;
SELECT a FROM t ORDER BY 70000, nosuch;
SELECT a, b FROM t GROUP BY 3 HAVING nosuch;
-- A name on the right of IS is looked up first; of a window the last mistake counts.
SELECT nosuch1 IS nosuch2 FROM t;
SELECT nosuch1 IS NOT nosuch2 FROM t;
SELECT nosuch1 IS true FROM t;
SELECT nosuch1 = nosuch2 FROM t;
SELECT sum(a) OVER (PARTITION BY nosuch1 ORDER BY nosuch2) FROM t;
SELECT sum(a) FILTER (WHERE nosuch3) OVER (PARTITION BY nosuch1 || 1 ORDER BY b) FROM t;
SELECT sum(nosuch1) FILTER (WHERE nosuch2) FROM t;
SELECT group_concat(nosuch1 ORDER BY nosuch2) FROM t;
SELECT abs(nosuch1) = nosuch2 FROM t;
SELECT (nosuch1 -> 0) = nosuch2 FROM t;
SELECT (nosuch1 + 1) = nosuch2 FROM t;
SELECT group_concat(nosuch1 ORDER BY quote(nosuch2 = 1)) FROM t;
SELECT abs(nosuch1, nosuch2) FROM t;
-- USING of a column that several items have, where a RIGHT JOIN is among them.
SELECT nosuch FROM t AS x JOIN t AS y RIGHT JOIN t AS z USING(a);
SELECT nosuch FROM t AS x JOIN t AS y USING(a) RIGHT JOIN t AS z USING(a);
-- Widths that are written are compared before anything is looked up.
SELECT (a, nosuch) = b FROM t;
SELECT t.a || (nosuch, 2) <= (a, b) FROM t;
SELECT nosuch BETWEEN (1, 2) AND 3 FROM t;
SELECT t.a = (1, nosuch) FROM t;
-- Aggregates.
SELECT count(*), sum((SELECT sum(t.a) FROM u)) FROM t;
SELECT sum((SELECT max(t.a) FROM u)) FROM t WHERE 1;
SELECT count(*), a FROM t GROUP BY (1 COLLATE NOCASE);
SELECT count(*), a FROM t GROUP BY 1;
SELECT a FROM t GROUP BY sum(a);
-- Keys of upserts.
CREATE TABLE k(a INTEGER PRIMARY KEY, c, d, UNIQUE(a, c), UNIQUE(c, d));
INSERT INTO k VALUES(1, 2, 3) ON CONFLICT(a, c) DO NOTHING;
INSERT INTO k VALUES('x', 2, 3) ON CONFLICT(c, d) DO NOTHING ON CONFLICT(c, a) DO NOTHING;
INSERT INTO k VALUES(1, 2, 3) ON CONFLICT(d, c) DO NOTHING;
-- Temporary views are renamed in twice.
CREATE TEMP VIEW tv AS SELECT s.b FROM w AS s;
ALTER TABLE w RENAME COLUMN b TO n;
ALTER TABLE w RENAME COLUMN a TO n;
DROP VIEW tv;
ALTER TABLE w RENAME COLUMN b TO n;
-- ALTER TABLE does not mind ordinals that are too large.
CREATE VIEW v AS SELECT a FROM u GROUP BY 5;
SELECT * FROM v;
ALTER TABLE t RENAME TO t2;
ALTER TABLE u RENAME COLUMN c TO d;
-- One row put into a parent cannot break a key, whatever the key refers to.
PRAGMA foreign_keys=ON;
CREATE TABLE parent(a, b DEFAULT 1); CREATE TABLE child(x REFERENCES parent(nosuch));
INSERT INTO parent DEFAULT VALUES;
INSERT INTO parent VALUES(1, 2);
INSERT INTO parent VALUES(1, 2), (3, 4);
INSERT INTO child VALUES(1);
DELETE FROM parent;
-- A key that refers to nothing is met by whatever else changes a key of the parent.
CREATE TABLE own(a UNIQUE REFERENCES own(a), b); CREATE TABLE lost(x REFERENCES own);
INSERT INTO own VALUES(1, 1);
UPDATE own SET b = 2;
UPDATE own SET a = 2;
CREATE TRIGGER own_b AFTER UPDATE OF b ON own BEGIN SELECT 1; END;
UPDATE own SET b = 3;
DELETE FROM own;
