#include "spool.h"
#include "mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

struct spool {
    char *waiting; /* paths */
    char *fresh;
    int dir;   /* held open, and locked */
    FILE *out; /* of fresh; NULL until something is added */
    size_t count;
    bool failed;
};

static char *join(const char *dir, const char *name)
{
    struct buf b = {0};

    buf_printf(&b, "%s/%s", dir, name);
    return b.at;
}

struct spool *spool_open(const char *dir, struct fault *f)
{
    int fd;

    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) ||
        (fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        fault_set(f, "%s: %s", dir, uv_strerror(-errno));
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        fault_set(f, "%s: another one is using it", dir);
        close(fd);
        return NULL;
    }
    struct spool *s = mem_zero(sizeof(*s));
    s->dir = fd;
    s->waiting = join(dir, "events");
    s->fresh = join(dir, "events.new");
    return s;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->out)
        fclose(s->out);
    close(s->dir);
    free(s->waiting);
    free(s->fresh);
    free(s);
}

char *spool_path(struct spool *s)
{
    return access(s->waiting, F_OK) == 0 ? s->waiting : NULL;
}

static int fail(struct spool *s, struct fault *f)
{
    s->failed = true;
    return fault_set(f, "%s: %s", s->fresh, uv_strerror(-errno));
}

static FILE *create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

int spool_add(struct spool *s, struct span record, struct fault *f)
{
    if (!s->out && !(s->out = create(s->fresh)))
        return fail(s, f);
    if (fwrite(record.at, 1, record.len, s->out) != record.len || putc('\n', s->out) == EOF)
        return fail(s, f);
    s->count++;
    return 0;
}

size_t spool_count(const struct spool *s)
{
    return s->count;
}

int spool_commit(struct spool *s, struct fault *f)
{
    if (s->failed)
        return fault_set(f, "%s: was not written", s->fresh);
    if (!s->out) {
        if (unlink(s->waiting) != 0 && errno != ENOENT)
            return fail(s, f);
    } else if (fflush(s->out) != 0 || fsync(fileno(s->out)) != 0 ||
               rename(s->fresh, s->waiting) != 0) {
        return fail(s, f);
    }
    return fsync(s->dir) == 0 ? 0 : fail(s, f);
}
