/* What clang-tidy has to be told, as it looks at one file at a time: it reads this first, before
 * every file but lib/fault.c. */
#include "../../lib/fault.h"
#include <uthash.h>
#include <utlist.h>

/* These return -1, always: otherwise it follows the path on which a failure was none. */
#define fault_set(...) (fault_set(__VA_ARGS__), -1)
#define fault_at(...)  (fault_at(__VA_ARGS__), -1)

/* That an item is in the list which it is taken out of is not to be seen from its pointers. */
void taken_out(void *head, const void *item);
#undef HASH_DEL
#undef HASH_DELETE
#define HASH_DEL(head, item)            taken_out(&(head), item)
#define HASH_DELETE(handle, head, item) taken_out(&(head), item)
#undef DL_DELETE
#undef DL_DELETE2
#define DL_DELETE(head, item)              taken_out(&(head), item)
#define DL_DELETE2(head, item, prev, next) taken_out(&(head), item)
