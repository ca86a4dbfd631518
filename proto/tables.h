/* tables.h -- the registry as C sees it: enums and look-ups made from the .def rows.
 *
 * Pure tables; texts are static. Any thread. */
#ifndef TASKWIRE_PROTO_TABLES_H
#define TASKWIRE_PROTO_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

enum status {
#define STATUS(name, wire, bucket, text) STATUS_##name,
#include "proto/statuses.def"
#undef STATUS
    STATUS_COUNT
};

enum input {
#define INPUT(name, wire, door) INPUT_##name,
#include "proto/inputs.def"
#undef INPUT
    INPUT_COUNT
};

/* The six counts: three of the org's open tasks, three of a creator's private ones. */
#define BUCKETS_PER_SCOPE 3
enum bucket {
    BUCKET_ORG_ACTIVE, BUCKET_ORG_COMPLETED, BUCKET_ORG_FAILED,
    BUCKET_PRIVATE_ACTIVE, BUCKET_PRIVATE_COMPLETED, BUCKET_PRIVATE_FAILED,
    BUCKET_COUNT,
    BUCKET_NONE = BUCKET_COUNT
};

enum error_code {
#define ERROR(name, wire, http, text) ERROR_##name,
#include "proto/errors.def"
#undef ERROR
    ERROR_COUNT
};

const char *status_wire(enum status s);
const char *status_text(enum status s);                             /* what a person reads */
int         status_parse(struct slice wire, enum status *out);     /* 0 or ERR_INVALID */
bool        status_is_active(enum status s);                        /* all but merged and failed */
enum bucket status_bucket(enum status s, bool is_private);

const char *input_wire(enum input i);
int         input_parse(struct slice wire, enum input *out);        /* 0 or ERR_INVALID */
bool        input_is_rest_only(enum input i);

/* A bucket as it is stored: "oa" "oc" "of" "pa" "pc" "pf". */
const char *bucket_wire(enum bucket b);
int         bucket_parse(struct slice wire, enum bucket *out);      /* 0 or ERR_INVALID */

struct error_spec {
    const char *code;
    int         http;
    const char *text;
};
const struct error_spec *error_spec(enum error_code e);

#endif
