#include "near.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEN   "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void what_was_likely_meant_is_near(void **state)
{
    static const struct {
        const char *wrong, *right;
        bool near;
    } rows[] = {
        {"port", "port", true},
        {"prot", "port", true},
        {"pot", "port", true},
        {"porrt", "port", true},
        {"pert", "port", true},
        {"ropt", "port", false},
        {"p", "port", true},
        {"port", "p", false},
        {"hisotyr", "history", true},
        {"hysterie", "history", false},
        {"task:movd", "task:moved", true},
        {"", "port", false},
        {"a", "b", false},
        {"ot", "to", true},
        {"a", "to", false},
        {SIXTY "123", SIXTY "124", true},
        {SIXTY "1234", SIXTY "1234", false},
        {"123", SIXTY "1234", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (near_is(span_of(rows[i].wrong), rows[i].right) != rows[i].near)
            fail_msg("%s, %s", rows[i].wrong, rows[i].right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_likely_meant_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
