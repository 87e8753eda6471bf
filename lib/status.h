/* The one closed set of exit statuses of all programs; every man page lists it from here. */
#ifndef STATUS_H
#define STATUS_H

/* name, status, meaning */
#define EXIT_STATUSES(X)                                                                           \
    X(STATUS_OK, 0, "done")                                                                        \
    X(STATUS_NO, 1, "the answer is no: nothing found, an event or a token refused")                \
    X(STATUS_USAGE, 2, "wrong usage or wrong settings")                                            \
    X(STATUS_UNREACHABLE, 3, "Redis or the gateway cannot be reached")                             \
    X(STATUS_FORBIDDEN, 4, "not allowed")                                                          \
    X(STATUS_CONFLICT, 5, "version conflict")                                                      \
    X(STATUS_TIMEOUT, 6, "time limit reached")                                                     \
    X(STATUS_LOST, 7, "events lost")

enum exit_status {
#define X(name, status, meaning) name = status,
    EXIT_STATUSES(X)
#undef X
};

#endif
