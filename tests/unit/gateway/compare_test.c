/* compare_test.c -- the comparison with the store: its pace, its doubts, and what it orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "gateway/compare.h"

#define ROOMS_MAX   2000
#define INTERVAL_MS 30000u

/* A gateway's rooms and a store, as numbers. */
struct stage {
    struct compare c;
    size_t         rooms, cursor;
    int64_t        told[ROOMS_MAX], stored[ROOMS_MAX];
    unsigned       times[ROOMS_MAX];           /* that it was asked for */
    uint32_t       ticket;                     /* of the question that is open; 0: none */
    int            refuses;                    /* ask fails at once */
    size_t         asked;                      /* batches */
    size_t         behind_count;
    size_t         behind[ROOMS_MAX];
    int64_t        behind_seq;
    uint64_t       now_ms;
};

static void name_of(size_t i, char out[25])
{
    snprintf(out, 25, "%024zx", i);
}

static size_t index_of(const char *task)
{
    return (size_t)strtoull(task, NULL, 16);
}

static size_t on_count(void *arg)
{
    return ((struct stage *)arg)->rooms;
}

static size_t on_pick(struct compare_item *out, size_t max, void *arg)
{
    struct stage *s = arg;
    size_t        n = 0;

    for (; n < max && s->cursor < s->rooms; s->cursor++)
        name_of(s->cursor, out[n++].task);
    if (s->cursor == s->rooms)
        s->cursor = 0;
    return n;
}

static int64_t seq_of(const char *task, void *answer)
{
    return ((struct stage *)answer)->stored[index_of(task)];
}

static void on_ask(const struct compare_item *items, size_t count, uint32_t ticket, void *arg)
{
    struct stage *s = arg;

    assert_int_equal(s->ticket, 0);            /* one question at a time */
    assert_true(count > 0 && count <= COMPARE_BATCH);
    for (size_t i = 0; i < count; i++)
        s->times[index_of(items[i].task)]++;
    s->asked++;
    s->ticket = ticket;
    if (!s->refuses)
        return;
    s->ticket = 0;
    compare_answered(&s->c, ticket, ERR_BUSY, seq_of, s, s->now_ms);
}

static int64_t on_told(const struct compare_item *item, void *arg)
{
    return ((struct stage *)arg)->told[index_of(item->task)];
}

static void on_behind(const struct compare_item *item, int64_t seq, void *arg)
{
    struct stage *s = arg;

    s->behind[s->behind_count++] = index_of(item->task);
    s->behind_seq = seq;
}

static const struct compare_handlers HANDLERS = {
    .count = on_count, .pick = on_pick, .ask = on_ask, .told = on_told, .behind = on_behind,
};

