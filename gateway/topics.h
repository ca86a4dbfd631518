/* topics.h -- the tasks that somebody here has joined, or is joining.
 *
 * A topic knows what the members of a task's room have been told (`told`, one number for all of
 * them), the newest routing line (who may see it), and the snapshot of the moment. It is
 * there while the room has members, somebody waits, or a snapshot is kept. On the loop's
 * thread. */
#ifndef TASKWIRE_GATEWAY_TOPICS_H
#define TASKWIRE_GATEWAY_TOPICS_H

#include "gateway/lines.h"
#include "gateway/orgs.h"
#include "gateway/peer.h"
#include "gateway/source.h"

struct topic;

struct topics {
    struct lines  *lines;
    struct orgs    *orgs;
    struct sources *sources;
    struct topic   *table;
    struct metric  *gaps, *joins;
};

void topics_init(struct topics *ts, struct lines *lines, struct orgs *orgs,
                 struct sources *sources, struct metrics *m);

/* Let go of everything: nobody is in any room, nobody waits. */
void topics_deinit(struct topics *ts);

/* Tell `w`'s peer the state of w->task, and let it into the room; `w` ends when that is done
 * or refused. `w->task` must be 24 lower-case hexadecimal digits. */
void topics_join(struct topics *ts, struct wait *w);

/* Leave the room, or stop waiting for it. */
void topics_leave(struct topics *ts, struct peer *p, struct slice task);

/* A wait for this task has ended otherwise: is the topic still good for something? */
void topics_look(struct topics *ts, struct slice task);

/* A frame was delivered: keep what is needed of it. Returns whether the room of its task is to
 * be told. */
bool topics_admit(struct topics *ts, struct frame *f);

/* Something of this org may have been missed: every room gets the truth. */
void topics_resync(struct topics *ts, struct org *o);

/* The ids of the tasks whose rooms a peer is in: calls `fn` for each. */
void topics_each_of(struct peer *p, void (*fn)(struct peer *p, struct slice task, void *arg), void *arg);

bool task_id_is_well_formed(struct slice id);

#endif
