/* handshake_test.c -- who is let in, and how others are refused (gateway/engineio/handshake.c,
 * answer.c). The answers are those of PROTOCOL's reference server. */
#include "tests/unit/gateway/engineio/rig.h"

#define NOBODY ((struct slice){ NULL, 0 })

#define NO_TRANSPORT "{\"code\":0,\"message\":\"Transport unknown\"}"
#define NO_SID       "{\"code\":1,\"message\":\"Session ID unknown\"}"
#define NO_METHOD    "{\"code\":2,\"message\":\"Bad handshake method\"}"
#define NO_REVISION  "{\"code\":5,\"message\":\"Unsupported protocol version\"}"

static void refusals_are_worded_as_the_reference_words_them(void **state)
{
    static const struct {
        const char *method, *query;
        int         status;
        const char *body;
    } CASES[] = {
        { "GET", "", 400, NO_TRANSPORT },
        { "GET", "transport=abc&EIO=3", 400, NO_TRANSPORT },
        { "GET", "transport=webtransport&EIO=4", 400, NO_TRANSPORT },
        { "GET", "transport=%zz&EIO=4", 400, NO_TRANSPORT },
        { "GET", "transport=polling&EIO=4&sid=zzz", 400, NO_SID },
        { "POST", "transport=polling&EIO=4&sid=__proto__", 400, NO_SID },
        { "GET", "transport=polling&EIO=4&sid=%zz", 400, NO_SID },
        { "POST", "transport=polling&EIO=4", 400, NO_METHOD },
        { "PUT", "transport=polling&EIO=4", 400, NO_METHOD },
        { "OPTIONS", "transport=polling&EIO=4", 400, NO_METHOD },
        { "GET", "transport=websocket&EIO=4", 400, "{\"code\":3,\"message\":\"Bad request\"}" },
        { "GET", "transport=polling", 400, NO_REVISION },
        { "GET", "transport=polling&EIO=3", 400, NO_REVISION },
        { "GET", "transport=polling&EIO=abc", 400, NO_REVISION },
    };
    struct rig    rig;
    struct client c;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char *head;

        client_request(&rig, &c, CASES[i].method, CASES[i].query, "", NOBODY);
        head = client_expect_head(&rig, &c, CASES[i].status, CASES[i].body);
        assert_non_null(strstr(head, "Content-Type: application/json\r\n"));
        assert_null(strstr(head, "Access-Control"));
        free(head);
    }
    client_end(&c);
    rig_end(&rig);
}

static void refusals_of_websockets_are_plain_and_end_the_connection(void **state)
{
    static const struct {
        const char *method, *query, *headers, *body;
    } CASES[] = {
        { "GET", "transport=abc&EIO=4", CLIENT_WS, "Transport unknown" },
        { "GET", "transport=websocket&EIO=4&sid=zzz", CLIENT_WS, "Session ID unknown" },
        { "GET", "transport=polling&EIO=4", CLIENT_WS, "Bad request" },
        { "POST", "transport=websocket&EIO=4", CLIENT_WS, "Bad handshake method" },
        { "GET", "transport=websocket&EIO=3", CLIENT_WS, "Unsupported protocol version" },
        { "GET", "transport=websocket&EIO=4",
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
          "Missing or invalid Sec-WebSocket-Key header" },
        { "GET", "transport=websocket&EIO=4",
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
          "Missing or invalid Sec-WebSocket-Version header" },
        { "GET", "transport=websocket&EIO=4", "Connection: Upgrade\r\nUpgrade: h2c\r\n",
          "Invalid Upgrade header" },
    };
    struct rig rig;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct client c = client_begin(&rig);
        char         *head;

        client_request(&rig, &c, CASES[i].method, CASES[i].query, CASES[i].headers, NOBODY);
        head = client_expect_head(&rig, &c, 400, CASES[i].body);
        assert_non_null(strstr(head, "Content-Type: text/html\r\n"));
        assert_non_null(strstr(head, "Connection: close\r\n"));
        assert_int_equal(strstr(head, "Sec-WebSocket-Version: 13, 8\r\n") != NULL,
                         strstr(CASES[i].body, "Version header") != NULL);
        RIG_UNTIL(&rig, client_is_ended(&c));
        free(head);
        client_end(&c);
    }
    rig_end(&rig);
}

