/* What an application registers: functions, aggregates, windows, collations, hooks, tracing, an authorizer; and what
** callbacks may do with their connection. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *db;

static int show(void *prefix, int n, char **values, char **names) {
  printf("%s", (char *)prefix);
  for (int i = 0; i < n; i++) printf(" %s", values[i] ? values[i] : "NULL");
  printf("\n");
  (void)names;
  return 0;
}

static void run(const char *sql) {
  int rc = sqlite3_exec(db, sql, show, " ", 0);
  printf("%s -> %d %d %s\n", sql, rc, sqlite3_extended_errcode(db), sqlite3_errmsg(db));
}

static void gone(void *name) { printf("gone: %s\n", (char *)name); }

static void describe(sqlite3_context *cx, int n, sqlite3_value **args) {
  char text[200] = "";
  for (int i = 0; i < n; i++) {
    int type = sqlite3_value_type(args[i]), numeric = sqlite3_value_numeric_type(args[i]);
    const char *t = (const char *)sqlite3_value_text(args[i]);
    sprintf(text + strlen(text), "%d/%d/%d:%s ", type, numeric, sqlite3_value_bytes(args[i]), t ? t : "-");
  }
  sqlite3_result_text(cx, text, -1, SQLITE_TRANSIENT);
}

static void fails(sqlite3_context *cx, int n, sqlite3_value **args) {
  (void)n;
  switch (sqlite3_value_int(args[0])) {
    case 0: sqlite3_result_error(cx, "by its own words", -1); break;
    case 1: sqlite3_result_error_code(cx, SQLITE_CONSTRAINT_FUNCTION); break;
    case 2: sqlite3_result_error_toobig(cx); break;
    case 3: sqlite3_result_error(cx, "words first", -1); sqlite3_result_error_code(cx, SQLITE_AUTH); break;
    case 4: sqlite3_result_zeroblob(cx, 5); break;
    default: sqlite3_result_subtype(cx, 7); break;
  }
}

/* A function that asks its own connection. */
static void nested(sqlite3_context *cx, int n, sqlite3_value **args) {
  sqlite3_stmt *s;
  sqlite3 *own = sqlite3_context_db_handle(cx);
  (void)n;
  if (sqlite3_prepare_v2(own, (const char *)sqlite3_value_text(args[0]), -1, &s, 0) != SQLITE_OK) {
    sqlite3_result_error(cx, sqlite3_errmsg(own), -1);
    return;
  }
  if (sqlite3_step(s) == SQLITE_ROW) sqlite3_result_value(cx, sqlite3_column_value(s, 0));
  sqlite3_finalize(s);
}

static void remembers(sqlite3_context *cx, int n, sqlite3_value **args) {
  int *count = sqlite3_get_auxdata(cx, 0);
  (void)n;
  (void)args;
  if (!count) {
    count = sqlite3_malloc(sizeof *count);
    *count = 0;
    sqlite3_set_auxdata(cx, 0, count, sqlite3_free);
    count = sqlite3_get_auxdata(cx, 0);
  }
  sqlite3_result_int(cx, count ? ++*count : -1);
}

typedef struct Sum { long long sum; int rows; } Sum;
static void step(sqlite3_context *cx, int n, sqlite3_value **args) {
  Sum *s = sqlite3_aggregate_context(cx, sizeof *s);
  (void)n;
  s->sum += sqlite3_value_int64(args[0]);
  s->rows++;
}
static void inverse(sqlite3_context *cx, int n, sqlite3_value **args) {
  Sum *s = sqlite3_aggregate_context(cx, sizeof *s);
  (void)n;
  s->sum -= sqlite3_value_int64(args[0]);
  s->rows--;
}
static void value(sqlite3_context *cx) {
  Sum *s = sqlite3_aggregate_context(cx, 0);
  char text[60];
  sprintf(text, "%lld of %d for %s", s ? s->sum : -1, s ? s->rows : -1, (char *)sqlite3_user_data(cx));
  sqlite3_result_text(cx, text, -1, SQLITE_TRANSIENT);
}

static int reversed(void *data, int na, const void *a, int nb, const void *b) {
  int n = na < nb ? na : nb, order = memcmp(b, a, n);
  (void)data;
  return order ? order : nb - na;
}
static void bring(void *data, sqlite3 *own, int encoding, const char *name) {
  printf("needed: %s (%s)\n", name, (char *)data);
  (void)encoding;
  sqlite3_create_collation_v2(own, name, SQLITE_UTF8, "brought", reversed, gone);
}

