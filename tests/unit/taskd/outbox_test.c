/* outbox_test.c -- what a task still has to say goes out in order, once it can. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/err.h"
#include "taskd/outbox.h"

#define TASK_A "aaaaaaaaaaaaaaaaaaaaaaaa"
#define TASK_B "bbbbbbbbbbbbbbbbbbbbbbbb"

static int setup(void **state)
{
    struct outbox *o = outbox_new();

    outbox_link(o, true, 0);
    *state = o;
    return 0;
}

static int teardown(void **state)
{
    outbox_free(*state);
    return 0;
}

static struct outbox_news news(const char *id, int64_t marked, int64_t seq,
                               struct outbox_message *messages)
{
    struct outbox_news n = { .id = id, .org = "acme", .creator = "ann", .seq = seq,
                             .marked = marked, .messages = messages };

    for (int64_t s = marked + 1; s <= seq; s++)
        messages[n.count++] = (struct outbox_message){
            .seq = s, .before = BUCKET_NONE, .after = BUCKET_ORG_ACTIVE,
            .body = rcbuf_copy(SLICE("m")) };
    return n;
}

static void drop(struct outbox_news *n)
{
    for (size_t i = 0; i < n->count; i++)
        rcbuf_unref(n->messages[i].body);
}

static void offer(struct outbox *o, const char *id, int64_t marked, int64_t seq, uint64_t now_ms)
{
    struct outbox_message messages[64];
    struct outbox_news    n = news(id, marked, seq, messages);

    outbox_offer(o, &n, now_ms);
    drop(&n);
}

static void loaded(struct outbox *o, const char *id, int64_t marked, int64_t seq, uint64_t now_ms)
{
    struct outbox_message messages[64];
    struct outbox_news    n = news(id, marked, seq, messages);

    outbox_loaded(o, id, 0, &n, now_ms);
    drop(&n);
}

static void expect_send(struct outbox *o, const char *id, int64_t seq, int64_t marked)
{
    struct outbox_action a;

    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, OUTBOX_SEND);
    assert_string_equal(a.id, id);
    assert_int_equal(a.message.seq, seq);
    assert_int_equal(a.marked, marked);
}

static void expect_mark(struct outbox *o, const char *id, int64_t seq)
{
    struct outbox_action a;

    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, OUTBOX_MARK);
    assert_string_equal(a.id, id);
    assert_int_equal(a.seq, seq);
    assert_int_equal(a.bucket, BUCKET_ORG_ACTIVE);
}

static void expect_load(struct outbox *o, const char *id)
{
    struct outbox_action a;

    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, OUTBOX_LOAD);
    assert_string_equal(a.id, id);
}

static void expect_tell(struct outbox *o, void *waiter, int err)
{
    struct outbox_action a;

    assert_true(outbox_next(o, &a));
    assert_int_equal(a.kind, OUTBOX_TELL);
    assert_ptr_equal(a.waiter, waiter);
    assert_int_equal(a.err, err);
}

static void expect_nothing(struct outbox *o)
{
    struct outbox_action a;

    assert_false(outbox_next(o, &a));
}

static void a_transition_is_sent_then_marked_then_forgotten(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 1, 10);
    expect_send(o, TASK_A, 1, 0);
    expect_nothing(o);
    outbox_answered(o, TASK_A, 1, OUTBOX_SENT, 11);
    expect_mark(o, TASK_A, 1);
    expect_nothing(o);
    outbox_marked(o, TASK_A, 1, 0, 12);
    expect_nothing(o);
    assert_int_equal(outbox_tasks(o), 0);
}

static void of_one_task_one_message_is_under_way_and_tasks_do_not_wait_for_each_other(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 3, 10);
    offer(o, TASK_B, 4, 5, 10);
    expect_send(o, TASK_A, 1, 0);
    expect_send(o, TASK_B, 5, 4);
    expect_nothing(o);
    outbox_answered(o, TASK_A, 1, OUTBOX_SENT, 11);
    expect_send(o, TASK_A, 2, 0);
    outbox_answered(o, TASK_A, 2, OUTBOX_SENT, 12);
    expect_send(o, TASK_A, 3, 0);
    expect_nothing(o);
}

static void a_burst_costs_one_mark(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 1, 10);
    expect_send(o, TASK_A, 1, 0);
    assert_int_equal(outbox_needs(o, TASK_A, 0), 2);
    offer(o, TASK_A, 0, 2, 10);
    outbox_answered(o, TASK_A, 1, OUTBOX_SENT, 11);
    expect_send(o, TASK_A, 2, 0);
    outbox_answered(o, TASK_A, 2, OUTBOX_SENT, 12);
    expect_mark(o, TASK_A, 2);
    expect_nothing(o);
}

static void a_long_run_is_marked_in_between(void **state)
{
    struct outbox       *o = *state;
    struct outbox_action a;
    int                  marks = 0;

    offer(o, TASK_A, 0, 40, 10);
    for (int64_t seq = 1; seq <= 40; seq++) {
        while (outbox_next(o, &a)) {           /* marks go out beside a send that is under way */
            if (a.kind == OUTBOX_MARK && ++marks > 0)
                outbox_marked(o, TASK_A, a.seq, 0, 11);
        }
        outbox_answered(o, TASK_A, seq, OUTBOX_SENT, 11);
    }
    expect_mark(o, TASK_A, 40);
    outbox_marked(o, TASK_A, 40, 0, 12);
    expect_nothing(o);
    assert_in_range(marks, 1, 4);
    assert_int_equal(outbox_tasks(o), 0);
}

