/* presence_link.h -- presence over Redis: reports written and heard, and who still lives.
 *
 * The thin I/O around presence.c (proto/internal.md, "Presence"). On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_PRESENCE_LINK_H
#define TASKWIRE_GATEWAY_PRESENCE_LINK_H

#include "common/metrics.h"
#include "gateway/lines.h"
#include "gateway/orgs.h"
#include "gateway/presence.h"

struct presence_post;

struct presence_link {
    struct presence  presence;
    uv_loop_t       *loop;
    struct lines    *lines;
    struct orgs     *orgs;
    const char      *gateway;                  /* this gateway's id */
    char             name[64];                 /* "<gateway>.<life>" */
    uint64_t         life;
    bool             is_sound;                 /* Redis has what we told it, as far as we know */
    uint64_t         beat_ms;
    struct list      posts, beats;             /* under way */
    struct presence_post *open;                /* being filled */
    struct metric   *told, *reports, *lives;
};

/* `gateway` and what is pointed to must outlive it. Sets itself as the peers' watch: it hears of
 * everybody who enters and leaves the room of a task. */
void presence_link_init(struct presence_link *l, struct lines *lines, struct orgs *orgs,
                        const char *gateway, struct metrics *m);

/* Nobody is in any room. Others are told at once; no handler runs any more. */
void presence_link_close(struct presence_link *l);

/* About every 100 ms. */
void presence_link_tick(struct presence_link *l);

#endif
