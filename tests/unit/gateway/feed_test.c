/* feed_test.c -- scripted histories of one org's feed: what Redis says on the left, what the
 * gateway is told in the end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "gateway/feed.h"

#define E1 1000u
#define E2 5000u

struct world {
    struct feed     feed;
    char            said[4096];                /* "1001 1002 R5000 ..." */
    int             asks, reads;
    uint32_t        ticket;
    uint64_t        read_from;
    uint64_t        now;
};

static void say(struct world *w, const char *prefix, uint64_t n)
{
    size_t len = strlen(w->said);

    snprintf(w->said + len, sizeof(w->said) - len, "%s%s%llu", len > 0 ? " " : "", prefix,
             (unsigned long long)n);
}

static void on_deliver(struct slice text, void *arg)
{
    struct world   *w = arg;
    struct slice    rest = text;
    struct position at;

    assert_int_equal(position_parse(slice_cut(&rest, '\n'), &at), 0);
    say(w, "", at.number);
}

static void on_read(uint64_t from, uint32_t ticket, void *arg)
{
    struct world *w = arg;

    w->reads++;
    w->read_from = from;
    w->ticket = ticket;
}

static void on_ask(uint32_t ticket, void *arg)
{
    struct world *w = arg;

    w->asks++;
    w->ticket = ticket;
}

static void on_resync(struct position at, void *arg)
{
    say(arg, "R", at.number);
}

static const struct feed_handlers HANDLERS = {
    .deliver = on_deliver, .read_log = on_read, .ask = on_ask, .resync = on_resync,
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    feed_init(&w->feed, &HANDLERS, w);
    w->now = 10000;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    feed_deinit(&w->feed);
    free(w);
    return 0;
}

static void hear(struct world *w, uint64_t epoch, uint64_t number)
{
    char text[128];

    snprintf(text, sizeof(text), "%llu %llu\n1 - acme - - 0\ndash [\"x\"]\n",
             (unsigned long long)epoch, (unsigned long long)number);
    assert_int_equal(feed_message(&w->feed, slice_of(text)), 0);
}

static void answer(struct world *w, uint64_t epoch, uint64_t number)
{
    feed_position(&w->feed, w->ticket, 0, (struct position){ epoch, number }, w->now);
}

static void answer_log(struct world *w, uint64_t epoch, uint64_t from, uint64_t to)
{
    static char  texts[FEED_LOG_BATCH][64];
    struct slice slices[FEED_LOG_BATCH];
    size_t       count = 0;

    for (uint64_t n = from; n <= to && count < FEED_LOG_BATCH; n++, count++) {
        snprintf(texts[count], sizeof(texts[count]), "%llu %llu\nrest\n",
                 (unsigned long long)epoch, (unsigned long long)n);
        slices[count] = slice_of(texts[count]);
    }
    feed_log(&w->feed, w->ticket, 0, slices, count, w->now);
}

static void go_live(struct world *w, uint64_t epoch, uint64_t number)
{
    feed_subscribed(&w->feed);
    answer(w, epoch, number);
    assert_true(feed_is_live(&w->feed));
}

static void messages_in_order_are_delivered_as_they_come(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1011);
    hear(w, E1, 1012);
    assert_string_equal(w->said, "1011 1012");
    assert_int_equal(w->reads, 0);
}

static void a_repeated_message_is_dropped(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1011);
    hear(w, E1, 1011);
    hear(w, E1, 1009);
    hear(w, E1, 1012);
    assert_string_equal(w->said, "1011 1012");
    assert_int_equal(w->feed.repeats, 2);
}

static void what_comes_before_the_position_is_known_waits_and_is_sorted_out(void **state)
{
    struct world *w = *state;

    feed_subscribed(&w->feed);
    hear(w, E1, 1012);
    hear(w, E1, 1011);
    hear(w, E1, 1010);
    assert_string_equal(w->said, "");
    answer(w, E1, 1010);
    assert_string_equal(w->said, "1011 1012");
    assert_int_equal(w->feed.at.number, 1012);
}

