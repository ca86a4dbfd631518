/* seat.h -- one seat: what seats.c (beginning, ending, time) and seat_writes.c (what is written
 * of it, and what the answers mean) share. Nobody else includes it. */
#ifndef TASKWIRE_GATEWAY_SEAT_H
#define TASKWIRE_GATEWAY_SEAT_H

#include "gateway/seats.h"
#include "proto/keys.h"

#define SEAT_KEY_SIZE   64
#define SEAT_OWNER_SIZE 80
#define SEAT_TTL_SIZE   16
#define SEAT_LIVE_TTL_S ((unsigned)(SESSION_TTL_S + SESSION_RENEW_S))

struct seat {
    struct seats    *all;
    struct peer     *peer;
    struct seat     *next_in_bucket;
    uint64_t         no;
    struct list      in_all;                   /* of fine or dirty */
    struct offset    start;
    uint32_t         serial;                   /* of the last write */
    uint32_t         acked;                    /* all up to it are written */
    uint32_t         valid_from;               /* answers to earlier writes are of no interest */
    uint32_t         k_used, k_max;            /* snapshots numbered; promised to the record */
    uint32_t         renewed_s;                /* uv_now, in seconds */
    char             pid[SIO_SID_MAX];
    bool             is_opening;               /* `opened` is due */
    bool             is_dirty, is_lost;
};
_Static_assert(sizeof(struct seat) <= 120, "an idle connection must stay small");

/* Seats by number. */
void         seat_table_add(struct seat_table *t, struct seat *s);
void         seat_table_remove(struct seat_table *t, struct seat *s);
struct seat *seat_table_find(const struct seat_table *t, uint64_t no);   /* NULL: there is none */
void         seat_table_deinit(struct seat_table *t);

struct seat_op {                               /* one command under way */
    struct seats *all;
    uint64_t      no;
    uint32_t      serial;
};

struct seat_op *seat_op_new(const struct seat *s);

/* The seat that it was of; NULL where that is gone. The op is freed. */
struct seat *seat_op_done(struct seat_op *op);

uint32_t      seat_now_s(const struct seats *all);         /* the loop's time */
struct redis *seats_link(const struct seats *all);
void          seat_owner(const struct seat *s, char out[SEAT_OWNER_SIZE]);
void          seat_key(const struct seat *s, char out[SEAT_KEY_SIZE]);

/* Its record is not known to be right: it will be written anew. */
void seat_soil(struct seat *s);

/* It is somebody else's now: the transport is closed. */
void seat_lose(struct seat *s);

/* `opened`, once. */
void seat_answer(struct seat *s, enum seat_outcome outcome, const struct record *record);

/* One field of a record (NULL: it goes); what cannot be sent makes it dirty. */
void seat_write_field(struct seat *s, struct slice task, const char *value);

/* The whole record, with every room marked as not told. Returns 0 or ERR_REDIS. */
int seat_write_all(struct seat *s);

/* Its end: two minutes are left (`is_kept`), or it is deleted. Nobody waits for the answers; what
 * cannot be sent ends with its TTL. */
void seat_write_end(struct seat *s, bool is_kept);

#endif
