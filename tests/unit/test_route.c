#include "route.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static struct arena arena;

static int drop_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct shape shape(const char *text)
{
    struct shape t;
    struct fault f;

    assert_int_equal(shape_parse_template(&t, span_of(text), &arena, &f), 0);
    return t;
}

static void lead_to(struct route *r, const char *text)
{
    struct shape t = shape(text);
    struct fault f;

    assert_int_equal(route_bind(r, &t, &arena, &f), 0);
    route_add(r, &t, &arena);
}

static struct field *field(struct route *r, const char *path, enum field_kind kind, bool needed)
{
    struct field *x = &r->fields[route_field(r, span_of(path), &arena)];

    x->kind = kind;
    x->needed = needed;
    return x;
}

/* Of tasks: needs an id and a title, leads to the task, its project, and its author. */
static struct route tasks(void)
{
    struct route r = {0};

    route_field(&r, span_of("taskId"), &arena);
    route_field(&r, span_of("title"), &arena);
    field(&r, "taskId", FIELD_ID, true);
    field(&r, "title", FIELD_STRING, true);
    lead_to(&r, "task:{taskId}");
    lead_to(&r, "project:{project.id}");
    lead_to(&r, "user:{author}");
    return r;
}

/* The rooms with spaces between them, or the fault. */
static const char *found(const struct route *r, const char *data)
{
    static char text[1024];
    struct route_rooms rooms;
    struct fault f;

    if (route_find(r, span_of(data), &rooms, &f) != 0)
        return strcpy(text, f.text);
    text[0] = '\0';
    for (int i = 0; i < rooms.count; i++) {
        if (i > 0)
            strcat(text, " ");
        strncat(text, rooms.at[i].at, rooms.at[i].len);
    }
    return text;
}

static void data_leads_to_rooms(void **state)
{
    static const char *const rows[][2] = {
        {"{\"taskId\":\"t1\",\"title\":\"\"}", "task:t1"},
        {"{\"taskId\":7,\"title\":\"\"}", "task:7"},
        {"{\"title\":\"\",\"author\":\"u1\",\"taskId\":\"t1\"}", "task:t1 user:u1"},
        {"{\"taskId\":\"t1\",\"title\":\"\",\"project\":{\"id\":\"p1\"},\"author\":\"u1\"}",
         "task:t1 project:p1 user:u1"},
        {"{\"taskId\":\"t1\",\"title\":\"\",\"project\":\"p1\"}", "task:t1"},
        {"{\"taskId\":\"t1\",\"title\":\"\",\"project.id\":\"p1\"}", "task:t1"},
        {"{\"taskId\":\"t1\",\"title\":\"\",\"author\":null}", "task:t1"},
        {"{\"taskId\":\"t1\",\"taskId\":\"t2\",\"title\":\"\"}", "task:t2"},
        {"{\"t\\u0061skId\":\"t1\",\"title\":\"\"}", "task:t1"},
        {"{\"taskId\":\"t1\"}", "data.title: is missing"},
        {"{\"taskId\":null,\"title\":\"\"}", "data.taskId: is missing"},
        {"{\"taskId\":\"t1\",\"title\":5}", "data.title: must be a string, not 5"},
        {"{\"taskId\":\"a:b\",\"title\":\"\"}",
         "data.taskId: must be an id (letters, digits and . _ ~ @ -, or a whole number), not "
         "\"a:b\""},
        {"{\"taskId\":\"t1\",\"title\":\"\",\"author\":\"*\"}",
         "data.author: must be an id (letters, digits and . _ ~ @ -, or a whole number), not "
         "\"*\""},
        {"[1]", "data: must be an object, not an array"},
        {"null", "data: must be an object, not null"},
        {"", "data: must be an object, not absent"},
        {"{\"taskId\":\"" FIFTY FIFTY FIFTY FIFTY "\",\"title\":\"\"}",
         "room task:{taskId}: longer than 200 bytes"},
    };
    struct route r = tasks();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(found(&r, rows[i][0]), rows[i][1]);
}

static void without_needs_any_data_will_do(void **state)
{
    struct route r = {0};

    (void)state;
    lead_to(&r, "task:{taskId}");
    lead_to(&r, "task:all");
    assert_string_equal(found(&r, "[]"), "task:all");
    assert_string_equal(found(&r, ""), "task:all");
    assert_string_equal(found(&r, "{\"taskId\":\"t\"}"), "task:t task:all");
}