static void a_gap_is_loaded_and_sent_from_its_beginning(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 4, 5, 10);
    expect_send(o, TASK_A, 5, 4);
    outbox_answered(o, TASK_A, 5, OUTBOX_GAP, 11);
    expect_load(o, TASK_A);
    expect_nothing(o);
    loaded(o, TASK_A, 3, 5, 12);
    expect_send(o, TASK_A, 4, 4);
}

static void after_a_new_epoch_what_was_not_marked_is_sent_again(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 1, 10);
    expect_send(o, TASK_A, 1, 0);
    outbox_answered(o, TASK_A, 1, OUTBOX_SENT, 11);
    expect_mark(o, TASK_A, 1);
    outbox_marked(o, TASK_A, 1, ERR_STORE, 11);
    outbox_restart(o, "other", 12);
    expect_nothing(o);
    outbox_restart(o, "acme", 12);
    outbox_tick(o, 11 + OUTBOX_RETRY_MS);
    expect_load(o, TASK_A);
    loaded(o, TASK_A, 0, 1, 2000);
    expect_send(o, TASK_A, 1, 0);
}

static void what_is_held_is_tried_again_in_a_moment(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 1, 10);
    expect_send(o, TASK_A, 1, 0);
    outbox_answered(o, TASK_A, 1, OUTBOX_HELD, 20);
    expect_nothing(o);
    assert_true(outbox_has_late(o));
    outbox_tick(o, 20 + OUTBOX_HOLD_MS - 1);
    expect_nothing(o);
    outbox_tick(o, 20 + OUTBOX_HOLD_MS);
    expect_send(o, TASK_A, 1, 0);
}

static void a_mark_that_failed_is_tried_again(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 1, 10);
    expect_send(o, TASK_A, 1, 0);
    outbox_answered(o, TASK_A, 1, OUTBOX_SENT, 20);
    expect_mark(o, TASK_A, 1);
    outbox_marked(o, TASK_A, 1, ERR_STORE, 30);
    expect_nothing(o);
    outbox_tick(o, 30 + OUTBOX_RETRY_MS);
    expect_mark(o, TASK_A, 1);
}

static void while_redis_is_away_only_ids_are_kept(void **state)
{
    struct outbox *o = *state;

    offer(o, TASK_A, 0, 1, 10);
    expect_send(o, TASK_A, 1, 0);
    outbox_answered(o, TASK_A, 1, OUTBOX_LOST, 11);
    outbox_link(o, false, 11);
    assert_true(outbox_needs(o, TASK_B, 0) == INT64_MAX);
    offer(o, TASK_B, 0, 1, 12);
    outbox_tick(o, 5000);
    expect_nothing(o);
    assert_int_equal(outbox_tasks(o), 2);
    outbox_link(o, true, 5001);
    expect_load(o, TASK_A);
    expect_load(o, TASK_B);
    expect_nothing(o);
    loaded(o, TASK_B, 0, 1, 5002);
    expect_send(o, TASK_B, 1, 0);
}

