-- ## json_each
SELECT key, value, type, atom, id, parent, fullkey, path FROM json_each('{"a":[1],"b":null}');
-- ## json_tree
SELECT key, value, type, atom, id, parent, fullkey, path FROM json_tree('{"a":[1,{"c":2}]}','$.a');
-- ## jsonb_each
SELECT key, hex(value), type FROM jsonb_each('{"a":[1],"b":null}');
-- ## jsonb_tree
SELECT key, hex(value), type FROM jsonb_tree('{"a":[1],"b":null}');
-- ## pragma_*
SELECT name FROM pragma_database_list; CREATE TABLE t(a,b); SELECT cid, name FROM pragma_table_info('t'); SELECT * FROM pragma_index_list('t','main');
-- ## dbstat
CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT name, path, pageno, pagetype, ncell, payload, unused, mx_payload, pgoffset, pgsize FROM dbstat WHERE name='t'; SELECT name, pageno, ncell FROM dbstat('main',1);
-- ## generate_series
-- ours: SELECT group_concat(value) FROM generate_series(1,10,3)
-- = 1,4,7,10
-- ## ringwood_counters
-- ours: SELECT count(*)>20, count(DISTINCT scope)>2, max(value) FILTER (WHERE scope='main' AND name='connections') FROM ringwood_counters
-- = 1|1|1
-- ## sqlite_stmt
-- ours: SELECT sql, ncol, ro, busy FROM sqlite_stmt
-- = SELECT sql, ncol, ro, busy FROM sqlite_stmt|4|1|1
-- ## bytecode
-- ours: SELECT count(*)>2, count(subprog) FROM bytecode('SELECT 1')
-- = 1|0
-- ## tables_used
-- ours: SELECT type, schema, name, wr FROM tables_used('SELECT * FROM sqlite_schema')
-- = table|main|sqlite_master|0
