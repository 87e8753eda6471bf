#include "opt.h"

#include "mem.h"
#include "near.h"
#include "num.h"
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum {
    FILE_BYTES_MAX = 1 << 20, /* of a settings file */
    HELP_COLUMN = 26,
    HELP_COLUMNS = 80,
};

/* What every program has beside its own rows. */
static const struct opt common[] = {
    {.letter = 'h',
     .name = "help",
     .arg = "all",
     .kind = OPT_FLAG,
     .first = true,
     .help = "show this help, or all of it"},
    {.letter = 'V', .name = "version", .kind = OPT_FLAG, .first = true, .help = "show the version"},
};
enum { COMMON_COUNT = sizeof(common) / sizeof(common[0]) };

/* A later one counts for more. */
enum source { FROM_NOTHING, FROM_PRESET, FROM_FILE, FROM_ENV, FROM_ARGV };

/* What a row's value is to become, if nothing turns out to be wrong. */
struct value {
    enum source source;
    int line;       /* of the settings file, where that sets it */
    int64_t number; /* of all kinds but those below */
    struct rate rate;
    char *text;
    struct opt_list list;
};

struct parse {
    const struct opt_program *p;
    struct value *values; /* one a row */
    struct fault *f;
};

/* --- One value --- */

static void list_fini(struct opt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i]);
    free(list->at);
    *list = (struct opt_list){0};
}

static void list_add(struct opt_list *list, char *text)
{
    list->at = mem_resize(list->at, (list->count + 1) * sizeof(list->at[0]));
    list->at[list->count++] = text;
}

static void value_fini(struct value *v)
{
    free(v->text);
    list_fini(&v->list);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.len > 0 && is_space(s.at[0]))
        span_drop(&s, 1);
    while (s.len > 0 && is_space(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* Takes what stands before the next mark, and the mark. */
static struct span take_until(struct span *rest, char mark)
{
    const char *found = rest->len != 0 ? memchr(rest->at, mark, rest->len) : NULL;
    struct span part = {rest->at, found ? (size_t)(found - rest->at) : rest->len};

    span_drop(rest, part.len + (found != NULL));
    return part;
}

static void read_list(struct span text, enum source from, struct opt_list *out)
{
    if (from == FROM_ARGV) {
        list_add(out, span_text(text));
        return;
    }
    while (text.len > 0) {
        struct span part = trim(take_until(&text, ','));
        if (part.len > 0)
            list_add(out, span_text(part));
    }
}

static int read_flag(struct span text, int64_t *out, struct fault *f)
{
    *out = span_is(text, "true");
    return *out || span_is(text, "false") ? 0 : fault_set(f, "neither true nor false");
}

static int read_choice(const struct opt *row, struct span text, int64_t *out, struct fault *f)
{
    struct span words = span_of(row->arg);
    struct buf all = {0};

    for (*out = 0; words.len > 0; (*out)++) {
        struct span word = take_until(&words, '|');
        if (span_equal(word, text)) {
            buf_fini(&all);
            return 0;
        }
        buf_text(&all, all.len > 0 ? ", " : "");
        buf_join(&all, word);
    }
    fault_set(f, "not one of %s", all.at);
    buf_fini(&all);
    return -1;
}

static int read_rate(const struct opt *row, struct span text, struct rate *out, struct fault *f)
{
    if (!span_is(text, "off"))
        return num_parse_rate(text, row->min, row->max, out, f);
    *out = (struct rate){RATE_OFF, 1000};
    return 0;
}

static int read_value(const struct opt *row, struct span text, struct value *v, struct fault *f)
{
    switch (row->kind) {
    case OPT_FLAG:
        return read_flag(text, &v->number, f);
    case OPT_TEXT:
        v->text = span_text(text);
        return 0;
    case OPT_LIST:
        read_list(text, v->source, &v->list);
        return 0;
    case OPT_INT:
        return num_parse(text, row->min, row->max, &v->number, f);
    case OPT_MS:
        return num_parse_ms(text, row->min, row->max, &v->number, f);
    case OPT_BYTES:
        return num_parse_bytes(text, row->min, row->max, &v->number, f);
    case OPT_RATE:
        return read_rate(row, text, &v->rate, f);
    case OPT_CHOICE:
        return read_choice(row, text, &v->number, f);
    }
    assert(false);
    return -1;
}

/* Input for a message: quoted, unless it reads the same without. */
static const char *shown(struct span text)
{
    static char bare[64];
    const char *quoted = fault_quote(text);
    struct span inner = {quoted + 1, strlen(quoted) - 2};

    if (text.len == 0 || !span_equal(inner, text) || memchr(text.at, ' ', text.len))
        return quoted;
    memcpy(bare, text.at, text.len);
    bare[text.len] = '\0';
    return bare;
}

/* Takes over what v holds, unless something that counts for more is there. */
static void keep(struct value *old, struct value *v)
{
    if (old->source > v->source) {
        value_fini(v);
        return;
    }
    if (old->source == v->source) {
        for (size_t i = 0; i < v->list.count; i++)
            list_add(&old->list, v->list.at[i]);
        free(v->list.at);
        v->list = old->list;
        old->list = (struct opt_list){0};
    }
    value_fini(old);
    *old = *v;
}

/* Puts before the fault where the value came from, and what it is. */
static int wrong_value(const struct opt *row, const char *origin, struct span text, struct fault *f)
{
    if (row->secret)
        return fault_at(f, "%s", origin);
    return fault_at(f, "%s=%s", origin, shown(text));
}

static int check_texts(const struct opt *row, const struct value *v, const char *origin,
                       struct fault *f)
{
    if (row->check && v->text && row->check(v->text, f) != 0)
        return wrong_value(row, origin, span_of(v->text), f);
    for (size_t i = 0; row->check && i < v->list.count; i++)
        if (row->check(v->list.at[i], f) != 0)
            return wrong_value(row, origin, span_of(v->list.at[i]), f);
    return 0;
}

/* Reads a value that came from `origin` ("--port"), which a fault names. */
static int set(struct parse *k, size_t i, enum source from, const char *origin, struct span text)
{
    const struct opt *row = &k->p->rows[i];
    struct value v = {.source = from, .line = k->values[i].line};

    if (read_value(row, text, &v, k->f) != 0)
        return wrong_value(row, origin, text, k->f);
    if (check_texts(row, &v, origin, k->f) != 0) {
        value_fini(&v);
        return -1;
    }
    keep(&k->values[i], &v);
    return 0;
}

/* --- Names --- */

/* The name most like it, if its unlikeness is below the limit, which that then becomes. */
static const char *likest(const struct opt *rows, size_t count, struct span wrong, int *limit)
{
    const char *found = NULL;

    for (size_t i = 0; i < count; i++) {
        int far = near_distance(wrong, rows[i].name);
        if (far >= *limit)
            continue;
        *limit = far;
        found = rows[i].name;
    }
    return found;
}

static const struct opt *find_name(const struct opt *rows, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++)
        if (span_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static const struct opt *find_letter(const struct opt *rows, size_t count, char letter)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].letter == letter)
            return &rows[i];
    return NULL;
}

