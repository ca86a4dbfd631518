/* values.c -- see suite.h: tasks, events and changes to store, and how to compare them. */
#include "tests/integration/store/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

const char *new_id(char out[TASK_ID_LEN + 1])
{
    static unsigned next;

    /* Spread over the id space, as real ones are; the process number keeps children apart. */
    next++;
    snprintf(out, TASK_ID_LEN + 1, "%08x%08x%08x", next * 2654435761u, (unsigned)getpid(), next);
    return out;
}

static void fill_event(struct event *e, const struct task *before, const struct task *after,
                       enum input input, const char *key)
{
    json_t *row = task_row(after);

    event_init(e);
    e->seq = after->seq;
    e->input = input;
    e->payload = mem_strdup("{\"text\":\"a note\"}");
    e->actor = mem_strdup("/suite");
    e->created_at = after->updated_at;
    e->key = mem_strdup(key);
    e->was = before->status;
    e->was_private = before->is_private;
    e->row = task_json_text(row);
    json_decref(row);
}

void make_task(struct task *t, struct event *first, const char *org, const char *sub,
               bool is_private, int64_t at)
{
    char id[TASK_ID_LEN + 1];

    task_init(t);
    task_set_text(&t->id, new_id(id));
    t->seq = 1;
    task_set_text(&t->title, "A title");
    task_set_text(&t->description, "What is to be done");
    t->status = STATUS_RECEIVED;
    t->status_since = t->created_at = t->updated_at = at;
    task_set_text(&t->creator, "Ann Example");
    task_set_text(&t->created_by, sub);
    task_set_text(&t->org, org);
    t->is_private = is_private;
    fill_event(first, t, t, INPUT_CREATED, "");
}

void make_change(struct change *c, const struct task *before, enum input input,
                 enum status status, const char *key)
{
    task_copy(&c->after, before);
    c->after.seq++;
    c->after.updated_at++;
    if (status != before->status)
        c->after.status_since = c->after.updated_at;
    c->after.status = status;
    fill_event(&c->event, before, &c->after, input, key);
    c->c = (struct store_change){ before, &c->after, &c->event };
}

void drop_change(struct change *c)
{
    task_deinit(&c->after);
    event_deinit(&c->event);
}

void stored_task(struct bench *b, struct task *out, const char *org, const char *sub,
                 bool is_private, int64_t at)
{
    struct task t;
    struct event first;
    struct answer a;

    make_task(&t, &first, org, sub, is_private, at);
    assert_int_equal(do_create(b, &a, &t, &first), 0);
    task_copy(out, &a.task);
    answer_drop(&a);
    event_deinit(&first);
    task_deinit(&t);
}

int note(struct bench *b, struct task *t, const char *key)
{
    struct change c;
    struct answer a;
    int err;

    make_change(&c, t, INPUT_NOTE, t->status, key);
    err = do_apply(b, &a, &c.c);
    if (a.has_task) {
        task_deinit(t);
        task_copy(t, &a.task);
    }
    answer_drop(&a);
    drop_change(&c);
    return err;
}

void many_notes(struct bench *b, struct task *t, const char *prefix, int count)
{
    char key[128];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%s%d", prefix, i);
        assert_int_equal(note(b, t, key), 0);
        if (i % 16 == 15 || i == count - 1)    /* as the outbox does in a burst */
            assert_int_equal(do_mark(b, t->id, t->seq, task_bucket(t->status, t->is_private)), 0);
    }
}

static void assert_same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

/* JSON means the same whatever its spaces and order. */
static void assert_same_json(const char *a, const char *b)
{
    json_t *x, *y;

    if (a == NULL || b == NULL) {
        assert_ptr_equal(a, b);
        return;
    }
    x = json_parse(slice_of(a), NULL);
    y = json_parse(slice_of(b), NULL);
    assert_non_null(x);
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

#define same_TEXT(x, y)   assert_same_text(x, y)
#define same_JSON(x, y)   assert_same_json(x, y)
#define same_INT(x, y)    assert_int_equal(x, y)
#define same_TIME(x, y)   assert_int_equal(x, y)
#define same_BOOL(x, y)   assert_int_equal(x, y)
#define same_STATUS(x, y) assert_int_equal(x, y)

void assert_same_task(const struct task *a, const struct task *b)
{
#define FIELD(member, wire, kind, where) same_##kind(a->member, b->member);
#include "taskd/task.def"
#undef FIELD
}

void assert_same_event(const struct event *a, const struct event *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->input, b->input);
    assert_same_json(a->payload, b->payload);
    assert_same_text(a->actor, b->actor);
    assert_int_equal(a->created_at, b->created_at);
    assert_same_text(a->key, b->key);
    assert_same_text(a->trace, b->trace);
    assert_int_equal(a->clarified, b->clarified);
    assert_same_json(a->facts, b->facts);
    assert_int_equal(a->was_private, b->was_private);
    assert_int_equal(a->was, b->was);
    assert_same_json(a->row, b->row);
}
