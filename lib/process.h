/* What other processes use, from /proc (Linux). */
#ifndef PROCESS_H
#define PROCESS_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>
#include <stdint.h>

/* Adds to *cpu_ms the CPU time, in user and kernel mode, of a process since it began. Returns 0,
 * or -1 with a fault. */
int process_cpu(int64_t pid, int64_t *cpu_ms, struct fault *f);

/* Adds to *bytes the memory of a process: its own pages, and its share of those it shares. */
int process_memory(int64_t pid, int64_t *bytes, struct fault *f);

/* Appends what this process uses as Prometheus text, by the names that its client libraries have
 * for that; labels like `node="a"`, or "". What can't be had is left out. */
void process_prometheus(const char *labels, struct buf *out);

#endif
