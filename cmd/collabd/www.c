#include "www.h"
#include "settings.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { DIRECTORY = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

/* A page takes scripts, styles and pictures from here, talks to here, and is in no other's frame.
 * Its address may hold what is nobody else's business. */
static const char page_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; media-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n";

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/vnd.microsoft.icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
};

static const char *type_of(const char *name)
{
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(suffix, types[i].suffix) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* --- the path ----------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* Takes the next segment off a path, decoded: false when it is no name of a file that is served.
 * What ends with a slash has an empty last segment. */
static bool take_segment(struct span *path, char name[NAME_MAX + 1])
{
    size_t len = 0;
    span_drop(path, 1); /* the slash */
    while (path->len && *path->at != '/') {
        int c = (unsigned char)*path->at;
        if (c == '%') {
            int high = path->len > 2 ? hex_digit(path->at[1]) : -1;
            int low = path->len > 2 ? hex_digit(path->at[2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            span_drop(path, 2);
        }
        span_drop(path, 1);
        if (c < ' ' || c == '/' || c == '\\' || c == 0x7f || len == NAME_MAX)
            return false;
        name[len++] = (char)c;
    }
    name[len] = '\0';
    return name[0] != '.';
}

/* Opens what a name in a directory stands for, and closes the directory. */
static int step(int directory, const char *name, int flags)
{
    int fd = openat(directory, name, flags | O_NOFOLLOW);
    close(directory);
    return fd;
}

/* The file that a path leads to; name: its last part. -1: none. */
static int open_file(const char *root, struct span path, char name[NAME_MAX + 1])
{
    int directory = open(root, DIRECTORY);
    while (directory >= 0) {
        if (!path.len || *path.at != '/' || !take_segment(&path, name))
            break;
        if (!path.len) {
            if (!name[0])
                strcpy(name, "index.html");
            return step(directory, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        }
        if (!name[0])
            break;
        directory = step(directory, name, DIRECTORY);
    }
    if (directory >= 0)
        close(directory);
    return -1;
}

/* --- answers ------------------------------------------------------------------------------ */

static bool read_all(int fd, size_t bytes, struct buf *out)
{
    while (out->len < bytes) {
        ssize_t n = read(fd, buf_room(out, bytes), bytes - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* shorter than it was a moment ago */
        out->len += (size_t)n;
    }
    return out->len == bytes;
}

static bool answer_file(struct web_exchange *x, int fd, size_t bytes, const char *name)
{
    struct buf body = {0};
    bool whole = read_all(fd, bytes, &body);
    const struct web_answer a = {
        .status = 200, .type = type_of(name), .headers = page_headers, .body = buf_span(&body)};
    if (whole)
        x->answer(x, &a);
    buf_fini(&body);
    return whole;
}

/* A directory's page stands at its path with a slash, so that what it names is found from there. */
static bool answer_directory(struct web_exchange *x)
{
    struct buf headers = {0};
    const struct web_request *r = x->request;
    buf_text(&headers, "Location: ");
    buf_join(&headers, r->path);
    buf_char(&headers, '/');
    if (r->query.len)
        buf_char(&headers, '?');
    buf_join(&headers, r->query);
    buf_text(&headers, "\r\n");
    const struct web_answer a = {.status = 301,
                                 .type = "text/plain; charset=utf-8",
                                 .headers = headers.at,
                                 .body = span_of("the slash was missing\n")};
    x->answer(x, &a);
    buf_fini(&headers);
    return true;
}

bool www_answer(const struct gateway *g, struct web_exchange *x)
{
    char name[NAME_MAX + 1] = "";
    struct stat st;
    bool answered = false;
    const struct web_request *r = x->request;
    if (!g->settings.www || (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0))
        return false;
    int fd = open_file(g->settings.www, r->path, name);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        answered = answer_directory(x);
    else if (S_ISREG(st.st_mode) && st.st_size <= WWW_BYTES_MAX)
        answered = answer_file(x, fd, (size_t)st.st_size, name);
    close(fd);
    return answered;
}

int www_check(const struct gateway *g, struct fault *f)
{
    const char *root = g->settings.www;
    int fd = root ? open(root, DIRECTORY) : -1;
    if (root && fd < 0)
        return fault_set(f, "--www: %s: %s", root, uv_strerror(-errno));
    if (fd >= 0)
        close(fd);
    return 0;
}
