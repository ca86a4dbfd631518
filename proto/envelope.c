/* envelope.c -- see envelope.h and internal.md.
 *
 * Everything here comes from taskd through Redis, or is an offset that a browser gave back,
 * so nothing is believed: numbers are plain decimals that fit, heads have exactly their
 * fields, and what is not as it must be is ERR_INVALID. Nothing is copied; a gateway cuts
 * an envelope once per transition and hands the same bytes to every room. sscanf was
 * rejected: it skips white space, accepts signs, and wraps round without a word. */
#include "proto/envelope.h"

#include <stdio.h>

#include "common/err.h"

#define ROUTING_VERSION "1"
#define TASK_DIGITS     24

/* All of `text` as a decimal number up to `max`, without leading zeros, so that every
 * number has one spelling. */
static bool number_parse(struct slice text, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;

    if (text.len == 0 || (text.data[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';

        if (digit > 9 || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

int position_parse(struct slice line, struct position *out)
{
    struct slice epoch = slice_cut(&line, ' ');

    if (!number_parse(epoch, UINT64_MAX, &out->epoch) ||
        !number_parse(line, UINT64_MAX, &out->number))
        return ERR_INVALID;
    return 0;
}

/* "-" stands for none and becomes the empty slice; an empty field is none of both. */
static bool field_take(struct slice *rest, struct slice *out)
{
    *out = slice_cut(rest, ' ');
    if (out->len == 0)
        return false;
    if (slice_is(*out, "-"))
        *out = (struct slice){ NULL, 0 };
    return true;
}

static bool is_task_id(struct slice s)
{
    if (s.len != TASK_DIGITS)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static int routing_parse(struct slice line, struct routing *out)
{
    struct slice version, seq;
    uint64_t     n = 0;

    if (!field_take(&line, &version) || !slice_is(version, ROUTING_VERSION) ||
        !field_take(&line, &out->task) || !field_take(&line, &out->org) ||
        !field_take(&line, &seq) || !field_take(&line, &out->creator))
        return ERR_INVALID;
    if (out->task.len != 0 && !is_task_id(out->task))
        return ERR_INVALID;
    if (seq.len != 0 && !number_parse(seq, INT64_MAX, &n))
        return ERR_INVALID;
    if (!slice_is(line, "0") && !slice_is(line, "1"))
        return ERR_INVALID;
    out->seq = (int64_t)n;
    out->is_private = line.data[0] == '1';
    return 0;
}

int envelope_parse(struct slice text, struct envelope *out)
{
    struct slice rest = text;
    struct slice position = slice_cut(&rest, '\n');
    struct slice routing = slice_cut(&rest, '\n');

    /* A head without its line feed was cut off on its way. */
    if (rest.data == NULL || position_parse(position, &out->at) != 0 ||
        routing_parse(routing, &out->routing) != 0)
        return ERR_INVALID;
    out->lines = rest;
    return 0;
}

bool envelope_next(struct slice *rest, struct slice *out_address, struct slice *out_json)
{
    while (rest->len != 0) {
        struct slice line = slice_cut(rest, '\n');
        struct slice address = slice_cut(&line, ' ');

        if (address.len == 0 || line.len == 0)
            continue;
        *out_address = address;
        *out_json = line;
        return true;
    }
    return false;
}

static bool time_parse(struct slice text, uint64_t *out)
{
    *out = 0;
    return slice_is(text, "-") || number_parse(text, INT64_MAX, out);
}

int times_parse(struct slice text, struct times *out)
{
    struct slice committed = slice_cut(&text, ' ');

    if (time_parse(committed, &out->committed_us) && time_parse(text, &out->published_us))
        return 0;
    *out = (struct times){ 0, 0 };
    return ERR_INVALID;
}

int offset_parse(struct slice text, struct offset *out)
{
    struct slice epoch = slice_cut(&text, '-');
    struct slice number = slice_cut(&text, '.');
    struct slice line = slice_cut(&text, '.');
    uint64_t     line_number, k = 0;

    if (!number_parse(epoch, UINT64_MAX, &out->at.epoch) ||
        !number_parse(number, UINT64_MAX, &out->at.number) ||
        !number_parse(line, UINT32_MAX, &line_number))
        return ERR_INVALID;
    /* slice_cut leaves data NULL where there was no second dot; a trailing one is an error,
     * and so is ".0", which would be a second spelling of "no k". */
    if (text.data != NULL && (!number_parse(text, UINT32_MAX, &k) || k == 0))
        return ERR_INVALID;
    out->line = (uint32_t)line_number;
    out->k = (uint32_t)k;
    return 0;
}

void offset_format(const struct offset *o, char out[OFFSET_TEXT_SIZE])
{
    int n = snprintf(out, OFFSET_TEXT_SIZE, "%llu-%llu.%u", (unsigned long long)o->at.epoch,
                     (unsigned long long)o->at.number, (unsigned)o->line);

    if (o->k != 0)                             /* 20 + 1 + 20 + 1 + 10 + 1 + 10 bytes: it fits */
        snprintf(out + n, OFFSET_TEXT_SIZE - (size_t)n, ".%u", (unsigned)o->k);
}
