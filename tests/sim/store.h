/* store.h -- the store of the simulation, which is also the truth that histories are held
 * against: taskd/store.h over a few documents, each with all that ever happened to it.
 *
 * Writes are atomic per document and guarded as taskd/store.h promises. The store may be away,
 * and a write may have happened although its caller is told that nobody knows. */
#ifndef TASKWIRE_SIM_STORE_H
#define TASKWIRE_SIM_STORE_H

#include "taskd/store.h"
#include "tests/sim/sim.h"

#define TRUTH_TASKS_MAX 32
#define TRUTH_SEQS_MAX  160

/* A task as it stood after one transition. */
struct truth_step {
    enum input  input;
    enum status status;
    bool        is_private, clarified;
    uint64_t    at_us;                         /* when it was written */
    uint32_t    title;                         /* a hash */
};

struct truth {
    char              id[TASK_ID_LEN + 1], org[40], creator[40];
    int64_t           seq;
    int64_t           published;               /* the highest that Redis was ever given */
    int64_t           marked;
    struct truth_step steps[TRUTH_SEQS_MAX + 1];   /* by seq; [0]: before it was there */
};

size_t        truth_count(void);
struct truth *truth_at(size_t i);
struct truth *truth_find(struct slice id);     /* NULL: there is none */

/* Could this person see it after that transition (SPEC A2)? False before it was there. */
bool truth_may_see(const struct truth *t, int64_t seq, const char *sub, const char *org);

/* The three counts of an org's open tasks, or (sub) of a person's private ones there. */
void truth_counts(const char *org, const char *sub, int64_t out[BUCKETS_PER_SCOPE]);

/* Redis gave this transition a number. */
void truth_published(const char *id, int64_t seq);

uint32_t truth_hash(struct slice text);

/* --- the store itself --- */
void model_store_begin(void);
void model_store_end(void);                    /* no calls are under way */

struct store *model_store_new(struct node *n);
/* Its callbacks run with ERR_STORE; then it is gone. */
void model_store_kill(struct store *s);

void model_store_away(bool is_away);           /* for everybody */
extern unsigned store_lost_per_mille;          /* calls whose outcome nobody learns */

#endif
