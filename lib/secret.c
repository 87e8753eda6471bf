#include "secret.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>
#include <uv.h>

int secret_open(int dir, const char *name, struct stat *st, struct fault *f)
{
    /* O_NONBLOCK: a FIFO must not hold us up. */
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return fault_set(f, "%s", uv_strerror(-errno));
    if (fstat(fd, st) == 0)
        return fd;
    fault_set(f, "%s", uv_strerror(-errno));
    close(fd);
    return -1;
}

int secret_check_owner(const struct stat *st, struct fault *f)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return fault_set(f, "belongs to user %u, and not to us (%u) or root", st->st_uid,
                         geteuid());
    return 0;
}

int secret_check_mode(const struct stat *st, mode_t bits, const char *what, const char *mode,
                      const char *path, struct fault *f)
{
    if ((st->st_mode & bits) == 0)
        return 0;
    return fault_set(f, "mode %04o lets others %s it: chmod %s %s", (unsigned)st->st_mode & 07777,
                     what, mode, path);
}

int secret_check_access(const struct stat *st, bool secret, const char *path, struct fault *f)
{
    if (secret)
        return secret_check_mode(st, 077, st->st_mode & 044 ? "read" : "change", "600", path, f);
    return secret_check_mode(st, 022, "change", "644", path, f);
}

int secret_read(int fd, const struct stat *st, struct buf *out, struct fault *f)
{
    if (!S_ISREG(st->st_mode))
        return fault_set(f, "neither a file nor a directory");
    if (secret_check_owner(st, f) != 0)
        return -1;
    if (st->st_size > SECRET_FILE_BYTES_MAX)
        return fault_set(f, "larger than any key");
    buf_room(out, SECRET_FILE_BYTES_MAX);
    while (out->len < (size_t)st->st_size) {
        ssize_t n = read(fd, out->at + out->len, (size_t)st->st_size - out->len);
        if (n < 0)
            return fault_set(f, "%s", uv_strerror(-errno));
        if (n == 0)
            break;
        out->len += (size_t)n;
    }
    return 0;
}

int secret_load(const char *path, bool secret, struct buf *out, struct fault *f)
{
    struct stat st;
    int fd = secret_open(AT_FDCWD, path, &st, f);

    if (fd < 0)
        return -1;
    int result = S_ISREG(st.st_mode) ? secret_read(fd, &st, out, f) : fault_set(f, "it is no file");
    if (result == 0)
        result = secret_check_access(&st, secret, path, f);
    close(fd);
    return result;
}

void secret_wipe(struct buf *b)
{
    if (b->at)
        OPENSSL_cleanse(b->at, b->cap);
    buf_fini(b);
}
