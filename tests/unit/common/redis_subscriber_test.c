/* redis_subscriber_test.c -- channels of a real Redis that is killed and started again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/redis.h"
#include "tests/unit/common/redis_server.h"

struct fixture {
    struct loop              loop;
    struct redis_server      server;
    struct redis            *redis;            /* publishes */
    struct redis_subscriber *subscriber;
    int                      ups, downs, confirmed, messages;
    char                     confirmed_names[256];     /* "a,b," */
    char                     last[256];                /* "channel=message" */
    int                      published;                /* answers to PUBLISH */
    long                     receivers;                /* what the last one said */
    void (*in_message)(struct fixture *f);
    void (*in_confirmed)(struct fixture *f);
    void (*in_state)(struct fixture *f);
};

static void on_message(struct redis_subscriber *s, struct slice channel, struct slice message,
                       void *arg)
{
    struct fixture *f = arg;

    (void)s;
    f->messages++;
    snprintf(f->last, sizeof(f->last), "%.*s=%.*s", SLICE_ARG(channel), SLICE_ARG(message));
    if (f->in_message != NULL)
        f->in_message(f);
}

static void on_subscribed(struct redis_subscriber *s, struct slice channel, void *arg)
{
    struct fixture *f = arg;
    size_t          len = strlen(f->confirmed_names);

    (void)s;
    f->confirmed++;
    snprintf(f->confirmed_names + len, sizeof(f->confirmed_names) - len, "%.*s,",
             SLICE_ARG(channel));
    if (f->in_confirmed != NULL)
        f->in_confirmed(f);
}

static void on_state(struct redis_subscriber *s, bool is_up, void *arg)
{
    struct fixture *f = arg;

    (void)s;
    f->ups += is_up;
    f->downs += !is_up;
    if (f->in_state != NULL)
        f->in_state(f);
}

static const struct redis_subscriber_handlers HANDLERS = {
    .on_message = on_message,
    .on_subscribed = on_subscribed,
    .on_state = on_state,
};

static int set_up(void **state)
{
    struct fixture      *f = calloc(1, sizeof(*f));
    struct redis_options options = { .name = "publisher" };

    log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_KV);
    redis_server_start(&f->server, NULL);
    loop_open(&f->loop);
    options.url = f->server.url;
    f->redis = redis_new(&f->loop.uv, &options);
    f->subscriber = redis_subscriber_new(&f->loop.uv, f->server.url, "listener", &HANDLERS, f);
    assert_non_null(f->redis);
    assert_non_null(f->subscriber);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    redis_subscriber_close(f->subscriber);
    loop_close(&f->loop);
    redis_server_stop(&f->server);
    free(f);
    return 0;
}

static void on_published(int err, const struct redis_reply *reply, void *arg)
{
    struct fixture *f = arg;

    f->published++;
    f->receivers = err == 0 ? (long)redis_reply_int(reply) : -1;
}

static void publish(struct fixture *f, struct slice channel, struct slice message)
{
    WAIT_UNTIL(&f->loop, redis_is_up(f->redis));
    assert_int_equal(redis_command(f->redis, on_published, f, 3,
                                   (struct slice[]){ SLICE("PUBLISH"), channel, message }), 0);
}

/* Publish and wait for Redis's answer: whoever listens has been sent it. */
static void publish_now(struct fixture *f, const char *channel, const char *message)
{
    int before = f->published;

    publish(f, slice_of(channel), slice_of(message));
    WAIT_UNTIL(&f->loop, f->published > before);
}

static void subscribe_now(struct fixture *f, const char *channel)
{
    int before = f->confirmed;

    redis_subscribe(f->subscriber, slice_of(channel));
    assert_int_equal(f->confirmed, before);    /* later, never from inside the call */
    WAIT_UNTIL(&f->loop, f->confirmed > before);
}

static void what_is_published_after_the_confirmation_comes(void **state)
{
    struct fixture *f = *state;

    subscribe_now(f, "a");                     /* wanted before it is up */
    publish_now(f, "a", "one");
    WAIT_UNTIL(&f->loop, f->messages == 1);
    assert_string_equal(f->last, "a=one");
    subscribe_now(f, "b");
    publish_now(f, "b", "two");
    WAIT_UNTIL(&f->loop, f->messages == 2);
    assert_string_equal(f->last, "b=two");
    publish_now(f, "c", "none");
    assert_int_equal(f->receivers, 0);
    assert_string_equal(f->confirmed_names, "a,b,");
    assert_int_equal(f->ups, 1);
}

static void subscribing_twice_confirms_once(void **state)
{
    struct fixture *f = *state;

    redis_subscribe(f->subscriber, SLICE("a"));
    redis_subscribe(f->subscriber, SLICE("a"));
    WAIT_UNTIL(&f->loop, f->confirmed == 1);
    redis_subscribe(f->subscriber, SLICE("a"));
    loop_run_ms(&f->loop, 30);
    assert_int_equal(f->confirmed, 1);
    publish_now(f, "a", "x");
    WAIT_UNTIL(&f->loop, f->messages == 1);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->messages, 1);
}

