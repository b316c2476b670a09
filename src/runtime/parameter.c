#include "parameter.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../message/schema.h"
#include "module.h"

static rk_u32 size_of_kind(rk_u32 kind)
{
    static const unsigned char sizes[] = { 0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8 };
    return kind < sizeof sizes ? sizes[kind] : 0;
}

static const char *name_of_kind(rk_u32 kind)
{
    static const char *const names[] = { "",       "rk_u8",  "rk_i8",  "rk_u16", "rk_i16", "rk_u32",
                                         "rk_i32", "rk_u64", "rk_i64", "rk_f32", "rk_f64" };
    return kind < sizeof names / sizeof *names ? names[kind] : "";
}

static const char *values_of_kind(rk_u32 kind)
{
    static const char *const values[] = { "",
                                          "0 to 255",
                                          "-128 to 127",
                                          "0 to 65535",
                                          "-32768 to 32767",
                                          "0 to 4294967295",
                                          "-2147483648 to 2147483647",
                                          "0 to 18446744073709551615",
                                          "-9223372036854775808 to 9223372036854775807",
                                          "a number, as 0.5 or 1e-3, up to 3.4e38",
                                          "a number, as 0.5 or 1e-3, up to 1.7e308" };
    return kind < sizeof values / sizeof *values ? values[kind] : "";
}

/* A number with a point, whatever the program's locale has in its place. */
static int parse_float(const char *text, rk_u32 kind, void *value)
{
    char *end;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return 0;
    errno = 0;
    double d = strtod_l(text, &end, plain);
    int is_one = !*end && errno != ERANGE && (kind == RK_KIND_F64 || !isfinite(d) || fabs(d) <= FLT_MAX);
    float f = strtof_l(text, &end, plain); /* rounded once */
    memcpy(value, kind == RK_KIND_F32 ? (void *)&f : (void *)&d, size_of_kind(kind));
    freelocale(plain);
    return is_one;
}

/* Text to 8 bytes of the kind, in the machine's order. 0: not of that kind, or out of its range. */
static int parse(const char *text, rk_u32 kind, void *value)
{
    char *end;
    errno = 0;
    if (!*text || isspace((unsigned char)*text)) return 0;
    if (kind == RK_KIND_F32 || kind == RK_KIND_F64) return parse_float(text, kind, value);
    rk_u32 bits = size_of_kind(kind) * 8;
    const char *digits = text + (*text == '-' || *text == '+');
    int base = digits[0] == '0' && (digits[1] | 0x20) == 'x' ? 16 : 10; /* 010 is ten */
    if (kind % 2) {                                                     /* odd kinds are unsigned */
        unsigned long long u = strtoull(text, &end, base);
        if (*end || errno == ERANGE || *text == '-' || (bits < 64 && u >> bits)) return 0;
        memcpy(value, &u, size_of_kind(kind));
    } else {
        long long i = strtoll(text, &end, base);
        if (*end || errno == ERANGE || (bits < 64 && (i >> (bits - 1)) != 0 && (i >> (bits - 1)) != -1))
            return 0;
        memcpy(value, &i, size_of_kind(kind));
    }
    return 1;
}

/* Is a at most b? What is no number isn't. */
static int is_at_most(rk_u32 kind, const void *a, const void *b)
{
    if (kind == RK_KIND_F32 || kind == RK_KIND_F64)
        return rk_element_float(kind, a) <= rk_element_float(kind, b);
    const rk_integer x = rk_element_integer(kind, a), y = rk_element_integer(kind, b);
    if (x.negative != y.negative) return x.negative;
    return x.negative ? x.magnitude >= y.magnitude : x.magnitude <= y.magnitude;
}

static int is_within(const rk_declaration *d, const void *value)
{
    return !d->least ||
           (is_at_most(d->value_kind, d->least, value) && is_at_most(d->value_kind, value, d->most));
}

