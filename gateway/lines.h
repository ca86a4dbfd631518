/* lines.h -- an envelope's lines, each to its room: framed once, shared by all.
 *
 * On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_LINES_H
#define TASKWIRE_GATEWAY_LINES_H

#include "common/metrics.h"
#include "gateway/frame.h"
#include "gateway/journey.h"
#include "gateway/peer.h"
#include "gateway/socketio/socketio.h"

struct lines {
    struct sio_namespace *ns;
    struct peers         *peers;
    struct journeys       journeys;
    struct journey       *journey;             /* of the envelope that is being told; NULL: none */
    struct metric        *told, *seconds;
};

void lines_init(struct lines *f, struct sio_namespace *ns, struct peers *peers,
                 struct metrics *m);

/* Say every line of a frame to its room, in the frame's order. `tell_task`: the task's room is
 * owed this transition (topics_admit); `tell_rows`: so are dashboards (boards_admit; counts are
 * told in any case). Who is evicted is taken out of the room. */
void lines_tell(struct lines *f, const struct frame *frame, bool tell_task, bool tell_rows);

/* An event and the offset that it carries (empty: none); `key`: see eio_message_new. */
struct line {
    struct slice json, offset;
    uint64_t     key;
};

/* Say one event to a room. */
void lines_say(struct lines *f, struct slice room, const struct line *line);

/* Tell those in a task's room who may not see it any more that they are out, and take them
 * out. */
void lines_evict(struct lines *f, const struct routing *r);

/* The conflation key of a dashboard's line (0: none): a slow reader needs only the newest
 * row of a task, and the newest counts of a scope. Pure. */
uint64_t lines_key(struct slice json, struct slice task, bool is_mine);

/* The same for who looks at a task. */
uint64_t lines_presence_key(struct slice task);

#endif