static void what_is_not_wanted_any_more_is_not_heard(void **state)
{
    struct fixture *f = *state;

    subscribe_now(f, "a");
    subscribe_now(f, "b");
    redis_unsubscribe(f->subscriber, SLICE("a"));
    redis_unsubscribe(f->subscriber, SLICE("a"));
    redis_unsubscribe(f->subscriber, SLICE("never"));
    publish_now(f, "a", "x");
    publish_now(f, "b", "y");
    WAIT_UNTIL(&f->loop, f->messages == 1);
    assert_string_equal(f->last, "b=y");
    publish_now(f, "a", "x");
    assert_int_equal(f->receivers, 0);
}

static void given_up_and_wanted_again_in_one_turn_confirms_once_and_last(void **state)
{
    struct fixture *f = *state;

    subscribe_now(f, "other");
    for (int i = 0; i < 5; i++) {
        redis_subscribe(f->subscriber, SLICE("a"));
        redis_unsubscribe(f->subscriber, SLICE("a"));
    }
    redis_subscribe(f->subscriber, SLICE("a"));
    WAIT_UNTIL(&f->loop, f->confirmed == 2);
    publish_now(f, "a", "x");
    assert_int_equal(f->receivers, 1);
    WAIT_UNTIL(&f->loop, f->messages == 1);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->confirmed, 2);
}

static void given_up_before_the_confirmation_is_never_confirmed(void **state)
{
    struct fixture *f = *state;

    subscribe_now(f, "other");
    redis_subscribe(f->subscriber, SLICE("a"));
    redis_unsubscribe(f->subscriber, SLICE("a"));
    subscribe_now(f, "b");
    assert_string_equal(f->confirmed_names, "other,b,");
    subscribe_now(f, "a");
    publish_now(f, "a", "x");
    WAIT_UNTIL(&f->loop, f->messages == 1);
}

static void all_channels_are_confirmed_again_after_a_restart(void **state)
{
    struct fixture *f = *state;

    subscribe_now(f, "a");
    subscribe_now(f, "b");
    subscribe_now(f, "c");
    redis_server_kill(&f->server);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    redis_subscribe(f->subscriber, SLICE("d"));        /* while it is down */
    redis_unsubscribe(f->subscriber, SLICE("b"));
    f->confirmed = 0;
    f->confirmed_names[0] = '\0';
    redis_server_start(&f->server, NULL);
    WAIT_UNTIL(&f->loop, f->confirmed == 3);
    assert_int_equal(f->ups, 2);
    assert_string_equal(f->confirmed_names, "a,c,d,");
    publish_now(f, "d", "x");
    publish_now(f, "b", "y");
    assert_int_equal(f->receivers, 0);
    WAIT_UNTIL(&f->loop, f->messages == 1);
    assert_string_equal(f->last, "d=x");
}

static void a_reset_connects_anew_and_confirms_anew(void **state)
{
    struct fixture *f = *state;

    redis_subscriber_reset(f->subscriber);     /* not up yet: nothing to do */
    subscribe_now(f, "a");
    redis_subscriber_reset(f->subscriber);
    redis_subscriber_reset(f->subscriber);
    assert_int_equal(f->downs, 0);             /* later, never from inside the call */
    WAIT_UNTIL(&f->loop, f->confirmed == 2);
    assert_int_equal(f->downs, 1);
    assert_int_equal(f->ups, 2);
    publish_now(f, "a", "x");
    WAIT_UNTIL(&f->loop, f->messages == 1);
}

static void a_burst_is_drained_and_complete(void **state)
{
    struct fixture *f = *state;
    static char     message[2048];

    subscribe_now(f, "a");
    memset(message, 'x', sizeof(message));
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 1000; i++)
            publish(f, SLICE("a"), slice_make(message, sizeof(message)));
        WAIT_UNTIL(&f->loop, f->published == (round + 1) * 1000);
    }
    WAIT_UNTIL(&f->loop, f->messages == 20000);
    assert_int_equal(f->downs, 0);
}

static void many_channels_survive_a_reconnect(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5000; i++) {
        char name[32];

        snprintf(name, sizeof(name), "channel:%d", i);
        redis_subscribe(f->subscriber, slice_of(name));
    }
    WAIT_UNTIL(&f->loop, f->confirmed == 5000);
    redis_subscriber_reset(f->subscriber);
    WAIT_UNTIL(&f->loop, f->confirmed == 10000);
}

static struct slice  odd_channel = { "a\0\r\n", 4 };
static struct slice  odd_message = { "\0*3\r\n", 5 };

static void on_odd_message(struct redis_subscriber *s, struct slice channel, struct slice message,
                           void *arg)
{
    (void)s;
    assert_true(slice_eq(channel, odd_channel));
    assert_true(slice_eq(message, odd_message));
    ((struct fixture *)arg)->messages++;
}

static const struct redis_subscriber_handlers ODD_HANDLERS = {
    .on_message = on_odd_message,
    .on_subscribed = on_subscribed,            /* on_state is optional */
};

