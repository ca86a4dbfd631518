/* queue_test.c -- what waits for a session, and conflation (gateway/engineio/queue.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/engineio/message.h"
#include "gateway/engineio/queue.h"

static struct queue_totals totals;

static void push(struct queue *q, const char *text, uint64_t key)
{
    struct eio_message *m = eio_message_new(slice_of(text), false, key);

    queue_push(q, m);
    eio_message_unref(m);
}

static void expect(struct queue *q, const char *text)
{
    struct eio_message *m = queue_take(q);

    assert_non_null(m);
    assert_int_equal(m->refs, 1);
    assert_true(slice_is(slice_from(message_polled(m), 1), text));
    eio_message_unref(m);
}

static void messages_come_out_in_order(void **state)
{
    struct queue *q = queue_new(&totals);

    (void)state;
    push(q, "one", 0);
    push(q, "two", 0);
    push(q, "three", 0);
    assert_int_equal(queue_count(q), 3);
    expect(q, "one");
    expect(q, "two");
    expect(q, "three");
    assert_null(queue_take(q));
    queue_free(q);
}

static void a_newer_message_replaces_the_older_and_keeps_its_own_place(void **state)
{
    struct queue *q = queue_new(&totals);

    (void)state;
    push(q, "a1", 7);
    push(q, "b1", 8);
    push(q, "plain", 0);
    push(q, "a2", 7);
    assert_int_equal(queue_count(q), 3);
    expect(q, "b1");
    expect(q, "plain");
    expect(q, "a2");
    queue_free(q);
}

static void key_zero_never_replaces(void **state)
{
    struct queue *q = queue_new(&totals);

    (void)state;
    push(q, "x", 0);
    push(q, "x", 0);
    assert_int_equal(queue_count(q), 2);
    queue_free(q);
}

static void a_key_that_was_taken_out_replaces_nothing(void **state)
{
    struct queue *q = queue_new(&totals);

    (void)state;
    push(q, "a1", 7);
    expect(q, "a1");
    push(q, "a2", 7);
    push(q, "a3", 7);
    assert_int_equal(queue_count(q), 1);
    expect(q, "a3");
    queue_free(q);
}

static void bytes_are_those_that_wait(void **state)
{
    struct queue *q = queue_new(&totals);
    size_t        one;

    (void)state;
    push(q, "12345", 1);
    one = queue_bytes(q);
    assert_true(one >= 6);
    push(q, "1234567890", 1);
    assert_int_equal(queue_bytes(q), one + 5);
    push(q, "12345", 2);
    assert_int_equal(queue_bytes(q), 2 * one + 5);
    expect(q, "1234567890");
    expect(q, "12345");
    assert_int_equal(queue_bytes(q), 0);
    assert_int_equal(queue_bytes(NULL), 0);
    queue_free(q);
}

static void thousands_of_keys_stay_one_message_each(void **state)
{
    enum { KEYS = 5000, ROUNDS = 3 };
    struct queue *q = queue_new(&totals);
    char          text[32];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        for (int key = 1; key <= KEYS; key++) {
            snprintf(text, sizeof(text), "%d.%d", round, key);
            push(q, text, (uint64_t)key * 64);
        }
    }
    assert_int_equal(queue_count(q), KEYS);
    for (int key = 1; key <= KEYS; key++) {
        snprintf(text, sizeof(text), "%d.%d", ROUNDS - 1, key);
        expect(q, text);
    }
    queue_free(q);
}

static void freeing_lets_go_of_what_waits(void **state)
{
    struct queue       *q = queue_new(&totals);
    struct eio_message *m = eio_message_new(SLICE("held"), false, 3);

    (void)state;
    queue_push(q, m);
    queue_push(q, m);
    assert_int_equal(m->refs, 2);
    queue_free(q);
    assert_int_equal(m->refs, 1);
    eio_message_unref(m);
}

static void what_all_queues_hold_is_counted(void **state)
{
    struct queue       *a = queue_new(&totals), *b = queue_new(&totals);
    struct eio_message *m = eio_message_new(SLICE("some text"), false, 7);

    (void)state;
    queue_push(a, m);
    queue_push(a, m);                          /* takes the other's place */
    queue_push(b, m);
    assert_int_equal(totals.queues, 2);
    assert_int_equal(totals.messages, 2);
    assert_int_equal(totals.bytes, queue_bytes(a) + queue_bytes(b));
    eio_message_unref(queue_take(a));
    assert_int_equal(totals.messages, 1);
    queue_free(a);
    queue_free(b);
    eio_message_unref(m);
    assert_int_equal(totals.queues + totals.messages + totals.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_in_order),
        cmocka_unit_test(a_newer_message_replaces_the_older_and_keeps_its_own_place),
        cmocka_unit_test(key_zero_never_replaces),
        cmocka_unit_test(a_key_that_was_taken_out_replaces_nothing),
        cmocka_unit_test(bytes_are_those_that_wait),
        cmocka_unit_test(thousands_of_keys_stay_one_message_each),
        cmocka_unit_test(freeing_lets_go_of_what_waits),
        cmocka_unit_test(what_all_queues_hold_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
