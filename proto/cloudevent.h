/* cloudevent.h -- what an internal service says about a task (SPEC I4): one CloudEvent 1.0 in
 * its JSON format, checked through and through.
 *
 * Pure. Any thread, one at a time per value. */
#ifndef TASKWIRE_PROTO_CLOUDEVENT_H
#define TASKWIRE_PROTO_CLOUDEVENT_H

#include "common/json.h"
#include "common/trace.h"
#include "proto/tables.h"

#define CLOUDEVENT_BYTES_MAX  ((size_t)256 << 10)
#define CLOUDEVENT_CHARS_MAX  256              /* of id, of source */

/* Why one is refused: the stable code of a dead letter. */
#define CLOUDEVENT_REASON_MAP(X)                                                 \
    X(TOO_LARGE,    "too_large")               /* more than 256 KiB */           \
    X(BAD_UTF8,     "bad_utf8")                                                  \
    X(BAD_JSON,     "bad_json")                /* no JSON, or no object */       \
    X(BAD_ENVELOPE, "bad_envelope")            /* specversion, id, source, time */ \
    X(UNKNOWN_TYPE, "unknown_type")                                              \
    X(REST_ONLY,    "rest_only")               /* an input that people alone send */ \
    X(BAD_SUBJECT,  "bad_subject")             /* no task id */                  \
    X(BAD_DATA,     "bad_data")                /* fields missing or wrong */

enum cloudevent_reason {
#define X(name, wire) CLOUDEVENT_##name,
    CLOUDEVENT_REASON_MAP(X)
#undef X
    CLOUDEVENT_REASON_COUNT
};
const char *cloudevent_reason_wire(enum cloudevent_reason r);

struct cloudevent {
    enum input   input;
    const char  *id, *source;                  /* the key; no control character in them */
    const char  *task_id;                      /* the subject */
    int64_t      time;                         /* wall ms; 0: none given */
    char         trace[TRACE_SIZE];            /* the extension attribute traceparent; "": none */
    json_t      *data;                         /* what is known of it, in the order of the rows */
    json_t      *root;                         /* holds the texts above */
};

/* Returns 0 and fills `out` (cloudevent_deinit gives it back), or ERR_INVALID with the reason
 * and a sentence in `why`; then there is nothing to give back. Where `data` of pr_merged has
 * no mergedAt, the event's time becomes it. */
int  cloudevent_parse(struct slice bytes, struct cloudevent *out, enum cloudevent_reason *reason,
                      struct buf *why);
void cloudevent_deinit(struct cloudevent *e);

/* Its key as timelines keep it: source, a line feed, id. Never NULL; free(). */
char *cloudevent_key(const struct cloudevent *e);

#endif
