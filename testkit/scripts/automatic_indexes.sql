-- Automatic indexes: what they find, and in which order without ORDER BY.
CREATE TABLE a(k, v INT, w TEXT);
CREATE TABLE b(k, x INT, y TEXT);
INSERT INTO a VALUES(1,1,'one'),(1.0,2,'uno'),('1',3,'text'),(NULL,4,'null'),(x'31',5,'blob'),(2.5,6,'real'),('abc',7,'ABC'),('ABC',8,'abc'),('abc ',9,'Abc ');
INSERT INTO b VALUES(1,9,'z'),(1,8,'y'),(1.0,8,'x'),('1',7,'w'),(NULL,6,'v'),(x'31',5,'u'),(2.5,4,'t'),(2.5,4,'s'),('abc',3,'r'),('ABC',2,'q'),('abc ',1,'p'),(-0.0,0,'o'),(0,0,'n');
INSERT INTO b SELECT k, x+20, y FROM b;
EXPLAIN QUERY PLAN SELECT a.v, b.x, b.y FROM a, b WHERE a.k = b.k;
SELECT a.v, b.x, b.y FROM a, b WHERE a.k = b.k;
SELECT a.v, b.x, b.y, b.rowid FROM a CROSS JOIN b ON a.k = b.k;
SELECT a.v, b.x, b.rowid FROM a CROSS JOIN b ON a.k IS b.k;
SELECT a.v, b.x, b.rowid FROM a LEFT JOIN b ON a.k = b.k AND b.x < 10;
SELECT a.v, b.x, b.y FROM a CROSS JOIN b ON a.k = b.k COLLATE NOCASE;
SELECT a.v, b.x, b.y FROM a CROSS JOIN b ON a.k = b.k COLLATE RTRIM;
SELECT a.v, b.x, typeof(b.k), typeof(b.y) FROM a CROSS JOIN b ON a.k = b.k AND a.v < b.x;
SELECT a.v, b.x FROM a CROSS JOIN b ON a.k = b.k AND a.v = b.x;
SELECT a.v, s.x, s.y FROM a CROSS JOIN (SELECT k, x, y FROM b UNION ALL SELECT k, x, y FROM b) AS s ON a.k = s.k;
SELECT a.v, s.n FROM a CROSS JOIN (SELECT k, count(*) AS n FROM b GROUP BY k) AS s ON a.k = s.k;
SELECT a.v, (SELECT sum(x) FROM b WHERE b.k = a.k) FROM a;
SELECT a.v, b.x, c.x FROM a CROSS JOIN b ON a.k = b.k CROSS JOIN b AS c ON b.x = c.x AND c.y > 'r' WHERE a.v < 4;
SELECT count(*), sum(b.x) FROM a FULL JOIN b ON a.k = b.k;
SELECT a.v, b.x FROM b RIGHT JOIN a ON a.k = b.k;
-- Numbers at the ends of what an integer can be.
CREATE TABLE n(k); CREATE TABLE m(k, t TEXT);
INSERT INTO n VALUES(9223372036854775807),(9223372036854775808.0),(-9223372036854775808),(9007199254740993),(9007199254740992.0),(1e300),(0),(-0.0);
INSERT INTO m SELECT k, typeof(k) FROM n;
SELECT n.k, m.k, m.t FROM n CROSS JOIN m ON n.k = m.k;
-- A column with a type, compared with one without.
CREATE TABLE p(k TEXT); CREATE TABLE q(k INT, v);
INSERT INTO p VALUES('1'),('01'),('2.0'),('x'); INSERT INTO q VALUES(1,'a'),(2,'b'),('x','c');
SELECT p.k, q.k, q.v FROM p CROSS JOIN q ON p.k = q.k;
SELECT p.k, q.k, q.v FROM q CROSS JOIN p ON p.k = q.k;
-- Another order of walking.
PRAGMA reverse_unordered_selects = on;
SELECT a.v, b.x, b.y FROM a CROSS JOIN b ON a.k = b.k;
PRAGMA reverse_unordered_selects = off;
-- In a trigger the index is made anew for each row.
CREATE TABLE log(v, n); CREATE TABLE src(v);
CREATE TRIGGER t AFTER INSERT ON src BEGIN
  INSERT INTO log SELECT new.v, count(*) FROM a CROSS JOIN b ON a.k = b.k AND b.x > new.v;
END;
INSERT INTO src VALUES(1),(5),(8);
SELECT * FROM log;
-- More than the memory of a temporary store.
CREATE TABLE big(k INT, pad TEXT);
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i<24000) INSERT INTO big SELECT i%12000, printf('%0400d', i) FROM s;
SELECT count(*), sum(length(y.pad)), min(y.pad), max(y.pad) FROM (SELECT DISTINCT k FROM big LIMIT 100) AS x CROSS JOIN big AS y ON x.k = y.k;
SELECT count(*), sum(x.k) FROM big AS x CROSS JOIN big AS y ON x.k = y.k AND x.pad < y.pad;
