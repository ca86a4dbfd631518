/* fuzz_envelope.c -- envelopes from Redis, and offsets that browsers give back.
 *
 * What is accepted must lie inside of what was given, and an offset must have one spelling:
 * written again, it is the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

static void must_be_inside(struct slice part, struct slice whole)
{
    must(part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

static void check_envelope(struct slice text)
{
    struct envelope e;
    struct slice    address, json;
    size_t          bytes = 0;

    if (envelope_parse(text, &e) != 0)
        return;
    must_be_inside(e.routing.task, text);
    must_be_inside(e.routing.org, text);
    must_be_inside(e.routing.creator, text);
    must_be_inside(e.lines, text);
    must(e.routing.task.len == 0 || e.routing.task.len == 24);
    must(e.routing.seq >= 0);
    while (envelope_next(&e.lines, &address, &json)) {
        must_be_inside(address, text);
        must_be_inside(json, text);
        must(address.len != 0 && memchr(address.data, ' ', address.len) == NULL);
        must(json.len != 0 && memchr(json.data, '\n', json.len) == NULL);
        bytes += address.len + json.len + 1;
    }
    must(bytes <= text.len);
}

static void check_offset(struct slice text)
{
    struct offset o;
    char          again[OFFSET_TEXT_SIZE];

    if (offset_parse(text, &o) != 0)
        return;
    offset_format(&o, again);
    must(slice_is(text, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);

    check_envelope(text);
    check_offset(text);
    return 0;
}
