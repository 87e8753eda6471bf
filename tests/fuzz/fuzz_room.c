/* A pattern, a newline, a room: both are checked, and room_matches() is held against fnmatch(3). */
#include "room.h"
#include <assert.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a path name, with a slash for each colon. */
static char *path_of(struct span text)
{
    char *path = span_text(text);

    for (char *c = path; *c != '\0'; c++)
        if (*c == ':')
            *c = '/';
    return path;
}

/* Cuts path to as many segments as like has; false when it has no more than that. */
static bool cut(char *path, const char *like)
{
    for (;; like++) {
        path = strchr(path, '/');
        like = strchr(like, '/');
        if (!path || !like)
            break;
        path++;
    }
    if (path)
        *path = '\0';
    return path != NULL;
}

/* fnmatch's * stays within a segment; a last one that stands for several is cut off both. */
static bool matches(struct span pattern, struct span room)
{
    char *wanted = path_of(pattern), *path = path_of(room);
    bool open = pattern.len > 2 && strcmp(wanted + pattern.len - 2, "/*") == 0;

    if (open)
        wanted[pattern.len - 2] = '\0';
    bool long_enough = !open || cut(path, wanted);
    bool result = long_enough && fnmatch(wanted, path, FNM_PATHNAME) == 0;
    free(wanted);
    free(path);
    return result || span_is(pattern, "*");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    const char *newline = size != 0 ? memchr(data, '\n', size) : NULL;
    struct fault f;

    if (!newline)
        return 0;
    struct span pattern = {text.at, (size_t)(newline - text.at)};
    struct span room = {newline + 1, size - pattern.len - 1};
    bool is_pattern = room_check_pattern(pattern, &f) == 0;
    bool is_room = room_check(room, &f) == 0;
    assert(!is_room || room_check_pattern(room, &f) == 0);
    if (is_pattern && !memchr(pattern.at, '*', pattern.len))
        assert(room_check(pattern, &f) == 0);
    if (is_room)
        assert(room_matches(room, room) && room_matches(span_of("*"), room));
    if (is_room && is_pattern)
        assert(room_matches(pattern, room) == matches(pattern, room));
    return 0;
}
