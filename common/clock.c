/* clock.c -- see clock.h.
 *
 * The calendar is a few lines of arithmetic (Howard Hinnant's days-from-civil: years begin
 * in March, so the leap day is a year's last). timegm and strptime were rejected: they
 * depend on the C library's leniency (they normalise the 31st of February), and dates from
 * peers have to be refused rather than repaired. */
#include "common/clock.h"

#include <stdbool.h>
#include <time.h>

#include "common/err.h"

#define DAY_S        86400
#define LAST_MS      INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

struct civil {
    int year, month, day, hour, minute, second, ms;
    int offset_minutes;                        /* east of Greenwich */
};

static struct timespec now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);         /* cannot fail for this clock and a valid pointer */
    return t;
}

int64_t clock_wall_ms(void)
{
    struct timespec t = now();

    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_us(void)
{
    struct timespec t = now();

    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void civil_from_days(int64_t days, struct civil *out)
{
    int64_t z = days + 719468;                 /* never negative here: 1970 at the earliest */
    int64_t era = z / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;      /* March is 0 */

    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
}

static void put_digits(char *at, int count, int n)
{
    while (count-- > 0) {
        at[count] = (char)('0' + n % 10);
        n /= 10;
    }
}

void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
    int64_t      ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    int          of_day = (int)(ms / 1000 % DAY_S);
    struct civil c;

    civil_from_days(ms / 1000 / DAY_S, &c);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_SIZE);
    put_digits(out, 4, c.year);
    put_digits(out + 5, 2, c.month);
    put_digits(out + 8, 2, c.day);
    put_digits(out + 11, 2, of_day / 3600);
    put_digits(out + 14, 2, of_day / 60 % 60);
    put_digits(out + 17, 2, of_day % 60);
    put_digits(out + 20, 3, (int)(ms % 1000));
}

/* --- reading --- */

static bool take_number(struct slice *rest, size_t digits, int *out)
{
    if (rest->len < digits)
        return false;
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if (rest->data[i] < '0' || rest->data[i] > '9')
            return false;
        *out = *out * 10 + (rest->data[i] - '0');
    }
    *rest = slice_from(*rest, digits);
    return true;
}

static bool take_char(struct slice *rest, const char *any_of)
{
    if (rest->len == 0 || rest->data[0] == '\0' || strchr(any_of, rest->data[0]) == NULL)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* RFC 3339 §5.6 lets the T be written small, and a space stand in its place. */
static bool take_date_time(struct slice *rest, struct civil *out)
{
    return take_number(rest, 4, &out->year) && take_char(rest, "-") &&
           take_number(rest, 2, &out->month) && take_char(rest, "-") &&
           take_number(rest, 2, &out->day) && take_char(rest, "Tt ") &&
           take_number(rest, 2, &out->hour) && take_char(rest, ":") &&
           take_number(rest, 2, &out->minute) && take_char(rest, ":") &&
           take_number(rest, 2, &out->second);
}

static bool take_fraction(struct slice *rest, struct civil *out)
{
    int digit, scale = 100;

    out->ms = 0;
    if (!take_char(rest, "."))
        return true;
    if (!take_number(rest, 1, &digit))
        return false;
    do {
        out->ms += digit * scale;
        scale /= 10;                           /* 0 from the fourth digit on: cut off */
    } while (take_number(rest, 1, &digit));
    return true;
}

static bool take_offset(struct slice *rest, struct civil *out)
{
    int  hours, minutes;
    bool is_west = rest->len != 0 && rest->data[0] == '-';

    out->offset_minutes = 0;
    if (take_char(rest, "Zz"))
        return true;
    if (!take_char(rest, "+-") || !take_number(rest, 2, &hours) || !take_char(rest, ":") ||
        !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    out->offset_minutes = (hours * 60 + minutes) * (is_west ? -1 : 1);
    return true;
}

static bool is_on_calendar(const struct civil *c)
{
    static const int DAYS[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;

    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > DAYS[c->month - 1])
        return false;
    if (c->month == 2 && c->day == 29 && !is_leap)
        return false;
    return c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

int clock_parse(struct slice text, int64_t *out_wall_ms)
{
    struct civil c;
    int64_t      seconds;

    if (!take_date_time(&text, &c) || !take_fraction(&text, &c) || !take_offset(&text, &c) ||
        text.len != 0 || !is_on_calendar(&c))
        return ERR_INVALID;
    seconds = days_from_civil(c.year, c.month, c.day) * DAY_S + c.hour * 3600 + c.minute * 60 +
              c.second - c.offset_minutes * 60;
    /* A leap second stands at the end of a UTC day only (RFC 3339 §5.7); POSIX time has no
     * room for it, so it becomes the first second of the next day. */
    if (c.second == 60 && seconds % DAY_S != 0)
        return ERR_INVALID;
    *out_wall_ms = seconds * 1000 + c.ms;
    return 0;
}
