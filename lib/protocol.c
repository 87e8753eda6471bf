#include "protocol.h"
#include <assert.h>
#include <stddef.h>

const char *close_reason(enum close_code code)
{
    switch (code) {
#define X(name, number, reason)                                                                    \
    case name:                                                                                     \
        return reason;
        CLOSE_CODES(X)
#undef X
    }
    assert(!"a close code of the table");
    return NULL;
}

const char *error_name(enum error_code code)
{
    static const char *const names[] = {
#define X(name, text, meaning) [name] = text,
        ERROR_CODES(X)
#undef X
    };

    assert((size_t)code < sizeof(names) / sizeof(names[0]));
    return names[code];
}
