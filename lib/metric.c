#include "metric.h"
#include <inttypes.h>

const struct metric_row metric_rows[METRIC_COUNT] = {
#define X(id, kind, name, help) [id] = {kind, name, help},
    METRICS(X)
#undef X
};

void metrics_prometheus(const struct metrics *m, const char *labels, struct buf *out)
{
    bool braces = labels[0] != '\0';

    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        const char *kind = row->kind == COUNTER ? "counter" : "gauge";
        buf_printf(out, "# HELP collab_%s %s\n# TYPE collab_%s %s\n", row->name, row->help,
                   row->name, kind);
        buf_printf(out, "collab_%s%s%s%s %" PRId64 "\n", row->name, braces ? "{" : "", labels,
                   braces ? "}" : "", m->value[i]);
    }
}

void metrics_add(const struct metrics *m, struct json *object)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        json_add_number(object, metric_rows[i].name, (double)m->value[i]);
}

void metrics_read(struct metrics *m, struct span object)
{
    struct span value;

    *m = (struct metrics){0};
    for (int i = 0; i < METRIC_COUNT; i++)
        if (json_get(object, metric_rows[i].name, &value))
            json_int(value, &m->value[i]);
}