/* --- The command line --- */

struct args {
    int argc;
    char **argv;
    int at;                 /* the argument being read */
    enum opt_result result; /* other than OPT_RUN: that is the end of it */
};

static int unknown_option(struct parse *k, struct span name)
{
    int limit = NEAR_NOT;
    const char *own = likest(k->p->rows, k->p->row_count, name, &limit);
    const char *shared = likest(common, COMMON_COUNT, name, &limit);
    const char *right = shared ? shared : own;

    if (right)
        return fault_set(k->f, "unknown option --%s (did you mean --%s?)", shown(name), right);
    return fault_set(k->f, "unknown option --%s", shown(name));
}

/* value: what was given with the option itself; NULL: the next argument is it, if there must be
 * one. */
static int use_row(struct parse *k, struct args *a, const struct opt *row, const char *value)
{
    struct buf origin = {0};

    if (row->kind == OPT_FLAG) {
        value = "true";
    } else if (!value) {
        if (a->at + 1 == a->argc)
            return fault_set(k->f, "option --%s needs a value", row->name);
        value = a->argv[++a->at];
    }
    buf_printf(&origin, "--%s", row->name);
    int result = set(k, (size_t)(row - k->p->rows), FROM_ARGV, origin.at, span_of(value));
    buf_fini(&origin);
    return result;
}

/* The word that is an argument of its own would be an operand, if this did not end it all. */
static int use_common(struct parse *k, struct args *a, const struct opt *row, const char *value)
{
    if (row != &common[0]) {
        a->result = OPT_VERSION;
        return 0;
    }
    bool apart = !value && a->at + 1 < a->argc;
    const char *word = apart ? a->argv[a->at + 1] : value;
    bool all = word && strcmp(word, row->arg) == 0;

    if (value && !all)
        return fault_set(k->f, "--help=%s: not %s", shown(span_of(value)), row->arg);
    a->result = all ? OPT_HELP_ALL : OPT_HELP;
    return 0;
}

