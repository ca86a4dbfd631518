/* packet_test.c -- every row about packets of the protocol's text, one row per case. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/err.h"
#include "gateway/socketio/packet.h"

struct row {
    const char *text;
    int         err;
    int         type;
    size_t      attachments;
    const char *nsp;
    int64_t     id;
    const char *payload;
    const char *name;
};

#define OK(text, type, n, nsp, id, payload, name) { text, 0, type, n, nsp, id, payload, name }
#define BAD(text) { text, ERR_FRAME, 0, 0, NULL, 0, NULL, NULL }
#define BIG(text) { text, ERR_TOO_BIG, 0, 0, NULL, 0, NULL, NULL }

static const struct row ROWS[] = {
    /* connecting */
    OK("0", SIO_CONNECT, 0, "/", -1, "", ""),
    OK("0{\"token\":\"x\"}", SIO_CONNECT, 0, "/", -1, "{\"token\":\"x\"}", ""),
    OK("0/custom,", SIO_CONNECT, 0, "/custom", -1, "", ""),
    OK("0/custom", SIO_CONNECT, 0, "/custom", -1, "", ""),
    OK("0/custom,{\"a\":[1]}", SIO_CONNECT, 0, "/custom", -1, "{\"a\":[1]}", ""),
    OK("0/custom?x=1,", SIO_CONNECT, 0, "/custom?x=1", -1, "", ""),
    OK("0 {} ", SIO_CONNECT, 0, "/", -1, "{}", ""),
    BAD("0null"), BAD("0[]"), BAD("0[\"a\"]"), BAD("0{"), BAD("0\"x\""),
    BAD("0true"), BAD("0,{}"), BAD("0/a,null"),
    BAD("0{\"a\":1}x"),
    /* leaving */
    OK("1", SIO_DISCONNECT, 0, "/", -1, "", ""),
    OK("1/custom,", SIO_DISCONNECT, 0, "/custom", -1, "", ""),
    BAD("1{}"), BAD("1[]"), BAD("1/custom,{}"), BAD("1\"bye\""),
    /* events */
    OK("2[\"name\"]", SIO_EVENT, 0, "/", -1, "[\"name\"]", "name"),
    OK("2[\"name\",1,{\"a\":\"b\"}]", SIO_EVENT, 0, "/", -1, "[\"name\",1,{\"a\":\"b\"}]", "name"),
    OK("2/nsp,[\"n\"]", SIO_EVENT, 0, "/nsp", -1, "[\"n\"]", "n"),
    OK("2/nsp,12[\"n\"]", SIO_EVENT, 0, "/nsp", 12, "[\"n\"]", "n"),
    OK("20[\"n\"]", SIO_EVENT, 0, "/", 0, "[\"n\"]", "n"),
    OK("200[\"n\"]", SIO_EVENT, 0, "/", 0, "[\"n\"]", "n"),
    OK("2456[\"n\"]", SIO_EVENT, 0, "/", 456, "[\"n\"]", "n"),
    OK("2999999999999999999[\"n\"]", SIO_EVENT, 0, "/", 999999999999999999, "[\"n\"]", "n"),
    OK("2", SIO_EVENT, 0, "/", -1, "", ""),
    OK("212", SIO_EVENT, 0, "/", 12, "", ""),
    OK("2[5,\"x\"]", SIO_EVENT, 0, "/", -1, "[5,\"x\"]", "5"),
    OK("2[\"a\\u00e4\\n\"]", SIO_EVENT, 0, "/", -1, "[\"a\\u00e4\\n\"]", "aä\n"),
    OK("2[\"error\"]", SIO_EVENT, 0, "/", -1, "[\"error\"]", "error"),
    OK("2[\"\"]", SIO_EVENT, 0, "/", -1, "[\"\"]", ""),
    BAD("2[]"), BAD("2{}"), BAD("2[null]"), BAD("2[{}]"), BAD("2[[\"a\"]]"), BAD("2[true]"), BAD("2[\"a\""),
    BAD("2x[\"a\"]"), BAD("2,[\"a\"]"), BAD("2\"a\""), BAD("2[\"a\"]]"),
    BAD("2[\"a\",]"), BAD("2/nsp[\"n\"],["),
    BAD("2-1[\"a\"]"), BAD("29999999999999999999[\"a\"]"),
    BAD("2[\"connect\"]"), BAD("2[\"connect_error\"]"), BAD("2[\"disconnect\"]"), BAD("2[\"disconnecting\"]"),
    BAD("2[\"newListener\"]"), BAD("2[\"removeListener\",1]"), BAD("2[\"\\u0063onnect\"]"),
    /* acknowledgements */
    OK("3456[1,2]", SIO_ACK, 0, "/", 456, "[1,2]", ""),
    OK("30[]", SIO_ACK, 0, "/", 0, "[]", ""),
    OK("3/custom,7[1]", SIO_ACK, 0, "/custom", 7, "[1]", ""),
    OK("3[1]", SIO_ACK, 0, "/", -1, "[1]", ""),
    OK("31", SIO_ACK, 0, "/", 1, "", ""),
    BAD("31{}"), BAD("31null"), BAD("31\"a\""), BAD("31[1"),
    /* what clients never say */
    BAD("4{\"message\":\"x\"}"), BAD("4"), BAD("4\"x\""), BAD("7[\"a\"]"), BAD("8"),
    BAD("9"), BAD("a"), BAD(""), BAD("["),
    /* binary */
    OK("51-[\"e\",{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_EVENT, 1, "/", -1,
       "[\"e\",{\"_placeholder\":true,\"num\":0}]", "e"),
    OK("52-/nsp,9[\"e\"]", SIO_BINARY_EVENT, 2, "/nsp", 9, "[\"e\"]", "e"),
    OK("510-[\"e\"]", SIO_BINARY_EVENT, 10, "/", -1, "[\"e\"]", "e"),
    OK("501-[\"e\"]", SIO_BINARY_EVENT, 1, "/", -1, "[\"e\"]", "e"),
    OK("61-789[{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_ACK, 1, "/", 789,
       "[{\"_placeholder\":true,\"num\":0}]", ""),
    OK("61-/custom,9[]", SIO_BINARY_ACK, 1, "/custom", 9, "[]", ""),
    OK("51-", SIO_BINARY_EVENT, 1, "/", -1, "", ""),
    BAD("50-[\"e\"]"), BAD("5-[\"e\"]"), BAD("5[\"e\"]"), BAD("51[\"e\"]"),
    BAD("5-1-[\"e\"]"), BAD("51.5-[\"e\"]"),
    BAD("5x-[\"e\"]"), BAD("5 1-[\"e\"]"), BAD("5"), BAD("51"),
    BAD("51-[]"), BAD("51-{\"_placeholder\":true,\"num\":0}"),
    BAD("51-[{\"_placeholder\":true,\"num\":0}]"), BAD("61-{}"),
    BIG("511-[\"e\"]"), BIG("599999999999999999999-[\"e\"]"),
};

