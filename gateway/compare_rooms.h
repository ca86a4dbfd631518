/* compare_rooms.h -- the comparison with the store, over what this gateway's rooms have been told:
 * the I/O around compare.c. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_COMPARE_ROOMS_H
#define TASKWIRE_GATEWAY_COMPARE_ROOMS_H

#include "gateway/boards.h"
#include "gateway/compare.h"
#include "gateway/taskd_client.h"
#include "gateway/topics.h"

struct compare_rooms {
    struct topics       *topics;
    struct boards       *boards;
    struct sources      *sources;              /* who has the loop and the client */
    struct compare       compare;
    struct taskd_call   *call;                 /* the question under way */
    uint32_t             ticket;               /* its ticket */
    bool                 is_in_boards;         /* the round has gone through the tasks */
    struct metric       *asked, *behind;
};

/* Every room is compared about once in `interval_ms`. What is pointed to must outlive it. */
void compare_rooms_init(struct compare_rooms *cr, struct topics *topics, struct boards *boards,
                        uint64_t interval_ms, struct metrics *m);

/* Before the rooms go. */
void compare_rooms_deinit(struct compare_rooms *cr);

/* About every 100 ms. */
void compare_rooms_tick(struct compare_rooms *cr);

#endif
