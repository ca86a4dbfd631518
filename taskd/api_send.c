/* api_send.c -- how an answer leaves: its headers, its coding, and the end of its call.
 *
 * What is large enough to gain from it leaves gzip-coded where the client can read that. A
 * page of tasks is compressed in a millisecond, on the spot; a timeline may be a hundred times
 * as long and goes to a worker, because nothing may hold the loop. An entity tag stays the
 * same whatever the coding: it names a seq, not bytes, and comes back in If-Match.
 *
 * Compressing lets the length of an answer tell something of it. Nobody's secrets share an
 * answer with text that another may choose and try again and again: tokens are in none. */
#include <stdlib.h>

#include "common/gzip.h"
#include "common/mem.h"
#include "taskd/api_call.h"

#define PACK_BYTES_MIN 1024                    /* below, headers weigh more than is saved */
#define PACK_INLINE_MAX ((size_t)32 << 10)     /* about a millisecond's */

static void answer(struct call *c, int status, const char *content_type, bool is_packed)
{
    struct http_header headers[7];
    size_t             n = 0;
    struct rcbuf      *body = c->text.len > 0 ? buf_rcbuf(&c->text) : NULL;

    headers[n++] = (struct http_header){ SLICE("Cache-Control"), SLICE("no-store") };
    headers[n++] = (struct http_header){ SLICE("Vary"), SLICE("Accept-Encoding") };
    if (is_packed)
        headers[n++] = (struct http_header){ SLICE("Content-Encoding"), SLICE("gzip") };
    if (c->etag[0] != '\0')
        headers[n++] = (struct http_header){ SLICE("ETag"), slice_of(c->etag) };
    if (c->location[0] != '\0')
        headers[n++] = (struct http_header){ SLICE("Location"), slice_of(c->location) };
    if (status == 401)
        headers[n++] = (struct http_header){ SLICE("WWW-Authenticate"), SLICE("Bearer") };
    if (status == 503)
        headers[n++] = (struct http_header){ SLICE("Retry-After"), SLICE("1") };
    http_request_answer(c->request, &(struct http_answer){
        .status = status, .content_type = body != NULL ? content_type : NULL,
        .headers = headers, .header_count = n, .body = body });
    rcbuf_unref(body);
    call_free(c);
}

struct pack {
    uv_work_t    work;
    struct call *call;
    int          status;
    const char  *content_type;
    struct buf   out;
};

/* On a worker, or where it is short, on the loop. */
static void pack_run(uv_work_t *work)
{
    struct pack *p = work->data;

    (void)gzip_append(buf_peek(&p->call->text), &p->out);
}

static void on_packed(uv_work_t *work, int err)
{
    struct pack *p = work->data;
    struct call *c = p->call;
    bool         is_smaller = err == 0 && !buf_failed(&p->out) && p->out.len < c->text.len;

    if (is_smaller) {
        buf_deinit(&c->text);
        c->text = p->out;
    } else {
        buf_deinit(&p->out);
    }
    answer(c, p->status, p->content_type, is_smaller);
    free(p);
}

void call_send(struct call *c, int status, const char *content_type)
{
    struct slice accepted = http_request_header(c->request, "Accept-Encoding");
    struct pack *p;

    if (c->text.len < PACK_BYTES_MIN || !gzip_is_accepted(accepted)) {
        answer(c, status, content_type, false);
        return;
    }
    p = mem_new(struct pack);
    *p = (struct pack){ .call = c, .status = status, .content_type = content_type };
    p->work.data = p;
    buf_init(&p->out, c->text.len + c->text.len / 100 + 1024);
    if (c->text.len > PACK_INLINE_MAX &&
        uv_queue_work(c->parts->loop, &p->work, pack_run, on_packed) == 0)
        return;
    pack_run(&p->work);
    on_packed(&p->work, 0);
}
