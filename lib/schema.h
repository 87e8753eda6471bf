/* Reading JSON that people write, strictly, by tables of rows: a row for each key that an object
 * may have, from which reading, messages and the check of the manual page come.
 *
 * Every fault begins with FILE:LINE:COLUMN. What is read goes into structs of the caller's; texts
 * and lists go into its arena. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "arena.h"
#include "fault.h"
#include "num.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCHEMA_ROWS_MAX = 32 };

/* What a read needs beside the value. */
struct schema_reader {
    struct span text; /* all of it, such as json_check() accepted */
    const char *file; /* its name, for faults */
    struct arena *arena;
    void *ctx; /* the caller's */
    struct fault *fault;
};

/* A read sets what `into` points to, or returns -1 with a fault. */
struct schema_row {
    const char *key;
    int (*read)(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into);
    size_t offset;      /* of what is set, in the caller's struct */
    const char *preset; /* what is read when the key is absent, as JSON; NULL: it stays zero;
                           schema_needed: it must be there */
    const void *arg;    /* words, or a schema; see the reads */
    int64_t min, max;   /* of a number or duration; of texts, their bytes */
};

extern const char schema_needed[];

/* Rows are read in their order, whatever the order in the file. */
struct schema {
    const char *name; /* "an event" */
    const struct schema_row *rows;
    size_t row_count;
    /* What no row can see by itself, after all of them; NULL: nothing. */
    int (*check)(struct schema_reader *r, struct span object, void *into);
};

/* Reads an object into a struct. An unknown key, or one that stands twice, is a fault. */
int schema_read(struct schema_reader *r, const struct schema *s, struct span object, void *into);

/* Reads. All but the first take no null. What `into` points to: */
int schema_name(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into); /* const char *; a text, or NULL for null */
int schema_text(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into); /* const char * */
int schema_texts(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into); /* const char *const *, NULL-terminated; one text is a list of one */
int schema_bool(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into); /* bool */
int schema_count(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into); /* int64_t */
int schema_ms(struct schema_reader *r, const struct schema_row *row, struct span value,
              void *into); /* int64_t; a text with a unit, "7d" */
int schema_bytes(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into); /* int64_t; a text, "256k" */
int schema_rate(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into); /* struct rate; a text, "100/1m"; min and max of the count */
int schema_word(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into); /* int: which of the words that arg is, NULL-terminated */
int schema_words(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into); /* unsigned: a bit for each such word; one text is a list of one */
int schema_object(struct schema_reader *r, const struct schema_row *row, struct span value,
                  void *into); /* the struct of the schema that arg is */

/* For reads of the caller's own. Whether a value is an object, whose keys are the user's to choose;
 * how many members it has, which must not be more than most. */
int schema_size(struct schema_reader *r, const struct schema_row *row, struct span value,
                size_t most, size_t *count);

/* Strings of a value that is one or an array of them, still
 * encoded; the array is the arena's. */
struct schema_list {
    struct span *at;
    size_t count;
};
int schema_list(struct schema_reader *r, const struct schema_row *row, struct span value,
                struct schema_list *out);

/* A string's text, of min to max bytes, none of them a control character; NULL: a fault. key: for
 * the fault. */
const char *schema_decode(struct schema_reader *r, const char *key, struct span string, int64_t min,
                          int64_t max);

/* Sets a fault about what stands at a place of the text. */
int schema_fault(struct schema_reader *r, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says that a key's value must be something that it isn't: "KEY: must be WANTED, not 5". */
int schema_wrong(struct schema_reader *r, const char *key, struct span value, const char *wanted);

/* A value for a message: a scalar as it stands, of what may be long its kind alone. Good until the
 * next few calls. */
const char *schema_show(struct span value);

/* Puts "KEY: " and the place before a fault that another module has set about a value. */
int schema_because(struct schema_reader *r, const char *key, struct span value);

/* The value of a key, for faults about it; the object itself when it is absent. */
struct span schema_place(struct span object, const char *key);

#endif