static int parse(const char *text, struct buf *scratch, struct sio_packet *out, char **copy)
{
    size_t len = strlen(text);

    *copy = malloc(len == 0 ? 1 : len);        /* no NUL behind it */
    assert_non_null(*copy);
    memcpy(*copy, text, len);
    return sio_packet_parse(slice_make(*copy, len), 10, scratch, out);
}

static void check_row(const struct row *row, struct buf *scratch)
{
    struct sio_packet p;
    char *copy;
    int err = parse(row->text, scratch, &p, &copy);

    if (err != row->err)
        fail_msg("%s: answered %d, not %d", row->text, err, row->err);
    if (err == 0) {
        if (p.type != (enum sio_packet_type)row->type || p.attachments != row->attachments ||
            p.id != row->id || !slice_is(p.nsp, row->nsp) || !slice_is(p.payload, row->payload) ||
            !slice_is(p.name, row->name))
            fail_msg("%s: type %d, %zu attachments, nsp %.*s, id %lld, payload %.*s, name %.*s",
                     row->text, (int)p.type, p.attachments, SLICE_ARG(p.nsp), (long long)p.id,
                     SLICE_ARG(p.payload), SLICE_ARG(p.name));
    }
    free(copy);
}

static void every_row_is_read_as_it_should(void **state)
{
    struct buf scratch;

    (void)state;
    buf_init(&scratch, 1024);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        check_row(&ROWS[i], &scratch);
    buf_deinit(&scratch);
}

