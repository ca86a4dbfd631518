/* source.h -- a snapshot that taskd is asked for, and those who wait for it: the I/O around
 * join.c.
 *
 * A source belongs to whoever joins people to something (topics.c, boards.c): it is part of
 * their struct, and reports to them through handlers. It follows an org's feed from its
 * `source_init` on, and holds a reference to the org. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_SOURCE_H
#define TASKWIRE_GATEWAY_SOURCE_H

#include "common/list.h"
#include "gateway/join.h"
#include "gateway/orgs.h"
#include "gateway/taskd_client.h"

struct source;

/* What all sources of a process share: the client, and the timer while one is active. */
struct sources {
    uv_loop_t           *loop;
    struct taskd_client *taskd;
    uv_timer_t           timer;
    struct list          active;
    bool                 is_closing;
};

void sources_init(struct sources *all, uv_loop_t *loop, struct taskd_client *taskd);
void sources_close(struct sources *all);       /* all sources are gone; `all` dies with the loop */

struct source_handlers {
    /* Optional: look at what was fetched before it is used; false: it is not for here (the
       callee has moved the source, or forgotten it). `text` is lent. */
    bool (*fetched)(struct source *s, struct slice text, void *arg);
    bool (*ready)(struct source *s, bool is_last, void *arg);   /* as in join.h */
    void (*failed)(struct source *s, int err, void *arg);   /* ERR_NOT_FOUND, or why */
    void (*idle)(struct source *s, void *arg);              /* nothing is kept, nothing goes on;
                                                               from the timer: may free it */
};

struct source {
    struct sources    *all;
    const struct source_handlers *handlers;
    void              *arg;
    struct join        join;
    struct org        *org;
    struct list        in_org, in_active;
    struct taskd_call *call;                   /* the fetch under way */
    struct source_ask *ask;                    /* the question for the position under way */
    char              *target;                 /* "/internal/tasks/…" */
};

/* `target` is copied. */
void source_init(struct source *s, struct sources *all, struct org *org, const char *target,
                 const struct source_handlers *handlers, void *arg);
void source_deinit(struct source *s);

/* Go on with another org (a snapshot named it); whatever was known is dropped. */
void source_move(struct source *s, struct org *org);

void source_want(struct source *s);
void source_forget(struct source *s);
void source_reset(struct source *s);
void source_stale(struct source *s);
void source_retry(struct source *s, uint64_t delay_ms);
void source_frame(struct source *s, struct frame *f);

/* Would somebody who knew all that had happened up to `least` (none: nothing) see the past in what
 * it has? Where nothing has happened since it was made, nobody would. */
bool source_is_older(const struct source *s, struct position least);

/* The org's feed moved: tell all its sources. */
void sources_moved(struct org *org);

#endif
