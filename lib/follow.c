#include "follow.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { PAGE_ENTRIES = 500 };

const struct place follow_anywhere = {UINT64_MAX, 0};

/* A room whose history is being read. What is published meanwhile comes by that too. */
struct fill {
    struct follow *follow; /* NULL: has gone */
    UT_hash_handle hh;
    struct place seen; /* the last that was published meanwhile */
    bool again;        /* it was read once more for `seen` alone */
    size_t len;
    char room[];
};

struct follow {
    struct store *store;
    const struct follow_hooks *hooks;
    void *ctx;
    struct fill *fills;
};

struct follow *follow_new(struct store *s, const struct follow_hooks *hooks, void *ctx)
{
    struct follow *f = mem_zero(sizeof(*f));

    f->store = s;
    f->hooks = hooks;
    f->ctx = ctx;
    return f;
}

void follow_free(struct follow *f)
{
    struct fill *fill, *next;

    HASH_ITER (hh, f->fills, fill, next) {
        HASH_DEL(f->fills, fill);
        fill->follow = NULL; /* its read still comes back */
    }
    free(f);
}

bool follow_continues(struct place a, bool seen, const struct store_entry *entry)
{
    struct place b = entry->place;

    return place_follows(a, b) || (seen && b.seq == 0 && b.epoch > a.epoch && entry->whole);
}

static bool is_anywhere(struct place p)
{
    return p.epoch == follow_anywhere.epoch;
}

static struct span room_of(const struct fill *fill)
{
    return (struct span){fill->room, fill->len};
}

static void fill_free(struct fill *fill)
{
    if (fill->follow)
        HASH_DEL(fill->follow->fills, fill);
    free(fill);
}

/* --- reading ------------------------------------------------------------------------------- */

static void hand_on(struct follow *f, struct span room, const struct store_entry *entry)
{
    struct event e;
    struct fault fault;

    if (event_parse(&e, entry->text, false, &fault) == 0)
        f->hooks->event(f->ctx, room, &e, entry->text);
    else
        f->hooks->trouble(f->ctx, room, fault.text);
}

/* Returns whether anybody still follows. */
static bool take_page(struct fill *fill, const struct store_page *page)
{
    struct follow *f = fill->follow;
    struct span room = room_of(fill);
    bool seen = false;

    for (size_t i = 0; i < page->count; i++) {
        const struct store_entry *entry = &page->entries[i];
        struct place *at = f->hooks->place(f->ctx, room);
        if (!at)
            return false;
        if (!is_anywhere(*at) && place_compare(entry->place, *at) <= 0) {
            seen = place_compare(entry->place, *at) == 0;
            continue;
        }
        struct place before = *at;
        *at = entry->place;
        if (!is_anywhere(before) && !follow_continues(before, seen, entry))
            f->hooks->gap(f->ctx, room, before, entry->place);
        seen = true;
        hand_on(f, room, entry);
        if (!fill->follow)
            return false;
    }
    return f->hooks->place(f->ctx, room) != NULL;
}

static void read_on(struct fill *fill);

static void end(struct fill *fill)
{
    struct follow *f = fill->follow;
    struct buf room = {0};

    buf_join(&room, room_of(fill));
    fill_free(fill);
    if (f->hooks->caught_up)
        f->hooks->caught_up(f->ctx, buf_span(&room));
    buf_fini(&room);
}

/* What was published and is in the history no more is lost: nothing else would tell. */
static void give_up(struct fill *fill, struct place *at)
{
    struct follow *f = fill->follow;
    struct place before = {fill->seen.epoch, fill->seen.seq + 1}, after = *at;

    *at = fill->seen;
    f->hooks->gap(f->ctx, room_of(fill), after, before);
}

static void on_read(void *arg, enum store_result result, const struct store_page *page,
                    const char *why)
{
    struct fill *fill = arg;
    struct follow *f = fill->follow;

    if (!f || result == STORE_UNAVAILABLE) { /* all is checked when Redis is back */
        fill_free(fill);
        return;
    }
    if (result == STORE_REFUSED)
        f->hooks->trouble(f->ctx, room_of(fill), why);
    else if (!take_page(fill, page)) {
        fill_free(fill);
        return;
    }
    struct place *at = f->hooks->place(f->ctx, room_of(fill));
    bool behind = at && place_compare(*at, fill->seen) < 0;
    if (result == STORE_DONE && page->count == PAGE_ENTRIES) {
        read_on(fill);
    } else if (behind && result == STORE_DONE && !fill->again) {
        fill->again = true;
        read_on(fill);
    } else {
        if (behind)
            give_up(fill, at);
        end(fill);
    }
}

/* The place itself too: that it still stands there says that nothing before it was cut off. */
static void read_on(struct fill *fill)
{
    struct follow *f = fill->follow;
    struct place *at = f->hooks->place(f->ctx, room_of(fill));
    struct store_stretch stretch = {is_anywhere(*at) ? store_beginning : *at, store_end,
                                    PAGE_ENTRIES, STORE_OLDEST_FIRST};

    store_read(f->store, room_of(fill), &stretch, on_read, fill);
}

static struct fill *find(struct follow *f, struct span room)
{
    struct fill *fill = NULL;

    if (f->fills)
        HASH_FIND(hh, f->fills, room.at, room.len, fill);
    return fill;
}

static void begin(struct follow *f, struct span room, struct place seen)
{
    struct fill *fill = mem_zero(sizeof(*fill) + room.len);

    fill->follow = f;
    fill->seen = seen;
    fill->len = room.len;
    memcpy(fill->room, room.at, room.len);
    HASH_ADD(hh, f->fills, room, room.len, fill);
    read_on(fill);
}

void follow_check(struct follow *f, struct span room)
{
    const struct place *at = f->hooks->place(f->ctx, room);

    if (at && !is_anywhere(*at) && !find(f, room))
        begin(f, room, store_beginning);
}

/* --- what is published --------------------------------------------------------------------- */

void follow_event(struct follow *f, struct span room, const struct event *e, struct span text)
{
    struct place *at = f->hooks->place(f->ctx, room);
    struct fill *fill = find(f, room);
    struct place p;

    if (!at || place_parse(e->id, &p) != 0)
        return;
    if (is_anywhere(*at) || place_follows(*at, p)) {
        *at = p;
        f->hooks->event(f->ctx, room, e, text);
    } else if (place_compare(p, *at) > 0 && !fill) {
        begin(f, room, p);
    } else if (fill && place_compare(p, fill->seen) > 0) {
        fill->seen = p;
        fill->again = false;
    }
}
