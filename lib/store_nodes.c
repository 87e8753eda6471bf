#include "mem.h"
#include "store_base.h"
#include <stdlib.h>
#include <string.h>

/* --- nodes --------------------------------------------------------------------------------- */

void store_node_put(struct store *s, struct span id, struct span record, int64_t ttl_ms)
{
    char ttl[24];

    snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_ms);
    struct span set[] = {span_of("SET"), store_name(s, NODE_KEY, id), record, span_of("PX"),
                         span_of(ttl)};
    redis_command(s->redis, NULL, NULL, 5, set);
    struct span add[] = {span_of("SADD"), span_of(NODES_KEY), id};
    redis_command(s->redis, NULL, NULL, 3, add);
}

static void forget_node(struct store *s, struct span id, reply_fn *fn, void *arg)
{
    struct span remove[] = {span_of("SREM"), span_of(NODES_KEY), id};

    redis_command(s->redis, fn, arg, 3, remove);
}

void store_node_drop(struct store *s, struct span id, store_done *done, void *arg)
{
    struct store_call *call = store_call(s, done, arg, 2);
    struct span del[] = {span_of("DEL"), store_name(s, NODE_KEY, id)};

    redis_command(s->redis, store_call_reply, call, 2, del);
    forget_node(s, id, store_call_reply, call);
}

/* The nodes' ids are read, then the record of each, which may come in any order. */
struct listing {
    struct store *store;
    struct store_call *call;
    store_each *each;
    struct record *records;
    size_t count;
    size_t waiting;
};

struct record {
    struct listing *listing;
    char *id;
    struct buf text; /* empty: none */
};

static int compare_records(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->id, ((const struct record *)b)->id);
}

static void records_free(struct record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(records[i].id);
        buf_fini(&records[i].text);
    }
    free(records);
}

/* each() may close the store: that ends the listing. */
static void listing_end(struct listing *l)
{
    struct redis *redis = l->store->redis;
    struct store_call *call = l->call;

    for (size_t i = 0; i < l->count && call->result == STORE_DONE; i++) {
        const struct record *one = &l->records[i];
        if (one->text.len > 0)
            l->each(call->arg, span_of(one->id), buf_span(&one->text));
        if (!redis_is_up(redis))
            store_call_note(call, NULL);
    }
    records_free(l->records, l->count);
    free(l);
    store_call_end(call);
}

static void one_less(struct listing *l)
{
    if (--l->waiting == 0)
        listing_end(l);
}

static void on_record(void *arg, const struct reply *r)
{
    struct record *one = arg;
    struct listing *l = one->listing;

    store_call_note(l->call, r);
    if (r && reply_kind(r) == REPLY_NIL)
        forget_node(l->store, span_of(one->id), NULL, NULL);
    else if (r && reply_kind(r) == REPLY_TEXT)
        buf_join(&one->text, reply_text(r));
    one_less(l);
}

static void on_ids(void *arg, const struct reply *r)
{
    struct listing *l = arg;
    struct store *s = l->store;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(l->call, r);
    l->count = count;
    l->waiting = count + 1;
    l->records = mem_zero((count + 1) * sizeof(*l->records));
    for (size_t i = 0; i < count; i++) {
        l->records[i].listing = l;
        l->records[i].id = span_text(reply_text(reply_at(r, i)));
    }
    qsort(l->records, count, sizeof(*l->records), compare_records);
    for (size_t i = 0; i < count; i++) {
        struct span get[] = {span_of("GET"), store_name(s, NODE_KEY, span_of(l->records[i].id))};
        redis_command(s->redis, on_record, &l->records[i], 2, get);
    }
    one_less(l);
}

void store_nodes(struct store *s, store_each *each, store_done *done, void *arg)
{
    struct listing *l = mem_zero(sizeof(*l));
    struct span members[] = {span_of("SMEMBERS"), span_of(NODES_KEY)};

    l->store = s;
    l->each = each;
    l->call = store_call(s, done, arg, 0);
    redis_command(s->redis, on_ids, l, 2, members);
}

/* --- the catalog --------------------------------------------------------------------------- */

void store_catalog_put(struct store *s, struct span text)
{
    struct span set[] = {span_of("SET"), span_of(CATALOG_KEY), text};

    redis_command(s->redis, NULL, NULL, 3, set);
}

struct text_call {
    store_text *got;
    void *arg;
};

static void on_text(void *arg, const struct reply *r)
{
    struct text_call *c = arg;
    enum store_result result = STORE_DONE;

    if (!r)
        result = STORE_UNAVAILABLE;
    else if (reply_kind(r) == REPLY_ERROR)
        result = STORE_REFUSED;
    c->got(c->arg, result, r ? reply_text(r) : (struct span){0});
    free(c);
}

void store_get(struct store *s, struct span key, store_text *got, void *arg)
{
    struct text_call *c = mem_alloc(sizeof(*c));
    struct span get[] = {span_of("GET"), key};

    *c = (struct text_call){got, arg};
    redis_command(s->redis, on_text, c, 2, get);
}

void store_catalog_get(struct store *s, store_text *got, void *arg)
{
    store_get(s, span_of(CATALOG_KEY), got, arg);
}
