/* A row that fails goes back to where it was begun, with a reason; the next one runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "gpu_bench.h"

static jmp_buf row_failed;
static char reason[512];

const char *row_reason(void) { return reason; }

void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    for (size_t n = strlen(reason); n && reason[n - 1] == '\n';) reason[--n] = 0;
    longjmp(row_failed, 1);
}

static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;
static char told[512];

void tell(const char *what, rk_status status)
{
    pthread_mutex_lock(&telling);
    if (!told[0]) snprintf(told, sizeof told, "%s: %s %s", what, rk_status_name(status), rk_error_text());
    pthread_mutex_unlock(&telling);
}

void forget_told(void) { told[0] = 0; }
void fail_if_told(void)
{
    if (told[0]) fail("%s", told);
}

int attempt(const row *r, void (*ours)(const row *, trial *, double), trial *t, double s)
{
    if (setjmp(row_failed)) {
        bind_thread(-1);
        return 0;
    }
    if (ours)
        ours(r, t, s);
    else
        r->open(r);
    return 1;
}
int attempt_runtime(void)
{
    if (setjmp(row_failed)) return 0;
    open_runtime();
    return 1;
}
