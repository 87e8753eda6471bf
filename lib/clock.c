#include "clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

static const int64_t year_10000_ms = INT64_C(253402300800000);

int64_t clock_steady_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_steady_ms(void)
{
    return clock_steady_ns() / 1000000;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void put(char *to, int digits, int value)
{
    while (digits-- > 0) {
        to[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_BYTES])
{
    assert(wall_ms >= 0 && wall_ms < year_10000_ms);
    time_t seconds = wall_ms / 1000;
    struct tm t;

    gmtime_r(&seconds, &t);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_STAMP_BYTES);
    put(out, 4, t.tm_year + 1900);
    put(out + 5, 2, t.tm_mon + 1);
    put(out + 8, 2, t.tm_mday);
    put(out + 11, 2, t.tm_hour);
    put(out + 14, 2, t.tm_min);
    put(out + 17, 2, t.tm_sec);
    put(out + 20, 3, (int)(wall_ms % 1000));
}

/* Whether text begins like the form, in which 9 stands for any digit. Letters match in either
 * case, as RFC 3339 has it. */
static bool begins(struct span text, const char *form)
{
    for (size_t i = 0; form[i] != '\0'; i++) {
        if (i == text.len)
            return false;
        char c = text.at[i];
        bool fits =
            form[i] == '9' ? c >= '0' && c <= '9' : c == form[i] || (form[i] == 'T' && c == 't');
        if (!fits)
            return false;
    }
    return true;
}

static int number(const char *at, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++)
        value = value * 10 + (at[i] - '0');
    return value;
}

static int month_days(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static int take_seconds(struct span *text, int64_t *seconds)
{
    if (!begins(*text, "9999-99-99T99:99:99"))
        return -1;
    const char *at = text->at;
    int year = number(at, 4), month = number(at + 5, 2), day = number(at + 8, 2);
    int hour = number(at + 11, 2), minute = number(at + 14, 2), second = number(at + 17, 2);
    /* A leap second, :60, is the first one of the next minute for us. */
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return -1;
    struct tm t = {.tm_year = year - 1900,
                   .tm_mon = month - 1,
                   .tm_mday = day,
                   .tm_hour = hour,
                   .tm_min = minute,
                   .tm_sec = second};
    *seconds = timegm(&t);
    span_drop(text, strlen("9999-99-99T99:99:99"));
    return 0;
}

static int take_fraction(struct span *text, int *ms)
{
    int weight = 100;

    *ms = 0;
    if (text->len == 0 || text->at[0] != '.')
        return 0;
    span_drop(text, 1);
    if (!begins(*text, "9"))
        return -1;
    for (; begins(*text, "9"); span_drop(text, 1), weight /= 10)
        *ms += (text->at[0] - '0') * weight;
    return 0;
}

static int take_offset(struct span *text, int *minutes)
{
    *minutes = 0;
    if (span_is(*text, "Z") || span_is(*text, "z"))
        return 0;
    if (text->len != strlen("+99:99") || (!begins(*text, "+99:99") && !begins(*text, "-99:99")))
        return -1;
    int hour = number(text->at + 1, 2), minute = number(text->at + 4, 2);
    if (hour > 23 || minute > 59)
        return -1;
    *minutes = (text->at[0] == '-' ? -1 : 1) * (hour * 60 + minute);
    return 0;
}

int clock_parse_stamp(struct span text, int64_t *wall_ms)
{
    int64_t seconds;
    int ms, minutes;

    if (take_seconds(&text, &seconds) != 0 || take_fraction(&text, &ms) != 0 ||
        take_offset(&text, &minutes) != 0)
        return -1;
    *wall_ms = (seconds - minutes * INT64_C(60)) * 1000 + ms;
    return 0;
}
