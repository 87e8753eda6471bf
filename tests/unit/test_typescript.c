/* A catalog as types: what a program that imports them reads. That they compile, and what the
 * compiler makes of them, is in collab-catalog.bats. */
#include "catalog_file.h"
#include "typescript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buf text;

static const char *write_types(const char *catalog)
{
    struct fault f;
    struct catalog *c = catalog_parse(span_of(catalog), "c.json", &f);

    if (!c)
        fail_msg("%s", f.text);
    buf_clear(&text);
    typescript_write(c, &text);
    catalog_unref(c);
    return text.at;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&text);
    return 0;
}

static void assert_has(const char *all, const char *part)
{
    if (!strstr(all, part))
        fail_msg("not there: %s\nin: %s", part, all);
}

static void assert_lacks(const char *all, const char *part)
{
    if (strstr(all, part))
        fail_msg("there: %s\nin: %s", part, all);
}

static void both_ways_of_a_small_catalog(void **state)
{
    const char *all = write_types("{\"name\":\"small\",\"about\":\"A small one.\","
                                  "\"rooms\":{\"task:{taskId}\":{}},"
                                  "\"events\":{\"moved\":{\"about\":\"It moved.\","
                                  "\"need\":{\"taskId\":\"id\"},\"to\":\"task:{taskId}\"}},"
                                  "\"messages\":{\"enter\":{\"about\":\"Goes in.\","
                                  "\"action\":\"join\",\"rooms\":\"task:{taskId}\"}},"
                                  "\"notices\":{\"ack\":null,\"gap\":null}}");

    (void)state;
    assert_has(all, "// Made from the catalog small by collab-catalog types.\n\n");
    assert_has(all, "/** A small one. */\n"
                    "export interface ServerToClientEvents {\n"
                    "  /** It moved. */\n"
                    "  \"moved\": (data: { taskId: string | number; [field: string]: unknown }) "
                    "=> void;\n"
                    "  \"error\": (error: { code: string; message: string; data?: unknown }) => "
                    "void;\n"
                    "}\n\n"
                    "export interface ClientToServerEvents {\n"
                    "  /** Goes in. */\n"
                    "  \"enter\": (data?: { taskId?: string | number; ");
    assert_has(all, "ack?: (reply: Reply<{ rooms: string[]; refused?: ");
    assert_lacks(all, "EventMeta");
}

static void the_second_argument_where_there_is_one(void **state)
{
    const char *all = write_types("{\"events\":{\"x\":{}},\"socketio\":{\"meta\":true}}");

    (void)state;
    assert_has(all, "export interface EventMeta {\n");
    assert_has(all, "  \"x\": (data: unknown, meta: EventMeta) => void;\n");
}

/* A family has the types of its own data unless another event is among its names. */
static void families(void **state)
{
    const char *all = write_types("{\"events\":{\"*\":{},\"a:*\":{\"need\":{\"n\":\"bool\"}},"
                                  "\"b:*\":{\"need\":{\"n\":\"bool\"}},\"b:c\":{}}}");

    (void)state;
    assert_has(all, "  [type: `a:${string}`]: (data: { n: boolean; [field: string]: unknown }) ");
    assert_has(all, "  [type: `b:${string}`]: (data: any) => void;\n");
    assert_lacks(all, "[type: `${string}`]");
}

static void no_text_gets_out_of_its_place(void **state)
{
    const char *all =
        write_types("{\"about\":\"a */ b\",\"events\":{\"q\\\"\\\\\":{\"need\":{\"a-b\":\"bool\","
                    "\"9\":[\"w\\\"x\"]}},\"`${e}*\":{}}}");

    (void)state;
    assert_has(all, "/** a * / b */\n");
    assert_has(all, "  \"q\\\"\\\\\": (data: { \"a-b\": boolean; \"9\": \"w\\\"x\"; ");
    assert_has(all, "  [type: `\\`\\${e}${string}`]: ");
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, tear_down)
    const struct CMUnitTest tests[] = {
        T(both_ways_of_a_small_catalog),
        T(the_second_argument_where_there_is_one),
        T(families),
        T(no_text_gets_out_of_its_place),
    };
    return cmocka_run_group_tests_name("typescript", tests, NULL, NULL);
}