static void the_application_may_refuse_with_its_own_words(void **state)
{
    struct rig    rig;
    struct client c, w;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    w = client_begin(&rig);
    rig.refuse_status = 403;
    client_get(&rig, &c, "EIO=4&transport=polling");
    client_expect(&rig, &c, 403, "{\"code\":4,\"message\":\"Forbidden\"}");
    rig.refuse_why = "not \"you\"";
    client_get(&rig, &c, "EIO=4&transport=polling");
    client_expect(&rig, &c, 403, "{\"code\":4,\"message\":\"not \\\"you\\\"\"}");
    client_request(&rig, &w, "GET", "EIO=4&transport=websocket", CLIENT_WS, NOBODY);
    client_expect(&rig, &w, 400, "not \"you\"");
    rig.refuse_status = 503;
    client_get(&rig, &c, "EIO=4&transport=polling");
    client_expect(&rig, &c, 503, "{\"code\":4,\"message\":\"not \\\"you\\\"\"}");
    assert_int_equal(rig.opened, 0);
    client_end(&c);
    client_end(&w);
    rig_end(&rig);
}

static void a_session_opens_by_polling_with_exactly_five_keys(void **state)
{
    struct rig    rig;
    struct client c;
    char          body[256], *head;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    client_get(&rig, &c, "t=abc&%45IO=%34&transport=polling&sid=");
    RIG_UNTIL(&rig, client_has_answer(&c));
    assert_int_equal(eio_session_sid(rig.session).len, 20);
    snprintf(body, sizeof(body),
             "0{\"sid\":\"%.*s\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
             "\"pingTimeout\":20000,\"maxPayload\":1000000}",
             SLICE_ARG(eio_session_sid(rig.session)));
    head = client_expect_head(&rig, &c, 200, body);
    assert_non_null(strstr(head, "Content-Type: text/plain; charset=UTF-8\r\n"));
    assert_non_null(strstr(head, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(head, "X-Greeting: hello\r\n"));
    assert_int_equal(eio_server_sessions(rig.eio, EIO_POLLING), 1);
    assert_int_equal(eio_session_transport(rig.session), EIO_POLLING);
    free(head);
    client_end(&c);
    rig_end(&rig);
    assert_int_equal(rig.reason, EIO_SHUTDOWN);
}

static void a_session_opens_by_websocket_without_upgrades(void **state)
{
    struct rig    rig;
    struct client c;
    char          body[256];

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    client_websocket(&rig, &c, NULL, "");
    snprintf(body, sizeof(body),
             "0{\"sid\":\"%.*s\",\"upgrades\":[],\"pingInterval\":25000,"
             "\"pingTimeout\":20000,\"maxPayload\":1000000}",
             SLICE_ARG(eio_session_sid(rig.session)));
    client_expect_say(&rig, &c, body);
    assert_int_equal(eio_server_sessions(rig.eio, EIO_WEBSOCKET), 1);
    assert_int_equal(eio_session_transport(rig.session), EIO_WEBSOCKET);
    client_end(&c);
    rig_end(&rig);
}

static void what_comes_right_behind_the_handshake_is_heard(void **state)
{
    struct rig    rig;
    struct client c;
    char          request[1024];
    int           len;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    len = snprintf(request, sizeof(request),
                   "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n" CLIENT_WS
                   "\r\n\x81\x83%c%c%c%c4hi", 0, 0, 0, 0);
    client_write(&rig, &c, slice_make(request, (size_t)len));
    rig_expect_heard(&rig, "hi\n");
    client_end(&c);
    rig_end(&rig);
}

static void what_on_open_says_comes_after_the_open_packet(void **state)
{
    struct rig    rig;
    struct client c, w;
    char          query[128];

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    rig.say_on_open = "welcome";
    c = client_begin(&rig);
    w = client_begin(&rig);
    client_open(&rig, &c, query);
    client_get(&rig, &c, query);
    client_expect(&rig, &c, 200, "4welcome");
    client_websocket(&rig, &w, NULL, "");
    client_expect_open(&rig, &w);
    client_expect_say(&rig, &w, "4welcome");
    client_end(&c);
    client_end(&w);
    rig_end(&rig);
}

static void a_session_may_be_closed_inside_on_open(void **state)
{
    struct rig    rig;
    struct client c, w, x;
    char          query[128];

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    rig.say_on_open = "go away";
    rig.close_on_open = true;
    c = client_begin(&rig);
    w = client_begin(&rig);
    x = client_begin(&rig);
    client_open(&rig, &c, query);
    client_get(&rig, &c, query);
    client_expect(&rig, &c, 200, "4go away");
    client_get(&rig, &c, query);
    client_expect(&rig, &c, 200, "6\x1e""1");
    client_websocket(&rig, &w, NULL, "");
    client_expect_open(&rig, &w);
    client_expect_say(&rig, &w, "4go away");
    client_expect_close(&rig, &w, 0);
    rig_expect_closed(&rig, EIO_FORCED_CLOSE);
    rig.close_on_open = false;
    rig.abort_on_open = true;
    client_request(&rig, &x, "GET", "EIO=4&transport=websocket", CLIENT_WS, NOBODY);
    RIG_UNTIL(&rig, client_is_ended(&x));
    rig_expect_closed(&rig, EIO_TRANSPORT_ERROR);
    client_end(&c);
    client_end(&w);
    client_end(&x);
    rig_end(&rig);
}

/* --- CORS --- */

static void preflights_are_answered_where_cors_is_on(void **state)
{
    static const char *ANY[] = { "*", NULL };
    struct eio_options options = EIO_DEFAULTS;
    struct rig         rig;
    struct client      c;
    char              *head;

    (void)state;
    options.cors_origins = ANY;
    rig_begin(&rig, &options);
    c = client_begin(&rig);
    client_request(&rig, &c, "OPTIONS", "sid=whatever",
                   "Origin: http://a.example\r\nAccess-Control-Request-Headers: x-a, x-b\r\n",
                   NOBODY);
    head = client_expect_head(&rig, &c, 204, "");
    assert_non_null(strstr(head, "Access-Control-Allow-Origin: *\r\n"));
    assert_non_null(strstr(head, "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"));
    assert_non_null(strstr(head, "Access-Control-Allow-Headers: x-a, x-b\r\n"));
    assert_non_null(strstr(head, "Vary: Access-Control-Request-Headers\r\n"));
    free(head);
    client_get(&rig, &c, "transport=none");
    head = client_expect_head(&rig, &c, 400, NULL);
    assert_non_null(strstr(head, "Access-Control-Allow-Origin: *\r\n"));
    assert_null(strstr(head, "Vary"));
    free(head);
    client_end(&c);
    rig_end(&rig);
}

static void expect_origin(struct rig *rig, struct client *c, const char *asks, const char *told)
{
    char  line[128], *head;

    snprintf(line, sizeof(line), "Origin: %s\r\n", asks);
    client_request(rig, c, "GET", "EIO=4&transport=polling", line, NOBODY);
    head = client_expect_head(rig, c, 200, NULL);
    snprintf(line, sizeof(line), "Access-Control-Allow-Origin: %s\r\n", told);
    if (told[0] != '\0')
        assert_non_null(strstr(head, line));
    else
        assert_null(strstr(head, "Access-Control-Allow-Origin"));
    assert_non_null(strstr(head, "Access-Control-Allow-Credentials: true\r\n"));
    assert_non_null(strstr(head, "Vary: Origin\r\n"));
    free(head);
}

static void named_origins_are_told_with_credentials(void **state)
{
    static const char *ONE[] = { "http://a.example", NULL };
    static const char *TWO[] = { "http://a.example", "http://b.example", NULL };
    struct eio_options options = EIO_DEFAULTS;
    struct rig         rig;
    struct client      c;

    (void)state;
    options.cors_origins = ONE;
    options.cors_credentials = true;
    rig_begin(&rig, &options);
    c = client_begin(&rig);
    expect_origin(&rig, &c, "http://a.example", "http://a.example");
    expect_origin(&rig, &c, "http://evil.example", "http://a.example");
    client_end(&c);
    rig_end(&rig);
    options.cors_origins = TWO;
    rig_begin(&rig, &options);
    c = client_begin(&rig);
    expect_origin(&rig, &c, "http://b.example", "http://b.example");
    expect_origin(&rig, &c, "http://evil.example", "");
    client_end(&c);
    rig_end(&rig);
}

/* --- owners --- */

static void a_sid_names_its_owner_and_foreign_ones_are_passed_on(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct rig         rig;
    struct client      c;
    char               query[128];

    (void)state;
    options.owner = "gw1";
    rig_begin(&rig, &options);
    c = client_begin(&rig);
    client_open(&rig, &c, query);
    assert_non_null(strstr(query, "&sid=gw1."));
    assert_int_equal(eio_session_sid(rig.session).len, 24);
    client_post(&rig, &c, query, "4mine");
    client_expect(&rig, &c, 200, "ok");
    rig_expect_heard(&rig, "mine\n");
    client_get(&rig, &c, "EIO=4&transport=polling&sid=gw2.abcdefghijklmnopqrst");
    client_expect(&rig, &c, 200, "from the other one");
    client_post(&rig, &c, "EIO=4&transport=polling&sid=gw3.abcdefghijklmnopqrst", "4x");
    client_expect(&rig, &c, 200, "from the other one");
    assert_string_equal(rig.foreign.data, "gw2\ngw3\n");
    client_get(&rig, &c, "EIO=4&transport=polling&sid=gw1.abcdefghijklmnopqrst");
    client_expect(&rig, &c, 400, NO_SID);
    client_get(&rig, &c, "EIO=4&transport=polling&sid=abcdefghijklmnopqrst");
    client_expect(&rig, &c, 400, NO_SID);
    client_end(&c);
    rig_end(&rig);
}

static void a_transport_may_be_switched_off(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct rig         rig;
    struct client      c;

    (void)state;
    options.allow_polling = false;
    rig_begin(&rig, &options);
    c = client_begin(&rig);
    client_get(&rig, &c, "EIO=4&transport=polling");
    client_expect(&rig, &c, 400, NO_TRANSPORT);
    client_end(&c);
    rig_end(&rig);
}

static void other_paths_are_left_alone(void **state)
{
    struct rig    rig;
    struct client c;

    (void)state;
    rig_begin(&rig, &EIO_DEFAULTS);
    c = client_begin(&rig);
    client_write(&rig, &c, SLICE("GET /socket.io?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n"));
    client_expect(&rig, &c, 404, "elsewhere");
    client_write(&rig, &c, SLICE("GET /socket.io/more?transport=x HTTP/1.1\r\nHost: x\r\n\r\n"));
    client_expect(&rig, &c, 400, NO_TRANSPORT);
    client_end(&c);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_worded_as_the_reference_words_them),
        cmocka_unit_test(refusals_of_websockets_are_plain_and_end_the_connection),
        cmocka_unit_test(the_application_may_refuse_with_its_own_words),
        cmocka_unit_test(a_session_opens_by_polling_with_exactly_five_keys),
        cmocka_unit_test(a_session_opens_by_websocket_without_upgrades),
        cmocka_unit_test(what_comes_right_behind_the_handshake_is_heard),
        cmocka_unit_test(what_on_open_says_comes_after_the_open_packet),
        cmocka_unit_test(a_session_may_be_closed_inside_on_open),
        cmocka_unit_test(preflights_are_answered_where_cors_is_on),
        cmocka_unit_test(named_origins_are_told_with_credentials),
        cmocka_unit_test(a_sid_names_its_owner_and_foreign_ones_are_passed_on),
        cmocka_unit_test(a_transport_may_be_switched_off),
        cmocka_unit_test(other_paths_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
