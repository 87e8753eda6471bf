/* Resuming: who says which event of a room it had last gets those since, before live ones.
 *
 * While the history is read, the room's kept events are held back for that session (hub_hold());
 * it is let go when it has all that the node has delivered. However many sessions resume a room,
 * each page of its history is read once for all of them. A session that takes its events slowly
 * waits for its next ones, and nobody waits for it. */
#ifndef RESUME_H
#define RESUME_H

#include "gateway.h"
#include "json.h"
#include "place.h"
#include "session.h"

struct resumes;
struct resumes *resumes_new(struct gateway *g);

/* After the bus was closed: its reads have come back. */
void resumes_free(struct resumes *all);

/* Rooms that a session resumes in one request: an event that went to several of them comes by the
 * first. */
struct resume_point {
    char *room;
    struct place since;
    uint16_t sitting; /* by which it is held there (hub.h) */
};
struct resume_request {
    struct resume_point *points;
    size_t count;
    bool waited; /* the events are marked as such */
    bool late;   /* what went to other rooms that the session is in, it has had there */
};

/* How it went. gap: the events that are missing; NULL when none is. */
struct resume_result {
    struct span room;
    bool recovered;
    struct place at; /* of the last event that the session had */
    struct json *gap;
    bool unavailable; /* the history could not be read to its end */
    bool left;        /* the session has left the room meanwhile, or has gone */
    const char *why;  /* one of the words below; NULL when recovered */
};
#define RESUME_TRIMMED     "trimmed"     /* kept no more */
#define RESUME_RESTARTED   "restarted"   /* the history began anew */
#define RESUME_UNKNOWN     "unknown"     /* what the session had is not in it */
#define RESUME_UNAVAILABLE "unavailable" /* it could not be read */
#define RESUME_LEFT        "left"        /* the session has left the room meanwhile */
typedef void resume_done(void *arg, const struct resume_result *result);

/* The session has joined the room, which is listened to, and is held there. request must last until
 * done was called, which is once. */
void resume_room(struct session *s, const struct resume_point *point,
                 const struct resume_request *request, resume_done *done, void *arg);

#endif
