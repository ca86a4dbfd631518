/* follow.c -- see follow.h. */
#include "taskd/ctl/follow.h"

#include "common/err.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS   5000

int statuses_read(const char *text, unsigned *out)
{
    struct slice rest = slice_of(text);
    enum status  status;

    *out = 0;
    while (rest.data != NULL) {
        if (status_parse(slice_cut(&rest, ','), &status) != 0)
            return ERR_INVALID;
        *out |= 1u << status;
    }
    return 0;
}

/* Where an input leads; STATUS_COUNT where it leads nowhere. */
static enum status led_to(enum input input)
{
    size_t             count;
    const struct move *rows = move_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].input == input)
            return rows[i].to;
    }
    return STATUS_COUNT;
}

unsigned statuses_of(const json_t *events)
{
    unsigned    set = 0;
    const json_t *event;
    size_t        i;
    enum input    input;

    json_array_foreach(events, i, event) {
        const char *name = json_text(event, "eventType");

        if (name == NULL || input_parse(slice_of(name), &input) != 0)
            continue;
        if (led_to(input) != STATUS_COUNT)
            set |= 1u << led_to(input);
    }
    return set;
}

/* What can be reached from a set of statuses, by any number of moves. */
static unsigned reachable(unsigned from, bool failed_by_closing)
{
    unsigned         before = 0;
    size_t             count;
    const struct move *rows = move_rows(&count);

    while (before != from) {
        before = from;
        for (size_t i = 0; i < count; i++) {
            bool is_open = rows[i].when == MOVE_ALWAYS || failed_by_closing;

            if (rows[i].to != STATUS_COUNT && (rows[i].from & from) != 0 && is_open)
                from |= 1u << rows[i].to;
        }
        /* A task that opens its pull request again may close it again. */
        failed_by_closing |= (from & 1u << STATUS_PR_OPEN) != 0;
    }
    return from;
}

bool is_hopeless(enum status now, enum input last, unsigned wanted)
{
    bool may_reopen = now != STATUS_FAILED || last == INPUT_PR_CLOSED || last == INPUT_COUNT;

    return (reachable(1u << now, may_reopen) & wanted) == 0;
}

int64_t backoff_ms(unsigned failures)
{
    int64_t ms = BACKOFF_FIRST_MS;

    while (failures > 1 && ms < BACKOFF_MAX_MS) {
        ms *= 2;
        failures--;
    }
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}
