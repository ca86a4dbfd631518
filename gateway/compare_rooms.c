/* compare_rooms.c -- see compare_rooms.h.
 *
 * First the tasks whose rooms have members, then the newest rows of each dashboard that is
 * looked at, then the tasks again. Both keep a cursor of their own, so rooms that come and go
 * between two batches disturb nothing. A room that is behind is told the truth by the same
 * path as after a gap. */
#include "gateway/compare_rooms.h"

#include "common/crypto.h"
#include "common/err.h"
#include "common/json.h"
#include "common/log.h"

#define ROWS_MAX 100                           /* of a dashboard: about what a page shows */

static uint64_t now_ms(const struct compare_rooms *cr)
{
    return uv_now(cr->sources->loop);
}

/* --- what there is --- */

static size_t on_count(void *arg)
{
    const struct compare_rooms *cr = arg;

    return topics_count(cr->topics) + boards_count(cr->boards) * ROWS_MAX;
}

struct picking {
    struct compare_item *out;
    size_t               count;
};

static void pick(struct picking *p, struct slice org, struct slice task)
{
    struct compare_item *item = &p->out[p->count++];

    *item = (struct compare_item){ .org = "" };
    memcpy(item->task, task.data, task.len);
    if (org.len > 0)
        memcpy(item->org, org.data, org.len);
}

static void on_row(struct slice org, struct slice task, void *arg)
{
    pick(arg, org, task);
}

/* One step of the walk; false where it has come to the end of a round. */
static bool step(struct compare_rooms *cr, struct picking *p)
{
    struct slice task;

    if (!cr->is_in_boards) {
        if (topics_next(cr->topics, &task))
            pick(p, (struct slice){ NULL, 0 }, task);
        else
            cr->is_in_boards = true;
        return true;
    }
    if (boards_next(cr->boards, ROWS_MAX, on_row, p))
        return true;
    cr->is_in_boards = false;
    return false;
}

static size_t on_pick(struct compare_item *out, size_t max, void *arg)
{
    struct compare_rooms *cr = arg;
    struct picking        p = { .out = out };

    while (p.count + ROWS_MAX <= max && step(cr, &p))
        continue;
    return p.count;
}

static int64_t on_told(const struct compare_item *item, void *arg)
{
    const struct compare_rooms *cr = arg;
    struct slice                task = slice_of(item->task);

    return item->org[0] == '\0' ? topics_told(cr->topics, task)
                                : boards_told(cr->boards, slice_of(item->org), task);
}

static void on_behind(const struct compare_item *item, int64_t seq, void *arg)
{
    struct compare_rooms *cr = arg;

    log_warn("room-behind", LOG_TEXT("task", item->task), LOG_TEXT("dashboard", item->org),
             LOG_NUM("told", on_told(item, arg)), LOG_NUM("seq", seq));
    metric_inc(cr->behind);
    if (item->org[0] == '\0')
        topics_missed(cr->topics, slice_of(item->task));
    else
        boards_missed(cr->boards, slice_of(item->org));
}

/* --- asking --- */

static int64_t seq_of(const char *task, void *answer)
{
    return json_int(answer, task, 0);
}

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct compare_rooms *cr = arg;
    json_t               *answer = NULL;

    cr->call = NULL;
    if (err == 0 && result->status != 200)
        err = ERR_REPLY;
    if (err == 0)
        answer = json_parse(result->body, NULL);
    if (err == 0 && !json_is_object(answer))
        err = ERR_REPLY;
    if (err != 0)
        log_warn("seqs-failed", LOG_ERR(err));
    compare_answered(&cr->compare, cr->ticket, err, seq_of, answer, now_ms(cr));
    json_decref(answer);
}

static void on_ask(const struct compare_item *items, size_t count, uint32_t ticket, void *arg)
{
    struct compare_rooms *cr = arg;
    struct buf            body;
    int                   err;

    buf_init(&body, COMPARE_BATCH * 32 + 64);
    buf_append_text(&body, "{\"tasks\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&body, "%s\"%s\"", i > 0 ? "," : "", items[i].task);
    buf_append_text(&body, "]}");
    cr->ticket = ticket;
    metric_add(cr->asked, (double)count);
    err = taskd_client_internal(cr->sources->taskd, SLICE("/internal/seqs"), buf_peek(&body),
                                on_answer, cr, &cr->call);
    buf_deinit(&body);
    if (err != 0)
        compare_answered(&cr->compare, ticket, err, seq_of, NULL, now_ms(cr));
}

static const struct compare_handlers HANDLERS = {
    .count = on_count, .pick = on_pick, .ask = on_ask, .told = on_told, .behind = on_behind,
};

/* --- life --- */

void compare_rooms_init(struct compare_rooms *cr, struct topics *topics, struct boards *boards,
                        uint64_t interval_ms, struct metrics *m)
{
    uint32_t random;

    *cr = (struct compare_rooms){ .topics = topics, .boards = boards,
                                  .sources = topics->sources };
    crypto_random(&random, sizeof(random));
    compare_init(&cr->compare, interval_ms, now_ms(cr) + random % interval_ms, &HANDLERS, cr);
    cr->asked = metrics_counter(m, "taskwire_compared_total", NULL,
                                "Seqs of rooms and dashboard rows held against the store's.");
    cr->behind = metrics_counter(m, "taskwire_compared_behind_total", NULL,
                                 "Rooms and dashboards that had missed something unnoticed.");
}

void compare_rooms_deinit(struct compare_rooms *cr)
{
    if (cr->call != NULL)
        taskd_call_cancel(cr->call);
    cr->call = NULL;
    compare_deinit(&cr->compare);
}

void compare_rooms_tick(struct compare_rooms *cr)
{
    compare_tick(&cr->compare, now_ms(cr));
}