static int take_long(struct parse *k, struct args *a)
{
    struct span rest = span_of(a->argv[a->at] + 2);
    struct span name = take_until(&rest, '=');
    const char *value = name.at[name.len] == '=' ? rest.at : NULL;
    const struct opt *shared = find_name(common, COMMON_COUNT, name);
    const struct opt *row = shared ? shared : find_name(k->p->rows, k->p->row_count, name);

    if (!row)
        return unknown_option(k, name);
    if (row->kind == OPT_FLAG && !row->arg && value)
        return fault_set(k->f, "option --%s takes no value", row->name);
    return shared ? use_common(k, a, shared, value) : use_row(k, a, row, value);
}

static int take_letters(struct parse *k, struct args *a)
{
    for (const char *c = a->argv[a->at] + 1; *c != '\0' && a->result == OPT_RUN; c++) {
        const struct opt *shared = find_letter(common, COMMON_COUNT, *c);
        const struct opt *row = find_letter(k->p->rows, k->p->row_count, *c);

        if (shared) {
            use_common(k, a, shared, NULL);
            continue;
        }
        if (!row) {
            size_t len = span_utf8(span_of(c));
            return fault_set(k->f, "unknown option -%s",
                             shown((struct span){c, len != 0 ? len : 1}));
        }
        if (row->kind != OPT_FLAG)
            return use_row(k, a, row, c[1] != '\0' ? c + 1 : NULL);
        if (use_row(k, a, row, NULL) != 0)
            return -1;
    }
    return 0;
}

static int take_option(struct parse *k, struct args *a)
{
    return a->argv[a->at][1] == '-' ? take_long(k, a) : take_letters(k, a);
}

/* Moves the operands behind all else, both in their order. Returns the index of the first. */
static int move_operands(const struct args *a, const bool *is_operand)
{
    char **operands = mem_alloc((size_t)a->argc * sizeof(operands[0]));
    int first = 1, count = 0;

    for (int i = 1; i < a->argc; i++) {
        if (is_operand[i])
            operands[count++] = a->argv[i];
        else
            a->argv[first++] = a->argv[i];
    }
    memcpy(a->argv + first, operands, (size_t)count * sizeof(operands[0]));
    free(operands);
    return first;
}

/* A "--" is moved with the options, so that the same arguments can be read again. */
static int take_args(struct parse *k, struct args *a, int *first)
{
    bool *is_operand = mem_zero((size_t)a->argc * sizeof(bool));
    bool ended = false;
    int result = 0;

    for (a->at = 1; a->at < a->argc && result == 0 && a->result == OPT_RUN; a->at++) {
        const char *arg = a->argv[a->at];
        if (ended || arg[0] != '-' || arg[1] == '\0')
            is_operand[a->at] = true;
        else if (strcmp(arg, "--") == 0)
            ended = true;
        else
            result = take_option(k, a);
    }
    if (result == 0 && a->result == OPT_RUN)
        *first = move_operands(a, is_operand);
    free(is_operand);
    return result;
}

/* --- Environment, settings file, presets --- */

static int take_environment(struct parse *k)
{
    for (size_t i = 0; i < k->p->row_count; i++) {
        const struct opt *row = &k->p->rows[i];
        const char *text = row->env ? getenv(row->env) : NULL;
        if (!text || *text == '\0' || k->values[i].source > FROM_ENV)
            continue;
        struct buf origin = {0};
        buf_printf(&origin, "$%s", row->env);
        int result = set(k, i, FROM_ENV, origin.at, span_of(text));
        buf_fini(&origin);
        if (result != 0)
            return -1;
    }
    return 0;
}

static int unknown_setting(struct parse *k, struct span name)
{
    int limit = NEAR_NOT;
    const char *right = likest(k->p->rows, k->p->row_count, name, &limit);
    const char *wrong = shown(name);
    const char *mark = wrong[0] == '"' ? "" : "'";

    if (right)
        return fault_set(k->f, "unknown setting %s%s%s (did you mean %s?)", mark, wrong, mark,
                         right);
    return fault_set(k->f, "unknown setting %s%s%s", mark, wrong, mark);
}

/* What stands before a '#' that begins the text or follows white space. */
static struct span without_comment(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '#' && (i == 0 || is_space(text.at[i - 1])))
            text.len = i;
    return trim(text);
}

