/* The names of collab.v1 that more than one program needs: close codes, error codes.
 *
 * Tables of rows; collab-protocol(7) is held against them by a test. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#define PROTOCOL_NAME   "collab.v1"
#define PROTOCOL_BEARER "bearer."

/* WebSocket close codes (RFC 6455, section 7.4). Own codes follow a rule that needs no table:
 * 4000-4499 say reconnect (with back-off), 4500-4999 say don't. name, code, reason */
#define CLOSE_CODES(X)                                                                             \
    X(CLOSE_NORMAL, 1000, "closed as asked")                                                       \
    X(CLOSE_PROTOCOL, 1002, "against the WebSocket protocol")                                      \
    X(CLOSE_NOT_UTF8, 1007, "a text message is not UTF-8")                                         \
    X(CLOSE_POLICY, 1008, "not authenticated")                                                     \
    X(CLOSE_TOO_BIG, 1009, "message too big")                                                      \
    X(CLOSE_RESTART, 1012, "the gateway restarts")                                                 \
    X(CLOSE_SILENT, 4000, "nothing heard for too long")                                            \
    X(CLOSE_SLOW, 4001, "too slow: come back and resume")                                          \
    X(CLOSE_EXPIRED, 4002, "token expired")                                                        \
    X(CLOSE_RATE, 4003, "too much for too long: come back later")                                  \
    X(CLOSE_UNDECIDED, 4004, "nobody can say now who may connect: come back later")                \
    X(CLOSE_LATE, 4500, "no token within the time limit")                                          \
    X(CLOSE_KICKED, 4501, "disconnected by an administrator")                                      \
    X(CLOSE_TOO_MANY, 4502, "more connections than a user may have")

enum close_code {
#define X(name, code, reason) name = code,
    CLOSE_CODES(X)
#undef X
};

/* Whether a code is one of those that have no other meaning than by the rule: 4000-4999. */
bool close_is_own(int64_t code);

/* The reason that goes with a code; one that is not in the table was chosen by an administrator. */
const char *close_reason(enum close_code code);

/* Codes of error replies. name, code, meaning */
#define ERROR_CODES(X)                                                                             \
    X(ERROR_BAD_MESSAGE, "bad_message", "the message is no JSON object of the protocol's form")    \
    X(ERROR_UNKNOWN_TYPE, "unknown_type", "no message has that type")                              \
    X(ERROR_BAD_ROOM, "bad_room", "the room's name breaks the rule")                               \
    X(ERROR_BAD_EVENT, "bad_event", "the event is not of the form asked for")                      \
    X(ERROR_UNAUTHENTICATED, "unauthenticated", "a valid token is needed first")                   \
    X(ERROR_FORBIDDEN, "forbidden", "the token does not allow it")                                 \
    X(ERROR_TOO_MANY, "too_many", "more than the limit allows")                                    \
    X(ERROR_RATE_LIMITED, "rate_limited", "more than the rate allows; try again later")            \
    X(ERROR_RESTARTING, "restarting", "the gateway is about to close the connection; come back")   \
    X(ERROR_NOT_FOUND, "not_found", "nothing is at that path")                                     \
    X(ERROR_BAD_METHOD, "bad_method", "the path takes another method")                             \
    X(ERROR_CONFLICT, "conflict", "it was based on a version that is no longer current")           \
    X(ERROR_UNAVAILABLE, "unavailable", "Redis cannot be reached now; try again")

enum error_code {
#define X(name, code, meaning) name,
    ERROR_CODES(X)
#undef X
};

/* The code as clients see it. */
const char *error_name(enum error_code code);

#endif
