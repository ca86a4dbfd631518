/* outbox_internal.h -- what outbox.c (news and answers) and outbox_due.c (what is due) share. */
#ifndef TASKWIRE_TASKD_OUTBOX_INTERNAL_H
#define TASKWIRE_TASKD_OUTBOX_INTERNAL_H

#include <uthash.h>

#include "common/list.h"
#include "taskd/outbox.h"

#define OUTBOX_ID_SIZE      25
#define OUTBOX_SENT_UNKNOWN (-1)

struct message {
    struct list           node;
    struct outbox_message m;
};

struct waiter {
    struct list node;
    int64_t     seq;                           /* told when sent reaches it; 0: a load will say */
    bool        is_asked;                      /* a load that began after it came is under way */
    void       *cookie;
    int         err;
};

struct entry {
    UT_hash_handle hh;
    char           id[OUTBOX_ID_SIZE];
    char          *org, *creator;              /* NULL until news came */
    struct list    line;                       /* in one of the outbox's lines, or in none */
    struct list    late;                       /* in outbox.late until wake_at */
    uint64_t       wake_at;
    int64_t        wanted, sent, marked;
    enum bucket    sent_bucket;
    struct list    messages;
    size_t         message_count;
    struct list    waiters;
    int64_t        sending, marking;           /* the seq under way; 0: none */
    bool           is_loading, must_load;
};

struct outbox {
    struct entry  *entries;
    struct list    ready;                      /* something may be due */
    struct list    await_send, await_load;     /* something is, but too many are under way */
    struct list    late;
    struct list    told;                       /* waiters to be told */
    struct waiter *lent;                       /* the one handed out last */
    struct rcbuf  *lent_body;
    size_t         sends, loads, marks;
    uint64_t       now_ms;
    bool           is_up, is_stopped;
};

/* The oldest message in memory; NULL: none. */
static inline struct message *outbox_first(const struct entry *e)
{
    return list_is_empty(&e->messages) ? NULL
                                       : container_of(e->messages.next, struct message, node);
}

void outbox_drop_first(struct entry *e);       /* of its messages: there is one */

/* Nothing is left of it to be done: whoever waits is told. */
void outbox_forget(struct outbox *o, struct entry *e);

/* What the last action lent is not needed any more. */
void outbox_return_lent(struct outbox *o);

#endif