static void bytes_are_bytes_here_too(void **state)
{
    struct fixture *f = *state;

    redis_subscriber_close(f->subscriber);
    f->subscriber = redis_subscriber_new(&f->loop.uv, f->server.url, NULL, &ODD_HANDLERS, f);
    redis_subscribe(f->subscriber, odd_channel);
    WAIT_UNTIL(&f->loop, f->confirmed == 1);
    publish(f, odd_channel, odd_message);
    WAIT_UNTIL(&f->loop, f->messages == 1);
    redis_subscriber_reset(f->subscriber);
    WAIT_UNTIL(&f->loop, f->confirmed == 2);
}

/* --- closing, and changing what is wanted, from inside the callbacks --- */

static void close_it(struct fixture *f)
{
    redis_subscriber_close(f->subscriber);
    redis_subscriber_close(f->subscriber);
    redis_subscribe(f->subscriber, SLICE("late"));     /* nothing any more */
    redis_unsubscribe(f->subscriber, SLICE("late"));
    redis_subscriber_reset(f->subscriber);
    f->subscriber = NULL;
}

static void closing_inside_a_message_is_safe_and_the_last_thing(void **state)
{
    struct fixture *f = *state;

    f->in_message = close_it;
    subscribe_now(f, "a");
    for (int i = 0; i < 100; i++)
        publish(f, SLICE("a"), SLICE("x"));
    WAIT_UNTIL(&f->loop, f->published == 100);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->downs, 0);
}

static void closing_inside_a_confirmation_is_safe(void **state)
{
    struct fixture *f = *state;

    f->in_confirmed = close_it;
    redis_subscribe(f->subscriber, SLICE("a"));
    redis_subscribe(f->subscriber, SLICE("b"));
    WAIT_UNTIL(&f->loop, f->confirmed == 1);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->confirmed, 1);
}

static void closing_inside_either_state_is_safe(void **state)
{
    struct fixture *f = *state;

    subscribe_now(f, "a");
    f->in_state = close_it;
    redis_server_kill(&f->server);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    redis_server_start(&f->server, NULL);
    f->ups = 0;
    f->subscriber = redis_subscriber_new(&f->loop.uv, f->server.url, "x", &HANDLERS, f);
    redis_subscribe(f->subscriber, SLICE("a"));
    WAIT_UNTIL(&f->loop, f->ups == 1);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->confirmed, 1);
}

static void leave_and_enter(struct fixture *f)
{
    redis_unsubscribe(f->subscriber, SLICE("a"));
    redis_subscribe(f->subscriber, SLICE("b"));
    f->in_message = NULL;
}

static void what_is_wanted_may_change_inside_a_message(void **state)
{
    struct fixture *f = *state;

    f->in_message = leave_and_enter;
    subscribe_now(f, "a");
    publish(f, SLICE("a"), SLICE("1"));
    publish(f, SLICE("a"), SLICE("2"));
    WAIT_UNTIL(&f->loop, f->confirmed == 2);
    publish_now(f, "b", "3");
    WAIT_UNTIL(&f->loop, f->messages == 2);
    assert_string_equal(f->last, "b=3");
}

static void want_more(struct fixture *f)
{
    if (f->ups == 1)
        redis_subscribe(f->subscriber, SLICE("more"));
}

static void what_is_wanted_may_change_when_it_goes_up(void **state)
{
    struct fixture *f = *state;

    f->in_state = want_more;
    redis_subscribe(f->subscriber, SLICE("a"));
    WAIT_UNTIL(&f->loop, f->confirmed == 2);
    loop_run_ms(&f->loop, 20);
    assert_string_equal(f->confirmed_names, "a,more,");
}

static void a_url_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_null(redis_subscriber_new(&f->loop.uv, "nowhere", "x", &HANDLERS, f));
    redis_subscriber_close(NULL);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(what_is_published_after_the_confirmation_comes),
        WITH_SERVER(subscribing_twice_confirms_once),
        WITH_SERVER(what_is_not_wanted_any_more_is_not_heard),
        WITH_SERVER(given_up_and_wanted_again_in_one_turn_confirms_once_and_last),
        WITH_SERVER(given_up_before_the_confirmation_is_never_confirmed),
        WITH_SERVER(all_channels_are_confirmed_again_after_a_restart),
        WITH_SERVER(a_reset_connects_anew_and_confirms_anew),
        WITH_SERVER(a_burst_is_drained_and_complete),
        WITH_SERVER(many_channels_survive_a_reconnect),
        WITH_SERVER(bytes_are_bytes_here_too),
        WITH_SERVER(closing_inside_a_message_is_safe_and_the_last_thing),
        WITH_SERVER(closing_inside_a_confirmation_is_safe),
        WITH_SERVER(closing_inside_either_state_is_safe),
        WITH_SERVER(what_is_wanted_may_change_inside_a_message),
        WITH_SERVER(what_is_wanted_may_change_when_it_goes_up),
        WITH_SERVER(a_url_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
