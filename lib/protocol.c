#include "protocol.h"
#include <assert.h>
#include <stddef.h>

bool close_is_own(int64_t code)
{
    return code >= 4000 && code <= 4999;
}

const char *close_reason(enum close_code code)
{
    switch (code) {
#define X(name, number, reason)                                                                    \
    case name:                                                                                     \
        return reason;
        CLOSE_CODES(X)
#undef X
    }
    assert(close_is_own(code));
    return "closed by an administrator";
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
