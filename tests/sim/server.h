/* server.h -- the Redis of the simulation: one server, its keys, and the sequencer's rules.
 *
 * What taskd/publish_script.c says in Lua is said again here in C, key by key, so that a
 * simulation may run ten thousand lives of it. wire.c brings commands here and answers back.
 * tests/unit/taskd/publish_script_test.c holds the Lua against a real Redis. */
#ifndef TASKWIRE_SIM_SERVER_H
#define TASKWIRE_SIM_SERVER_H

#include "common/rcbuf.h"
#include "taskd/publish_script.h"
#include "tests/sim/sim.h"

#define SERVER_NAME_SIZE 40

struct server_entry {
    uint64_t      number;
    struct rcbuf *text;
};

void server_begin(size_t log_max);             /* entries of a log; older ones are trimmed */
void server_end(void);

bool        server_is_up(void);
const char *server_run_id(void);

/* --- what may happen to it (wire.c drops the connections) --- */
void server_flush(void);                       /* FLUSHALL */
void server_keep_copy(void);                   /* what a later restart may come back with */
void server_stop(void);
enum server_memory { SERVER_EMPTY, SERVER_OLDER, SERVER_WHOLE };
void server_start(enum server_memory m);       /* with another run id */

/* --- commands --- */
struct position server_position(const char *org);            /* HMGET: 0 and 0 where it has none */
const struct server_entry *server_log(const char *org, uint64_t from, size_t *count);   /* XRANGE */

/* --- the scripts; `run` is the caller's idea of who the server is --- */
struct server_caller {
    char     org[SERVER_NAME_SIZE], token[SERVER_NAME_SIZE], run[SERVER_NAME_SIZE + 1];
    uint64_t floor_us;
};
struct server_publication {
    char          task[25], creator[SERVER_NAME_SIZE];
    int64_t       seq, marked;
    enum bucket   before, after;
    struct rcbuf *body;
};
struct server_counts {
    int64_t org[BUCKETS_PER_SCOPE];
    struct {
        char    sub[SERVER_NAME_SIZE];
        int64_t n[BUCKETS_PER_SCOPE];
    } people[8];
    size_t people_count;
};
struct server_answer {
    struct script_answer a;
    char                 people[256];
};
void server_publish(const struct server_caller *who, const struct server_publication *p,
                    struct server_answer *out);
void server_ask(const struct server_caller *who, const char *sub, struct server_answer *out);
void server_begin_epoch(const struct server_caller *who, const struct server_counts *c,
                        struct server_answer *out);
void server_hold(const struct server_caller *who, uint64_t quiet_us, struct server_answer *out);
void server_correct(const struct server_caller *who, const struct server_counts *c,
                    struct server_answer *out);
void server_release(const struct server_caller *who, struct server_answer *out);

/* Whoever listens gets it (wire.c). */
void wire_publish(const char *channel, struct rcbuf *text);

#endif
