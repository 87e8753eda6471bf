#include "bookmark.h"
#include "json.h"
#include "mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include <uv.h>

struct mark {
    UT_hash_handle hh;
    struct place place;
    size_t len;
    char room[];
};

struct bookmark {
    struct mark *marks;
};

struct bookmark *bookmark_new(void)
{
    return mem_zero(sizeof(struct bookmark));
}

void bookmark_free(struct bookmark *b)
{
    struct mark *mark, *next;

    if (!b)
        return;
    HASH_ITER (hh, b->marks, mark, next) {
        HASH_DEL(b->marks, mark);
        free(mark);
    }
    free(b);
}

static struct mark *find(struct bookmark *b, struct span room)
{
    struct mark *mark;

    HASH_FIND(hh, b->marks, room.at, room.len, mark);
    return mark;
}

struct place *bookmark_find(struct bookmark *b, struct span room)
{
    struct mark *mark = find(b, room);

    return mark ? &mark->place : NULL;
}

struct place *bookmark_place(struct bookmark *b, struct span room, struct place fresh)
{
    struct mark *mark = find(b, room);

    if (!mark) {
        mark = mem_zero(sizeof(*mark) + room.len);
        mark->place = fresh;
        mark->len = room.len;
        memcpy(mark->room, room.at, room.len);
        HASH_ADD(hh, b->marks, room, room.len, mark);
    }
    return &mark->place;
}

void bookmark_each(struct bookmark *b, bookmark_room *each, void *arg)
{
    for (struct mark *mark = b->marks; mark; mark = mark->hh.next)
        each(arg, (struct span){mark->room, mark->len}, &mark->place);
}

/* --- the file ------------------------------------------------------------------------------ */

static int fail(const char *path, struct fault *f)
{
    return fault_set(f, "%s: %s", path, uv_strerror(-errno));
}

static int read_file(const char *path, struct buf *text, struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? 0 : fail(path, f);
    while ((n = read(fd, buf_room(text, 65536), 65536)) > 0)
        text->len += (size_t)n;
    int result = n == 0 ? 1 : fail(path, f);
    close(fd);
    return result;
}

static bool take_rooms(struct bookmark *b, struct span rooms)
{
    struct json_walk w = json_walk(rooms);
    struct span room, id;
    struct place p;

    while (json_next_member(&w, &room, &id)) {
        if (json_type(id) != JSON_STRING || place_parse(json_inside(id), &p) != 0)
            return false;
        *bookmark_place(b, json_inside(room), p) = p;
    }
    return true;
}

static int64_t number(struct span object, const char *name)
{
    struct span value;
    int64_t out;

    return json_get(object, name, &value) && json_int(value, &out) == 0 ? out : -1;
}

/* Only if it is the very file, and longer than it was. */
static int cut_output(struct span is, int output, struct fault *f)
{
    struct stat st;
    int64_t bytes = number(is, "bytes");

    if (fstat(output, &st) != 0 || !S_ISREG(st.st_mode) || bytes < 0 || st.st_size <= bytes ||
        number(is, "device") != (int64_t)st.st_dev || number(is, "inode") != (int64_t)st.st_ino)
        return 0;
    if (ftruncate(output, bytes) != 0 || lseek(output, bytes, SEEK_SET) < 0)
        return fail("standard output", f);
    return 0;
}

int bookmark_load(struct bookmark *b, const char *path, int output, struct fault *f)
{
    struct buf text = {0};
    struct span rooms, is;
    struct fault why;
    int result = read_file(path, &text, f);

    if (result > 0) {
        if (json_check(buf_span(&text), &why) != 0)
            result = fault_set(f, "%s: %s", path, why.text);
        else if (!json_get(buf_span(&text), "rooms", &rooms) || !take_rooms(b, rooms))
            result = fault_set(f, "%s: holds no places in rooms", path);
        else if (json_get(buf_span(&text), "output", &is) && cut_output(is, output, f) != 0)
            result = -1;
    }
    buf_fini(&text);
    return result;
}

/* A file open for appending is written at its end, where a process that wrote nothing to it yet
 * does not stand. */
static off_t position(int output)
{
    int flags = fcntl(output, F_GETFL);

    return lseek(output, 0, flags >= 0 && flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

static void write_output(struct buf *out, int output)
{
    struct stat st;
    off_t at = position(output);

    if (fstat(output, &st) != 0 || !S_ISREG(st.st_mode) || at < 0)
        return;
    buf_printf(out,
               "\"output\":{\"device\":%" PRId64 ",\"inode\":%" PRId64 ",\"bytes\":%" PRId64 "},",
               (int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)at);
}

static void write_rooms(const struct bookmark *b, uint64_t none, struct buf *out)
{
    char id[PLACE_BYTES];
    const char *lead = "\"rooms\":{\"";

    for (const struct mark *m = b->marks; m; m = m->hh.next) {
        if (m->place.epoch == none)
            continue;
        place_format(m->place, id);
        buf_printf(out, "%s%.*s\":\"%s\"", lead, (int)m->len, m->room, id);
        lead = ",\n\"";
    }
    buf_text(out, lead[0] == ',' ? "}}\n" : "\"rooms\":{}}\n");
}

static int replace(const char *path, const char *fresh, struct span text, struct fault *f)
{
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0)
        return fail(fresh, f);
    bool written = write(fd, text.at, text.len) == (ssize_t)text.len;
    if (close(fd) != 0 || !written)
        return fail(fresh, f);
    return rename(fresh, path) == 0 ? 0 : fail(path, f);
}

int bookmark_save(struct bookmark *b, const char *path, int output, uint64_t none, struct fault *f)
{
    struct buf text = {0}, fresh = {0};

    buf_char(&text, '{');
    write_output(&text, output);
    write_rooms(b, none, &text);
    buf_printf(&fresh, "%s.new", path);
    int result = replace(path, fresh.at, buf_span(&text), f);
    buf_fini(&text);
    buf_fini(&fresh);
    return result;
}
