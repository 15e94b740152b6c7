/* A module of virtual tables: what its methods are asked, in which order, and what becomes of their answers. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Table { sqlite3_vtab base; sqlite3 *db; int quiet; char name[40]; } Table;
typedef struct Cursor { sqlite3_vtab_cursor base; int at, end; const char *text; } Cursor;

static sqlite3 *db;
static int values[20], count;

static int show(void *prefix, int n, char **row, char **names) {
  printf("%s", (char *)prefix);
  for (int i = 0; i < n; i++) printf(" %s", row[i] ? row[i] : "NULL");
  printf("\n");
  (void)names;
  return 0;
}

static void run(const char *sql) {
  char *message = 0;
  int rc = sqlite3_exec(db, sql, show, "   ", &message);
  printf("%s -> %d %d %s\n", sql, rc, sqlite3_extended_errcode(db), message ? message : "-");
  sqlite3_free(message);
}

static int construct(const char *what, sqlite3 *on, void *data, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  printf("  %s(%s)", what, (char *)data);
  for (int i = 0; i < argc; i++) printf(" [%s]", argv[i]);
  printf("\n");
  if (argc > 3 && !strcmp(argv[3], "fail")) {
    *error = sqlite3_mprintf("%s does not want to", argv[2]);
    return SQLITE_CONSTRAINT;
  }
  if (argc > 3 && !strcmp(argv[3], "silent")) return SQLITE_ERROR;
  if (argc > 3 && !strcmp(argv[3], "wrong")) {
    int rc = sqlite3_declare_vtab(on, "CREATE NONSENSE");
    printf("  declare: %d\n", rc);
    *error = sqlite3_mprintf("%s", sqlite3_errmsg(on));
    return rc;
  }
  if (!strcmp(what, "xCreate")) {
    char *sql = sqlite3_mprintf("CREATE TABLE \"%w_data\"(k)", argv[2]);
    printf("  shadow: %d\n", sqlite3_exec(on, sql, 0, 0, 0));
    sqlite3_free(sql);
  }
  printf("  config: %d\n", sqlite3_vtab_config(on, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1));
  if (argc < 4 || strcmp(argv[3], "nothing"))
    printf("  declare: %d\n", sqlite3_declare_vtab(on, "CREATE TABLE x(a, b TEXT, c HIDDEN)"));
  Table *t = sqlite3_malloc(sizeof *t);
  memset(t, 0, sizeof *t);
  t->db = on;
  snprintf(t->name, sizeof t->name, "%s", argv[2]);
  *out = &t->base;
  return SQLITE_OK;
}
static int xCreate(sqlite3 *on, void *data, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  return construct("xCreate", on, data, argc, argv, out, error);
}
static int xConnect(sqlite3 *on, void *data, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
  return construct("xConnect", on, data, argc, argv, out, error);
}
static int xDisconnect(sqlite3_vtab *t) { printf("  xDisconnect\n"); sqlite3_free(t); return SQLITE_OK; }
static int xDestroy(sqlite3_vtab *v) {
  Table *t = (Table *)v;
  char *sql = sqlite3_mprintf("DROP TABLE \"%w_data\"", t->name);
  printf("  xDestroy %d\n", sqlite3_exec(t->db, sql, 0, 0, 0));
  sqlite3_free(sql);
  sqlite3_free(t);
  return SQLITE_OK;
}
static int xBestIndex(sqlite3_vtab *v, sqlite3_index_info *info) {
  int argument = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    if (!c->usable) continue;
    if (c->iColumn == 0 && c->op == SQLITE_INDEX_CONSTRAINT_EQ) {
      int list = sqlite3_vtab_in(info, i, -1);
      if (list) sqlite3_vtab_in(info, i, 1);
      info->aConstraintUsage[i].argvIndex = ++argument;
      info->aConstraintUsage[i].omit = 1;
      info->idxNum |= list ? 2 : 1;
    }
    if (c->iColumn == 2) {
      sqlite3_value *right = 0;
      int rc = sqlite3_vtab_rhs_value(info, i, &right);
      printf("  hidden: %d %s %s\n", rc, right ? (const char *)sqlite3_value_text(right) : "-", sqlite3_vtab_collation(info, i));
      if (rc == SQLITE_OK && sqlite3_value_int(right) == 99) { v->zErrMsg = sqlite3_mprintf("not 99"); return SQLITE_ERROR; }
    }
  }
  info->idxStr = sqlite3_mprintf("%d terms", info->nOrderBy);
  info->needToFreeIdxStr = 1;
  info->estimatedCost = info->idxNum ? 1 : 100;
  return SQLITE_OK;
}
static int xOpen(sqlite3_vtab *t, sqlite3_vtab_cursor **out) {
  Cursor *c = sqlite3_malloc(sizeof *c);
  memset(c, 0, sizeof *c);
  *out = &c->base;
  return SQLITE_OK;
}
static int xClose(sqlite3_vtab_cursor *c) { sqlite3_free(c); return SQLITE_OK; }
static int xFilter(sqlite3_vtab_cursor *v, int number, const char *text, int argc, sqlite3_value **argv) {
  Cursor *c = (Cursor *)v;
  printf("  xFilter %d '%s'", number, text);
  for (int i = 0; i < argc; i++) {
    sqlite3_value *one;
    int rc = sqlite3_vtab_in_first(argv[i], &one);
    if (rc == SQLITE_OK || rc == SQLITE_DONE) {
      for (; rc == SQLITE_OK; rc = sqlite3_vtab_in_next(argv[i], &one)) printf(" in:%s", sqlite3_value_text(one));
    } else printf(" %s", sqlite3_value_text(argv[i]));
  }
  printf("\n");
  c->text = text;
  c->at = 0;
  c->end = count;
  if (number == 1) {
    int wanted = sqlite3_value_int(argv[0]);
    while (c->at < c->end && values[c->at] != wanted) c->at++;
    if (c->at < c->end) c->end = c->at + 1;
    if (wanted == 13) { v->pVtab->zErrMsg = sqlite3_mprintf("13 is not good"); return SQLITE_IOERR; }
  }
  return SQLITE_OK;
}
static int xNext(sqlite3_vtab_cursor *v) { ((Cursor *)v)->at++; return SQLITE_OK; }
static int xEof(sqlite3_vtab_cursor *v) { Cursor *c = (Cursor *)v; return c->at >= c->end; }
static int xColumn(sqlite3_vtab_cursor *v, sqlite3_context *cx, int i) {
  Cursor *c = (Cursor *)v;
  if (i == 0) sqlite3_result_int(cx, values[c->at]);
  else if (i == 1) {
    if (sqlite3_vtab_nochange(cx)) return SQLITE_OK;
    if (values[c->at] == 77) { sqlite3_result_error(cx, "77 has no b", -1); return SQLITE_OK; }
    sqlite3_result_text(cx, c->text, -1, SQLITE_TRANSIENT);
  }
  return SQLITE_OK;
}
static int xRowid(sqlite3_vtab_cursor *v, sqlite3_int64 *out) { *out = ((Cursor *)v)->at + 1; return SQLITE_OK; }
static int xUpdate(sqlite3_vtab *v, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  Table *t = (Table *)v;
  printf("  xUpdate %d conflict %d:", argc, sqlite3_vtab_on_conflict(t->db));
  for (int i = 0; i < argc; i++) {
    const char *text = (const char *)sqlite3_value_text(argv[i]);
    printf(" %s%s", text ? text : "NULL", sqlite3_value_nochange(argv[i]) ? "=" : "");
  }
  printf("\n");
  if (argc == 1) { int at = sqlite3_value_int(argv[0]) - 1; memmove(values + at, values + at + 1, sizeof values[0] * (--count - at)); return SQLITE_OK; }
  if (sqlite3_value_int(argv[2]) == 5) { v->zErrMsg = sqlite3_mprintf("5 is taken"); return SQLITE_CONSTRAINT; }
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) { values[count++] = sqlite3_value_int(argv[2]); *rowid = count; }
  else values[sqlite3_value_int(argv[0]) - 1] = sqlite3_value_int(argv[2]);
  return SQLITE_OK;
}
static int xBegin(sqlite3_vtab *t) { printf("  xBegin\n"); return SQLITE_OK; }
static int xSync(sqlite3_vtab *t) { printf("  xSync\n"); return SQLITE_OK; }
static int xCommit(sqlite3_vtab *t) { printf("  xCommit\n"); return SQLITE_OK; }
static int xRollback(sqlite3_vtab *t) { printf("  xRollback\n"); return SQLITE_OK; }
static int xSavepoint(sqlite3_vtab *t, int n) { printf("  xSavepoint %d\n", n); return SQLITE_OK; }
static int xRelease(sqlite3_vtab *t, int n) { printf("  xRelease %d\n", n); return SQLITE_OK; }
static int xRollbackTo(sqlite3_vtab *t, int n) { printf("  xRollbackTo %d\n", n); return SQLITE_OK; }
static int xRename(sqlite3_vtab *v, const char *name) {
  Table *t = (Table *)v;
  char *sql = sqlite3_mprintf("ALTER TABLE \"%w_data\" RENAME TO \"%w_data\"", t->name, name);
  printf("  xRename %s %d\n", name, sqlite3_exec(t->db, sql, 0, 0, 0));
  sqlite3_free(sql);
  return SQLITE_OK;
}
static int xShadowName(const char *suffix) { return !strcmp(suffix, "data"); }
static int xIntegrity(sqlite3_vtab *t, const char *schema, const char *table, int quick, char **error) {
  if (count > 2) *error = sqlite3_mprintf("%s.%s has too much (%d)", schema, table, quick);
  return SQLITE_OK;
}
static void twice(sqlite3_context *cx, int n, sqlite3_value **argv) {
  (void)n;
  sqlite3_result_int(cx, 2 * sqlite3_value_int(argv[0]) + (sqlite3_user_data(cx) != 0));
}
static int xFindFunction(sqlite3_vtab *t, int n, const char *name, void (**call)(sqlite3_context *, int, sqlite3_value **), void **data) {
  if (strcmp(name, "twice") || n != 1) return 0;
  *call = twice;
  *data = t;
  return 1;
}
static void gone(void *name) { printf("gone: %s\n", (char *)name); }

static sqlite3_module module = {4, xCreate, xConnect, xBestIndex, xDisconnect, xDestroy, xOpen, xClose, xFilter, xNext, xEof, xColumn, xRowid,
  xUpdate, xBegin, xSync, xCommit, xRollback, xFindFunction, xRename, xSavepoint, xRelease, xRollbackTo, xShadowName, xIntegrity};
static sqlite3_module readable = {1, 0, xConnect, xBestIndex, xDisconnect, 0, xOpen, xClose, xFilter, xNext, xEof, xColumn, xRowid};

int main(void) {
  sqlite3_open(":memory:", &db);
  run("CREATE VIRTUAL TABLE t USING m(1)");
  printf("%d\n", sqlite3_create_module_v2(db, "m", &module, "first", gone));
  printf("%d\n", sqlite3_overload_function(db, "twice", 1));
  run("CREATE VIRTUAL TABLE t USING m(1, two  words)");
  run("SELECT name, sql FROM sqlite_schema ORDER BY 1");
  run("INSERT INTO t(a) VALUES (3), (4)");
  run("SELECT rowid, a, b FROM t");
  run("SELECT a FROM t WHERE a = 4");
  run("SELECT a FROM t WHERE a IN (4, 3, 9)");
  run("SELECT a FROM t WHERE a = 13");
  run("SELECT a FROM t WHERE c = 'x' ORDER BY b");
  run("SELECT a FROM t WHERE c = 99");
  run("SELECT twice(a) FROM t");
  run("SELECT twice(7)");
  run("UPDATE t SET a = a + 1 WHERE rowid = 1");
  run("INSERT OR REPLACE INTO t(a) VALUES (5)");
  run("INSERT OR IGNORE INTO t(a) VALUES (5)");
  run("INSERT INTO t(a) VALUES (77)");
  run("SELECT b FROM t WHERE a = 77");
  run("PRAGMA integrity_check");
  run("DELETE FROM t WHERE a = 77");
  run("PRAGMA integrity_check");
  run("BEGIN; INSERT INTO t(a) VALUES (8); SAVEPOINT s; INSERT INTO t(a) VALUES (9); ROLLBACK TO s; RELEASE s; COMMIT");
  run("BEGIN; DELETE FROM t WHERE a = 8; ROLLBACK");
  run("ALTER TABLE t RENAME TO u");
  run("SELECT name FROM sqlite_schema ORDER BY 1");
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, 0);
  run("SELECT count(*) FROM u_data");
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, 0);
  run("CREATE VIRTUAL TABLE v USING m(fail)");
  run("CREATE VIRTUAL TABLE v USING m(silent)");
  run("CREATE VIRTUAL TABLE v USING m(wrong)");
  run("DROP TABLE u");
  run("SELECT name FROM sqlite_schema ORDER BY 1");
  printf("%d\n", sqlite3_create_module_v2(db, "r", &readable, "second", gone));
  run("SELECT count(*) FROM r");
  run("INSERT INTO r(a) VALUES (1)");
  run("CREATE VIRTUAL TABLE w USING r");
  printf("%d\n", sqlite3_create_module(db, "m", 0, 0));
  run("CREATE VIRTUAL TABLE t USING m");
  printf("%d\n", sqlite3_declare_vtab(db, "CREATE TABLE x(a)"));
  if (sqlite3_drop_modules(db, 0)) printf("not dropped\n");
  run("SELECT count(*) FROM r");
  printf("%d\n", sqlite3_close(db));
  return 0;
}