static void no_prefix_of_a_good_packet_does_harm(void **state)
{
    struct buf scratch;

    (void)state;
    buf_init(&scratch, 1024);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        for (size_t len = 0; len < strlen(ROWS[i].text); len++) {
            char *copy = malloc(len == 0 ? 1 : len);
            struct sio_packet p;
            int err;

            assert_non_null(copy);
            memcpy(copy, ROWS[i].text, len);
            err = sio_packet_parse(slice_make(copy, len), 10, &scratch, &p);
            assert_true(err == 0 || err == ERR_FRAME || err == ERR_TOO_BIG);
            free(copy);
        }
    }
    buf_deinit(&scratch);
}

static void placeholders_must_name_an_attachment(void **state)
{
    static const struct { const char *json; size_t count; int err; } CASES[] = {
        { "[\"e\",{\"_placeholder\":true,\"num\":0}]", 1, 0 },
        { "[\"e\",{\"num\":1,\"_placeholder\":true},{\"_placeholder\":true,\"num\":0}]", 2, 0 },
        { "[\"e\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]", 1, 0 },
        { "[\"e\",{\"a\":[{\"_placeholder\":true,\"num\":0}]}]", 1, 0 },
        { "[\"e\"]", 1, 0 },
        { "[\"e\",{\"_placeholder\":false,\"num\":9}]", 1, 0 },
        { "[\"e\",{\"_placeholder\":1,\"num\":9}]", 1, 0 },
        { "[\"e\",{\"_placeholder\":[true],\"num\":9}]", 1, 0 },
        { "[\"e\",{\"_placeholder\":true,\"num\":1.0}]", 2, 0 },
        { "[\"e\",{\"_placeholder\":true,\"num\":-0}]", 2, 0 },
        { "[\"e\",{\"_placeh\\u006flder\":true,\"num\":5}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":1}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":-1}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":0.5}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":1e99}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":\"0\"}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":null}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":[0]}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true}]", 1, ERR_FRAME },
        { "[\"e\",{\"a\":[{\"_placeholder\":true,\"num\":3}]}]", 2, ERR_FRAME },
        /* the last one of a name counts, as in JSON.parse */
        { "[\"e\",{\"_placeholder\":true,\"num\":9,\"num\":0}]", 1, 0 },
        { "[\"e\",{\"_placeholder\":true,\"num\":0,\"num\":9}]", 1, ERR_FRAME },
        { "[\"e\",{\"_placeholder\":true,\"num\":9,\"_placeholder\":false}]", 1, 0 },
        /* a placeholder is replaced whole: what stands inside does not matter */
        { "[\"e\",{\"_placeholder\":true,\"num\":0,\"x\":{\"_placeholder\":true,\"num\":9}}]", 1, 0 },
        { "[\"e\",{\"x\":{\"_placeholder\":true,\"num\":9},\"_placeholder\":true,\"num\":0}]", 1, 0 },
        { "[\"e\",{\"x\":{\"_placeholder\":true,\"num\":9},\"num\":0}]", 1, ERR_FRAME },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        if (sio_placeholders_check(slice_of(CASES[i].json), CASES[i].count) != CASES[i].err)
            fail_msg("%s with %zu attachments", CASES[i].json, CASES[i].count);
}

static void heads_are_written_in_the_protocols_order(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    assert_int_equal(sio_packet_append_head(&out, SIO_EVENT, 0, SLICE(""), -1), 0);
    assert_int_equal(sio_packet_append_head(&out, SIO_ACK, 0, SLICE("/custom,"), 7), 0);
    assert_int_equal(sio_packet_append_head(&out, SIO_BINARY_EVENT, 1, SLICE(""), -1), 0);
    assert_int_equal(sio_packet_append_head(&out, SIO_BINARY_ACK, 12, SLICE("/n,"), 0), 0);
    assert_true(slice_is(buf_peek(&out), "2" "3/custom,7" "51-" "612-/n,0"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_read_as_it_should),
        cmocka_unit_test(no_prefix_of_a_good_packet_does_harm),
        cmocka_unit_test(placeholders_must_name_an_attachment),
        cmocka_unit_test(heads_are_written_in_the_protocols_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