static void each_room_is_found_once(void **state)
{
    struct route r = {0};

    (void)state;
    lead_to(&r, "user:{from}");
    lead_to(&r, "user:{to}");
    assert_string_equal(found(&r, "{\"from\":\"u1\",\"to\":\"u1\"}"), "user:u1");
    assert_string_equal(found(&r, "{\"from\":\"u1\",\"to\":\"u2\"}"), "user:u1 user:u2");
}

static void as_many_rooms_as_there_may_be_fit(void **state)
{
    struct route r = {0};
    struct route_rooms rooms;
    struct fault f;
    char text[32];

    (void)state;
    for (int i = 0; i < EVENT_ROOMS_MAX; i++) {
        snprintf(text, sizeof(text), "%c:{x}", 'a' + i);
        lead_to(&r, text);
    }
    struct span data = span_of("{\"x\":\"" FIFTY FIFTY FIFTY "0123456789012345678901234567890123"
                               "45678901234567\"}");
    assert_int_equal(route_find(&r, data, &rooms, &f), 0);
    assert_int_equal(rooms.count, EVENT_ROOMS_MAX);
    for (int i = 0; i < rooms.count; i++) {
        assert_int_equal(room_check(rooms.at[i], &f), 0);
        assert_int_equal(rooms.at[i].at[0], 'a' + i);
        assert_int_equal(rooms.at[i].len, ROOM_BYTES_MAX);
    }
}

static void a_room_is_made_of_ids_alone(void **state)
{
    struct route r = {0};
    struct shape t = shape("task:{done}");
    struct fault f;

    (void)state;
    route_field(&r, span_of("done"), &arena);
    field(&r, "done", FIELD_BOOL, false);
    assert_int_equal(route_bind(&r, &t, &arena, &f), -1);
    assert_string_equal(f.text, "{done} is of the kind \"bool\", of which no room can be made");
}

static void fields_are_bounded(void **state)
{
    struct route r = {0};
    struct shape t = shape("a:{more}");
    struct fault f;
    char path[8];

    (void)state;
    for (int i = 0; i < ROUTE_FIELDS_MAX; i++) {
        snprintf(path, sizeof(path), "f%d", i);
        assert_int_equal(route_field(&r, span_of(path), &arena), i);
    }
    assert_int_equal(route_field(&r, span_of("f5"), &arena), 5);
    assert_int_equal(route_field(&r, span_of("more"), &arena), -1);
    assert_int_equal(route_bind(&r, &t, &arena, &f), -1);
    assert_string_equal(f.text, "more than 32 fields");
}

static void one_template_by_itself(void **state)
{
    struct route r = tasks();
    struct shape t = shape("entity:{taskId}");
    char room[ROOM_BYTES_MAX];
    struct fault f;

    (void)state;
    assert_int_equal(route_bind(&r, &t, &arena, &f), 0);
    int len = route_expand(&r, &t, span_of("{\"taskId\":\"t1\",\"title\":\"\"}"), room, &f);
    assert_int_equal(len, 9);
    assert_memory_equal(room, "entity:t1", 9);
    assert_int_equal(route_expand(&r, &t, span_of("{}"), room, &f), -1);
    assert_string_equal(f.text, "data.taskId: is missing");
    assert_int_equal(route_check(&r, span_of("{}"), &f), -1);
    assert_int_equal(route_check(&r, span_of("{\"taskId\":1,\"title\":\"\"}"), &f), 0);
}

static void no_room_is_explained(void **state)
{
    struct route r = tasks(), none = {0};
    struct fault f;

    (void)state;
    assert_int_equal(route_none(&r, &f), -1);
    assert_string_equal(f.text, "data: has not the fields of any of its rooms: task:{taskId}, "
                                "project:{project.id} or user:{author}");
    assert_int_equal(route_none(&none, &f), -1);
    assert_string_equal(f.text, "leads to no room by itself: name one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_leads_to_rooms),
        cmocka_unit_test(without_needs_any_data_will_do),
        cmocka_unit_test(each_room_is_found_once),
        cmocka_unit_test(as_many_rooms_as_there_may_be_fit),
        cmocka_unit_test(a_room_is_made_of_ids_alone),
        cmocka_unit_test(fields_are_bounded),
        cmocka_unit_test(one_template_by_itself),
        cmocka_unit_test(no_room_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, drop_arena);
}
