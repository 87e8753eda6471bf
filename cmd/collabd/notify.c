#include "notify.h"
#include "clock.h"
#include "num.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An address that begins with @ is of the abstract namespace (unix(7)). */
static socklen_t read_address(const char *path, struct sockaddr_un *a)
{
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(a->sun_path))
        return 0;
    memcpy(a->sun_path, path, len + 1);
    if (path[0] == '@')
        a->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
}

/* There is nobody to complain to. */
static void tell(const char *what)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = path ? read_address(path, &a) : 0;
    int fd = len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    sendto(fd, what, strlen(what), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&a, len);
    close(fd);
}

void notify_ready(const char *status)
{
    char text[256];
    snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
    tell(text);
}

void notify_reloading(void)
{
    char text[64];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_steady_ns() / 1000);
    tell(text);
}

void notify_stopping(void)
{
    tell("STOPPING=1");
}

void notify_alive(void)
{
    tell("WATCHDOG=1");
}

int64_t notify_watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *period = getenv("WATCHDOG_USEC");
    int64_t number;
    struct fault f;
    if (pid && (num_parse(span_of(pid), 1, INT32_MAX, &number, &f) != 0 || number != getpid()))
        return 0;
    if (!period || num_parse(span_of(period), 1000, INT64_MAX, &number, &f) != 0)
        return 0;
    return number / 1000;
}
