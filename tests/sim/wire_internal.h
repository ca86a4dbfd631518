/* wire_internal.h -- what wire.c (links), wire_calls.c (commands and replies) and
 * wire_channels.c (subscriptions) share. */
#ifndef TASKWIRE_SIM_WIRE_INTERNAL_H
#define TASKWIRE_SIM_WIRE_INTERNAL_H

#include "tests/sim/server.h"
#include "tests/sim/wire.h"

enum command_kind {
    COMMAND_POSITION, COMMAND_LOG, COMMAND_PUBLISH,
    COMMAND_SEND, COMMAND_ASK, COMMAND_BEGIN, COMMAND_HOLD, COMMAND_CORRECT, COMMAND_RELEASE
};

#define CHANNEL_SIZE 64

struct wire_command {
    struct list               in_link;
    struct redis             *link;
    struct happening         *due;
    redis_cb                 *cb;
    void                     *arg;
    enum command_kind         kind;
    bool                      is_script, is_done, has_sub;
    struct server_caller      who;
    struct server_publication publication;
    struct server_counts      counts;
    char                      sub[SERVER_NAME_SIZE];
    uint64_t                  quiet_us, from;
    size_t                    max;
    char                      channel[CHANNEL_SIZE];
    struct rcbuf             *text;
    /* what came of it */
    struct server_answer      answer;
    struct position           at;
    struct redis_reply       *reply;           /* built when it is asked for */
    struct rcbuf            **log;
    uint64_t                 *log_numbers;
    size_t                    log_count;
};

/* Give it to the link; the command is the link's from then on, whatever is returned. */
int wire_send(struct redis *r, struct wire_command *c, redis_cb *cb, void *arg);

/* --- wire_calls.c --- */
void                      command_read_log(struct wire_command *c);
const struct redis_reply *command_reply(struct wire_command *c);
void                      command_reply_free(struct wire_command *c);

/* --- wire_channels.c --- */
void subscribers_begin(void);
void subscribers_break_all(void);
void subscribers_kill_node(struct node *n);

#endif
