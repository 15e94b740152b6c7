-- What took more of the CPU than in stock SQLite once: windows, recursion, triggers, WITHOUT ROWID, REPLACE, deleting from
-- tables with indexes. `speedtest --tests bench/hot_spots.sql` prints the ratio of each.
PRAGMA journal_mode=WAL;
PRAGMA synchronous=OFF;
-- begin test 100 setup
CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100000) INSERT INTO t SELECT i, (i*7919)%1003, 'row '||((i*104729)%100000), i*0.5 FROM n;
COMMIT;
-- end test 100
-- begin test 110 recursive counter
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000000) SELECT sum(i) FROM n;
-- end test 110
-- begin test 111 recursive union
WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT (i*7+3)%200003 FROM n) SELECT count(*) FROM n;
-- end test 111
-- begin test 112 recursive order by
WITH RECURSIVE n(i,d) AS (SELECT 1,0 UNION ALL SELECT i*2+k, d+1 FROM n, (SELECT 0 AS k UNION ALL SELECT 1) WHERE d<16 ORDER BY 2 DESC) SELECT sum(i), count(*) FROM n;
-- end test 112
-- begin test 120 window rows frame sum
SELECT sum(s) FROM (SELECT sum(a) OVER (ORDER BY id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS s FROM t);
-- end test 120
-- begin test 121 window rows frame following
SELECT sum(s) FROM (SELECT avg(c) OVER (PARTITION BY a ORDER BY id ROWS BETWEEN 5 PRECEDING AND 5 FOLLOWING) AS s FROM t);
-- end test 121
-- begin test 122 window running
SELECT sum(s) FROM (SELECT sum(a) OVER (ORDER BY id) AS s FROM t);
-- end test 122
-- begin test 123 row_number rank lag
SELECT sum(r+k+l) FROM (SELECT row_number() OVER w AS r, rank() OVER w AS k, lag(a,1,0) OVER w AS l FROM t WINDOW w AS (PARTITION BY a ORDER BY c));
-- end test 123
-- begin test 124 min over rows
SELECT sum(s) FROM (SELECT min(a) OVER (ORDER BY id ROWS BETWEEN 20 PRECEDING AND CURRENT ROW) AS s FROM t);
-- end test 124
-- begin test 130 insert with after trigger
CREATE TABLE log(id INTEGER PRIMARY KEY, x INT, y TEXT);
CREATE TABLE tr(id INTEGER PRIMARY KEY, a INT, b TEXT);
CREATE TRIGGER tr_ai AFTER INSERT ON tr BEGIN INSERT INTO log(x,y) VALUES(new.id, new.b); END;
BEGIN;
INSERT INTO tr SELECT id, a, b FROM t;
COMMIT;
-- end test 130
-- begin test 131 update with after trigger
CREATE TRIGGER tr_au AFTER UPDATE ON tr BEGIN UPDATE log SET x=x+1 WHERE id=new.id; END;
BEGIN;
UPDATE tr SET a=a+1;
COMMIT;
-- end test 131
-- begin test 140 without rowid insert
CREATE TABLE w(k TEXT, n INT, v INT, PRIMARY KEY(k,n)) WITHOUT ROWID;
BEGIN;
INSERT INTO w SELECT b, id, a FROM t;
COMMIT;
-- end test 140
-- begin test 141 without rowid update
BEGIN;
UPDATE w SET v=v+1;
COMMIT;
-- end test 141
-- begin test 142 without rowid update of key
BEGIN;
UPDATE w SET n=n+1000000 WHERE v%3=0;
COMMIT;
-- end test 142
-- begin test 150 replace
CREATE TABLE r(id INTEGER PRIMARY KEY, a INT UNIQUE, b TEXT);
BEGIN;
INSERT INTO r SELECT id, id*3, b FROM t;
REPLACE INTO r SELECT id, id*3, b||'x' FROM t;
REPLACE INTO r SELECT id+200000, id*3, b||'y' FROM t;
COMMIT;
-- end test 150
-- begin test 160 delete with indexes
CREATE TABLE d(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL);
BEGIN;
INSERT INTO d SELECT id, a, b, c FROM t;
CREATE INDEX d_a ON d(a); CREATE INDEX d_b ON d(b); CREATE INDEX d_c ON d(c, a);
COMMIT;
-- end test 160
-- begin test 161 delete half
BEGIN;
DELETE FROM d WHERE id%2=0;
COMMIT;
-- end test 161
-- begin test 162 delete by index
BEGIN;
DELETE FROM d WHERE a<300;
COMMIT;
-- end test 162
-- begin test 170 join by an integer without an index
CREATE TABLE j1 AS SELECT id*7919%100003 AS k, a FROM t;
CREATE TABLE j2 AS SELECT id*104729%100003 AS k, b FROM t;
SELECT sum(j1.a), count(*) FROM j1 JOIN j2 ON j1.k = j2.k;
-- end test 170
