#include "slot.h"
#include "store_base.h"

/* --- a single server ---------------------------------------------------------------------- */

static void publish(struct store *s, reply_fn *fn, void *arg, struct span name, struct span text)
{
    struct span words[] = {span_of("PUBLISH"), name, text};

    redis_command(s->redis, fn, arg, 3, words);
}

/* --- a cluster ---------------------------------------------------------------------------- */

static void publish_in_slot(struct store *s, unsigned slot, struct span name, struct span text)
{
    struct buf channel = {0}, message = {0};

    buf_printf(&channel, SLOT_CHANNEL "{%u}", slot_tag(slot));
    buf_join(&message, name);
    buf_char(&message, ' ');
    buf_join(&message, text);
    struct span words[] = {span_of("SPUBLISH"), buf_span(&channel), buf_span(&message)};
    redis_command(s->redis, NULL, NULL, 3, words);
    buf_fini(&channel);
    buf_fini(&message);
}

static void publish_in_room(struct store *s, reply_fn *fn, void *arg, struct span room,
                            struct span text)
{
    struct buf channel = {0};
    struct span words[] = {span_of("SPUBLISH"), store_key(&channel, ROOM_CHANNEL, room), text};

    redis_command(s->redis, fn, arg, 3, words);
    buf_fini(&channel);
}

void store_tell(struct store *s, reply_fn *fn, void *arg, struct span name, struct span text)
{
    struct span room = name;

    if (!redis_is_cluster(s->redis)) {
        publish(s, fn, arg, name, text);
        return;
    }
    span_drop(&room, sizeof(ROOM_CHANNEL) - 1);
    publish_in_room(s, fn, arg, room, text);
    publish_in_slot(s, slot_of(room), name, text);
}
