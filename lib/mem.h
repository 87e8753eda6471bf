/* Memory that cannot be refused.
 *
 * Out of memory ends the process with a message: neither a gateway nor a tool can keep its
 * promises without it, and a supervisor starts it afresh. So no caller checks for NULL. */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

/* As malloc, calloc and realloc, but never NULL. Freed by free(). */
void *mem_alloc(size_t bytes);
void *mem_zero(size_t bytes);
void *mem_resize(void *old, size_t bytes);

/* A NUL-terminated copy of len bytes, or of a string. Freed by free(). */
char *mem_copy(const char *at, size_t len);
char *mem_text(const char *text);

#endif
