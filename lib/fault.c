#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    QUOTE_INPUT_BYTES = 40,
    QUOTE_BYTES = 4 * QUOTE_INPUT_BYTES + sizeof("\"\"..."), /* when all of it is \x00 */
    QUOTES = 4,
};

static void cut_to_utf8(char *text)
{
    size_t len = strlen(text);
    size_t start = len;

    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && span_utf8((struct span){text + start - 1, len - start + 1}) == 0)
        text[start - 1] = '\0';
}

static void set(struct fault *f, const char *text)
{
    if (snprintf(f->text, sizeof(f->text), "%s", text) >= (int)sizeof(f->text))
        cut_to_utf8(f->text);
}

/* The text is put together elsewhere: the arguments may be parts of the old one. */
int fault_set(struct fault *f, const char *format, ...)
{
    struct buf text = {0};
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    set(f, text.at);
    buf_fini(&text);
    return -1;
}

int fault_at(struct fault *f, const char *format, ...)
{
    struct buf text = {0};
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    buf_printf(&text, ": %s", f->text);
    set(f, text.at);
    buf_fini(&text);
    return -1;
}

static size_t escape(char *to, char c)
{
    static const char named[] = "\"\\\n\r\t";
    static const char letters[] = "\"\\nrt";
    const char *found = c != '\0' ? strchr(named, c) : NULL;

    if (!found)
        return (size_t)sprintf(to, "\\x%02x", (unsigned char)c);
    to[0] = '\\';
    to[1] = letters[found - named];
    return 2;
}

const char *fault_quote(struct span input)
{
    static char quotes[QUOTES][QUOTE_BYTES];
    static unsigned turn;
    char *out = quotes[turn++ % QUOTES];
    size_t used = 0;
    size_t i = 0;

    out[used++] = '"';
    while (i < input.len && i < QUOTE_INPUT_BYTES) {
        size_t len = span_printable((struct span){input.at + i, input.len - i});
        if (i + len > QUOTE_INPUT_BYTES)
            break;
        if (len == 0 || input.at[i] == '"' || input.at[i] == '\\') {
            used += escape(out + used, input.at[i++]);
            continue;
        }
        memcpy(out + used, input.at + i, len);
        used += len;
        i += len;
    }
    strcpy(out + used, i < input.len ? "\"..." : "\"");
    return out;
}
