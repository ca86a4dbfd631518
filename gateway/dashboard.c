/* dashboard.c -- see dashboard.h.
 *
 * What is covered: everything up to the part's position; of what is later, transitions of a
 * task whose row was read at that seq already; and counts by their `rev`, which is the
 * number of the transition that made them. */
#include "gateway/dashboard.h"

#include <string.h>

#include "common/err.h"

#define VERSION "2 "

static bool number_of(struct slice digits, uint64_t *out)
{
    uint64_t n = 0;

    if (digits.len == 0 || digits.len > 19)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *out = n;
    return true;
}

/* …,"rev":17 -- the counts are ours (taskd's) and end with it. */
static bool rev_of(struct slice counts, uint64_t *out)
{
    size_t i = counts.len;

    while (i > 0 && counts.data[i - 1] != ':')
        i--;
    if (i < 6 || memcmp(counts.data + i - 6, "\"rev\":", 6) != 0)
        return false;
    return number_of(slice_from(counts, i), out);
}

int dash_parse(struct slice text, struct dash_part *out)
{
    struct slice rest = text;
    struct slice routing;
    bool         has_rows = false, has_counts = false;

    *out = (struct dash_part){ 0 };
    if (position_parse(slice_cut(&rest, '\n'), &out->at) != 0)
        return ERR_INVALID;
    routing = slice_cut(&rest, '\n');
    if (!slice_starts(routing, VERSION))
        return ERR_INVALID;
    routing = slice_from(routing, sizeof(VERSION) - 1);
    if (slice_cut(&routing, ' ').len == 0)
        return ERR_INVALID;
    out->pairs = routing;
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice word = slice_cut(&line, ' ');

        if (slice_is(word, "people")) {
            out->people = line;
        } else if (slice_is(word, "rows")) {
            out->rows = line;
            has_rows = true;
        } else if (slice_is(word, "counts")) {
            out->counts = line;
            has_counts = rev_of(line, &out->rev);
        } else if (slice_is(word, "next")) {
            out->next = line;
        }
    }
    return has_rows && has_counts ? 0 : ERR_INVALID;
}

bool dash_has_person(const struct dash_part *page, struct slice sub)
{
    struct slice rest = page->people;

    while (rest.len > 0) {
        if (slice_eq(slice_cut(&rest, ' '), sub))
            return true;
    }
    return false;
}

void dash_compose(const struct dash_part *page, const struct dash_part *own, struct buf *out)
{
    buf_append_text(out, "[\"dashboard:state\",{\"tasks\":[");
    if (own != NULL)
        buf_append_slice(out, own->rows);
    if (own != NULL && own->rows.len > 0 && page->rows.len > 0)
        buf_append_char(out, ',');
    buf_append_slice(out, page->rows);
    buf_append_text(out, "],");
    buf_append_slice(out, page->counts);
    buf_append_text(out, ",\"private\":{");
    if (own != NULL)
        buf_append_slice(out, own->counts);
    else
        buf_append_text(out, "\"activeCount\":0,\"completedCount\":0,\"failedCount\":0,\"rev\":0");
    buf_append_char(out, '}');
    if (page->next.len > 0) {
        buf_append_char(out, ',');
        buf_append_slice(out, page->next);
    }
    buf_append_text(out, "}]");
}

bool dash_next_pair(struct slice *rest, struct slice *out_task, uint64_t *out_seq)
{
    while (rest->len > 0) {
        struct slice pair = slice_cut(rest, ' ');

        *out_task = slice_cut(&pair, ':');
        if (number_of(pair, out_seq))
            return true;
    }
    return false;
}

/* The seq at which the part shows this task; 0: it does not. */
static uint64_t seq_shown(const struct dash_part *part, struct slice task)
{
    struct slice rest = part->pairs, one;
    uint64_t     seq;

    while (dash_next_pair(&rest, &one, &seq)) {
        if (slice_eq(one, task))
            return seq;
    }
    return 0;
}

bool dash_covers(const struct dash_part *part, const struct envelope *e, struct slice json)
{
    if (e->at.epoch == part->at.epoch && e->at.number <= part->at.number)
        return true;
    if (event_is(json, "dashboard:task_count_changed"))
        return e->at.number <= part->rev;
    return e->routing.seq > 0 && (uint64_t)e->routing.seq <= seq_shown(part, e->routing.task);
}
