#include "fill.h"
#include <stdio.h>
#include <string.h>

static const struct span *find(const struct fill_value *values, size_t count, char letter)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].letter == letter)
            return &values[i].text;
    return NULL;
}

void fill_text(struct buf *out, const char *text, const struct fill_value *values, size_t count)
{
    for (const char *sign = strchr(text, '%'); sign; sign = strchr(text, '%')) {
        const struct span *value = find(values, count, sign[1]);
        buf_add(out, text, (size_t)(sign - text));
        if (value)
            buf_join(out, *value);
        else
            buf_char(out, '%');
        text = sign + (value || sign[1] == '%' ? 2 : 1);
    }
    buf_text(out, text);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

/* Decodes what follows a backslash; returns how many characters that is, or 0. */
static size_t unescape_one(struct buf *out, const char *at)
{
    static const char letters[] = "rnt\\", meanings[] = "\r\n\t\\";
    const char *letter = *at ? strchr(letters, *at) : NULL;
    if (letter) {
        buf_char(out, meanings[letter - letters]);
        return 1;
    }
    int high = *at == 'x' ? hex_digit(at[1]) : -1;
    int low = high >= 0 ? hex_digit(at[2]) : -1;
    if (low < 0)
        return 0;
    buf_char(out, (char)(high * 16 + low));
    return 3;
}

int fill_unescape(struct buf *out, const char *text, struct fault *f)
{
    for (const char *slash = strchr(text, '\\'); slash; slash = strchr(text, '\\')) {
        buf_add(out, text, (size_t)(slash - text));
        size_t len = unescape_one(out, slash + 1);
        if (len == 0)
            return fault_set(f, "%s: not an escape: it takes \\r, \\n, \\t, \\\\ and \\xHH",
                             fault_quote((struct span){slash, strnlen(slash, 4)}));
        text = slash + 1 + len;
    }
    buf_text(out, text);
    return 0;
}
