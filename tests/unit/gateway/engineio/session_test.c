/* session_test.c -- sessions over websocket (gateway/engineio/session.c, websocket_link.c). */
#include "tests/unit/gateway/engineio/rig.h"

#include "gateway/engineio/session.h"
#include "gateway/engineio/websocket_codec.h"

struct scene {
    struct rig    rig;
    struct client ws;
};

static void scene_begin(struct scene *s, const struct eio_options *options)
{
    rig_begin(&s->rig, options);
    s->ws = client_begin(&s->rig);
    client_websocket(&s->rig, &s->ws, NULL, "");
    client_expect_open(&s->rig, &s->ws);
}

static void scene_end(struct scene *s)
{
    client_end(&s->ws);
    rig_end(&s->rig);
}

static void messages_come_back_as_they_went(void **state)
{
    struct scene s;
    char        *big = malloc(200000);

    (void)state;
    memset(big, 'x', 200000);
    big[0] = '4';
    scene_begin(&s, &EIO_DEFAULTS);
    s.rig.echoes = true;
    client_say(&s.rig, &s.ws, "4hello");
    client_expect_say(&s.rig, &s.ws, "4hello");
    client_frame(&s.rig, &s.ws, 0x82, SLICE("\x01\x02\x03"));
    client_expect_frame(&s.rig, &s.ws, 0x82, SLICE("\x01\x02\x03"));
    client_frame(&s.rig, &s.ws, 0x81, slice_make(big, 200000));
    client_expect_frame(&s.rig, &s.ws, 0x81, slice_make(big, 200000));
    free(big);
    scene_end(&s);
}

static void a_message_may_come_in_any_pieces(void **state)
{
    struct scene s;
    const char  *frames = "\x01\x82\0\0\0\0" "4a" "\x89\x81\0\0\0\0" "p" "\x80\x81\0\0\0\0" "b";

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    for (size_t i = 0; i < 22; i++) {
        client_write(&s.rig, &s.ws, slice_make(frames + i, 1));
        rig_turn(&s.rig);
        rig_turn(&s.rig);
    }
    rig_expect_heard(&s.rig, "ab\n");
    client_expect_frame(&s.rig, &s.ws, 0x8a, SLICE("p"));
    scene_end(&s);
}

