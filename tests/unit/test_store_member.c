/* Members and presence in Redis: what each step changes, who is told, and that it is told once. */
#include "mem.h"
#include "store.h"
#include "store_member.h"
#include "store_presence.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct store *store;
    int ups, asked, dones;
    struct buf told;  /* what came of calls, each on a line */
    struct buf heard; /* types and data of events, each on a line */
};

static void on_up(void *ctx)
{
    ((struct trial *)ctx)->ups++;
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    (void)why;
}

static void on_event(void *ctx, struct span room, struct span text)
{
    struct trial *t = ctx;
    struct event e;
    struct fault f;

    assert_int_equal(event_parse(&e, text, false, &f), 0);
    buf_printf(&t->heard, "%.*s %.*s %.*s\n", (int)room.len, room.at, (int)e.type.len, e.type.at,
               (int)e.data.len, e.data.at);
}

static const struct store_hooks hooks = {.up = on_up, .down = on_down, .event = on_event};

static void done(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    (void)why;
    assert_int_equal(result, STORE_DONE);
    t->dones++;
}

static void wait_for_done(struct trial *t)
{
    run_until(&t->loop, &t->dones, ++t->asked);
}

/* Everything asked for so far has been answered. */
static void settle(struct trial *t)
{
    store_settle(t->store, done, t);
    wait_for_done(t);
}

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));
    struct span room = span_of("a:1");
    struct fault f;

    server_clean(&server);
    uv_loop_init(&t->loop);
    assert_int_equal(redis_address_parse(&t->address, span_of(server.url), &f), 0);
    t->store = store_open(&t->loop, &t->address, &hooks, t);
    run_until(&t->loop, &t->ups, 1);
    store_listen(t->store, &room, 1);
    settle(t);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    store_close(t->store);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    buf_fini(&t->told);
    buf_fini(&t->heard);
    free(t);
    return 0;
}

static void assert_said(struct buf *b, const char *lines)
{
    buf_char(b, '\0');
    assert_string_equal(b->at, lines);
    buf_clear(b);
}

/* --- members ------------------------------------------------------------------------------- */

static void changed(void *arg, enum store_result result, enum store_member_change change,
                    const char *why)
{
    static const char *const words[] = {"none", "added", "changed", "removed", "same"};
    struct trial *t = arg;

    assert_null(why);
    assert_int_equal(result, STORE_DONE);
    buf_printf(&t->told, "%s\n", words[change]);
    t->dones++;
}

static void change(struct trial *t, enum store_member_op op, const char *user, const char *role)
{
    struct event e = {
        .type = span_of("member"), .data = span_of("{}"), .room_count = 1, .version = -1};
    struct store_terms terms = {.expect = -1};
    struct store_member m = {
        .op = op, .room = span_of("a:1"), .user = span_of(user), .role = span_of(role)};

    e.rooms[0] = e.room = span_of("a:1");
    m.events.added = m.events.changed = m.events.removed = (struct store_member_event){&e, &terms};
    store_member_change(t->store, &m, changed, t);
    wait_for_done(t);
}

static void take(void *arg, struct span name, struct span role)
{
    struct trial *t = arg;

    buf_printf(&t->told, "%.*s %.*s\n", (int)name.len, name.at, (int)role.len, role.at);
}

static void got(void *arg, enum store_result result, struct span role, const char *why)
{
    struct trial *t = arg;

    (void)why;
    assert_int_equal(result, STORE_DONE);
    buf_printf(&t->told, "is \"%.*s\"\n", (int)role.len, role.at);
    t->dones++;
}

static void a_member_comes_changes_and_goes(void **state)
{
    struct trial *t = *state;

    change(t, STORE_MEMBER_ADD, "ann", "");
    change(t, STORE_MEMBER_ADD, "ann", "");
    change(t, STORE_MEMBER_ROLE, "ann", "owner");
    change(t, STORE_MEMBER_ADD, "ann", "");
    change(t, STORE_MEMBER_ROLE, "bob", "owner");
    assert_said(&t->told, "added\nsame\nchanged\nsame\nnone\n");
    store_member_get(t->store, span_of("a:1"), span_of("ann"), got, t);
    wait_for_done(t);
    store_members(t->store, span_of("a:1"), take, done, t);
    wait_for_done(t);
    store_member_rooms(t->store, span_of("ann"), take, done, t);
    wait_for_done(t);
    assert_said(&t->told, "is \"owner\"\nann owner\na:1 \n");
    change(t, STORE_MEMBER_REMOVE, "ann", "");
    change(t, STORE_MEMBER_REMOVE, "ann", "");
    store_member_get(t->store, span_of("a:1"), span_of("ann"), got, t);
    wait_for_done(t);
    store_members(t->store, span_of("a:1"), take, done, t);
    wait_for_done(t);
    store_member_rooms(t->store, span_of("ann"), take, done, t);
    wait_for_done(t);
    assert_said(&t->told, "removed\nnone\nis \"\"\n");
    settle(t);
    assert_said(&t->heard, "a:1 member {}\na:1 member {}\na:1 member {}\n");
}

