/* boards.h -- the dashboards of the orgs that somebody here looks at.
 *
 * An org's page is fetched once for everybody; only people with private tasks cost a fetch
 * of their own (dashboard.h puts both together). A board is there while its rooms have
 * members, somebody waits, or a page is kept. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_BOARDS_H
#define TASKWIRE_GATEWAY_BOARDS_H

#include "gateway/lines.h"
#include "gateway/orgs.h"
#include "gateway/peer.h"
#include "gateway/source.h"

struct board;

struct boards {
    struct lines  *lines;
    struct sources *sources;
    struct board   *table;
    struct board   *cursor;                    /* of boards_next: the one that it gives next */
    bool            is_walking;                /* or it begins anew */
    struct metric  *joins;
};

void boards_init(struct boards *bs, struct lines *lines, struct sources *sources,
                 struct metrics *m);

/* Let go of everything: nobody is in any room, nobody waits. */
void boards_deinit(struct boards *bs);

/* Tell `w`'s peer the state of its org's dashboard, and let it into the rooms; `w` ends when
 * that is done or refused. */
void boards_join(struct boards *bs, struct wait *w);

/* Let in somebody who is coming back, without a state, as of this moment's position of the feed.
 * Returns 0, or ERR_TOO_BIG past the limit of rooms. */
int boards_enter(struct boards *bs, struct peer *p);

/* Leave the rooms, or stop waiting for them. */
void boards_leave(struct boards *bs, struct peer *p);
bool boards_has(const struct peer *p);

/* A wait of this org has ended otherwise: is its board still good for something? */
void boards_look(struct boards *bs, struct slice org);

/* A frame was delivered: keep what is needed of it. Returns whether the rows in it are news
 * for dashboards (counts always are). */
bool boards_admit(struct boards *bs, struct frame *f);

/* For who goes through all of them over time (compare.h): how many there are; the newest `max`
 * rows that the next one's readers have been told of (none where it has no readers), false
 * where that was the last; up to where they have been told of one (-1: nobody is there). */
size_t  boards_count(const struct boards *bs);
bool    boards_next(struct boards *bs, size_t max,
                    void (*fn)(struct slice org, struct slice task, void *arg), void *arg);
int64_t boards_told(struct boards *bs, struct slice org, struct slice task);

/* Its readers have missed something: they get a fresh state. */
void boards_missed(struct boards *bs, struct slice org);

/* Something of this org may have been missed: everybody gets a fresh state. */
void boards_resync(struct boards *bs, struct org *o);

#endif
