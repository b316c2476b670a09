/* The head line of a CSV; see csv_head.h. All mistakes are found before any is reported. */
#include "message/csv_head.h"

#include "message/number_parse.h"
#include "message/row_source.h"

size_t rk_csv_column_count(const rk_schema *schema)
{
    size_t count = 0;
    for (rk_u32 i = 0; i < schema->field_count; i++) count += schema->variable ? 1 : schema->fields[i].count;
    return count;
}

rk_u32 rk_csv_element(const rk_schema *schema, const rk_csv_column *column)
{
    const rk_field *field = &schema->fields[column->field];
    return (column->offset - field->offset) / field->size;
}

/* Splits "name[12]" into the size of its name and its element, "name" into that and 0. False if it is
 * neither. */
static bool split_name(const char *text, size_t size, size_t *name_size, bool *has_element, rk_u64 *element)
{
    const char *bracket = size > 0 ? memchr(text, '[', size) : NULL;
    *has_element = bracket != NULL;
    *name_size = bracket != NULL ? (size_t)(bracket - text) : size;
    *element = 0;
    if (bracket == NULL) return true;

    const char *at = bracket + 1, *end = text + size;
    const char *first = at;
    while (at < end && rk_is_digit(*at) && at - first < 10) *element = *element * 10 + (rk_u64)(*at++ - '0');
    bool canonical = at - first == 1 || (at > first && *first != '0');
    return canonical && at + 1 == end && *at == ']';
}

/* Finds the column called `text`. Its index in the schema's own order goes to *place. */
static bool find_column(const rk_schema *schema, const char *text, size_t size, rk_csv_column *column,
                        size_t *place)
{
    size_t name_size = 0;
    bool has_element = false;
    rk_u64 element = 0;
    if (!split_name(text, size, &name_size, &has_element, &element)) return false;

    *place = 0;
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        rk_u32 count = schema->variable ? 1 : field->count;
        if (strlen(field->name) == name_size && memcmp(field->name, text, name_size) == 0) {
            if (has_element != (count > 1) || element >= count) return false;
            *place += (size_t)element;
            *column = (rk_csv_column){
                .offset = field->offset + (rk_u32)element * field->size,
                .kind = schema->variable ? RK_CSV_BLOB : (rk_u16)field->kind,
                .field = (rk_u16)i,
            };
            return true;
        }
        *place += count;
    }
    return false;
}

static void add_mistake(rk_parse_error *error, size_t column, bool *any)
{
    if (*any)
        rk_parse_error_add(error, "; ");
    else
        error->column = column;
    *any = true;
}

/* A name as far as an error should show it. */
static int shown(size_t size) { return size < 64 ? (int)size : 64; }

static void add_missing(const rk_schema *schema, const char *seen, rk_parse_error *error, bool *any)
{
    size_t place = 0;
    for (rk_u32 i = 0; i < schema->field_count; i++) {
        const rk_field *field = &schema->fields[i];
        rk_u32 count = schema->variable ? 1 : field->count;
        for (rk_u32 element = 0; element < count; element++, place++) {
            if (seen[place]) continue;
            add_mistake(error, 0, any);
            if (count > 1)
                rk_parse_error_add(error, "column '%s[%u]' is missing", field->name, element);
            else
                rk_parse_error_add(error, "column '%s' is missing", field->name);
        }
    }
}

rk_status rk_csv_read_head(const rk_schema *schema, const char *text, size_t size, rk_csv_column *columns,
                           char *seen, rk_parse_error *error)
{
    rk_parse_error_clear(error);
    size_t start = size >= 3 && memcmp(text, RK_BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;

    size_t count = rk_csv_column_count(schema), found = 0;
    bool wrong = false;
    for (bool more = true; more;) {
        const char *comma = start < size ? memchr(text + start, ',', size - start) : NULL;
        size_t end = comma != NULL ? (size_t)(comma - text) : size;
        const char *name = text + start;
        size_t place = 0;
        rk_csv_column column = { 0 };
        if (!find_column(schema, name, end - start, &column, &place)) {
            add_mistake(error, start + 1, &wrong);
            rk_parse_error_add(error, "column '%.*s' is unknown", shown(end - start), name);
        } else if (seen[place]) {
            add_mistake(error, start + 1, &wrong);
            rk_parse_error_add(error, "column '%.*s' is there twice", shown(end - start), name);
        } else {
            seen[place] = 1;
            columns[found++] = column;
        }
        more = comma != NULL;
        start = end + 1;
    }
    if (found == count && !wrong) return RK_OK;

    add_missing(schema, seen, error, &wrong);
    rk_parse_error_add(error, "; the columns are ");
    rk_parse_error_add_fields(error, schema, true);
    return RK_PARSE_FAILED;
}
