/* ingest_order.c -- who goes first.
 *
 * Each task has a line of its inputs. The head acts; when it is over, the next does. What makes
 * it more than a queue is the head that came too early: `coding` before `dispatched`, because
 * two services publish over two connections. It cannot act until the other has, and the other
 * stands behind it, perhaps behind a note that must stay behind too, or the timeline would
 * tell the story in another order than it was sent.
 *
 * So a later input may go ahead of an early head only if it is a step on the shortest way
 * from the task's status to one in which the head is legal, the ways being the moves of the
 * inputs that wait. A note, which moves nothing, never is; `failed`, which leads nowhere,
 * neither. The search is over eight statuses, breadth first.
 *
 * Rejected: trying each waiting input in turn (a `failed` sent last would act first), and a
 * rank per input (statuses have more than one way between them). */
#include "taskd/ingest_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/mem.h"
#include "proto/shapes.h"

struct ingest_line {
    UT_hash_handle hh;
    char           task_id[25];
    struct list    items;                      /* in order of arrival */
    struct list    ready;                      /* in order.ready: look at it */
    struct list    late;                       /* in order.late until wake_at */
    uint64_t       wake_at;
    bool           is_acting;
    enum status    status;                     /* as of the last EARLY */
    bool           failed_by_closing;
};

struct ingest_order {
    struct ingest_line *lines;
    struct list         ready, late;
    size_t              count;
};

struct ingest_order *ingest_order_new(void)
{
    struct ingest_order *o = mem_new(struct ingest_order);

    list_init(&o->ready);
    list_init(&o->late);
    return o;
}

void ingest_order_free(struct ingest_order *o)
{
    assert(o->lines == NULL);
    free(o);
}

static struct ingest_item *line_head(const struct ingest_line *l)
{
    return list_is_empty(&l->items) ? NULL
                                    : container_of(l->items.next, struct ingest_item, node);
}

static void line_ready(struct ingest_order *o, struct ingest_line *l)
{
    list_remove(&l->late);
    list_remove(&l->ready);
    list_append(&o->ready, &l->ready);
}

static void line_sleep(struct ingest_order *o, struct ingest_line *l, uint64_t until_ms)
{
    l->wake_at = until_ms;
    list_remove(&l->ready);
    list_remove(&l->late);
    list_append(&o->late, &l->late);
}

static void line_drop_if_empty(struct ingest_order *o, struct ingest_line *l)
{
    if (!list_is_empty(&l->items))
        return;
    list_remove(&l->ready);
    list_remove(&l->late);
    HASH_DEL(o->lines, l);
    free(l);
}

void ingest_order_add(struct ingest_order *o, struct ingest_item *i, uint64_t now_ms)
{
    struct ingest_line *l;
    struct ingest_item *head;

    HASH_FIND_STR(o->lines, i->task_id, l);
    if (l == NULL) {
        l = mem_new(struct ingest_line);
        memcpy(l->task_id, i->task_id, sizeof(l->task_id));
        list_init(&l->items);
        list_init(&l->ready);
        list_init(&l->late);
        HASH_ADD_STR(o->lines, task_id, l);
    }
    head = line_head(l);
    i->line = l;
    i->is_acting = i->is_tried = false;
    i->early_at = head != NULL && head->early_at != 0 ? now_ms : 0;
    list_append(&l->items, &i->node);
    o->count++;
    if (!l->is_acting && (head == NULL || head->early_at != 0))
        line_ready(o, l);
}

static struct ingest_item *take_item(struct ingest_order *o, struct ingest_item *i)
{
    list_remove(&i->node);
    i->line = NULL;
    o->count--;
    return i;
}

/* The head turned out to be early: the clock of all who stand behind it runs too. */
static void line_is_early(struct ingest_line *l, struct ingest_item *i, uint64_t now_ms)
{
    if (i != line_head(l))
        i->is_tried = true;                    /* the way it was to open is not there */
    list_each (node, &l->items) {
        struct ingest_item *each = container_of(node, struct ingest_item, node);

        if (each->early_at == 0)
            each->early_at = now_ms;
    }
}

void ingest_order_result(struct ingest_order *o, struct ingest_item *i,
                         enum ingest_outcome outcome, enum status status,
                         bool failed_by_closing, uint64_t now_ms)
{
    struct ingest_line *l = i->line;

    assert(i->is_acting);
    i->is_acting = false;
    l->is_acting = false;
    if (outcome == INGEST_OVER) {
        take_item(o, i);
        list_each (node, &l->items)            /* the task has moved: all may be tried again */
            container_of(node, struct ingest_item, node)->is_tried = false;
        if (line_head(l) != NULL) {
            if (line_head(l)->early_at != 0)
                l->status = STATUS_COUNT;      /* not known until the head is tried */
            line_ready(o, l);
        }
        line_drop_if_empty(o, l);
        return;
    }
    if (outcome == INGEST_AWAY) {
        list_each (node, &l->items)            /* time does not count while the store is away */
            container_of(node, struct ingest_item, node)->early_at = 0;
        line_sleep(o, l, now_ms + INGEST_AWAY_MS);
        return;
    }
    l->status = status;
    l->failed_by_closing = failed_by_closing;
    line_is_early(l, i, now_ms);
    if (i == line_head(l))
        i->is_tried = true;
    line_ready(o, l);
}

