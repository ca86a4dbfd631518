/* tables.c -- see tables.h.
 *
 * The .def rows become arrays indexed by their own enum, so a name and its row cannot drift
 * apart. Parsing walks the array: the longest has fewer than thirty rows of short words,
 * and a perfect hash would be one more generated thing to trust. */
#include "proto/tables.h"

#include <assert.h>

#include "common/err.h"

struct status_spec {
    const char *wire;
    enum bucket bucket;                        /* the org's; a private task's stands further on */
    const char *text;
};

static const struct status_spec STATUSES[STATUS_COUNT] = {
#define STATUS(name, wire, bucket, text) [STATUS_##name] = { wire, BUCKET_ORG_##bucket, text },
#include "proto/statuses.def"
#undef STATUS
};

struct input_spec {
    const char *wire;
    bool        is_rest_only;
};

#define DOOR_REST true
#define DOOR_BUS  false
static const struct input_spec INPUTS[INPUT_COUNT] = {
#define INPUT(name, wire, door) [INPUT_##name] = { wire, DOOR_##door },
#include "proto/inputs.def"
#undef INPUT
};

static const char *const BUCKETS[] = {
    [BUCKET_ORG_ACTIVE] = "oa",     [BUCKET_ORG_COMPLETED] = "oc",
    [BUCKET_ORG_FAILED] = "of",     [BUCKET_PRIVATE_ACTIVE] = "pa",
    [BUCKET_PRIVATE_COMPLETED] = "pc", [BUCKET_PRIVATE_FAILED] = "pf",
};
static_assert(sizeof(BUCKETS) / sizeof(BUCKETS[0]) == BUCKET_COUNT, "a bucket has no name");
static_assert(BUCKET_COUNT == 2 * BUCKETS_PER_SCOPE, "two scopes of three");

static const struct error_spec ERRORS[ERROR_COUNT] = {
#define ERROR(name, wire, http, text) [ERROR_##name] = { wire, http, text },
#include "proto/errors.def"
#undef ERROR
};

const char *status_wire(enum status s)
{
    assert((unsigned)s < STATUS_COUNT);
    return STATUSES[s].wire;
}

const char *status_text(enum status s)
{
    assert((unsigned)s < STATUS_COUNT);
    return STATUSES[s].text;
}

int status_parse(struct slice wire, enum status *out)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (!slice_is(wire, STATUSES[i].wire))
            continue;
        *out = (enum status)i;
        return 0;
    }
    return ERR_INVALID;
}

bool status_is_active(enum status s)
{
    return status_bucket(s, false) == BUCKET_ORG_ACTIVE;
}

enum bucket status_bucket(enum status s, bool is_private)
{
    assert((unsigned)s < STATUS_COUNT);
    return STATUSES[s].bucket + (is_private ? BUCKETS_PER_SCOPE : 0);
}

const char *input_wire(enum input i)
{
    assert((unsigned)i < INPUT_COUNT);
    return INPUTS[i].wire;
}

int input_parse(struct slice wire, enum input *out)
{
    for (size_t i = 0; i < INPUT_COUNT; i++) {
        if (!slice_is(wire, INPUTS[i].wire))
            continue;
        *out = (enum input)i;
        return 0;
    }
    return ERR_INVALID;
}

bool input_is_rest_only(enum input i)
{
    assert((unsigned)i < INPUT_COUNT);
    return INPUTS[i].is_rest_only;
}

const char *bucket_wire(enum bucket b)
{
    assert((unsigned)b < BUCKET_COUNT);
    return BUCKETS[b];
}

int bucket_parse(struct slice wire, enum bucket *out)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        if (!slice_is(wire, BUCKETS[i]))
            continue;
        *out = (enum bucket)i;
        return 0;
    }
    return ERR_INVALID;
}

const struct error_spec *error_spec(enum error_code e)
{
    assert((unsigned)e < ERROR_COUNT);
    return &ERRORS[e];
}
