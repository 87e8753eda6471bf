#include "builtin.h"

/* The assembler runs at the root of the tree. */
__asm__(".pushsection .rodata\n"
        "builtin_catalog_text:\n"
        ".incbin \"examples/kanban/catalog.json\"\n"
        ".byte 0\n"
        ".popsection\n");

extern const char builtin_catalog_text[];

struct span builtin_catalog(void)
{
    return span_of(builtin_catalog_text);
}
