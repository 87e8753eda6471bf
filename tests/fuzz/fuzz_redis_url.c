/* Any bytes as the URL of a Redis: what is taken makes sense, and a password is never shown. */
#include "redis.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void server_makes_sense(const struct redis_node *n)
{
    assert((!n->path) != (!n->host));
    assert(n->db >= 0 && n->label && n->label[0] != '\0');
    assert(!n->user || (n->user[0] != '\0' && n->password));
    if (n->path)
        assert(n->path[0] != '\0' && strlen(n->path) < sizeof(((struct sockaddr_un *)0)->sun_path));
    else
        assert(n->host[0] != '\0' && n->port >= 1 && n->port <= 65535);
}

static void makes_sense(const struct redis_address *a)
{
    assert(a->count > 0 && a->label && a->label[0] != '\0');
    for (size_t i = 0; i < a->count; i++)
        server_makes_sense(&a->nodes[i]);
}

static bool holds(const char *text, const char *secret)
{
    return strstr(text, secret) != NULL;
}

/* A URL whose password begins with the secret, which neither label nor fault may show. */
static void password_is_hidden(const char *scheme, const char *rest)
{
    static const char secret[] = "hunter2";
    struct redis_address a;
    struct buf url = {0};
    struct fault f = {""};

    if (holds(rest, secret))
        return;
    buf_printf(&url, "%s%s%s", scheme, secret, rest);
    if (redis_address_parse(&a, buf_span(&url), &f) == 0) {
        makes_sense(&a);
        const char *password = a.like.password ? a.like.password : a.nodes[0].password;
        assert(strncmp(password, secret, strlen(secret)) == 0);
        assert(!holds(a.label, secret));
        redis_address_fini(&a);
    } else {
        assert(f.text[0] != '\0' && !holds(f.text, secret));
    }
    buf_fini(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct redis_address a;
    struct fault f = {""};

    if (redis_address_parse(&a, text, &f) == 0) {
        makes_sense(&a);
        redis_address_fini(&a);
    } else {
        assert(f.text[0] != '\0' && !a.label && !a.nodes);
    }

    struct buf rest = {0};
    char *own = span_text(text);
    buf_printf(&rest, "@%s", own);
    password_is_hidden("redis://:", rest.at);
    password_is_hidden("redis://ann:", rest.at);
    password_is_hidden("redis+sentinel://ann:", rest.at);
    password_is_hidden("unix://ann:", rest.at);
    /* Who forgets the @ has no host at all, and is told so without the password too. */
    if (!strchr(own, '@')) {
        password_is_hidden("redis://:", own);
        password_is_hidden("redis://ann:", own);
        password_is_hidden("unix://ann:", own);
    }
    password_is_hidden("redis+sentinel://h:1/main?sentinel-password=", own);
    free(own);
    buf_fini(&rest);
    return 0;
}
