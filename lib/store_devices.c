#include "store_devices.h"
#include "clock.h"
#include "mem.h"
#include "store_base.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int store_device_check(struct span name, struct fault *f)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("._~@-", c));
        if (!plain)
            return fault_set(f, "device %s: only letters, digits and ._~@- are allowed",
                             fault_quote(name));
    }
    if (name.len == 0 || name.len > STORE_DEVICE_BYTES_MAX)
        return fault_set(f, "device: must have 1 to %d bytes, found %zu", STORE_DEVICE_BYTES_MAX,
                         name.len);
    return 0;
}

/* --- asking -------------------------------------------------------------------------------- */

/* Two replies, in any order: the device's place, and where the room stood when the user became a
 * member. */
struct asking {
    struct redis *redis;
    store_stands *stands;
    void *arg;
    enum store_result result;
    char *why;
    int waiting;
    struct place since;
    struct store_standing there;
};

static void note(struct asking *a, const struct reply *r, struct place *at)
{
    *at = store_beginning;
    if (!r) {
        a->result = STORE_UNAVAILABLE;
    } else if (reply_kind(r) == REPLY_ERROR && a->result == STORE_DONE) {
        a->result = STORE_REFUSED;
        a->why = span_text(reply_text(r));
    } else if (place_parse(reply_text(r), at) != 0) {
        *at = store_beginning;
    }
}

/* Of what happened before it became a member again, the device gets nothing. */
static void one_less(struct asking *a)
{
    if (--a->waiting > 0)
        return;
    a->there.is_new = a->there.at.epoch == 0;
    if (place_compare(a->since, a->there.at) > 0)
        a->there = (struct store_standing){a->since, true};
    a->stands(a->arg, a->result, a->result == STORE_DONE ? &a->there : NULL,
              a->result == STORE_REFUSED ? a->why : redis_why(a->redis));
    free(a->why);
    free(a);
}

static void on_place(void *arg, const struct reply *r)
{
    struct asking *a = arg;

    note(a, r, &a->there.at);
    one_less(a);
}

static void on_since(void *arg, const struct reply *r)
{
    struct asking *a = arg;

    note(a, r, &a->since);
    one_less(a);
}

void store_device_get(struct store *s, const struct store_device *device, struct span room,
                      store_stands *stands, void *arg)
{
    struct asking *a = mem_zero(sizeof(*a));
    struct buf devices = {0}, field = {0}, since = {0};

    a->redis = s->redis;
    a->waiting = 2;
    a->stands = stands;
    a->arg = arg;
    buf_printf(&field, "%.*s ", (int)device->name.len, device->name.at);
    buf_join(&field, room);
    struct span place[] = {span_of("HGET"), store_key(&devices, DEVICES_KEY, device->user),
                           buf_span(&field)};
    struct span member[] = {span_of("HGET"), store_key(&since, SINCE_KEY, room), device->user};
    redis_command(s->redis, on_place, a, 3, place);
    redis_command(s->redis, on_since, a, 3, member);
    buf_fini(&devices);
    buf_fini(&field);
    buf_fini(&since);
}

/* --- noting -------------------------------------------------------------------------------- */

static void on_put(void *arg, const struct reply *r)
{
    (void)arg;
    (void)r;
}

void store_device_put(struct store *s, const struct store_device *device,
                      const struct store_step *steps, int count, int64_t ttl_ms)
{
    struct store_words w = {.count = 0};
    char text[PLACE_BYTES];

    assert(count <= STORE_STEPS_MAX);
    store_word_number(&w, 1);
    store_word_key(&w, DEVICES_KEY, device->user);
    store_word(&w, device->name);
    store_word_number(&w, clock_wall_ms());
    store_word_number(&w, ttl_ms);
    store_word_number(&w, STORE_DEVICES_MAX);
    for (int i = 0; i < count; i++) {
        store_word(&w, steps[i].room);
        if (steps[i].at.epoch == 0)
            store_word_end(&w);
        else
            store_word(&w, place_format(steps[i].at, text));
    }
    store_script(s, SCRIPT_DEVICE, on_put, NULL, &w);
}

/* --- listing ------------------------------------------------------------------------------- */

struct listing {
    struct store_call *call;
    store_device_each *each;
};

static void tell_place(const struct listing *l, struct span field, struct span place)
{
    const char *blank = memchr(field.at, ' ', field.len);
    struct place at;

    if (!blank || place_parse(place, &at) != 0)
        return;
    struct span device = {field.at, (size_t)(blank - field.at)};
    span_drop(&field, device.len + 1);
    l->each(l->call->arg, device, field, at);
}

static void on_devices(void *arg, const struct reply *r)
{
    struct listing *l = arg;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(l->call, r);
    for (size_t i = 0; i + 1 < count; i += 2)
        tell_place(l, reply_text(reply_at(r, i)), reply_text(reply_at(r, i + 1)));
    store_call_end(l->call);
    free(l);
}

void store_devices(struct store *s, struct span user, store_device_each *each, store_done *done,
                   void *arg)
{
    struct listing *l = mem_alloc(sizeof(*l));
    struct buf key = {0};
    struct span argv[] = {span_of("HGETALL"), store_key(&key, DEVICES_KEY, user)};

    *l = (struct listing){store_call(s, done, arg, 0), each};
    redis_command(s->redis, on_devices, l, 2, argv);
    buf_fini(&key);
}

void store_device_users(struct store *s, store_room *each, store_done *done, void *arg)
{
    store_scan(s, DEVICES_KEY, "hash", span_of("*"), each, store_call(s, done, arg, 1));
}
