#include "process.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { FILE_BYTES = 8192 };

/* Reads a file of /proc, which has to be done in one go. */
static int read_file(int64_t pid, const char *name, char *text, struct fault *f)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%" PRId64 "/%s", pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return fault_set(f, "process %" PRId64 ": %s", pid,
                         errno == ENOENT ? "there is none" : uv_strerror(-errno));
    size_t len = fread(text, 1, FILE_BYTES - 1, file);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    if (error)
        return fault_set(f, "process %" PRId64 ": %s", pid, uv_strerror(-error));
    text[len] = '\0';
    return 0;
}

/* Takes a number, and the white space before it. */
static int take_number(const char **at, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(*at, &end, 10);
    if (end == *at || errno != 0)
        return -1;
    *at = end;
    *out = n;
    return 0;
}

/* proc(5): fields 14 and 15 count clock ticks. Field 2 is in parentheses and may hold anything,
 * field 3 is a letter, and those between are numbers. */
static int read_ticks(const char *stat, int64_t *ticks)
{
    const char *at = strrchr(stat, ')');
    int64_t number = 0, user = 0;
    if (!at || strlen(at) < strlen(") R "))
        return -1;
    at += strlen(") R");
    for (int field = 4; field <= 15; field++) {
        user = number;
        if (take_number(&at, &number) < 0)
            return -1;
    }
    *ticks = user + number;
    return 0;
}

int process_cpu(int64_t pid, int64_t *cpu_ms, struct fault *f)
{
    char text[FILE_BYTES];
    int64_t ticks;
    if (read_file(pid, "stat", text, f) < 0)
        return -1;
    if (read_ticks(text, &ticks) < 0)
        return fault_set(f, "process %" PRId64 ": its stat is of an unknown form", pid);
    *cpu_ms += ticks * 1000 / sysconf(_SC_CLK_TCK);
    return 0;
}

int process_memory(int64_t pid, int64_t *bytes, struct fault *f)
{
    static const char name[] = "\nPss:";
    char text[FILE_BYTES];
    int64_t kib;
    if (read_file(pid, "smaps_rollup", text, f) < 0)
        return -1;
    const char *at = strstr(text, name);
    at = at ? at + strlen(name) : "";
    if (take_number(&at, &kib) < 0)
        return fault_set(f, "process %" PRId64 ": its smaps_rollup is of an unknown form", pid);
    *bytes += kib * 1024;
    return 0;
}

/* --- of this process ----------------------------------------------------------------------- */

static void add(struct buf *out, const char *labels, const char *name, const char *kind,
                const char *help, double value)
{
    bool braces = labels[0] != '\0';
    buf_printf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s%s%s%s %.15g\n", name,
               help, name, kind, name, braces ? "{" : "", labels, braces ? "}" : "", value);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* -1: not known. The second number of statm is pages in memory (proc(5)). */
static int64_t resident_bytes(void)
{
    char text[FILE_BYTES];
    const char *at = text;
    struct fault f;
    int64_t pages;
    if (read_file(getpid(), "statm", text, &f) < 0 || take_number(&at, &pages) < 0 ||
        take_number(&at, &pages) < 0)
        return -1;
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    int64_t n = -1; /* for the directory's own */
    if (!dir)
        return -1;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

void process_prometheus(const char *labels, struct buf *out)
{
    struct rlimit most;
    int64_t bytes = resident_bytes(), descriptors = open_descriptors();
    add(out, labels, "cpu_seconds_total", "counter", "CPU time used, in seconds.", cpu_seconds());
    if (bytes >= 0)
        add(out, labels, "resident_memory_bytes", "gauge", "Memory in use, in bytes.",
            (double)bytes);
    if (descriptors >= 0)
        add(out, labels, "open_fds", "gauge", "File descriptors that are open.",
            (double)descriptors);
    if (getrlimit(RLIMIT_NOFILE, &most) == 0)
        add(out, labels, "max_fds", "gauge", "File descriptors that may be open.",
            (double)most.rlim_cur);
}
