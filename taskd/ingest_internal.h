/* ingest_internal.h -- what the files of ingest share: ingest.c (the stream and the lease),
 * ingest_inputs.c (inputs on their way to the tasks), ingest_done.c (what is over). */
#ifndef TASKWIRE_TASKD_INGEST_INTERNAL_H
#define TASKWIRE_TASKD_INGEST_INTERNAL_H

#include "taskd/ingest.h"
#include "taskd/ingest_order.h"
#include "taskd/lease.h"

#define INGEST_ACKS_MAX 1024                   /* of one acknowledgement */
#define INGEST_ID_SIZE  48                     /* of an entry of the stream */

struct ingest {
    uv_loop_t               *loop;
    struct redis            *redis;
    struct redis            *reader;
    struct redis_subscriber *subscriber;       /* of the holder alone */
    const char              *redis_url;
    struct lease            *lease;
    struct tasks            *tasks;
    struct ingest_order     *order;
    uv_timer_t               wake, tick;
    unsigned                 handles_open, acts, scripts;
    uint64_t                 term;             /* counts the times that the lease was given */
    size_t                   held_bytes;
    char                     cursor[INGEST_ID_SIZE];  /* of what is pending; ">" after that */
    bool                     is_reading, has_group, is_closing;
    bool                     is_draining, is_drained;
    uint64_t                 pause_until_ms, scanned_ms;
    char                     acks[INGEST_ACKS_MAX][INGEST_ID_SIZE];
    size_t                   ack_count;
    struct metric           *done, *repeats, *dead, *heard, *lost, *seconds;
};

/* --- ingest.c --- */

void ingest_wake(struct ingest *in);           /* go on with the next turn */
void ingest_end_if_idle(struct ingest *in);

/* --- ingest_inputs.c --- */

/* An entry was read: it is checked and stands in line, or is a dead letter at once. */
void ingest_input_add(struct ingest *in, struct slice id, struct slice raw);

/* Act on whatever is due now. */
void ingest_inputs_run(struct ingest *in);

/* Forget those that do not act: whoever holds the lease next finds them pending. */
void ingest_inputs_drop(struct ingest *in);

/* --- ingest_done.c --- */

/* The entry is over; acknowledged with the next flush. */
void ingest_ack(struct ingest *in, const char *id);
void ingest_acks_flush(struct ingest *in);

/* The entry is refused. */
void ingest_dead_letter(struct ingest *in, const char *id, struct slice raw, const char *code,
                        const char *reason);

#endif
