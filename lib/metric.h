/* What a node counts: one table of rows. From it come the Prometheus text, the node's record in
 * Redis, the JSON of the statistics endpoint, and what collab-stats prints. */
#ifndef METRIC_H
#define METRIC_H

#include "buf.h"
#include "fault.h"
#include "json.h"
#include <stdint.h>

/* id, kind, name (without the prefix collab_), help.
 * A counter only grows, and its name ends in _total; a gauge is what is now. */
#define METRICS(X)                                                                                 \
    X(M_CONNECTIONS, GAUGE, "connections", "Client connections open now.")                         \
    X(M_SESSIONS, GAUGE, "sessions", "Authenticated clients now.")                                 \
    X(M_ROOMS, GAUGE, "rooms", "Rooms with a member on this node.")                                \
    X(M_JOINS, GAUGE, "joins", "Memberships of clients in rooms on this node.")                    \
    X(M_OUTBOX_BYTES, GAUGE, "outbox_bytes", "Bytes waiting for slow clients.")                    \
    X(M_REDIS_UP, GAUGE, "redis_up", "Whether Redis can be reached: 1 or 0.")                      \
    X(M_CONNECTIONS_OPENED, COUNTER, "connections_opened_total", "Connections accepted.")          \
    X(M_CONNECTIONS_CLOSED, COUNTER, "connections_closed_total", "Connections that ended.")        \
    X(M_AUTH_FAILURES, COUNTER, "auth_failures_total", "Tokens refused or missing.")               \
    X(M_MESSAGES_IN, COUNTER, "messages_received_total", "Messages received from clients.")        \
    X(M_ERRORS_OUT, COUNTER, "errors_sent_total", "Error replies sent to clients.")                \
    X(M_EVENTS_IN, COUNTER, "events_received_total", "Events received from Redis.")                \
    X(M_EVENTS_BAD, COUNTER, "events_malformed_total", "Payloads from Redis that are no event.")   \
    X(M_EVENTS_OUT, COUNTER, "events_published_total", "Events published by this node.")           \
    X(M_EVENTS_LOCAL, COUNTER, "events_local_total",                                               \
      "Events delivered on this node alone, Redis being away.")                                    \
    X(M_GAPS, COUNTER, "gaps_total", "Times that clients of a room were told of lost events.")     \
    X(M_RESUMES, COUNTER, "resumes_total", "Rooms that clients resumed.")                          \
    X(M_HISTORY_READS, COUNTER, "history_reads_total", "Pages of histories read for clients.")     \
    X(M_WAITED, COUNTER, "waited_events_total",                                                    \
      "Events handed to clients that had waited for them.")                                        \
    X(M_NOTED, COUNTER, "devices_noted_total", "Times that a device's progress was written down.") \
    X(M_CATCHING_UP, GAUGE, "catching_up", "Clients that are getting what had waited for them.")   \
    X(M_DELIVERIES, COUNTER, "deliveries_total", "Events handed to clients.")                      \
    X(M_BYTES_OUT, COUNTER, "sent_bytes_total", "Bytes sent to clients.")                          \
    X(M_COMPRESSED, COUNTER, "compressed_total",                                                   \
      "Messages compressed, each once for all who got it.")                                        \
    X(M_COMPRESSED_OUT, COUNTER, "compressed_sent_total", "Compressed messages sent to clients.")  \
    X(M_COMPRESSED_IN, COUNTER, "compressed_received_total",                                       \
      "Compressed messages received from clients.")                                                \
    X(M_COMPRESSION_SAVED, COUNTER, "compression_saved_bytes_total",                               \
      "Bytes that compression made unnecessary to send.")                                          \
    X(M_SLOW_CLOSED, COUNTER, "slow_clients_closed_total", "Clients closed for being too slow.")   \
    X(M_SILENT_CLOSED, COUNTER, "silent_clients_closed_total", "Clients closed for silence.")      \
    X(M_CLIENT_LIMITED, COUNTER, "client_rate_refused_total",                                      \
      "Messages refused by the rate of a client.")                                                 \
    X(M_USER_LIMITED, COUNTER, "user_rate_refused_total",                                          \
      "Messages refused by the rate of a user.")                                                   \
    X(M_ROOM_LIMITED, COUNTER, "room_rate_refused_total", "Events refused by the rate of a room.") \
    X(M_AUTH_LIMITED, COUNTER, "auth_rate_refused_total",                                          \
      "Attempts to authenticate refused by the rate of an address.")                               \
    X(M_ABUSIVE_CLOSED, COUNTER, "abusive_clients_closed_total",                                   \
      "Clients closed for going on over a rate.")                                                  \
    X(M_CONNECTIONS_REFUSED, COUNTER, "connections_refused_total",                                 \
      "Connections refused, being more than allowed.")                                             \
    X(M_HANDSHAKE_FAILURES, COUNTER, "handshake_failures_total",                                   \
      "Connections that sent no valid HTTP request in time.")                                      \
    X(M_TLS_HANDSHAKES, COUNTER, "tls_handshakes_total", "TLS handshakes done.")                   \
    X(M_TLS_RESUMED, COUNTER, "tls_resumptions_total",                                             \
      "TLS handshakes that went on from a session of before.")                                     \
    X(M_TLS_FAILURES, COUNTER, "tls_handshake_failures_total",                                     \
      "Connections that did no TLS handshake, in time or at all.")                                 \
    X(M_AUTHZ_ASKED, COUNTER, "authz_asked_total",                                                 \
      "Times the authorization helper's word was needed.")                                         \
    X(M_AUTHZ_SILENT, COUNTER, "authz_silent_total", "Times it had none, in time or at all.")      \
    X(M_AUTHZ_BAD, COUNTER, "authz_bad_answers_total", "Answers of it that are none.")             \
    X(M_AUTHZ_RESTARTS, COUNTER, "authz_restarts_total", "Times it had to be started anew.")       \
    X(M_NEIGHBOUR_IN, COUNTER, "neighbour_messages_received_total",                                \
      "Messages received from servers of Socket.IO beside this one.")                              \
    X(M_NEIGHBOUR_BAD, COUNTER, "neighbour_messages_malformed_total",                              \
      "Messages from them that are none.")                                                         \
    X(M_NEIGHBOUR_OUT, COUNTER, "neighbour_events_published_total", "Events published to them.")   \
    X(M_REDIS_RECONNECTS, COUNTER, "redis_reconnects_total", "Times Redis was reached again.")

enum metric_id {
#define X(id, kind, name, help) id,
    METRICS(X)
#undef X
        METRIC_COUNT
};

enum metric_kind { GAUGE, COUNTER };

struct metric_row {
    enum metric_kind kind;
    const char *name; /* without the prefix */
    const char *help;
};
extern const struct metric_row metric_rows[METRIC_COUNT];

struct metrics {
    int64_t value[METRIC_COUNT];
};

/* Appends all as Prometheus text (exposition format 0.0.4), labels like `node="a"` or "". */
void metrics_prometheus(const struct metrics *m, const char *labels, struct buf *out);

/* Adds every metric as a member of a JSON object; reads them back (absent ones are 0). */
void metrics_add(const struct metrics *m, struct json *object);
void metrics_read(struct metrics *m, struct span object);

#endif