static void names_of_members_are_any_text(void **state)
{
    struct trial *t = *state;

    change(t, STORE_MEMBER_ADD, "a {b} \"c\"\\ \xc3\xa9", "r");
    store_members(t->store, span_of("a:1"), take, done, t);
    wait_for_done(t);
    assert_said(&t->told, "added\na {b} \"c\"\\ \xc3\xa9 r\n");
}

/* --- presence ------------------------------------------------------------------------------ */

static void present(void *arg, enum store_result result, bool is_change, int64_t count)
{
    struct trial *t = arg;

    assert_int_equal(result, STORE_DONE);
    buf_printf(&t->told, "%s %d\n", is_change ? "changed" : "same", (int)count);
    t->dones++;
}

static void step(struct trial *t, bool enter, const char *owner, const char *user, int64_t crowd)
{
    struct event e = {.type = span_of(enter ? "in" : "out"),
                      .data = span_of("{}"),
                      .room_count = 1,
                      .version = -1};
    struct store_present p = {.place = STORE_IN_ROOM,
                              .enter = enter,
                              .owner = span_of(owner),
                              .room = span_of("a:1"),
                              .user = span_of(user),
                              .crowd = crowd,
                              .tale = {&e, 0, 0}};

    e.rooms[0] = e.room = span_of("a:1");
    store_present(t->store, &p, present, t);
    wait_for_done(t);
}

static void a_user_is_there_while_some_owner_says_so(void **state)
{
    struct trial *t = *state;

    step(t, true, "node1", "ann", 100);
    step(t, true, "node1", "ann", 100);
    step(t, true, "node2", "ann", 100);
    step(t, true, "node2", "bob", 100);
    step(t, false, "node1", "ann", 100);
    step(t, false, "node2", "ann", 100);
    step(t, false, "node2", "ann", 100);
    settle(t);
    assert_said(&t->told, "changed 1\nsame 1\nsame 1\nchanged 2\nsame 2\nchanged 1\nsame 1\n");
    assert_said(&t->heard, "a:1 in {}\na:1 in {}\na:1 out {}\n");
}

static void in_a_crowd_nobody_is_told(void **state)
{
    struct trial *t = *state;

    step(t, true, "node1", "ann", 1);
    step(t, true, "node1", "bob", 1);
    settle(t);
    assert_said(&t->heard, "a:1 in {}\n");
}

static void claimed(void *arg, enum store_result result, bool ours)
{
    struct trial *t = arg;

    assert_int_equal(result, STORE_DONE);
    buf_text(&t->told, ours ? "yes\n" : "no\n");
    t->dones++;
}

static void take_owner(void *arg, struct span owner, struct span node)
{
    struct trial *t = arg;

    buf_printf(&t->told, "%.*s %s\n", (int)owner.len, owner.at, node.len > 0 ? "lives" : "is dead");
}

static void a_life_that_ended_is_seen_and_cleared_by_one(void **state)
{
    struct trial *t = *state;

    store_owner_begin(t->store, span_of("life1"), span_of("n1"), 60000);
    store_owners(t->store, take_owner, done, t);
    wait_for_done(t);
    store_owner_renew(t->store, span_of("life1"), span_of("n1"), 60000, claimed, t);
    wait_for_done(t);
    assert_said(&t->told, "life1 lives\nyes\n");
    store_owner_end(t->store, span_of("life1"), 0);
    store_owners(t->store, take_owner, done, t);
    wait_for_done(t);
    store_owner_renew(t->store, span_of("life1"), span_of("n1"), 60000, claimed, t);
    wait_for_done(t);
    store_owner_claim(t->store, span_of("life1"), 60000, claimed, t);
    wait_for_done(t);
    store_owner_claim(t->store, span_of("life1"), 60000, claimed, t);
    wait_for_done(t);
    assert_said(&t->told, "life1 is dead\nno\nyes\nno\n");
    store_owner_forget(t->store, span_of("life1"));
    store_owners(t->store, take_owner, done, t);
    wait_for_done(t);
    assert_int_equal(t->told.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_comes_changes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_members_are_any_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_user_is_there_while_some_owner_says_so, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(in_a_crowd_nobody_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_life_that_ended_is_seen_and_cleared_by_one, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("store_member", tests, start_server, end_server);
}
