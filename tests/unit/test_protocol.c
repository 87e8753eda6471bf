#include "protocol.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 6455, section 5.5.1: a close frame's payload is 125 bytes at most, two of them the code. */
static void reasons_fit_into_a_close_frame(void **state)
{
    (void)state;
#define X(name, code, reason)                                                                      \
    assert_string_equal(close_reason(name), reason);                                               \
    assert_in_range(strlen(close_reason(name)), 1, 123);
    CLOSE_CODES(X)
#undef X
}

static void codes_of_our_own_say_whether_to_come_back(void **state)
{
    (void)state;
#define X(name, code, reason)                                                                      \
    assert_true((code >= 1000 && code <= 1014) || (code >= 4000 && code <= 4999));
    CLOSE_CODES(X)
#undef X
    assert_true(CLOSE_SLOW < 4500 && CLOSE_SILENT < 4500 && CLOSE_EXPIRED < 4500);
    assert_true(CLOSE_LATE >= 4500);
}

static void errors_have_names(void **state)
{
    (void)state;
#define X(name, text, meaning) assert_string_equal(error_name(name), text);
    ERROR_CODES(X)
#undef X
    assert_string_equal(error_name(ERROR_UNAUTHENTICATED), "unauthenticated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_fit_into_a_close_frame),
        cmocka_unit_test(codes_of_our_own_say_whether_to_come_back),
        cmocka_unit_test(errors_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
