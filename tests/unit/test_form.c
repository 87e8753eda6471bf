/* The form of data: fields and what is in them, their kinds, what is needed. */
#include "catalog_file.h"
#include "form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct catalog *parse(const char *text)
{
    struct fault f;
    struct catalog *c = catalog_parse(span_of(text), "c.json", &f);

    if (!c)
        fail_msg("%s", f.text);
    return c;
}

/* As name:TYPE, name?:TYPE where it may be absent, {fields} in the place of a type. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the trees below */
static void write_form(const struct form *f, struct buf *out)
{
    if (f->name)
        buf_printf(out, "%s%s:", f->name, f->needed ? "" : "?");
    if (f->words) {
        for (int i = 0; f->words[i]; i++)
            buf_printf(out, "%s%s", i ? "|" : "", f->words[i]);
    } else if (f->fields || !f->type) {
        buf_char(out, '{');
        for (const struct form *one = f->fields; one; one = one->next) {
            write_form(one, out);
            buf_text(out, one->next ? " " : "");
        }
        buf_char(out, '}');
    } else {
        buf_text(out, f->type->typescript);
    }
}

static void hold(const struct form *f, const char *wanted)
{
    struct buf text = {0};

    write_form(f, &text);
    assert_string_equal(text.at, wanted);
    buf_fini(&text);
}

static void hold_event(const char *rule, const char *wanted)
{
    struct arena arena = {0};
    struct buf text = {0};

    buf_printf(&text, "{\"rooms\":{\"task:{id}\":{}},\"events\":{\"e\":%s}}", rule);
    struct catalog *c = parse(text.at);
    hold(form_of_event(catalog_event(c, span_of("e")), &arena), wanted);
    catalog_unref(c);
    arena_fini(&arena);
    buf_fini(&text);
}

static void an_event_has_the_fields_that_it_must_and_may_have(void **state)
{
    (void)state;
    hold_event("{}", "{}");
    hold_event("{\"need\":[\"a\"],\"may\":[\"b\"]}", "{a:unknown b?:unknown}");
    hold_event(
        "{\"need\":{\"a\":\"id\",\"b\":\"cuid\",\"c\":\"uuid\",\"d\":\"ulid\",\"e\":\"string\"}}",
        "{a:string | number b:string c:string d:string e:string}");
    hold_event("{\"need\":{\"a\":\"number\",\"b\":\"integer\",\"c\":\"bool\",\"d\":\"object\","
               "\"e\":\"array\",\"f\":[\"on\",\"off\"]}}",
               "{a:number b:number c:boolean d:Record<string, unknown> e:unknown[] f:on|off}");
}

static void what_is_in_a_needed_field_makes_it_needed(void **state)
{
    (void)state;
    hold_event("{\"need\":{\"task.id\":\"id\"},\"may\":{\"task.note\":\"string\"}}",
               "{task:{id:string | number note?:string}}");
    hold_event("{\"may\":{\"task.id\":\"id\",\"task.by.user\":\"string\"}}",
               "{task?:{id?:string | number by?:{user?:string}}}");
    hold_event("{\"may\":{\"a.b\":\"bool\"},\"need\":{\"a.c\":\"bool\"}}",
               "{a:{c:boolean b?:boolean}}");
}

static void a_field_of_a_template_is_an_id(void **state)
{
    (void)state;
    hold_event("{\"to\":\"task:{taskId}\"}", "{taskId?:string | number}");
    hold_event("{\"need\":[\"taskId\"],\"to\":\"task:{taskId}\"}", "{taskId:string | number}");
    hold_event("{\"need\":{\"taskId\":\"uuid\"},\"to\":\"task:{taskId}\"}", "{taskId:string}");
}

/* --- messages ----------------------------------------------------------------------------- */

enum which { MESSAGE, REPLY };

static void hold_message(enum which which, const char *rule, const char *wanted)
{
    struct arena arena = {0};
    struct buf text = {0};

    buf_printf(
        &text,
        "{\"rooms\":{\"task:{id}\":{}},\"events\":{\"e\":{\"need\":{\"x\":\"bool\",\"by\":"
        "\"string\"},"
        "\"to\":\"task:{t}\",\"publish\":\"joined\",\"user\":\"by\"}},\"messages\":{\"m\":%s}}",
        rule);
    struct catalog *c = parse(text.at);
    const struct catalog_message *m = catalog_message(c, span_of("m"));
    hold(which == REPLY ? form_of_reply(m, &arena) : form_of_message(m, &arena), wanted);
    catalog_unref(c);
    arena_fini(&arena);
    buf_fini(&text);
}

static void a_message_has_the_arguments_of_its_action(void **state)
{
    (void)state;
    hold_message(MESSAGE, "{\"action\":\"ping\"}", "{}");
    hold_message(MESSAGE, "{\"action\":\"authenticate\"}", "{token:string device?:string}");
    hold_message(MESSAGE, "{\"action\":\"join\"}",
                 "{rooms?:string | string[] since?:Record<string, string>}");
    hold_message(MESSAGE, "{\"action\":\"leave\"}", "{rooms?:string | string[]}");
    hold_message(MESSAGE, "{\"action\":\"presence\"}",
                 "{status:\"online\" | \"away\" | \"offline\"}");
    hold_message(MESSAGE, "{\"action\":\"sync\",\"arguments\":{\"limit\":\"most\"}}",
                 "{rooms?:string | string[] since?:string | number | Record<string, string> "
                 "before?:string | number | Record<string, string> most?:number order?:string}");
    hold_message(MESSAGE, "{\"action\":\"acknowledge\"}", "{ids:Record<string, string>}");
}

static void rooms_by_templates_are_no_argument(void **state)
{
    (void)state;
    hold_message(MESSAGE, "{\"action\":\"leave\",\"rooms\":\"task:{taskId}\"}",
                 "{taskId?:string | number}");
    hold_message(MESSAGE, "{\"action\":\"presence\",\"need\":{\"status\":[\"online\",\"away\"]}}",
                 "{status:online|away}");
}

static void what_publishes_has_the_event(void **state)
{
    (void)state;
    hold_message(MESSAGE, "{\"action\":\"signal\"}",
                 "{type:string room?:string rooms?:string[] data?:unknown}");
    hold_message(MESSAGE, "{\"action\":\"publish\"}",
                 "{type:string room?:string rooms?:string[] data?:unknown key?:string}");
    hold_message(MESSAGE, "{\"action\":\"publish\",\"event\":\"e\"}",
                 "{x:boolean by?:string t?:string | number key?:string}");
}

static void a_reply_has_what_its_action_tells(void **state)
{
    (void)state;
    hold_message(REPLY, "{\"action\":\"ping\"}", "{}");
    hold_message(REPLY, "{\"action\":\"leave\"}", "{rooms:string[]}");
    hold_message(REPLY, "{\"action\":\"publish\"}",
                 "{rooms:string[] degraded?:boolean reason?:string}");
    hold_message(REPLY, "{\"action\":\"join\"}",
                 "{rooms:string[] refused?:{ room: string; code: string; message: string }[] "
                 "degraded?:boolean reason?:string}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_the_fields_that_it_must_and_may_have),
        cmocka_unit_test(what_is_in_a_needed_field_makes_it_needed),
        cmocka_unit_test(a_field_of_a_template_is_an_id),
        cmocka_unit_test(a_message_has_the_arguments_of_its_action),
        cmocka_unit_test(rooms_by_templates_are_no_argument),
        cmocka_unit_test(what_publishes_has_the_event),
        cmocka_unit_test(a_reply_has_what_its_action_tells),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
