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
    struct topic   *cursor;                    /* of topics_next: the one that it gives next */
    bool            is_walking;                /* or it begins anew */
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

/* A place in a task's room for somebody who is coming back without a snapshot: while it is held
 * the room moves on with the feed as if they were in it. `org` is theirs. */
struct topic_hold {
    struct list   in_topic;                    /* the rest is topics.c's, but for err, ... */
    struct topic *topic;
    int           err;                         /* 0: settled; ERR_BUSY: not yet; else it failed */
    void        (*changed)(void *arg);         /* ... these two, set before: err is another now; it
                                                  may not call anything here */
    void         *arg;
};
void topics_hold(struct topics *ts, struct topic_hold *h, struct org *org, struct slice task);

/* Take the place: into the room, as of this moment's position of the feed. Returns 0,
 * ERR_NOT_FOUND where they may not see the task (any more), ERR_TOO_BIG past the limit of
 * rooms, or why it is not settled. */
int  topic_hold_enter(struct topic_hold *h, struct peer *p);
void topic_hold_release(struct topic_hold *h); /* always, in the end; harmless where never held */

/* A wait for this task has ended otherwise: is the topic still good for something? */
void topics_look(struct topics *ts, struct slice task);

/* A frame was delivered: keep what is needed of it. Returns whether the room of its task is to
 * be told. */
bool topics_admit(struct topics *ts, struct frame *f);

/* Something of this org may have been missed: every room gets the truth. */
void topics_resync(struct topics *ts, struct org *o);

/* For who goes through all of them over time, whatever comes and goes meanwhile (compare.h): how
 * many there are; the next one's id, lent (false: that was the last, and the next call begins
 * again); up to where its room has been told (-1: nobody is there, or the truth is on its way). */
size_t  topics_count(const struct topics *ts);
bool    topics_next(struct topics *ts, struct slice *id);
int64_t topics_told(struct topics *ts, struct slice task);

/* Its room has missed something: it gets the truth. */
void topics_missed(struct topics *ts, struct slice task);

/* The ids of the tasks whose rooms a peer is in: calls `fn` for each. */
void topics_each_of(struct peer *p, void (*fn)(struct peer *p, struct slice task, void *arg), void *arg);

bool task_id_is_well_formed(struct slice id);

#endif
