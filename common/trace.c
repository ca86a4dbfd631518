/* trace.c -- see trace.h. A traceparent is 55 characters at fixed places, so it is judged by
 * looking at those places; what is not exactly right is none, as the standard asks (§3.2.2:
 * vendors must ignore an invalid one). */
#include "common/trace.h"

#define TRACE_LEN  (TRACE_SIZE - 1)
#define ID_AT      3
#define ID_LEN     32
#define PARENT_AT  36
#define PARENT_LEN 16
#define FLAGS_AT   53

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_zero(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '0')
            return false;
    }
    return true;
}

static bool is_well_formed(struct slice text)
{
    struct slice version = slice_make(text.data, 2);
    struct slice id = slice_make(text.data + ID_AT, ID_LEN);
    struct slice parent = slice_make(text.data + PARENT_AT, PARENT_LEN);

    return text.data[ID_AT - 1] == '-' && text.data[PARENT_AT - 1] == '-' &&
           text.data[FLAGS_AT - 1] == '-' && is_hex(version) && is_hex(id) && is_hex(parent) &&
           is_hex(slice_make(text.data + FLAGS_AT, 2)) && !is_zero(id) && !is_zero(parent);
}

bool trace_parse(struct slice text, char out[TRACE_SIZE])
{
    bool is_known;

    out[0] = '\0';
    if (text.len < TRACE_LEN || !is_well_formed(text))
        return false;
    is_known = slice_starts(text, "00");
    if (slice_starts(text, "ff") || (is_known && text.len != TRACE_LEN) ||
        (text.len > TRACE_LEN && text.data[TRACE_LEN] != '-'))
        return false;
    memcpy(out, text.data, TRACE_LEN);
    memcpy(out, "00", 2);
    out[TRACE_LEN] = '\0';
    return true;
}

static struct slice part(const char *trace, size_t at, size_t len)
{
    return trace == NULL || trace[0] == '\0' ? slice_make(NULL, 0) : slice_make(trace + at, len);
}

struct slice trace_id(const char *trace)
{
    return part(trace, ID_AT, ID_LEN);
}

struct slice trace_parent_id(const char *trace)
{
    return part(trace, PARENT_AT, PARENT_LEN);
}

/* The lowest bit of the flags. */
bool trace_is_sampled(const char *trace)
{
    struct slice flags = part(trace, FLAGS_AT, 2);

    return flags.len == 2 && strchr("13579bdf", flags.data[1]) != NULL;
}