static void a_gap_is_filled_from_the_log_before_anything_later(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1013);
    assert_int_equal(w->read_from, 1011);
    hear(w, E1, 1014);
    assert_string_equal(w->said, "");
    answer_log(w, E1, 1011, 1013);
    assert_string_equal(w->said, "1011 1012 1013 1014");
    assert_true(feed_is_live(&w->feed));
}

static void reordered_messages_come_out_in_order(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1012);
    hear(w, E1, 1011);
    hear(w, E1, 1014);
    hear(w, E1, 1013);
    answer_log(w, E1, 1011, 1012);
    assert_string_equal(w->said, "1011 1012 1013 1014");
}

static void a_second_gap_behind_the_first_is_read_too(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1012);
    hear(w, E1, 1016);
    answer_log(w, E1, 1011, 1013);
    assert_int_equal(w->read_from, 1014);
    answer_log(w, E1, 1014, 1015);
    assert_string_equal(w->said, "1011 1012 1013 1014 1015 1016");
    assert_int_equal(w->reads, 2);
}

static void a_long_gap_is_read_batch_by_batch(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1011 + FEED_LOG_BATCH + 5);
    answer_log(w, E1, 1011, 1010 + FEED_LOG_BATCH);
    assert_int_equal(w->read_from, 1011 + FEED_LOG_BATCH);
    answer_log(w, E1, 1011 + FEED_LOG_BATCH, 1011 + FEED_LOG_BATCH + 5);
    assert_int_equal(w->feed.at.number, 1011 + FEED_LOG_BATCH + 5);
    assert_true(feed_is_live(&w->feed));
}

static void a_log_that_was_trimmed_ends_in_a_resync(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1050);
    answer_log(w, E1, 1040, 1050);             /* does not begin at 1011 */
    assert_int_equal(w->asks, 2);
    hear(w, E1, 1051);
    answer(w, E1, 1050);
    assert_string_equal(w->said, "R1050 1051");
}

static void an_empty_log_ends_in_a_resync(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E1, 1012);
    answer_log(w, E1, 1, 0);
    answer(w, E1, 1012);
    assert_string_equal(w->said, "R1012");
}

static void a_hole_inside_the_log_ends_in_a_resync(void **state)
{
    struct world *w = *state;
    struct slice  texts[2];

    go_live(w, E1, 1010);
    hear(w, E1, 1013);
    texts[0] = slice_of("1000 1011\n");
    texts[1] = slice_of("1000 1013\n");
    feed_log(&w->feed, w->ticket, 0, texts, 2, w->now);
    answer(w, E1, 1013);
    assert_string_equal(w->said, "1011 R1013");
}

static void a_new_epoch_resyncs_and_goes_on_with_its_message(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    hear(w, E2, 5001);
    hear(w, E1, 1011);                         /* a straggler of the old life */
    hear(w, E2, 5002);
    assert_string_equal(w->said, "R5000 5001 5002");
}

static void the_first_message_of_an_org_that_had_none_is_no_gap(void **state)
{
    struct world *w = *state;

    go_live(w, 0, 0);
    hear(w, E2, 5001);
    assert_string_equal(w->said, "5001");
    assert_int_equal(w->feed.resyncs, 0);
}

static void an_org_that_had_none_and_missed_its_first_resyncs(void **state)
{
    struct world *w = *state;

    go_live(w, 0, 0);
    hear(w, E2, 5003);
    assert_string_equal(w->said, "R5002 5003");
}

static void a_life_that_began_without_a_message_is_taken_over_at_once(void **state)
{
    struct world *w = *state;

    go_live(w, 0, 0);
    feed_expect(&w->feed, (struct position){ E2, E2 }, w->now);
    assert_int_equal(w->feed.at.epoch, E2);
    assert_false(feed_wants_tick(&w->feed));
    hear(w, E2, 5001);
    assert_string_equal(w->said, "5001");
}

static void a_reconnect_asks_and_fills_what_was_missed(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    feed_lost(&w->feed);
    assert_false(feed_is_live(&w->feed));
    hear(w, E1, 1011);                         /* of the dead connection */
    assert_string_equal(w->said, "");
    feed_subscribed(&w->feed);
    answer(w, E1, 1013);
    assert_int_equal(w->read_from, 1011);
    hear(w, E1, 1014);
    answer_log(w, E1, 1011, 1013);
    assert_string_equal(w->said, "1011 1012 1013 1014");
}

