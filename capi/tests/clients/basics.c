/* What every client does: open, prepare, bind, step, read, and be told of errors. Prints what it sees; the test compares
** that with what the same program sees on stock SQLite. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *db;

static void state(const char *what, int rc) {
  printf("%s -> %d | %d %d %s | %d\n", what, rc, sqlite3_errcode(db), sqlite3_extended_errcode(db), sqlite3_errmsg(db),
         sqlite3_error_offset(db));
}

static int show(void *prefix, int n, char **values, char **names) {
  printf("%s", (char *)prefix);
  for (int i = 0; i < n; i++) printf(" %s=%s", names[i], values[i] ? values[i] : "NULL");
  printf("\n");
  return 0;
}

static void run(const char *sql) {
  char *message = 0;
  int rc = sqlite3_exec(db, sql, show, "row:", &message);
  state(sql, rc);
  printf("  message %s\n", message ? message : "none");
  sqlite3_free(message);
}

static void columns(sqlite3_stmt *s) {
  for (int i = 0; i < sqlite3_data_count(s); i++) {
    printf("  %d: type %d", i, sqlite3_column_type(s, i));
    const char *text = (const char *)sqlite3_column_text(s, i);
    printf(" text %s bytes %d", text ? text : "null", sqlite3_column_bytes(s, i));
    printf(" int %lld double %.15g", sqlite3_column_int64(s, i), sqlite3_column_double(s, i));
    printf(" bytes16 %d\n", sqlite3_column_bytes16(s, i));
  }
}

static void reading(void) {
  sqlite3_stmt *s;
  const char *tail;
  const char *sql = "SELECT ?1, :name, ?5, 1.5, x'00ff41', 'h\xc3\xa9llo', NULL; SELECT 2";
  state("prepare", sqlite3_prepare_v2(db, sql, -1, &s, &tail));
  printf("tail:%s\n", tail);
  printf("params %d name %s index %d none %d\n", sqlite3_bind_parameter_count(s), sqlite3_bind_parameter_name(s, 2),
         sqlite3_bind_parameter_index(s, ":name"), sqlite3_bind_parameter_index(s, ":other"));
  state("bind", sqlite3_bind_int64(s, 1, 1234567890123LL));
  state("bind text", sqlite3_bind_text(s, 2, "12abc", -1, SQLITE_TRANSIENT));
  state("bind beyond", sqlite3_bind_int(s, 6, 1));
  state("bind zero", sqlite3_bind_int(s, 0, 1));
  state("bind zeroblob", sqlite3_bind_zeroblob(s, 5, 3));
  char *expanded = sqlite3_expanded_sql(s);
  printf("expanded %s\nsql %s\n", expanded, sqlite3_sql(s));
  sqlite3_free(expanded);
  printf("readonly %d busy %d explain %d\n", sqlite3_stmt_readonly(s), sqlite3_stmt_busy(s), sqlite3_stmt_isexplain(s));
  state("step", sqlite3_step(s));
  printf("busy %d\n", sqlite3_stmt_busy(s));
  columns(s);
  state("bind while it runs", sqlite3_bind_int(s, 1, 2));
  printf("column beyond %d\n", sqlite3_column_int(s, 99));
  state("after a column beyond", 0);
  state("step", sqlite3_step(s));
  state("step again", sqlite3_step(s));
  state("reset", sqlite3_reset(s));
  state("clear", sqlite3_clear_bindings(s));
  state("finalize", sqlite3_finalize(s));
  state("prepare nothing", sqlite3_prepare_v2(db, "  -- nothing\n", -1, &s, &tail));
  printf("statement %d tail %s|\n", s != 0, tail);
  state("prepare nonsense", sqlite3_prepare_v2(db, "SELECT * FORM t", -1, &s, &tail));
  printf("statement %d\n", s != 0);
  state("prepare part", sqlite3_prepare_v2(db, "SELECT 12345", 9, &s, &tail));
  sqlite3_step(s);
  printf("part %d\n", sqlite3_column_int(s, 0));
  sqlite3_finalize(s);
}

static void changing(void) {
  sqlite3_stmt *s;
  run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE COLLATE NOCASE, b REAL NOT NULL DEFAULT 1, c CHECK(c<9))");
  run("INSERT INTO t(a,c) VALUES('x',1),('y',2); SELECT * FROM t");
  printf("changes %d total %d rowid %lld autocommit %d\n", sqlite3_changes(db), sqlite3_total_changes(db),
         sqlite3_last_insert_rowid(db), sqlite3_get_autocommit(db));
  run("INSERT INTO t(a) VALUES('X')");
  run("INSERT INTO t(c) VALUES(10)");
  run("UPDATE t SET b=NULL");
  run("BEGIN; DELETE FROM t; ROLLBACK; SELECT count(*) FROM t");
  run("SELECT 1; SELECT * FROM missing; SELECT 3");
  run("ATTACH ':memory:' AS other; CREATE TABLE other.u(z); SELECT name FROM pragma_database_list");
  sqlite3_prepare_v2(db, "INSERT INTO t(a,c) VALUES(?,?) RETURNING id, a", -1, &s, 0);
  for (int i = 0; i < 3; i++) {
    char text[20];
    sprintf(text, "n%d", i);
    sqlite3_bind_text(s, 1, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(s, 2, i);
    int rc = sqlite3_step(s);
    printf("returning %d: %d %s\n", rc, sqlite3_column_int(s, 0), sqlite3_column_text(s, 1));
    state("reset", sqlite3_reset(s));
  }
  sqlite3_finalize(s);
  run("SELECT id, a FROM t ORDER BY id");
  sqlite3_prepare_v2(db, "INSERT INTO t(a) VALUES('n1')", -1, &s, 0);
  state("step that fails", sqlite3_step(s));
  state("reset", sqlite3_reset(s));
  state("finalize", sqlite3_finalize(s));
  const char *type, *collation;
  int notnull, key, increment;
  state("metadata", sqlite3_table_column_metadata(db, 0, "t", "A", &type, &collation, &notnull, &key, &increment));
  printf("%s %s %d %d %d\n", type, collation, notnull, key, increment);
  state("metadata", sqlite3_table_column_metadata(db, 0, "t", "none", &type, &collation, &notnull, &key, &increment));
  sqlite3_prepare_v2(db, "SELECT t.a AS aa, b+1, id FROM t", -1, &s, 0);
  for (int i = 0; i < sqlite3_column_count(s); i++) {
    const char *decl = sqlite3_column_decltype(s, i), *table = sqlite3_column_table_name(s, i),
               *origin = sqlite3_column_origin_name(s, i), *base = sqlite3_column_database_name(s, i);
    printf("%s %s %s %s %s\n", sqlite3_column_name(s, i), decl ? decl : "-", table ? table : "-", origin ? origin : "-",
           base ? base : "-");
  }
  sqlite3_finalize(s);
  char **cells;
  int rows, count;
  state("get_table", sqlite3_get_table(db, "SELECT id, a FROM t LIMIT 2", &cells, &rows, &count, 0));
  for (int i = 0; i < (rows + 1) * count; i++) printf("%s ", cells[i]);
  printf("\n");
  sqlite3_free_table(cells);
}

static void wide(void) {
  sqlite3_stmt *s;
  const char sql[] = "S\0E\0L\0E\0C\0T\0 \0'\0\xe9\0'\0,\0?\0;\0x\0\0";
  const void *tail;
  state("prepare16", sqlite3_prepare16_v2(db, sql, -1, &s, &tail));
  printf("taken %d\n", (int)((const char *)tail - sql));
  sqlite3_bind_text16(s, 1, "a\0\x3d\xd8\x00\xde\0\0", -1, SQLITE_STATIC);
  sqlite3_step(s);
  printf("%s %s %d\n", sqlite3_column_text(s, 0), sqlite3_column_text(s, 1), sqlite3_column_bytes16(s, 1));
  const unsigned char *text = sqlite3_column_text16(s, 1);
  for (int i = 0; i < sqlite3_column_bytes16(s, 1) + 2; i++) printf("%02x", text[i]);
  printf("\n");
  sqlite3_finalize(s);
}

static void printing(void) {
  char buffer[12];
  char *text = sqlite3_mprintf("%d|%5d|%-5d|%05d|%+d|%,d|%lld|%u|%x|%#X|%o", -7, 42, 42, 42, 42, 1234567,
                               9007199254740993LL, 4000000000u, 255, 255, 8);
  printf("%s\n", text);
  sqlite3_free(text);
  text = sqlite3_mprintf("%s|%.3s|%10s|%-10s|%q|%Q|%Q|%w|%c|%%|%.*s|%z", "abc", "abcdef", "right", "left", "it's", "it's",
                         (char *)0, "a\"b", 'x', 2, "xyz", sqlite3_mprintf("freed"));
  printf("%s\n", text);
  sqlite3_free(text);
  text = sqlite3_mprintf("%f|%.2f|%e|%g|%!g|%10.3f|%.15g|%!.15g", 1.5, 2.345, 12345.678, 0.0001, 1.0, 3.14159, 0.1, 2.0);
  printf("%s\n", text);
  sqlite3_free(text);
  sqlite3_snprintf(sizeof buffer, buffer, "%s and more", "a long text");
  printf("%s\n", buffer);
  sqlite3_str *str = sqlite3_str_new(db);
  sqlite3_str_appendf(str, "%d-%s", 1, "one");
  sqlite3_str_append(str, ";two", 4);
  sqlite3_str_appendchar(str, 3, '!');
  printf("%s %d\n", sqlite3_str_value(str), sqlite3_str_length(str));
  sqlite3_free(sqlite3_str_finish(str));
  printf("%d %d %d %d\n", sqlite3_stricmp("ABC", "abc"), sqlite3_strnicmp("abd", "ABC", 2), sqlite3_strglob("a*", "abc"),
         sqlite3_strlike("A_c", "abc", 0));
  printf("complete %d %d %d\n", sqlite3_complete("SELECT 1;"), sqlite3_complete("SELECT 1"),
         sqlite3_complete("CREATE TRIGGER t BEGIN SELECT 1;"));
  printf("keyword %d %d\n", sqlite3_keyword_check("select", 6), sqlite3_keyword_check("selec", 5));
  printf("errstr %s %s %s\n", sqlite3_errstr(1), sqlite3_errstr(516), sqlite3_errstr(101));
}

static void misuse(void) {
  sqlite3 *none = 0;
  sqlite3_stmt *s = 0;
  printf("%d %d %d %d\n", sqlite3_step(0), sqlite3_reset(0), sqlite3_finalize(0), sqlite3_close(0));
  printf("%d %s\n", sqlite3_errcode(0), sqlite3_errmsg(0));
  printf("%d\n", sqlite3_open_v2("x.db", &none, SQLITE_OPEN_CREATE, 0));
  sqlite3_close(none);
  int rc = sqlite3_open_v2("/no/such/place/x.db", &none, SQLITE_OPEN_READWRITE, 0);
  printf("%d %s\n", rc, sqlite3_errmsg(none));
  sqlite3_close(none);
  rc = sqlite3_open_v2(":memory:", &none, SQLITE_OPEN_READWRITE, "no-such-vfs");
  printf("%d %s\n", rc, sqlite3_errmsg(none));
  sqlite3_close(none);
  sqlite3_prepare_v2(db, "SELECT 1", -1, &s, 0);
  state("close with a statement", sqlite3_close(db));
  sqlite3_finalize(s);
}

int main(int argc, char **argv) {
  state("open", sqlite3_open(argc > 1 ? argv[1] : ":memory:", &db));
  run("PRAGMA journal_mode");
  reading();
  changing();
  wide();
  printing();
  misuse();
  sqlite3_extended_result_codes(db, 1);
  run("INSERT INTO t(a) VALUES('n1')");
  printf("limit %d %d\n", sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000), sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1));
  run("SELECT length(zeroblob(2000))");
  printf("close %d\n", sqlite3_close(db));
  printf("%s %d\n", sqlite3_libversion(), sqlite3_libversion_number());
  return 0;
}