static void updated(void *data, int kind, const char *base, const char *table, sqlite3_int64 rowid) {
  printf("%s: %d %s.%s %lld\n", (char *)data, kind, base, table, rowid);
}
static int committing(void *refuse) { printf("commit\n"); return *(int *)refuse; }
static void rolled(void *data) { printf("rolled back %s\n", (char *)data); }
static int counted(void *count) { return ++*(int *)count > 5; }

static int traced(unsigned event, void *cx, void *p, void *x) {
  (void)cx;
  if (event == SQLITE_TRACE_STMT) printf("trace: %s\n", (char *)x);
  if (event == SQLITE_TRACE_ROW) printf("trace row of %s\n", sqlite3_sql(p));
  if (event == SQLITE_TRACE_PROFILE) printf("trace end of %s\n", sqlite3_sql(p));
  if (event == SQLITE_TRACE_CLOSE) printf("trace close\n");
  return 0;
}

static int asked(void *data, int code, const char *a, const char *b, const char *c, const char *d) {
  (void)data;
  (void)d;
  if (code == SQLITE_READ && b && !strcmp(b, "secret")) return SQLITE_IGNORE;
  if (code == SQLITE_DELETE && a && !strcmp(a, "t")) return SQLITE_DENY;
  (void)c;
  return SQLITE_OK;
}

static void functions(void) {
  sqlite3_create_function_v2(db, "describe", -1, SQLITE_UTF8, "describe", describe, 0, 0, gone);
  run("SELECT describe(1, 2.5, 'x', x'4142', NULL, '12', '1e3')");
  sqlite3_create_function(db, "fails", 1, SQLITE_UTF8, 0, fails, 0, 0);
  for (int i = 0; i < 4; i++) {
    char sql[40];
    sprintf(sql, "SELECT fails(%d)", i);
    run(sql);
  }
  run("SELECT hex(fails(4)), typeof(fails(5))");
  sqlite3_create_function(db, "nested", 1, SQLITE_UTF8, 0, nested, 0, 0);
  run("CREATE TABLE t(a, secret); INSERT INTO t VALUES(1,'s'),(2,'t'),(3,'u')");
  run("SELECT a, nested('SELECT sum(a) FROM t WHERE a <= ' || a) FROM t");
  run("SELECT nested('nonsense')");
  run("SELECT nested('INSERT INTO t VALUES(4,''v'') RETURNING a'), count(*) FROM t");
  run("SELECT nested('SELECT nested(''SELECT 7'')')");
  sqlite3_create_function(db, "remembers", 2, SQLITE_UTF8, 0, remembers, 0, 0);
  run("SELECT remembers('constant', a), remembers(a, 1) FROM t");
  printf("again %d\n", sqlite3_create_function_v2(db, "describe", -1, SQLITE_UTF8, "second", describe, 0, 0, gone));
  printf("wrong %d\n", sqlite3_create_function_v2(db, "both", 1, SQLITE_UTF8, "both", describe, step, 0, gone));
  printf("removed %d\n", sqlite3_create_function_v2(db, "describe", -1, SQLITE_UTF8, 0, 0, 0, 0, 0));
  run("SELECT describe(1)");
  sqlite3_create_function(db, "mysum", 1, SQLITE_UTF8, "group", 0, step, value);
  run("SELECT mysum(a) FROM t; SELECT mysum(a) FROM t WHERE 0; SELECT mysum(a) FROM t GROUP BY a%2");
  sqlite3_create_window_function(db, "wsum", 1, SQLITE_UTF8, "window", step, value, value, inverse, gone);
  run("SELECT a, wsum(a) OVER (ORDER BY a ROWS 1 PRECEDING) FROM t");
  run("SELECT mysum(a) OVER (ORDER BY a) FROM t");
}

static void collations(void) {
  sqlite3_collation_needed(db, "needer", bring);
  run("SELECT a FROM t ORDER BY CAST(a AS TEXT) COLLATE backwards");
  printf("%d\n", sqlite3_create_collation(db, "backwards", SQLITE_UTF8, 0, 0));
  sqlite3_collation_needed(db, 0, 0);
  run("SELECT 1 ORDER BY 1 COLLATE nowhere");
}