static void a_reconnect_with_nothing_missed_says_nothing(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    feed_lost(&w->feed);
    feed_subscribed(&w->feed);
    answer(w, E1, 1010);
    assert_true(feed_is_live(&w->feed));
    assert_string_equal(w->said, "");
    assert_int_equal(w->reads, 0);
}

static void a_redis_that_lost_its_memory_resyncs_at_once_and_again_in_the_new_life(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    feed_lost(&w->feed);
    feed_subscribed(&w->feed);
    answer(w, 0, 0);
    assert_string_equal(w->said, "R0");
    hear(w, E2, 5001);
    assert_string_equal(w->said, "R0 5001");
}

static void a_redis_that_fell_back_keeps_what_was_delivered(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    feed_lost(&w->feed);
    feed_subscribed(&w->feed);
    answer(w, E1, 1005);                       /* an older copy of the same life */
    assert_true(feed_is_live(&w->feed));
    assert_int_equal(w->feed.at.number, 1010);
    hear(w, E2, 5001);                         /* the publisher noticed and began a new one */
    assert_string_equal(w->said, "R5000 5001");
}

static void an_expected_message_that_does_not_come_is_fetched(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    feed_expect(&w->feed, (struct position){ E1, 1012 }, w->now);
    assert_true(feed_wants_tick(&w->feed));
    feed_tick(&w->feed, w->now + FEED_EXPECT_MS - 1);
    assert_int_equal(w->asks, 1);
    feed_tick(&w->feed, w->now + FEED_EXPECT_MS);
    assert_int_equal(w->asks, 2);
    answer(w, E1, 1012);
    answer_log(w, E1, 1011, 1012);
    assert_string_equal(w->said, "1011 1012");
    assert_false(feed_wants_tick(&w->feed));
}

static void an_expected_message_that_comes_costs_nothing(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    feed_expect(&w->feed, (struct position){ E1, 1012 }, w->now);
    hear(w, E1, 1011);
    hear(w, E1, 1012);
    assert_false(feed_wants_tick(&w->feed));
    feed_tick(&w->feed, w->now + 1000);
    assert_int_equal(w->asks, 1);
}

static void a_refused_order_is_given_again(void **state)
{
    struct world *w = *state;

    feed_subscribed(&w->feed);
    feed_position(&w->feed, w->ticket, ERR_REDIS, (struct position){ 0, 0 }, w->now);
    assert_true(feed_wants_tick(&w->feed));
    feed_tick(&w->feed, w->now + FEED_RETRY_MS);
    assert_int_equal(w->asks, 2);
    answer(w, E1, 1010);
    hear(w, E1, 1012);
    feed_log(&w->feed, w->ticket, ERR_REDIS, NULL, 0, w->now);
    feed_tick(&w->feed, w->now + FEED_RETRY_MS);
    assert_int_equal(w->reads, 2);
    answer_log(w, E1, 1011, 1012);
    assert_string_equal(w->said, "1011 1012");
}

static void an_answer_to_an_old_order_is_ignored(void **state)
{
    struct world *w = *state;
    uint32_t      old;

    feed_subscribed(&w->feed);
    old = w->ticket;
    feed_lost(&w->feed);
    feed_subscribed(&w->feed);
    feed_position(&w->feed, old, 0, (struct position){ E1, 7 }, w->now);
    assert_false(feed_is_live(&w->feed));
    answer(w, E1, 1010);
    assert_int_equal(w->feed.at.number, 1010);
}

static void more_than_can_be_held_is_read_from_the_log_instead(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    for (uint64_t n = 0; n <= FEED_HELD_MAX + 1; n++)
        hear(w, E1, 1012 + n);
    assert_true(w->feed.held_count <= 2);
    answer_log(w, E1, 1011, 1012);
    /* held messages were dropped: it goes on reading, or asks, until it is where it should be */
    for (int i = 0; i < 64 && w->feed.at.number < 1012 + FEED_HELD_MAX + 1; i++) {
        if (w->feed.state == FEED_ASKING)
            answer(w, E1, 1012 + FEED_HELD_MAX + 1);
        else
            answer_log(w, E1, w->feed.at.number + 1, 1012 + FEED_HELD_MAX + 1);
        w->said[0] = '\0';
    }
    assert_int_equal(w->feed.at.number, 1012 + FEED_HELD_MAX + 1);
    assert_int_equal(w->feed.resyncs, 0);
}