static void a_waiter_is_told_when_all_that_was_there_is_published(void **state)
{
    struct outbox *o = *state;
    int            waiter = 0;

    outbox_want(o, TASK_A, &waiter, 10);
    expect_load(o, TASK_A);
    loaded(o, TASK_A, 6, 8, 11);
    expect_send(o, TASK_A, 7, 6);
    outbox_answered(o, TASK_A, 7, OUTBOX_SENT, 12);
    expect_send(o, TASK_A, 8, 6);
    expect_nothing(o);
    outbox_answered(o, TASK_A, 8, OUTBOX_SENT, 13);
    expect_mark(o, TASK_A, 8);
    expect_tell(o, &waiter, 0);
}

static void a_waiter_that_came_during_a_load_waits_for_the_next_one(void **state)
{
    struct outbox *o = *state;
    int            waiter = 0;

    outbox_want(o, TASK_A, NULL, 10);
    expect_load(o, TASK_A);
    outbox_want(o, TASK_A, &waiter, 11);       /* the task may have moved since that load began */
    loaded(o, TASK_A, 3, 3, 12);
    expect_load(o, TASK_A);
    loaded(o, TASK_A, 3, 3, 13);
    expect_tell(o, &waiter, 0);
}

static void waiters_hear_why_not(void **state)
{
    struct outbox *o = *state;
    int            a = 0;
    int            b = 0;
    int            c = 0;

    outbox_want(o, TASK_A, &a, 10);
    expect_load(o, TASK_A);
    outbox_loaded(o, TASK_A, ERR_STORE, NULL, 11);
    expect_tell(o, &a, ERR_STORE);
    outbox_want(o, TASK_B, &b, 12);
    expect_load(o, TASK_B);
    outbox_link(o, false, 13);
    expect_tell(o, &b, ERR_REDIS);
    outbox_stop(o);
    outbox_want(o, TASK_B, &c, 14);
    expect_tell(o, &c, ERR_CLOSED);
}

static void a_task_that_is_not_there_is_forgotten(void **state)
{
    struct outbox *o = *state;
    int            waiter = 0;

    outbox_want(o, TASK_A, &waiter, 10);
    expect_load(o, TASK_A);
    outbox_loaded(o, TASK_A, ERR_NOT_FOUND, NULL, 11);
    expect_tell(o, &waiter, 0);
    expect_nothing(o);
    assert_int_equal(outbox_tasks(o), 0);
}

static void a_store_that_lost_an_event_is_not_asked_in_a_circle(void **state)
{
    struct outbox     *o = *state;
    struct outbox_news n = { .id = TASK_A, .org = "acme", .creator = "ann", .seq = 3,
                             .marked = 1 };

    outbox_want(o, TASK_A, NULL, 10);
    expect_load(o, TASK_A);
    outbox_loaded(o, TASK_A, 0, &n, 11);
    expect_nothing(o);
    outbox_tick(o, 11 + OUTBOX_RETRY_MS);
    expect_load(o, TASK_A);
}

static void make_id(char out[25], unsigned n)
{
    snprintf(out, 25, "%024x", n);
}

static void past_the_limits_tasks_stand_in_line_and_all_get_their_turn(void **state)
{
    struct outbox       *o = *state;
    struct outbox_action a;
    unsigned             sent = 0;
    unsigned             under_way = 0;
    static char          ids[OUTBOX_SENDS_MAX * 2][25];

    for (unsigned i = 0; i < OUTBOX_SENDS_MAX * 2; i++) {
        make_id(ids[i], i);
        offer(o, ids[i], 0, 1, 10);
    }
    while (outbox_next(o, &a))
        under_way++;
    assert_int_equal(under_way, OUTBOX_SENDS_MAX);
    for (unsigned i = 0; i < OUTBOX_SENDS_MAX * 2; i++) {
        outbox_answered(o, ids[i], 1, OUTBOX_SENT, 11);
        while (outbox_next(o, &a)) {
            sent += a.kind == OUTBOX_SEND;
            if (a.kind == OUTBOX_MARK)
                outbox_marked(o, a.id, a.seq, 0, 12);
        }
    }
    assert_int_equal(sent, OUTBOX_SENDS_MAX);
    assert_int_equal(outbox_tasks(o), 0);
}