static void one_message_goes_to_many_sessions_in_one_frame(void **state)
{
    enum { N = 20 };
    struct rig          rig;
    struct client       c[N];
    struct eio_session *sessions[N];
    struct eio_message *m = eio_message_new(SLICE("to all"), false, 0);

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    for (int i = 0; i < N; i++) {
        c[i] = client_begin(&rig);
        client_websocket(&rig, &c[i], NULL, "");
        client_expect_open(&rig, &c[i]);
        sessions[i] = rig.session;
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(eio_session_send(sessions[i], m), 0);
    eio_message_unref(m);
    for (int i = 0; i < N; i++) {
        client_expect_say(&rig, &c[i], "4to all");
        client_end(&c[i]);
    }
    rig_end(&rig);
}

static void protocol_faults_are_answered_with_their_code(void **state)
{
    static const struct {
        struct slice bytes;
        int          code;
    } CASES[] = {
        { { "\x81\x02" "4x", 4 }, 1002 },                      /* not masked */
        { { "\xc1\x82\0\0\0\0" "4x", 8 }, 1002 },              /* RSV1, nothing negotiated */
        { { "\x81\x82\0\0\0\0" "4\xff", 8 }, 1007 },
        { { "\x82\xff\0\0\0\0\0\x0f\x42\x41" "\0\0\0\0" "x", 15 }, 1009 },   /* 1,000,001 bytes */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct scene s;

        scene_begin(&s, &EIO_DEFAULTS);
        client_write(&s.rig, &s.ws, CASES[i].bytes);
        client_expect_close(&s.rig, &s.ws, CASES[i].code);
        rig_expect_closed(&s.rig, EIO_TRANSPORT_ERROR);
        scene_end(&s);
    }
}

static void bad_packets_close_without_a_code(void **state)
{
    static const char *const PACKETS[] = { "", "abc", "7", "b", "2" };

    (void)state;
    for (size_t i = 0; i < sizeof(PACKETS) / sizeof(PACKETS[0]); i++) {
        struct scene s;

        scene_begin(&s, &EIO_DEFAULTS);
        client_say(&s.rig, &s.ws, PACKETS[i]);
        client_say(&s.rig, &s.ws, "4not heard");
        client_expect_close(&s.rig, &s.ws, 0);
        rig_expect_closed(&s.rig, i == 4 ? EIO_TRANSPORT_ERROR : EIO_PARSE_ERROR);
        assert_int_equal(s.rig.heard.len, 0);
        scene_end(&s);
    }
}

static void the_client_may_close_by_packet_by_frame_or_by_leaving(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_say(&s.rig, &s.ws, "1");
    client_expect_close(&s.rig, &s.ws, 0);
    rig_expect_closed(&s.rig, EIO_TRANSPORT_CLOSE);
    scene_end(&s);

    scene_begin(&s, &EIO_DEFAULTS);
    client_frame(&s.rig, &s.ws, 0x88, SLICE("\x03\xe9" "bye"));
    client_expect_close(&s.rig, &s.ws, 1001);
    rig_expect_closed(&s.rig, EIO_TRANSPORT_CLOSE);
    scene_end(&s);

    scene_begin(&s, &EIO_DEFAULTS);
    close(s.ws.fd);
    s.ws.fd = -1;
    rig_expect_closed(&s.rig, EIO_TRANSPORT_CLOSE);
    scene_end(&s);
}

static void the_servers_close_comes_after_what_was_sent(void **state)
{
    struct scene        s;
    struct eio_session *session;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    session = s.rig.session;
    rig_send(session, "last words", 0);
    eio_session_close(session);
    eio_session_close(session);
    assert_int_equal(s.rig.closed, 0);         /* later */
    rig_send(session, "not sent any more", 0);
    client_expect_say(&s.rig, &s.ws, "4last words");
    client_expect_close(&s.rig, &s.ws, 0);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    scene_end(&s);
}

static void a_handler_may_close_the_session_it_is_called_for(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    s.rig.echoes = true;
    s.rig.close_on = "stop";
    client_write(&s.rig, &s.ws, slice_make("\x81\x85\0\0\0\0" "4stop" "\x81\x82\0\0\0\0" "4x", 19));
    client_expect_say(&s.rig, &s.ws, "4stop");
    client_expect_close(&s.rig, &s.ws, 0);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    rig_expect_heard(&s.rig, "stop\n");
    scene_end(&s);
}

static void an_abort_says_nothing(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    eio_session_abort(s.rig.session, EIO_TRANSPORT_ERROR);
    RIG_UNTIL(&s.rig, client_is_ended(&s.ws));
    assert_int_equal(s.ws.in.len, 0);
    rig_expect_closed(&s.rig, EIO_TRANSPORT_ERROR);
    scene_end(&s);
}

static void a_shut_down_closes_everybody(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    scene_end(&s);
    assert_int_equal(s.rig.closed, 1);
    assert_int_equal(s.rig.reason, EIO_SHUTDOWN);
}

static void the_server_may_be_closed_inside_on_close(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    s.rig.close_server_on_close = true;
    close(s.ws.fd);
    s.ws.fd = -1;
    rig_expect_closed(&s.rig, EIO_TRANSPORT_CLOSE);
    scene_end(&s);
}

/* --- slow readers --- */

#define CHUNK 8000

/* Send until something has to wait here; returns how many were sent. */
static int fill_up(struct scene *s, int most)
{
    char text[CHUNK + 1];
    int  n = 0;

    memset(text, 'x', CHUNK);
    text[CHUNK] = '\0';
    while (n < most && s->rig.session != NULL && s->rig.session->queue == NULL) {
        char number[16];

        snprintf(number, sizeof(number), "%08d", n++);
        memcpy(text, number, 8);
        rig_send(s->rig.session, text, 0);
    }
    return n;
}

static void expect_chunks(struct scene *s, int count)
{
    size_t header, len;

    for (int i = 0; i < count; i++) {
        RIG_UNTIL(&s->rig, client_frame_size(&s->ws, &header, &len));
        assert_int_equal(len, CHUNK + 1);
        assert_int_equal(strtol(s->ws.in.data + header + 1, NULL, 10), i);
        buf_consume(&s->ws.in, header + len);
    }
}

static void a_reader_that_pauses_gets_everything_in_order(void **state)
{
    struct scene s;
    int          n;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    n = fill_up(&s, 10000);
    assert_non_null(s.rig.session->queue);
    rig_send(s.rig.session, "key 1, older", 1);
    rig_send(s.rig.session, "key 2", 2);
    rig_send(s.rig.session, "key 1, newer", 1);
    assert_int_equal(s.rig.drained, 0);
    expect_chunks(&s, n);
    client_expect_say(&s.rig, &s.ws, "4key 2");
    client_expect_say(&s.rig, &s.ws, "4key 1, newer");
    RIG_UNTIL(&s.rig, s.rig.drained == 1);
    assert_null(s.rig.session->queue);
    rig_send(s.rig.session, "direct again", 0);
    client_expect_say(&s.rig, &s.ws, "4direct again");
    scene_end(&s);
}

static void a_reader_that_does_not_read_is_cut_at_the_limit(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct scene       s;
    char               text[CHUNK + 1];
    size_t             most = 0;

    (void)state;
    options.queue_bytes_max = 100000;
    scene_begin(&s, &options);
    fill_up(&s, 10000);
    memset(text, 'y', CHUNK);
    text[CHUNK] = '\0';
    for (int i = 0; i < 100 && s.rig.session != NULL; i++) {
        rig_send(s.rig.session, text, 0);
        if (eio_session_queued_bytes(s.rig.session) > most)
            most = eio_session_queued_bytes(s.rig.session);
        rig_turn(&s.rig);
    }
    rig_expect_closed(&s.rig, EIO_SLOW_READER);
    assert_true(most <= STREAM_LOW_MARK + 2 * CHUNK + options.queue_bytes_max);
    scene_end(&s);
}

static void closing_a_slow_reader_politely_sends_what_waits(void **state)
{
    struct scene s;
    int          n;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    n = fill_up(&s, 10000);                   /* until something has to wait */
    eio_session_close(s.rig.session);
    expect_chunks(&s, n);
    client_expect_close(&s.rig, &s.ws, 0);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    scene_end(&s);
}

static void pings_without_reading_do_not_pile_up(void **state)
{
    struct scene s;
    size_t       before;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    fill_up(&s, 10000);
    before = eio_session_queued_bytes(s.rig.session);
    for (int i = 0; i < 200; i++)
        client_frame(&s.rig, &s.ws, 0x89, SLICE("are you there? are you there? are you there?"));
    client_say(&s.rig, &s.ws, "4done");
    rig_expect_heard(&s.rig, "done\n");
    assert_true(eio_session_queued_bytes(s.rig.session) <= before);
    scene_end(&s);
}

/* --- compression --- */

#define OFFER "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

static void compression_is_negotiated_and_used_where_it_pays(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct rig         rig;
    struct client      c;
    struct deflater   *d = deflater_new();
    struct rcbuf      *packed;
    char               text[2001], *head;
    size_t             header, len;

    (void)state;
    options.deflate = true;
    rig_begin(&rig, &options);
    c = client_begin(&rig);
    client_request(&rig, &c, "GET", "EIO=4&transport=websocket", CLIENT_WS OFFER,
                   slice_make(NULL, 0));
    head = client_expect_head(&rig, &c, 101, NULL);
    assert_non_null(strstr(head, "Sec-WebSocket-Extensions: permessage-deflate; "
                                 "server_no_context_takeover; client_no_context_takeover\r\n"));
    free(head);
    client_expect_open(&rig, &c);
    memset(text, 'z', 2000);
    text[2000] = '\0';
    rig_send(rig.session, text, 0);
    RIG_UNTIL(&rig, client_frame_size(&c, &header, &len));
    assert_int_equal((uint8_t)c.in.data[0], 0xc1);
    assert_true(len < 50);
    buf_consume(&c.in, header + len);
    rig_send(rig.session, "small", 0);
    client_expect_say(&rig, &c, "4small");
    packed = websocket_frame_deflated(d, SLICE("4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false, 15);
    client_frame(&rig, &c, 0xc1, websocket_frame_payload(packed));
    rig_expect_heard(&rig, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    client_frame(&rig, &c, 0xc1, SLICE("\xff\xff\xff"));
    client_expect_close(&rig, &c, 1007);       /* that was no DEFLATE */
    rcbuf_unref(packed);
    deflater_free(d);
    client_end(&c);
    rig_end(&rig);
}

static void compression_is_not_accepted_where_it_is_off(void **state)
{
    struct rig    rig;
    struct client c;
    char         *head;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    client_request(&rig, &c, "GET", "EIO=4&transport=websocket", CLIENT_WS OFFER,
                   slice_make(NULL, 0));
    head = client_expect_head(&rig, &c, 101, NULL);
    assert_null(strstr(head, "Sec-WebSocket-Extensions"));
    free(head);
    client_end(&c);
    rig_end(&rig);
}

/* --- memory --- */

static void an_idle_session_is_small(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_say(&s.rig, &s.ws, "4x");
    rig_expect_heard(&s.rig, "x\n");
    assert_null(s.rig.session->queue);
    assert_null(s.rig.session->polling);
    assert_true(sizeof(struct eio_session) + SID_RANDOM_CHARS <= 160);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back_as_they_went),
        cmocka_unit_test(a_message_may_come_in_any_pieces),
        cmocka_unit_test(one_message_goes_to_many_sessions_in_one_frame),
        cmocka_unit_test(protocol_faults_are_answered_with_their_code),
        cmocka_unit_test(bad_packets_close_without_a_code),
        cmocka_unit_test(the_client_may_close_by_packet_by_frame_or_by_leaving),
        cmocka_unit_test(the_servers_close_comes_after_what_was_sent),
        cmocka_unit_test(a_handler_may_close_the_session_it_is_called_for),
        cmocka_unit_test(an_abort_says_nothing),
        cmocka_unit_test(a_shut_down_closes_everybody),
        cmocka_unit_test(the_server_may_be_closed_inside_on_close),
        cmocka_unit_test(a_reader_that_pauses_gets_everything_in_order),
        cmocka_unit_test(a_reader_that_does_not_read_is_cut_at_the_limit),
        cmocka_unit_test(closing_a_slow_reader_politely_sends_what_waits),
        cmocka_unit_test(pings_without_reading_do_not_pile_up),
        cmocka_unit_test(compression_is_negotiated_and_used_where_it_pays),
        cmocka_unit_test(compression_is_not_accepted_where_it_is_off),
        cmocka_unit_test(an_idle_session_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
