-- ## analysis_limit
PRAGMA analysis_limit=100; PRAGMA analysis_limit;
-- ## application_id
PRAGMA application_id=7; PRAGMA application_id;
-- ## auto_vacuum
PRAGMA auto_vacuum; PRAGMA auto_vacuum=FULL; CREATE TABLE t(a); PRAGMA auto_vacuum;
-- ## automatic_index
PRAGMA automatic_index; PRAGMA automatic_index=0; PRAGMA automatic_index;
-- ## busy_timeout
PRAGMA busy_timeout=250; PRAGMA busy_timeout;
-- ## cache_size
PRAGMA cache_size=500; PRAGMA cache_size; PRAGMA cache_size=-4000; PRAGMA cache_size;
-- ## cache_spill
PRAGMA cache_spill=OFF; PRAGMA cache_spill;
-- ## case_sensitive_like
PRAGMA case_sensitive_like=ON; SELECT 'a' LIKE 'A'; PRAGMA case_sensitive_like=OFF; SELECT 'a' LIKE 'A';
-- ## cell_size_check
PRAGMA cell_size_check=1; PRAGMA cell_size_check;
-- ## checkpoint_fullfsync
PRAGMA checkpoint_fullfsync=1; PRAGMA checkpoint_fullfsync;
-- ## collation_list
SELECT name FROM pragma_collation_list WHERE name IN ('BINARY','NOCASE','RTRIM') ORDER BY 1;
-- ## compile_options
SELECT count(*)>0 FROM pragma_compile_options;
-- ## count_changes
CREATE TABLE t(a); PRAGMA count_changes=1; INSERT INTO t VALUES(1),(2); PRAGMA count_changes;
-- ## data_version
PRAGMA data_version;
-- ## database_list
PRAGMA database_list;
-- ## default_cache_size
PRAGMA default_cache_size; PRAGMA default_cache_size=100; PRAGMA default_cache_size;
-- ## defer_foreign_keys
PRAGMA foreign_keys=ON; PRAGMA defer_foreign_keys=ON; PRAGMA defer_foreign_keys;
-- ## empty_result_callbacks
PRAGMA empty_result_callbacks=1; PRAGMA empty_result_callbacks;
-- ## encoding
PRAGMA encoding; PRAGMA encoding='UTF-16le'; CREATE TABLE t(a); PRAGMA encoding;
-- ## foreign_key_check
PRAGMA foreign_keys=OFF; CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(x REFERENCES p); INSERT INTO c VALUES(5); PRAGMA foreign_key_check; PRAGMA foreign_key_check(c);
-- ## foreign_key_list
CREATE TABLE c(x REFERENCES p ON DELETE CASCADE, y, FOREIGN KEY(x,y) REFERENCES q(a,b)); PRAGMA foreign_key_list(c);
-- ## foreign_keys
PRAGMA foreign_keys=1; PRAGMA foreign_keys; PRAGMA foreign_keys=0; PRAGMA foreign_keys;
-- ## freelist_count
CREATE TABLE t(a); DROP TABLE t; PRAGMA freelist_count;
-- ## full_column_names
CREATE TABLE t(a); PRAGMA short_column_names=0; PRAGMA full_column_names=1; SELECT a FROM t; PRAGMA full_column_names;
-- ## fullfsync
PRAGMA fullfsync=1; PRAGMA fullfsync;
-- ## function_list
SELECT DISTINCT name, type FROM pragma_function_list WHERE name IN ('abs','sum','row_number') ORDER BY 1;
-- ## hard_heap_limit
PRAGMA hard_heap_limit;
-- ## ignore_check_constraints
CREATE TABLE t(a CHECK(a>0)); PRAGMA ignore_check_constraints=1; INSERT INTO t VALUES(-1); PRAGMA ignore_check_constraints;
-- ## incremental_vacuum
PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(90000)); DELETE FROM t; PRAGMA freelist_count; PRAGMA incremental_vacuum(5); PRAGMA freelist_count; PRAGMA incremental_vacuum; PRAGMA freelist_count;
-- ## index_info
CREATE TABLE t(a,b); CREATE INDEX i ON t(b,a); PRAGMA index_info(i);
-- ## index_list
CREATE TABLE t(a UNIQUE,b); CREATE INDEX i ON t(b) WHERE a; PRAGMA index_list(t);
-- ## index_xinfo
CREATE TABLE t(a,b); CREATE INDEX i ON t(b DESC,a COLLATE NOCASE, a+1); PRAGMA index_xinfo(i);
-- ## integrity_check
CREATE TABLE t(a CHECK(a>0)); PRAGMA ignore_check_constraints=1; INSERT INTO t VALUES(-1); PRAGMA ignore_check_constraints=0; PRAGMA integrity_check; PRAGMA integrity_check(t);
-- ## journal_mode
PRAGMA journal_mode;
-- ## journal_size_limit
PRAGMA journal_size_limit=1000; PRAGMA journal_size_limit;
-- ## legacy_alter_table
PRAGMA legacy_alter_table=1; PRAGMA legacy_alter_table;
-- ## locking_mode
PRAGMA locking_mode;
-- ## max_page_count
CREATE TABLE t(a); PRAGMA max_page_count=100; PRAGMA max_page_count;
-- ## mmap_size
PRAGMA mmap_size;
-- ## module_list
SELECT name FROM pragma_module_list WHERE name='dbstat';
-- ## optimize
CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1); PRAGMA optimize(-1); PRAGMA optimize;
-- ## page_count
CREATE TABLE t(a); PRAGMA page_count;
-- ## page_size
PRAGMA page_size; PRAGMA page_size=1024; CREATE TABLE t(a); PRAGMA page_size;
-- ## pragma_list
SELECT name FROM pragma_pragma_list WHERE name IN ('page_size','encoding') ORDER BY 1;
-- ## query_only
CREATE TABLE t(a); PRAGMA query_only=1; PRAGMA query_only; SELECT * FROM t;
-- ## quick_check
CREATE TABLE t(a); PRAGMA quick_check; PRAGMA quick_check(t);
-- ## read_uncommitted
PRAGMA read_uncommitted=1; PRAGMA read_uncommitted;
-- ## recursive_triggers
PRAGMA recursive_triggers=1; PRAGMA recursive_triggers;
-- ## reverse_unordered_selects
CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); PRAGMA reverse_unordered_selects=1; PRAGMA reverse_unordered_selects; SELECT group_concat(a) FROM t;
-- ## schema_version
CREATE TABLE t(a); PRAGMA schema_version; PRAGMA schema_version=9; PRAGMA schema_version;
-- ## secure_delete
PRAGMA secure_delete=1; PRAGMA secure_delete; PRAGMA secure_delete=FAST; PRAGMA secure_delete;
-- ## short_column_names
CREATE TABLE t(a); PRAGMA short_column_names=0; PRAGMA short_column_names; SELECT t.a FROM t;
-- ## shrink_memory
PRAGMA shrink_memory;
-- ## soft_heap_limit
PRAGMA soft_heap_limit;
-- ## synchronous
PRAGMA synchronous=NORMAL; PRAGMA synchronous; PRAGMA synchronous=EXTRA; PRAGMA synchronous;
-- ## table_info
CREATE TABLE t(a INT NOT NULL DEFAULT 5, b TEXT, PRIMARY KEY(b)); PRAGMA table_info(t);
-- ## table_list
CREATE TABLE t(a INT PRIMARY KEY) WITHOUT ROWID; CREATE VIEW v AS SELECT 1; PRAGMA table_list; PRAGMA table_list(t);
-- ## table_xinfo
CREATE TABLE t(a, b AS (a) STORED, c AS (a)); PRAGMA table_xinfo(t);
-- ## temp_store
PRAGMA temp_store=MEMORY; PRAGMA temp_store;
-- ## temp_store_directory
PRAGMA temp_store_directory;
-- ## threads
PRAGMA threads=2; PRAGMA threads;
-- ## trusted_schema
PRAGMA trusted_schema=0; PRAGMA trusted_schema;
-- ## user_version
PRAGMA user_version=12; PRAGMA user_version;
-- ## wal_autocheckpoint
PRAGMA wal_autocheckpoint=500; PRAGMA wal_autocheckpoint;
-- ## wal_checkpoint
PRAGMA wal_checkpoint; PRAGMA wal_checkpoint(TRUNCATE);
-- ## writable_schema
CREATE TABLE t(a); PRAGMA writable_schema=1; PRAGMA writable_schema; UPDATE sqlite_schema SET sql='CREATE TABLE t(z)'; PRAGMA writable_schema=RESET; SELECT z FROM t;
-- ## an unknown pragma is silent
PRAGMA no_such_pragma; PRAGMA no_such_pragma=1;