static void hooks(void) {
  int refuse = 0, count = 0;
  printf("%d\n", sqlite3_update_hook(db, updated, "first") != 0);
  printf("%s\n", (char *)sqlite3_update_hook(db, updated, "hook"));
  sqlite3_commit_hook(db, committing, &refuse);
  sqlite3_rollback_hook(db, rolled, "all");
  run("INSERT INTO t VALUES(10,0); UPDATE t SET a=11 WHERE a=10; DELETE FROM t WHERE a=11");
  refuse = 1;
  run("INSERT INTO t VALUES(12,0)");
  run("BEGIN; INSERT INTO t VALUES(13,0); ROLLBACK");
  sqlite3_update_hook(db, 0, 0);
  sqlite3_commit_hook(db, 0, 0);
  sqlite3_rollback_hook(db, 0, 0);
  sqlite3_progress_handler(db, 100, counted, &count);
  run("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c");
  sqlite3_progress_handler(db, 0, 0, 0);
  sqlite3_set_authorizer(db, asked, 0);
  run("SELECT a, secret FROM t WHERE a=1");
  run("DELETE FROM t");
  sqlite3_set_authorizer(db, 0, 0);
  sqlite3_trace_v2(db, 15, traced, 0);
  run("SELECT a FROM t WHERE a<3");
}

static void blobs(void) {
  sqlite3_blob *b;
  int rc;
  char buffer[8] = "";
  run("CREATE TABLE pics(id INTEGER PRIMARY KEY, p); INSERT INTO pics VALUES(1, x'0102030405'), (2, 'text'), (3, 7)");
  rc = sqlite3_blob_open(db, "main", "pics", "p", 3, 0, &b);
  printf("open %d %s\n", rc, sqlite3_errmsg(db));
  rc = sqlite3_blob_open(db, "main", "pics", "p", 9, 0, &b);
  printf("open %d %s\n", rc, sqlite3_errmsg(db));
  rc = sqlite3_blob_open(db, "main", "pics", "q", 1, 0, &b);
  printf("open %d %s\n", rc, sqlite3_errmsg(db));
  printf("open %d\n", sqlite3_blob_open(db, "main", "pics", "p", 1, 1, &b));
  printf("bytes %d read %d\n", sqlite3_blob_bytes(b), sqlite3_blob_read(b, buffer, 3, 2));
  printf("%d %d %d\n", buffer[0], buffer[1], buffer[2]);
  printf("write %d beyond %d\n", sqlite3_blob_write(b, "AB", 2, 1), sqlite3_blob_write(b, "AB", 2, 4));
  printf("reopen %d bytes %d\n", sqlite3_blob_reopen(b, 2), sqlite3_blob_bytes(b));
  run("SELECT id, hex(p), typeof(p) FROM pics");
  run("UPDATE pics SET p='else' WHERE id=2");
  printf("expired %d\n", sqlite3_blob_read(b, buffer, 1, 0));
  printf("close %d\n", sqlite3_blob_close(b));
}

static void copies(void) {
  sqlite3 *other;
  sqlite3_int64 size;
  sqlite3_stmt *s;
  sqlite3_open(":memory:", &other);
  sqlite3_backup *b = sqlite3_backup_init(other, "main", db, "main");
  int rc = sqlite3_backup_step(b, 1);
  printf("step %d remaining %d pages %d\n", rc, sqlite3_backup_remaining(b) > 0, sqlite3_backup_pagecount(b) > 1);
  rc = sqlite3_backup_step(b, -1);
  printf("step %d finish %d\n", rc, sqlite3_backup_finish(b));
  sqlite3_prepare_v2(other, "SELECT count(*) FROM t", -1, &s, 0);
  sqlite3_step(s);
  printf("copied %d\n", sqlite3_column_int(s, 0));
  sqlite3_finalize(s);
  unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
  sqlite3_close(other);
  sqlite3_open(":memory:", &other);
  rc = sqlite3_deserialize(other, "main", bytes, size, size, SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
  printf("deserialize %d\n", rc);
  rc = sqlite3_exec(other, "INSERT INTO t VALUES(99, 99); SELECT count(*) FROM t", show, "deserialized", 0);
  printf("%d\n", rc);
  sqlite3_close(other);
  printf("unknown %d\n", sqlite3_backup_init(db, "nowhere", db, "main") != 0);
}

int main(void) {
  sqlite3_open(":memory:", &db);
  functions();
  collations();
  hooks();
  sqlite3_trace_v2(db, 0, 0, 0);
  blobs();
  copies();
  sqlite3_trace_v2(db, 8, traced, 0);
  printf("close %d\n", sqlite3_close(db));
  return 0;
}
