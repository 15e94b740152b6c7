/* Functions with `...` cannot be defined in stable Rust: each of these takes its va_list apart as far as C must, and
** leaves the rest to Rust. The exported names are jumps to them (src/variadic.rs).
**
** A format's arguments are fetched one by one, on demand: Rust reads the format, and knows the types. */
#include <stdarg.h>
#include <stddef.h>

#define HIDDEN __attribute__((visibility("hidden")))

typedef struct Arguments {
  va_list list;
} Arguments;

HIDDEN int ringwood_arg_int(Arguments *a) { return va_arg(a->list, int); }
HIDDEN long long ringwood_arg_long(Arguments *a) { return va_arg(a->list, long); }
HIDDEN long long ringwood_arg_int64(Arguments *a) { return va_arg(a->list, long long); }
HIDDEN double ringwood_arg_double(Arguments *a) { return va_arg(a->list, double); }
HIDDEN void *ringwood_arg_pointer(Arguments *a) { return va_arg(a->list, void *); }

char *ringwood_mprintf(const char *format, Arguments *arguments);
char *ringwood_snprintf(int n, char *buffer, const char *format, Arguments *arguments);
void ringwood_str_appendf(void *str, const char *format, Arguments *arguments);
void ringwood_log(int code, const char *format, Arguments *arguments);
int ringwood_config(int op, Arguments *arguments);
int ringwood_db_config(void *db, int op, Arguments *arguments);
int ringwood_vtab_config(void *db, int op, Arguments *arguments);
int ringwood_test_control(int op, Arguments *arguments);

HIDDEN char *ringwood_c_vmprintf(const char *format, va_list list) {
  Arguments a;
  char *result;
  va_copy(a.list, list);
  result = ringwood_mprintf(format, &a);
  va_end(a.list);
  return result;
}

HIDDEN char *ringwood_c_mprintf(const char *format, ...) {
  Arguments a;
  char *result;
  va_start(a.list, format);
  result = ringwood_mprintf(format, &a);
  va_end(a.list);
  return result;
}

HIDDEN char *ringwood_c_vsnprintf(int n, char *buffer, const char *format, va_list list) {
  Arguments a;
  char *result;
  va_copy(a.list, list);
  result = ringwood_snprintf(n, buffer, format, &a);
  va_end(a.list);
  return result;
}

HIDDEN char *ringwood_c_snprintf(int n, char *buffer, const char *format, ...) {
  Arguments a;
  char *result;
  va_start(a.list, format);
  result = ringwood_snprintf(n, buffer, format, &a);
  va_end(a.list);
  return result;
}

HIDDEN void ringwood_c_str_vappendf(void *str, const char *format, va_list list) {
  Arguments a;
  va_copy(a.list, list);
  ringwood_str_appendf(str, format, &a);
  va_end(a.list);
}

HIDDEN void ringwood_c_str_appendf(void *str, const char *format, ...) {
  Arguments a;
  va_start(a.list, format);
  ringwood_str_appendf(str, format, &a);
  va_end(a.list);
}

HIDDEN void ringwood_c_log(int code, const char *format, ...) {
  Arguments a;
  va_start(a.list, format);
  ringwood_log(code, format, &a);
  va_end(a.list);
}

HIDDEN int ringwood_c_config(int op, ...) {
  Arguments a;
  int rc;
  va_start(a.list, op);
  rc = ringwood_config(op, &a);
  va_end(a.list);
  return rc;
}

HIDDEN int ringwood_c_db_config(void *db, int op, ...) {
  Arguments a;
  int rc;
  va_start(a.list, op);
  rc = ringwood_db_config(db, op, &a);
  va_end(a.list);
  return rc;
}

HIDDEN int ringwood_c_vtab_config(void *db, int op, ...) {
  Arguments a;
  int rc;
  va_start(a.list, op);
  rc = ringwood_vtab_config(db, op, &a);
  va_end(a.list);
  return rc;
}

HIDDEN int ringwood_c_test_control(int op, ...) {
  Arguments a;
  int rc;
  va_start(a.list, op);
  rc = ringwood_test_control(op, &a);
  va_end(a.list);
  return rc;
}
