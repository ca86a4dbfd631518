/* notices.c -- see notices.h.
 *
 * Reading twice is harmless, so where taskd cannot be asked the client is told to try again, and
 * nothing is kept here. Calls under way stand in one list and not with their sockets: few are
 * ever under way, and many sockets idle. */
#include "gateway/notices.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

struct notice_call {
    struct notices    *all;
    struct peer       *peer;                   /* NULL: it has gone */
    int64_t            ack;
    struct taskd_call *call;
    struct list        in_all;
};

static void notice_call_free(struct notice_call *c)
{
    list_remove(&c->in_all);
    c->all->count--;
    free(c);
}

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct notice_call *c = arg;
    bool                is_done = err == 0 && result->status == 204;

    if (c->peer != NULL)
        peer_answer(c->peer, c->ack, is_done ? OUTCOME_OK : ERROR_UNAVAILABLE);
    notice_call_free(c);
}

static void body_write(const struct peer *p, const json_t *ids, struct buf *out)
{
    buf_append_text(out, "{\"org\":");
    buf_append_json(out, user_org(p->user));
    buf_append_text(out, ",\"sub\":");
    buf_append_json(out, user_sub(p->user));
    buf_append_text(out, ",\"ids\":");
    (void)json_append(out, ids);               /* came in one message: it fits */
    buf_append_char(out, '}');
}

void notices_read(struct notices *n, struct peer *p, int64_t ack, const json_t *ids)
{
    struct notice_call *c;
    struct buf          body;
    int                 err;

    if (n->count >= NOTICES_MAX) {
        peer_answer(p, ack, ERROR_UNAVAILABLE);
        return;
    }
    c = mem_new(struct notice_call);
    *c = (struct notice_call){ .all = n, .peer = p, .ack = ack };
    list_append(&n->calls, &c->in_all);
    n->count++;
    buf_init(&body, SIZE_MAX / 2);
    body_write(p, ids, &body);
    err = taskd_client_internal(n->taskd, SLICE("/internal/notifications/read"), buf_peek(&body),
                                on_answer, c, &c->call);
    buf_deinit(&body);
    if (err == 0)
        return;
    notice_call_free(c);
    peer_answer(p, ack, ERROR_UNAVAILABLE);
}

void notices_forget(struct notices *n, const struct peer *p)
{
    list_each(node, &n->calls) {
        struct notice_call *c = container_of(node, struct notice_call, in_all);

        if (c->peer == p)
            c->peer = NULL;
    }
}

void notices_init(struct notices *n, struct taskd_client *taskd)
{
    *n = (struct notices){ .taskd = taskd };
    list_init(&n->calls);
}

void notices_close(struct notices *n)
{
    list_each_safe(node, &n->calls) {
        struct notice_call *c = container_of(node, struct notice_call, in_all);

        taskd_call_cancel(c->call);
        notice_call_free(c);
    }
    assert(n->count == 0);
}
