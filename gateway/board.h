/* board.h -- one org's dashboard: what boards.c (its life, its calls) and board_source.c (its
 * snapshots, and who is told what of them) share. Nobody else includes it. */
#ifndef TASKWIRE_GATEWAY_BOARD_H
#define TASKWIRE_GATEWAY_BOARD_H

#include <uthash.h>

#include "gateway/boards.h"
#include "gateway/seen.h"

struct own {                                   /* a person's private part */
    struct board  *board;
    char           sub[JWT_ID_MAX + 1];
    struct source  source;
    struct list    waiters;
    UT_hash_handle hh;
};

struct board {
    struct boards      *all;
    char                org[ORG_NAME_MAX];
    struct source       page;
    struct list         waiters;               /* for the page */
    struct own         *owns;
    struct seen         seen;                  /* what the rooms have been told of */
    struct sio_message *state;                 /* of the kept page, for all without private tasks */
    struct rcbuf       *state_of;
    char                state_offset[OFFSET_TEXT_SIZE];
    UT_hash_handle      hh;
};

extern const struct source_handlers BOARD_PAGE_HANDLERS, BOARD_OWN_HANDLERS;

/* boards.c: a person's part, made where it is not there. */
struct own *own_get(struct board *b, struct slice sub);

/* boards.c: good for nothing any more? Then it goes. */
void board_look(struct board *b);
void own_look(struct own *o);

/* board_source.c: the framed event of the kept page goes. */
void board_state_drop(struct board *b);

/* board_source.c: into both rooms, or out of them. */
bool board_rooms_join(struct board *b, struct peer *p);
void board_rooms_leave(struct peer *p);

/* board_source.c, for sio_each_member: out of the rooms, to wait for a state with no request. */
void board_member_take_out(struct sio_socket *s, void *board);

#endif
