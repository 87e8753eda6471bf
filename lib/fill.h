/* Text with placeholders: a percent sign and a letter stand for a value. */
#ifndef FILL_H
#define FILL_H

#include "buf.h"
#include "fault.h"

struct fill_value {
    char letter;
    struct span text;
};

/* Appends the text with each placeholder of a letter in values replaced; %% is a percent sign,
 * and one before any other letter stands for itself, so that a URL keeps its %2F. */
void fill_text(struct buf *out, const char *text, const struct fill_value *values, size_t count);

/* Appends the text with its escapes decoded: \r \n \t \\ \xHH. A fault says which is none. */
int fill_unescape(struct buf *out, const char *text, struct fault *f);

#endif
