/* Options and settings as rows of data: one row makes the flag, the environment variable, the
 * line in a settings file, the help text, the completions, and what the man page is checked by.
 *
 * A value comes from the first of these that has it: command line, environment, settings file,
 * the row's preset. Values are checked as they are read; the fault names where they came from and,
 * if they are no secret, the value ("--port=x", "$COLLAB_PORT=x", "/etc/collab.conf:3: port=x"). A
 * variable that is empty counts as unset.
 *
 * A settings file has lines `name = value`. A '#' that begins a line or follows white space begins
 * a comment; a value in "..." may hold one, and white space at its ends. A setting may stand there
 * once; that of a list, again, to add to it. */
#ifndef OPT_H
#define OPT_H

#include "fault.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum opt_kind {
    OPT_FLAG,   /* bool; in environment and file: true or false */
    OPT_TEXT,   /* char *; NULL without a preset */
    OPT_LIST,   /* struct opt_list; each use adds one; in environment and file: split at commas */
    OPT_INT,    /* int64_t within [min, max] */
    OPT_MS,     /* int64_t, milliseconds; written as num_parse_ms() takes it */
    OPT_BYTES,  /* int64_t, bytes; written as num_parse_bytes() takes it */
    OPT_RATE,   /* struct rate; written as num_parse_rate() takes it, or "off" */
    OPT_CHOICE, /* int: which of the words of arg, "text|json" */
};

struct opt_list {
    char **at;
    size_t count;
};

struct opt {
    char letter;      /* 0: none */
    const char *name; /* the long option, and the name in a settings file */
    const char *arg;  /* what the help calls its argument; NULL for a flag */
    enum opt_kind kind;
    size_t offset;      /* of the value in the program's settings struct */
    const char *preset; /* the default as a user would write it; NULL: none */
    int64_t min, max;   /* of OPT_INT, OPT_MS, OPT_BYTES, the count of OPT_RATE */
    const char *env;    /* the environment variable; NULL: none */
    const char *help;   /* what it does, in a line or two */
    bool first;         /* of those that most people need: see opt_help() */
    bool secret;        /* no fault may show the value */
    /* What an OPT_TEXT, or each of an OPT_LIST, must be; 0, or -1 with why not. NULL: anything. */
    int (*check)(const char *text, struct fault *f);
};

struct opt_program {
    const char *name;     /* "collab-emit" */
    const char *operands; /* "[FILE]"; "": there are none */
    const char *purpose;  /* one line */
    const struct opt *rows;
    size_t row_count;
};

/* What is left to do after parsing. */
enum opt_result { OPT_RUN, OPT_HELP, OPT_HELP_ALL, OPT_VERSION, OPT_WRONG };

/* Fills settings (all zero before). -h/--help, which the word "all" may follow, and -V/--version
 * belong to every program and stand in no table. GNU style: options and operands in any order, "--"
 * ends options, "--name=value", "--name value", "-C5", "-C 5", bundled flags; no abbreviations.
 * Operands are moved to the end of argv; *first is the index of the first. Where the program has
 * none, each is wrong usage. A row named "config" names the settings file, which must be there
 * unless only the row's preset names it. On OPT_RUN settings own what they point to, until
 * opt_free(); else they are as they were. The same argv may be read again, into other settings, to
 * have environment and file afresh. */
enum opt_result opt_parse(const struct opt_program *p, void *settings, int argc, char **argv,
                          int *first, struct fault *f);

/* Frees what the rows point to in settings. */
void opt_free(const struct opt_program *p, void *settings);

/* The help: of a program that marks rows as first, those only, and how to see all; else, and when
 * `all` was asked for, every row, in the form that the completions are made from. */
void opt_help(const struct opt_program *p, bool all, FILE *out);

#endif
