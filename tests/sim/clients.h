/* clients.h -- people with their pages open: they join, leave, lose their connections and
 * come back, and every event that they hear is checked (view.c).
 *
 * Each client remembers of each task, and of its dashboard, exactly what a page would show. */
#ifndef TASKWIRE_SIM_CLIENTS_H
#define TASKWIRE_SIM_CLIENTS_H

#include "tests/sim/gateways.h"
#include "tests/sim/store.h"

#define CLIENTS_MAX 400
#define TOLD_MAX    3                          /* events of a room before its event_added */

struct task_view {
    bool         is_in;                        /* it has a state, and was not evicted */
    unsigned     joins;                        /* asked for and not answered */
    bool         is_leaving;
    int64_t      seq, known;                   /* heard of; when the state was asked for */
    enum status  status;
    bool         is_private;
    uint32_t     title;
    unsigned     told_count;                   /* of the transition after `seq` */
    char         told[TOLD_MAX][40];
};

struct row_view {
    bool        is_shown;
    int64_t     seq;                           /* shown, or taken away, at */
    bool        was_created, was_removed;      /* heard of the transition after `seq` */
    enum status status;
};

struct dash_view {
    bool                is_in, is_leaving;
    int64_t             known[TRUTH_TASKS_MAX];   /* of each row when the state was asked for */
    uint64_t            known_rev;
    unsigned            joins;
    uint64_t            since_us;              /* when the state came */
    struct row_view     rows[TRUTH_TASKS_MAX]; /* by place in the truth */
    struct heard_counts org, own;
};

struct client {
    size_t             index;
    char               sub[16], org[24];
    struct sio_socket *socket;                 /* NULL: not connected */
    uint64_t           extra_us;
    int64_t            acks;
    struct asked {
        int64_t           ack;
        enum request_kind kind;
        size_t            task;                /* RESYNC: how many tasks there were */
    } asked[64];
    size_t             asked_count;
    bool               is_settling;            /* wants everything it may see, and stays */
    struct task_view   tasks[TRUTH_TASKS_MAX];
    struct dash_view   dash;
};

void   clients_begin(size_t count);
void   clients_end(void);
size_t clients_count(void);
void   client_lose(size_t i);                  /* its connection breaks */

/* From now on nobody wanders about any more: all stay, and join all they may see. */
void clients_settle(void);

/* Everything that was asked for has been answered? */
bool clients_are_settled(void);

/* --- view.c --- */
void view_clear(struct client *c);
void view_ask_task(struct client *c, size_t task);      /* its state is asked for now */
void view_ask_dashboard(struct client *c);
void view_hear(struct client *c, const struct heard *h);
void view_answered(struct client *c, const struct asked *a, bool is_ok, struct slice json);

/* Is everything equal to the store? */
void clients_check_end(void);
void view_check_end(const struct client *c);

/* An event counts: for statistics. */
extern uint64_t views_heard;

#endif