static int set_up(void **state)
{
    struct stage *s = test_calloc(1, sizeof(*s));

    compare_init(&s->c, INTERVAL_MS, 500, &HANDLERS, s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *s = *state;

    compare_deinit(&s->c);
    test_free(s);
    return 0;
}

static void rooms_make(struct stage *s, size_t count, int64_t seq)
{
    s->rooms = count;
    for (size_t i = 0; i < count; i++)
        s->told[i] = s->stored[i] = seq;
}

static void answer(struct stage *s, int err)
{
    uint32_t ticket = s->ticket;

    s->ticket = 0;
    compare_answered(&s->c, ticket, err, seq_of, s, s->now_ms);
}

/* `is_prompt`: taskd answers at once. */
static void pass(struct stage *s, uint64_t ms, bool is_prompt)
{
    for (uint64_t end = s->now_ms + ms; s->now_ms < end;) {
        s->now_ms += 100;
        compare_tick(&s->c, s->now_ms);
        if (is_prompt && s->ticket != 0)
            answer(s, 0);
    }
}

static void nothing_is_asked_where_nothing_is_followed(void **state)
{
    struct stage *s = *state;

    pass(s, 3 * INTERVAL_MS, true);
    assert_int_equal(s->asked, 0);
}

static void a_few_rooms_are_one_question_in_an_interval(void **state)
{
    struct stage *s = *state;

    rooms_make(s, 40, 7);
    pass(s, 400, true);
    assert_int_equal(s->asked, 0);             /* not before its first moment */
    pass(s, 100, true);
    assert_int_equal(s->asked, 1);
    pass(s, 4 * INTERVAL_MS, true);
    assert_int_equal(s->asked, 5);
    assert_int_equal(s->times[0], 5);
    assert_int_equal(s->times[39], 5);
    assert_int_equal(s->behind_count, 0);
}

static void many_rooms_are_spread_over_the_interval(void **state)
{
    struct stage *s = *state;
    size_t        half;

    rooms_make(s, 2000, 7);
    pass(s, 500 + INTERVAL_MS / 2 - 1000, true);
    half = s->asked;
    pass(s, INTERVAL_MS / 2, true);
    assert_int_equal(half, 2);
    assert_int_equal(s->asked, 4);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(s->times[i], 1);
}

static void what_arrives_within_the_grace_is_not_behind(void **state)
{
    struct stage *s = *state;

    rooms_make(s, 3, 7);
    s->stored[1] = 8;                          /* published, and on its way */
    pass(s, 500, true);
    assert_int_equal(s->asked, 1);
    pass(s, 1000, true);
    s->told[1] = 8;
    pass(s, 2000, true);
    assert_int_equal(s->behind_count, 0);
}

static void what_does_not_arrive_is_behind_once(void **state)
{
    struct stage *s = *state;

    rooms_make(s, 3, 7);
    s->stored[1] = 9;
    pass(s, 500 + COMPARE_GRACE_MS - 100, true);
    assert_int_equal(s->behind_count, 0);
    pass(s, 100, true);
    assert_int_equal(s->behind_count, 1);
    assert_int_equal(s->behind[0], 1);
    assert_int_equal(s->behind_seq, 9);
    s->told[1] = 9;
    pass(s, 2 * INTERVAL_MS, true);
    assert_int_equal(s->behind_count, 1);
}

static void a_room_that_is_ahead_or_left_is_no_news(void **state)
{
    struct stage *s = *state;

    rooms_make(s, 3, 7);
    s->stored[0] = 6;                          /* published, and not marked yet */
    s->stored[1] = 0;                          /* the store does not know it */
    s->stored[2] = 9;
    pass(s, 500, true);
    s->told[2] = -1;                           /* they have left meanwhile */
    pass(s, 5000, true);
    assert_int_equal(s->behind_count, 0);
}

static void an_error_skips_the_batch(void **state)
{
    struct stage *s = *state;

    rooms_make(s, 3, 7);
    s->stored[0] = 8;
    pass(s, 500, false);
    answer(s, ERR_TIMEOUT);
    pass(s, 10000, false);
    assert_int_equal(s->asked, 1);
    assert_int_equal(s->behind_count, 0);
    s->refuses = true;
    pass(s, INTERVAL_MS, false);
    assert_int_equal(s->asked, 2);
    s->refuses = false;
    pass(s, INTERVAL_MS + COMPARE_GRACE_MS, true);
    assert_int_equal(s->behind_count, 1);
}

static void a_slow_answer_holds_the_next_question(void **state)
{
    struct stage *s = *state;
    uint32_t      ticket;

    rooms_make(s, 2000, 7);
    pass(s, 2 * INTERVAL_MS, false);
    assert_int_equal(s->asked, 1);
    ticket = s->ticket;
    answer(s, 0);
    pass(s, 100, false);
    assert_int_equal(s->asked, 2);
    s->stored[0] = 8;
    compare_answered(&s->c, ticket, 0, seq_of, s, s->now_ms);   /* to a question of before */
    pass(s, 100, false);
    assert_int_equal(s->c.state, COMPARE_ASKING);
    answer(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_asked_where_nothing_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_few_rooms_are_one_question_in_an_interval, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_rooms_are_spread_over_the_interval, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_arrives_within_the_grace_is_not_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_arrive_is_behind_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_room_that_is_ahead_or_left_is_no_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_skips_the_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_answer_holds_the_next_question, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
