/* topic.h -- one task that somebody here has joined: what topics.c (its life, who may see it, its
 * frames) and topic_source.c (its snapshot, and who is told what of it) share. Nobody else
 * includes it. */
#ifndef TASKWIRE_GATEWAY_TOPIC_H
#define TASKWIRE_GATEWAY_TOPIC_H

#include <uthash.h>

#include "gateway/topics.h"

#define TASK_ID_LEN 24

struct topic {
    struct topics      *all;
    char                id[TASK_ID_LEN + 1];
    struct source       source;
    struct list         waiters;
    struct list         holds;                 /* of who is coming back */
    bool                is_held;               /* they are where the members are, or would be */
    int64_t             told;                  /* by the members; meaningful while there are any */
    bool                is_lagging;            /* they must be told the truth first */
    int64_t             routing_seq;           /* of what stands below; 0: not known */
    bool                is_private;
    char                creator[JWT_ID_MAX + 1];
    struct sio_message *state;                 /* the event of the kept snapshot, framed */
    struct rcbuf       *state_of;              /* that snapshot */
    char                state_offset[OFFSET_TEXT_SIZE];   /* ... and with this offset */
    UT_hash_handle      hh;
};

extern const struct source_handlers TOPIC_SOURCE_HANDLERS;

/* --- topics.c --- */

/* Does `told` mean something: is somebody there who has been told so far? */
bool topic_has_followers(const struct topic *t);

/* Good for nothing any more? Then it goes. */
void topic_look(struct topic *t);

/* The newest routing line counts. */
void topic_learn(struct topic *t, const struct routing *r);
bool topic_may_see(const struct topic *t, const struct peer *p);

/* Is it of the peer's own org, so that offsets mean something? */
bool topic_is_own(const struct topic *t, const struct peer *p);
void topic_each_member(struct topic *t, void (*fn)(struct sio_socket *, void *));

/* Call those who hold a place: it is settled (0), or cannot be had. They act later, not here. */
void topic_holds_tell(struct topic *t, int err);

/* --- topic_source.c --- */

/* The framed event of the kept snapshot goes. */
void topic_state_drop(struct topic *t);

#endif
