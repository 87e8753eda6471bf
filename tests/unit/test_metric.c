#include "metric.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct metrics sample(void)
{
    struct metrics m;

    for (int i = 0; i < METRIC_COUNT; i++)
        m.value[i] = INT64_C(1000000000000) * i + 7;
    return m;
}

static void names_follow_the_rule(void **state)
{
    (void)state;
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        size_t len = strlen(row->name);
        bool total = len > 6 && strcmp(row->name + len - 6, "_total") == 0;
        assert_int_equal(total, row->kind == COUNTER);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), len);
        assert_int_equal(row->help[strlen(row->help) - 1], '.');
    }
}

static void labels_stand_in_braces(void **state)
{
    struct metrics m = {0};
    struct buf out = {0};

    (void)state;
    m.value[M_CONNECTIONS] = 3;
    m.value[M_DELIVERIES] = INT64_MAX;
    metrics_prometheus(&m, "node=\"a\"", &out);
    const char *first = "# HELP collab_connections Client connections open now.\n"
                        "# TYPE collab_connections gauge\n"
                        "collab_connections{node=\"a\"} 3\n";
    assert_int_equal(strncmp(out.at, first, strlen(first)), 0);
    assert_non_null(strstr(out.at, "\n# TYPE collab_deliveries_total counter\n"
                                   "collab_deliveries_total{node=\"a\"} 9223372036854775807\n"));
    buf_clear(&out);
    metrics_prometheus(&m, "", &out);
    assert_non_null(strstr(out.at, "\ncollab_connections 3\n"));
    buf_fini(&out);
}

/* promtool knows names, units and types that people expect; it is Prometheus' own. */
static void promtool_finds_nothing_wrong(void **state)
{
    struct metrics m = sample();
    struct buf out = {0};

    (void)state;
    if (system("command -v promtool >/dev/null") != 0)
        skip();
    metrics_prometheus(&m, "node=\"a\"", &out);
    FILE *promtool = popen("promtool check metrics", "w");
    assert_non_null(promtool);
    assert_int_equal(fwrite(out.at, 1, out.len, promtool), out.len);
    assert_int_equal(pclose(promtool), 0);
    buf_fini(&out);
}

static void what_was_written_is_read(void **state)
{
    struct metrics m = sample(), back;
    struct json *record = json_new_object();
    struct buf text = {0};

    (void)state;
    json_add_text(record, "id", "a");
    metrics_add(&m, record);
    json_write(record, &text);
    json_free(record);
    metrics_read(&back, buf_span(&text));
    assert_memory_equal(&back, &m, sizeof(m));
    buf_fini(&text);
}

static void what_is_absent_or_no_number_is_0(void **state)
{
    struct metrics m = sample();

    (void)state;
    metrics_read(&m,
                 span_of("{\"connections\":\"5\",\"rooms\":6,\"joins\":1.5,\"sessions\":null}"));
    assert_int_equal(m.value[M_ROOMS], 6);
    m.value[M_ROOMS] = 0;
    assert_memory_equal(&m, &(struct metrics){0}, sizeof(m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_rule),
        cmocka_unit_test(labels_stand_in_braces),
        cmocka_unit_test(promtool_finds_nothing_wrong),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_absent_or_no_number_is_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