static int take_quotes(struct span *text, struct fault *f)
{
    if (text->len == 0 || text->at[0] != '"') {
        *text = without_comment(*text);
        return 0;
    }
    struct span rest = {text->at + 1, text->len - 1};
    struct span inside = take_until(&rest, '"');
    if (inside.at + inside.len == text->at + text->len)
        return fault_set(f, "the closing quote is missing");
    if (without_comment(rest).len != 0)
        return fault_set(f, "something follows the closing quote");
    *text = inside;
    return 0;
}

static int take_setting(struct parse *k, struct span line, int number)
{
    struct span rest = line;
    struct span name = trim(take_until(&rest, '='));
    const struct opt *row = find_name(k->p->rows, k->p->row_count, name);

    if (!memchr(line.at, '=', line.len))
        return fault_set(k->f, "not of the form: name = value");
    if (!row)
        return unknown_setting(k, name);
    if (strcmp(row->name, "config") == 0)
        return fault_set(k->f, "config does not belong in a settings file");
    size_t i = (size_t)(row - k->p->rows);
    if (k->values[i].line != 0 && row->kind != OPT_LIST)
        return fault_set(k->f, "%s is set already in line %d", row->name, k->values[i].line);
    struct span text = trim(rest);
    if (memchr(line.at, '\0', line.len))
        return fault_set(k->f, "%s: a NUL byte in it", row->name);
    if (take_quotes(&text, k->f) != 0)
        return fault_at(k->f, "%s", row->name);
    k->values[i].line = number;
    return set(k, i, FROM_FILE, row->name, text);
}

static int take_settings(struct parse *k, const char *path, struct span text)
{
    for (int number = 1; text.len > 0; number++) {
        struct span line = trim(take_until(&text, '\n'));
        if (line.len == 0 || line.at[0] == '#')
            continue;
        if (take_setting(k, line, number) != 0)
            return fault_at(k->f, "%s:%d", path, number);
    }
    return 0;
}

static int read_all(FILE *in, struct buf *out, struct fault *f)
{
    while (!feof(in)) {
        size_t got = fread(buf_room(out, BUFSIZ), 1, BUFSIZ, in);
        out->len += got;
        if (ferror(in))
            return fault_set(f, "%s", uv_strerror(-errno));
        if (out->len > FILE_BYTES_MAX)
            return fault_set(f, "larger than a settings file may be");
    }
    return 0;
}

static int take_file(struct parse *k, const char *path)
{
    struct buf text = {0};
    FILE *in = fopen(path, "re");

    if (!in)
        return fault_set(k->f, "%s: %s", path, uv_strerror(-errno));
    int result = read_all(in, &text, k->f);
    fclose(in);
    if (result != 0)
        fault_at(k->f, "%s", path);
    else
        result = take_settings(k, path, buf_span(&text));
    buf_fini(&text);
    return result;
}

/* A settings file that is only preset may be absent. */
static int take_config(struct parse *k)
{
    const struct opt *row = find_name(k->p->rows, k->p->row_count, span_of("config"));

    if (!row)
        return 0;
    const char *path = k->values[row - k->p->rows].text;
    if (path)
        return take_file(k, path);
    if (!row->preset || access(row->preset, F_OK) != 0)
        return 0;
    return take_file(k, row->preset);
}

static void take_presets(struct parse *k)
{
    for (size_t i = 0; i < k->p->row_count; i++) {
        const char *preset = k->p->rows[i].preset;
        if (!preset || k->values[i].source != FROM_NOTHING)
            continue;
        int result = set(k, i, FROM_PRESET, "preset", span_of(preset));
        assert(result == 0);
        (void)result;
    }
}

/* --- All of it --- */

static void *field(const struct opt *row, void *settings)
{
    return (char *)settings + row->offset;
}

static void free_field(const struct opt *row, void *settings)
{
    if (row->kind == OPT_TEXT) {
        char **text = field(row, settings);
        free(*text);
        *text = NULL;
    } else if (row->kind == OPT_LIST) {
        list_fini(field(row, settings));
    }
}

/* Moves a value into its place in the settings. */
static void store(const struct opt *row, struct value *v, void *settings)
{
    free_field(row, settings);
    switch (row->kind) {
    case OPT_FLAG:
        *(bool *)field(row, settings) = v->number != 0;
        break;
    case OPT_TEXT:
        *(char **)field(row, settings) = v->text;
        v->text = NULL;
        break;
    case OPT_LIST:
        *(struct opt_list *)field(row, settings) = v->list;
        v->list = (struct opt_list){0};
        break;
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        *(int64_t *)field(row, settings) = v->number;
        break;
    case OPT_RATE:
        *(struct rate *)field(row, settings) = v->rate;
        break;
    case OPT_CHOICE:
        *(int *)field(row, settings) = (int)v->number;
        break;
    }
}