static void a_full_outbox_leaves_tasks_to_the_sweeper(void **state)
{
    struct outbox *o = *state;
    char           id[25];
    int            waiter = 0;

    outbox_link(o, false, 0);
    for (unsigned i = 0; i <= OUTBOX_TASKS_MAX; i++) {
        make_id(id, i);
        offer(o, id, 0, 1, 10);
    }
    assert_int_equal(outbox_tasks(o), OUTBOX_TASKS_MAX);
    outbox_link(o, true, 11);
    make_id(id, OUTBOX_TASKS_MAX + 5);
    outbox_want(o, id, &waiter, 12);
    expect_tell(o, &waiter, ERR_BUSY);
}

/* Whatever is answered, in whatever order: each seq is sent after the one before it was
 * answered, and in the end all are. */
static void any_luck_ends_with_everything_published_in_order(void **state)
{
    struct outbox *o = *state;
    unsigned       luck = 12345;
    int64_t        stored = 0;
    int64_t        marked = 0;
    int64_t        known = 0;                  /* what the sequencer has */
    uint64_t       now_ms = 0;

    for (int step = 0; step < 20000; step++) {
        struct outbox_action a;

        luck = luck * 1103515245 + 12345;
        now_ms += 30;
        outbox_tick(o, now_ms);
        if (stored < 300 && (luck >> 16) % 5 == 0) {
            stored++;
            if (outbox_needs(o, TASK_A, marked) <= stored || (luck >> 20) % 2 == 0)
                offer(o, TASK_A, stored - 1 > marked && stored - marked > 60 ? stored - 1 : marked,
                      stored, now_ms);
        } else if ((luck >> 16) % 97 == 0) {
            outbox_link(o, false, now_ms);
            outbox_link(o, true, now_ms);
            known = marked;                    /* it lost its memory */
        } else if ((luck >> 16) % 11 == 0) {
            outbox_want(o, TASK_A, NULL, now_ms);
        }
        while (outbox_next(o, &a)) {
            int64_t to = marked + 60 < stored ? marked + 60 : stored;

            if (a.kind == OUTBOX_LOAD) {
                loaded(o, TASK_A, marked, to, now_ms);
            } else if (a.kind == OUTBOX_MARK) {
                assert_true(a.seq <= known);
                marked = a.seq > marked ? a.seq : marked;
                outbox_marked(o, TASK_A, a.seq, 0, now_ms);
            } else if (a.kind == OUTBOX_SEND) {
                int64_t top = known > a.marked ? known : a.marked;

                if (a.message.seq > top + 1) {
                    outbox_answered(o, TASK_A, a.message.seq, OUTBOX_GAP, now_ms);
                    continue;
                }
                known = a.message.seq > top ? a.message.seq : top;
                outbox_answered(o, TASK_A, a.message.seq,
                                step % 7 == 0 ? OUTBOX_HELD : OUTBOX_SENT, now_ms);
            }
        }
    }
    assert_int_equal(stored, 300);
    assert_int_equal(marked, 300);
    assert_int_equal(known, 300);
    assert_int_equal(outbox_tasks(o), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transition_is_sent_then_marked_then_forgotten),
        TEST(of_one_task_one_message_is_under_way_and_tasks_do_not_wait_for_each_other),
        TEST(a_burst_costs_one_mark),
        TEST(a_long_run_is_marked_in_between),
        TEST(a_gap_is_loaded_and_sent_from_its_beginning),
        TEST(after_a_new_epoch_what_was_not_marked_is_sent_again),
        TEST(what_is_held_is_tried_again_in_a_moment),
        TEST(a_mark_that_failed_is_tried_again),
        TEST(while_redis_is_away_only_ids_are_kept),
        TEST(a_waiter_is_told_when_all_that_was_there_is_published),
        TEST(a_waiter_that_came_during_a_load_waits_for_the_next_one),
        TEST(waiters_hear_why_not),
        TEST(a_task_that_is_not_there_is_forgotten),
        TEST(a_store_that_lost_an_event_is_not_asked_in_a_circle),
        TEST(past_the_limits_tasks_stand_in_line_and_all_get_their_turn),
        TEST(a_full_outbox_leaves_tasks_to_the_sweeper),
        TEST(any_luck_ends_with_everything_published_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