static void what_is_no_message_is_refused(void **state)
{
    struct world *w = *state;

    go_live(w, E1, 1010);
    assert_int_equal(feed_message(&w->feed, slice_of("")), ERR_INVALID);
    assert_int_equal(feed_message(&w->feed, slice_of("x y\n")), ERR_INVALID);
    assert_int_equal(feed_message(&w->feed, slice_of("1000\n")), ERR_INVALID);
    assert_int_equal(feed_message(&w->feed, slice_of("1000 0\n")), ERR_INVALID);
    assert_string_equal(w->said, "");
}

/* A seeded network that repeats, drops and swaps; the log always has all of it. */
static void any_disorder_comes_out_in_order(void **state)
{
    struct world *w = *state;
    unsigned      seed = 7;
    uint64_t      last = 1010;
    uint64_t      delivered;

    go_live(w, E1, 1010);
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned dice = (seed >> 16) % 10;

        if (dice < 6) {
            last++;
            if (dice < 4)
                hear(w, E1, last);
            if (dice == 3)
                hear(w, E1, last - 1);
        } else if (dice == 6 && last > 1015) {
            hear(w, E1, last - (seed >> 20) % 5);
        } else if (dice == 7) {
            feed_expect(&w->feed, (struct position){ E1, last }, w->now);
            w->now += 60;
            feed_tick(&w->feed, w->now);
        } else if (w->feed.state == FEED_FILLING) {
            answer_log(w, E1, w->feed.at.number + 1, last);
        } else if (w->feed.state == FEED_ASKING) {
            answer(w, E1, last);
        }
        delivered = 0;
        for (struct slice rest = slice_of(w->said); rest.len > 0;) {
            struct slice one = slice_cut(&rest, ' ');
            uint64_t     n = strtoull(one.data, NULL, 10);

            assert_true(one.data[0] != 'R');
            assert_true(delivered == 0 || n == delivered + 1);
            delivered = n;
        }
        if (delivered != 0)
            assert_int_equal(delivered, w->feed.at.number);
        w->said[0] = '\0';
    }
    assert_int_equal(w->feed.resyncs, 0);
    assert_true(w->feed.at.number > 2000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(messages_in_order_are_delivered_as_they_come),
        T(a_repeated_message_is_dropped),
        T(what_comes_before_the_position_is_known_waits_and_is_sorted_out),
        T(a_gap_is_filled_from_the_log_before_anything_later),
        T(reordered_messages_come_out_in_order),
        T(a_second_gap_behind_the_first_is_read_too),
        T(a_long_gap_is_read_batch_by_batch),
        T(a_log_that_was_trimmed_ends_in_a_resync),
        T(an_empty_log_ends_in_a_resync),
        T(a_hole_inside_the_log_ends_in_a_resync),
        T(a_new_epoch_resyncs_and_goes_on_with_its_message),
        T(the_first_message_of_an_org_that_had_none_is_no_gap),
        T(an_org_that_had_none_and_missed_its_first_resyncs),
        T(a_life_that_began_without_a_message_is_taken_over_at_once),
        T(a_reconnect_asks_and_fills_what_was_missed),
        T(a_reconnect_with_nothing_missed_says_nothing),
        T(a_redis_that_lost_its_memory_resyncs_at_once_and_again_in_the_new_life),
        T(a_redis_that_fell_back_keeps_what_was_delivered),
        T(an_expected_message_that_does_not_come_is_fetched),
        T(an_expected_message_that_comes_costs_nothing),
        T(a_refused_order_is_given_again),
        T(an_answer_to_an_old_order_is_ignored),
        T(more_than_can_be_held_is_read_from_the_log_instead),
        T(what_is_no_message_is_refused),
        T(any_disorder_comes_out_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