static int take_all(struct parse *k, struct args *a, int *first)
{
    if (take_args(k, a, first) != 0)
        return -1;
    if (a->result != OPT_RUN)
        return 0;
    if (take_environment(k) != 0 || take_config(k) != 0)
        return -1;
    take_presets(k);
    return 0;
}

enum opt_result opt_parse(const struct opt_program *p, void *settings, int argc, char **argv,
                          int *first, struct fault *f)
{
    struct value *values = mem_zero(p->row_count * sizeof(values[0]));
    struct parse k = {.p = p, .values = values, .f = f};
    struct args a = {.argc = argc, .argv = argv, .result = OPT_RUN};

    if (take_all(&k, &a, first) != 0)
        a.result = OPT_WRONG;
    else if (a.result == OPT_RUN && p->operands[0] == '\0' && *first < argc)
        a.result = (fault_set(f, "unexpected operand %s", shown(span_of(argv[*first]))), OPT_WRONG);
    for (size_t i = 0; i < p->row_count; i++) {
        if (a.result == OPT_RUN)
            store(&p->rows[i], &values[i], settings);
        value_fini(&values[i]);
    }
    free(values);
    return a.result;
}

void opt_free(const struct opt_program *p, void *settings)
{
    for (size_t i = 0; i < p->row_count; i++)
        free_field(&p->rows[i], settings);
}

/* --- Help --- */

struct column {
    FILE *out;
    int at; /* columns of the line that are used */
};

static void put_word(struct column *c, struct span word)
{
    bool first = c->at == HELP_COLUMN;

    if (!first && c->at + 1 + (int)word.len > HELP_COLUMNS) {
        fprintf(c->out, "\n%*s", HELP_COLUMN, "");
        c->at = HELP_COLUMN;
        first = true;
    }
    c->at += fprintf(c->out, "%s%.*s", first ? "" : " ", (int)word.len, word.at);
}

/* A note is not broken between lines. */
static void put_note(struct column *c, const char *before, const char *text, const char *after)
{
    struct buf note = {0};

    buf_printf(&note, "%s%s%s", before, text, after);
    put_word(c, buf_span(&note));
    buf_fini(&note);
}

static void put_option(struct column *c, const struct opt *row)
{
    if (row->letter != 0)
        c->at = fprintf(c->out, "  -%c, --%s", row->letter, row->name);
    else
        c->at = fprintf(c->out, "      --%s", row->name);
    if (row->arg)
        c->at += fprintf(c->out, row->kind == OPT_FLAG ? "[=%s]" : "=%s", row->arg);
    if (c->at + 2 > HELP_COLUMN) {
        fputc('\n', c->out);
        c->at = 0;
    }
    fprintf(c->out, "%*s", HELP_COLUMN - c->at, "");
    c->at = HELP_COLUMN;
}

static void help_row(FILE *out, const struct opt *row)
{
    struct column c = {.out = out};
    struct span words = span_of(row->help);

    put_option(&c, row);
    while (words.len > 0)
        put_word(&c, take_until(&words, ' '));
    if (row->preset)
        put_note(&c, "(default: ", row->preset, ")");
    if (row->env)
        put_note(&c, "[$", row->env, "]");
    fputc('\n', out);
}

static bool marks_first(const struct opt_program *p)
{
    for (size_t i = 0; i < p->row_count; i++)
        if (p->rows[i].first)
            return true;
    return false;
}

/* Returns how many were left out. */
static size_t help_rows(FILE *out, const struct opt *rows, size_t count, bool all)
{
    size_t hidden = 0;

    for (size_t i = 0; i < count; i++) {
        if (all || rows[i].first)
            help_row(out, &rows[i]);
        else
            hidden++;
    }
    return hidden;
}

void opt_help(const struct opt_program *p, bool all, FILE *out)
{
    bool has_operands = p->operands[0] != '\0';

    fprintf(out, "usage: %s [options]%s%s\n", p->name, has_operands ? " " : "", p->operands);
    fprintf(out, "%s\n\n", p->purpose);
    size_t hidden = help_rows(out, p->rows, p->row_count, all || !marks_first(p));
    help_rows(out, common, COMMON_COUNT, true);
    if (hidden > 0)
        fprintf(out, "\n%s --help all shows %zu more; man %s explains them.\n", p->name, hidden,
                p->name);
}
