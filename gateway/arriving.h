/* arriving.h -- one arrival: what arrival.c (its life, with or without a seat) and comeback.c (what
 * it missed, and its rooms) share. Nobody else includes it. */
#ifndef TASKWIRE_GATEWAY_ARRIVING_H
#define TASKWIRE_GATEWAY_ARRIVING_H

#include "gateway/arrival.h"

enum arrival_state { TAKING, FOLLOWING, READING, SETTLING, STARTING, MAKING, ANEW };

struct arrival {
    struct arrivals   *all;
    struct peer       *peer;
    enum arrival_state state;
    uint64_t           due_ms;
    struct list        in_all, in_due;
    char               sid[RECORD_SID_SIZE];
    char              *offset;                 /* as the client gave it; or NULL */
    struct recovery    recovery;
    bool               has_recovery, is_asked;
    bool               is_lost;                /* what it replays has a hole now */
    struct topic_hold *holds;                  /* one for each of recovery.rooms */
    uint32_t           ticket;                 /* of what was asked of the org last */
    void             (*came)(struct peer *p, enum arrival_came how);   /* of a stream; or NULL */
};

/* --- arrival.c --- */

uint64_t arrival_now_ms(const struct arrivals *as);
void     arrival_enter(struct arrival *a, enum arrival_state state, uint64_t within_ms);

/* It will be brought on, later, on a clean stack. */
void arrival_mark(struct arrival *a);

/* It cannot come back: it begins anew. */
void arrival_give_up(struct arrival *a, enum arrival_outcome why);

/* A socket; `recovered_sid` is NULL for a new one. */
void arrival_let_in(struct peer *p, const char *recovered_sid);
void arrival_free(struct arrival *a);

/* --- comeback.c --- */

/* What it may come back to: FOLLOWING from now on. Returns 0, or ERR_INVALID: the offset is none, or
 * says more than the record. */
int  comeback_begin(struct arrival *a, const struct record *record);
void comeback_end(struct arrival *a);          /* harmless where it has not begun */

/* FOLLOWING: is our feed where the client is, or further? */
void comeback_follow(struct arrival *a);

/* SETTLING: have all rooms their places, or has that taken too long? */
bool comeback_is_settled(const struct arrival *a);

/* All in one turn: what was missed is said, the rooms are entered, the peer is let in. The arrival
 * is gone afterwards, unless it gives up. */
void comeback_finish(struct arrival *a);

#endif