/* Who of those behind the head takes the first step on the shortest way to a status in which
 * the head is legal? NULL: nobody. */
static struct ingest_item *find_opener(const struct ingest_line *l,
                                       const struct ingest_item *head)
{
    struct ingest_item *first[STATUS_COUNT] = { NULL };
    bool                seen[STATUS_COUNT] = { false };
    enum status         queue[STATUS_COUNT];
    size_t              begin = 0;
    size_t              end = 0;
    bool                closes = false;        /* the way to `failed` was pr_closed */

    if (l->status >= STATUS_COUNT)
        return NULL;
    seen[l->status] = true;
    queue[end++] = l->status;
    while (begin < end) {
        enum status at = queue[begin++];
        bool        by_closing = at == STATUS_FAILED &&
                                 (at == l->status ? l->failed_by_closing : closes);

        list_each (node, &l->items) {
            struct ingest_item *i = container_of(node, struct ingest_item, node);
            const struct move  *m = move_find(i->input, at, by_closing);

            if (i == head || m == NULL || m->to == STATUS_COUNT || seen[m->to] ||
                (at == l->status && i->is_tried))
                continue;
            seen[m->to] = true;
            first[m->to] = at == l->status ? i : first[at];
            if (m->to == STATUS_FAILED)
                closes = i->input == INPUT_PR_CLOSED;
            if (move_find(head->input, m->to, m->to == STATUS_FAILED && closes) != NULL)
                return first[m->to];
            queue[end++] = m->to;
        }
    }
    return NULL;
}

static void line_act(struct ingest_line *l, struct ingest_item *i, struct ingest_action *out)
{
    l->is_acting = true;
    i->is_acting = true;
    list_remove(&l->ready);
    *out = (struct ingest_action){ .kind = INGEST_ACT, .item = i };
}

/* Its time has come: the head may be tried again, unless it has waited long enough. */
static void line_wake(struct ingest_line *l, struct ingest_item *head, uint64_t now_ms)
{
    if (l->wake_at == 0 || l->wake_at > now_ms)
        return;
    l->wake_at = 0;
    if (head->early_at == 0 || now_ms < head->early_at + INGEST_EARLY_MS)
        head->is_tried = false;
}

/* Look at a line: true with an action. */
static bool line_next(struct ingest_order *o, struct ingest_line *l, uint64_t now_ms,
                      struct ingest_action *out)
{
    struct ingest_item *head = line_head(l);
    struct ingest_item *opener;

    list_remove(&l->ready);
    if (head == NULL || l->is_acting)
        return false;
    line_wake(l, head, now_ms);
    if (!head->is_tried) {
        line_act(l, head, out);
        return true;
    }
    opener = find_opener(l, head);
    if (opener != NULL) {
        line_act(l, opener, out);
        return true;
    }
    if (now_ms >= head->early_at + INGEST_EARLY_MS) {
        *out = (struct ingest_action){ .kind = INGEST_GIVE_UP, .item = take_item(o, head) };
        line_ready(o, l);
        line_drop_if_empty(o, l);
        return true;
    }
    line_sleep(o, l, l->wake_at > now_ms ? l->wake_at : now_ms + INGEST_ASK_MS);
    return false;
}

static void wake_late(struct ingest_order *o, uint64_t now_ms)
{
    list_each_safe (node, &o->late) {
        struct ingest_line *l = container_of(node, struct ingest_line, late);

        if (l->wake_at <= now_ms)
            line_ready(o, l);
    }
}

bool ingest_order_next(struct ingest_order *o, uint64_t now_ms, struct ingest_action *out)
{
    wake_late(o, now_ms);
    while (!list_is_empty(&o->ready)) {
        struct ingest_line *l = container_of(o->ready.next, struct ingest_line, ready);

        if (line_next(o, l, now_ms, out))
            return true;
    }
    return false;
}

void ingest_order_clear(struct ingest_order *o, void (*drop)(struct ingest_item *i, void *arg),
                        void *arg)
{
    struct ingest_line *l;
    struct ingest_line *next;

    HASH_ITER (hh, o->lines, l, next) {
        list_each_safe (node, &l->items) {
            struct ingest_item *i = container_of(node, struct ingest_item, node);

            if (!i->is_acting)
                drop(take_item(o, i), arg);
        }
        line_drop_if_empty(o, l);
    }
}

size_t ingest_order_count(const struct ingest_order *o)
{
    return o->count;
}

bool ingest_order_is_waiting(const struct ingest_order *o)
{
    return !list_is_empty(&o->late);
}