/* One of its bounds, for people. Returns the text. */
static const char *print_bound(rk_u32 kind, const void *bound, char text[32])
{
    if (kind == RK_KIND_F32 || kind == RK_KIND_F64) {
        snprintf(text, 32, "%g", rk_element_float(kind, bound));
    } else {
        const rk_integer i = rk_element_integer(kind, bound);
        snprintf(text, 32, "%s%llu", i.negative ? "-" : "", (unsigned long long)i.magnitude);
    }
    return text;
}

static void declared_names(const rk_class *class, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "none");
    for (const rk_declaration *d = class->module->declarations; d && used < size; d = d->next)
        if (d->kind == RK_DECLARES_PARAMETER)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", d->name);
}

static rk_status check_one(const rk_class *class, const rk_parameter *given)
{
    rk_u64 value;
    const rk_declaration *d = given->name ? rk_class_declared(class, RK_DECLARES_PARAMETER, given->name) : 0;
    if (!d) {
        char names[512];
        declared_names(class, names, sizeof names);
        return rk_error(RK_INVALID_OPTIONS, "kernel '%s' has no parameter '%s'; it declares: %s", class->name,
                        given->name ? given->name : "(null)", names);
    }
    if (given->value && parse(given->value, d->value_kind, &value)) {
        char least[32], most[32];
        if (is_within(d, &value)) return RK_OK;
        return rk_error(RK_INVALID_OPTIONS,
                        "parameter '%s' of kernel '%s': '%s' is not one of its values: %s to %s", given->name,
                        class->name, given->value, print_bound(d->value_kind, d->least, least),
                        print_bound(d->value_kind, d->most, most));
    }
    return rk_error(RK_INVALID_OPTIONS, "parameter '%s' of kernel '%s': '%s' is not an %s: %s", given->name,
                    class->name, given->value ? given->value : "(null)", name_of_kind(d->value_kind),
                    values_of_kind(d->value_kind));
}

static int is_given_before(const rk_parameter *given, size_t i)
{
    for (size_t j = 0; j < i && given[i].name; j++)
        if (given[j].name && strcmp(given[j].name, given[i].name) == 0) return 1;
    return 0;
}

rk_status rk_parameters_check(const rk_class *class, const rk_parameter *given, size_t count)
{
    rk_status status = RK_OK;
    if (count && !given)
        return rk_error(RK_INVALID_OPTIONS, "parameter_count %zu, but parameters is null", count);
    for (const rk_declaration *d = class->module->declarations; d; d = d->next)
        if (d->kind == RK_DECLARES_PARAMETER && !is_within(d, d->value))
            status =
                rk_error(RK_INVALID_OPTIONS, "%s:%u: the default of parameter '%s' is not one of its values",
                         d->file, d->line, d->name);
    for (size_t i = 0; i < count; i++) {
        status = rk_error_also(status, check_one(class, &given[i]));
        if (is_given_before(given, i))
            status =
                rk_error(RK_INVALID_OPTIONS, "parameter '%s' is given twice: give it once", given[i].name);
    }
    return status;
}

static rk_byte *table_of(const rk_host_kernel *kernel)
{
    return kernel->runtime->arena.base + rk_layout_common(&kernel->layout, kernel->layout.parameters);
}

void rk_parameters_begin(rk_host_kernel *kernel, const rk_host_kernel *from)
{
    if (from) {
        memcpy(table_of(kernel), table_of(from), 8ull * kernel->class->numbers);
        return;
    }
    for (const rk_declaration *d = kernel->class->module->declarations; d; d = d->next)
        if (d->kind == RK_DECLARES_PARAMETER)
            memcpy(table_of(kernel) + 8ull * d->number, d->value, size_of_kind(d->value_kind));
}

void rk_parameters_set(rk_host_kernel *kernel, const rk_parameter *given, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const rk_declaration *d = rk_class_declared(kernel->class, RK_DECLARES_PARAMETER, given[i].name);
        parse(given[i].value, d->value_kind, table_of(kernel) + 8ull * d->number);
    }
}
