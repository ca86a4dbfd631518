/* websocket_test.c -- the websocket codec (gateway/engineio/websocket.c), fed with scripted
 * bytes: whole, and cut at every offset. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/mem.h"
#include "gateway/engineio/websocket_codec.h"

static const struct ws_limits LIMITS = { 1000, 2000, 8 };

/* --- scripting --- */

enum { FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10 };

/* A client's frame, masked. */
static void frame(struct buf *out, int first, struct slice payload)
{
    static const uint8_t KEY[4] = { 0x37, 0xfa, 0x21, 0x3d };

    buf_append_char(out, (char)first);
    if (payload.len < 126) {
        buf_append_char(out, (char)(0x80 | payload.len));
    } else {
        buf_append_char(out, (char)(0x80 | 126));
        buf_append_char(out, (char)(payload.len >> 8));
        buf_append_char(out, (char)payload.len);
    }
    buf_append(out, KEY, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_append_char(out, (char)((uint8_t)payload.data[i] ^ KEY[i % 4]));
}

/* What a reader says, as text: "T4:abcd B2:xy P0: O0: C1000: F1002", without long data. */
static void told(struct buf *out, enum ws_event event, const struct ws_input *in)
{
    if (out->len != 0)
        buf_append_char(out, ' ');
    switch (event) {
    case WS_EVENT_MESSAGE:
        buf_printf(out, "%c%zu:", in->is_binary ? 'B' : 'T', in->data.len);
        break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
        buf_printf(out, "%c%zu:", event == WS_EVENT_PING ? 'P' : 'O', in->data.len);
        break;
    case WS_EVENT_CLOSE:
        buf_printf(out, "C%d:", in->code);
        break;
    default:
        buf_printf(out, "F%d", in->code);
        return;
    }
    if (in->data.len <= 40)
        buf_append_slice(out, in->data);
}

/* Feed pieces of `step` bytes, or two pieces cut at `cut`. Returns whether it may go on. */
static bool feed(struct ws_reader *r, struct slice bytes, struct buf *out)
{
    struct ws_input in;
    enum ws_event   event;

    ws_reader_feed(r, bytes);
    while ((event = ws_reader_next(r, &in)) != WS_EVENT_MORE) {
        told(out, event, &in);
        if (event == WS_EVENT_CLOSE || event == WS_EVENT_FAILED)
            return false;
    }
    return true;
}

static void expect_cut(struct slice bytes, size_t cut, struct deflater *d, const char *story)
{
    struct ws_reader *r = ws_reader_new();
    struct buf        out;

    buf_init(&out, 100000);
    ws_reader_attach(r, &LIMITS, d);
    if (feed(r, slice_make(bytes.data, cut), &out) && feed(r, slice_from(bytes, cut), &out))
        assert_true(ws_reader_is_idle(r));
    assert_string_equal(out.data, story);
    buf_deinit(&out);
    ws_reader_free(r);
}

static void expect_bytewise(struct slice bytes, struct deflater *d, const char *story)
{
    struct ws_reader *r = ws_reader_new();
    struct buf        out;

    buf_init(&out, 100000);
    ws_reader_attach(r, &LIMITS, d);
    for (size_t i = 0; i < bytes.len; i++) {
        if (!feed(r, slice_make(bytes.data + i, 1), &out))
            break;
    }
    assert_string_equal(out.data, story);
    buf_deinit(&out);
    ws_reader_free(r);
}

/* The same story however the bytes are cut. */
static void expect(struct buf *bytes, struct deflater *d, const char *story)
{
    for (size_t cut = 0; cut <= bytes->len; cut++)
        expect_cut(buf_peek(bytes), cut, d, story);
    expect_bytewise(buf_peek(bytes), d, story);
    buf_reset(bytes);
}

static struct buf script(void)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    return b;
}

/* --- what is understood --- */

static void whole_messages_are_heard(void **state)
{
    struct buf b = script();

    (void)state;
    frame(&b, FIN | WS_TEXT, SLICE("4hello"));
    frame(&b, FIN | WS_BINARY, SLICE("\x01\x02"));
    frame(&b, FIN | WS_TEXT, SLICE(""));
    frame(&b, FIN | WS_BINARY, SLICE(""));
    frame(&b, FIN | WS_TEXT, SLICE("\xc3\xa4\xf0\x9f\x98\x80"));
    expect(&b, NULL, "T6:4hello B2:\x01\x02 T0: B0: T6:\xc3\xa4\xf0\x9f\x98\x80");
    buf_deinit(&b);
}

static void fragments_are_put_together_around_control_frames(void **state)
{
    struct buf b = script();

    (void)state;
    frame(&b, WS_TEXT, SLICE("one "));
    frame(&b, FIN | WS_PING, SLICE("are you there"));
    frame(&b, WS_CONTINUATION, SLICE("two "));
    frame(&b, FIN | WS_PONG, SLICE(""));
    frame(&b, FIN | WS_CONTINUATION, SLICE("three"));
    frame(&b, WS_BINARY, SLICE(""));
    frame(&b, WS_CONTINUATION, SLICE(""));
    frame(&b, FIN | WS_CONTINUATION, SLICE("x"));
    frame(&b, WS_TEXT, SLICE(""));
    frame(&b, FIN | WS_CONTINUATION, SLICE(""));
    frame(&b, FIN | WS_TEXT, SLICE("next"));
    expect(&b, NULL, "P13:are you there O0: T13:one two three B1:x T0: T4:next");
    buf_deinit(&b);
}

static void a_character_may_be_split_between_fragments(void **state)
{
    struct buf b = script();

    (void)state;
    frame(&b, WS_TEXT, SLICE("\xf0\x9f"));
    frame(&b, FIN | WS_CONTINUATION, SLICE("\x98\x80"));
    expect(&b, NULL, "T4:\xf0\x9f\x98\x80");
    buf_deinit(&b);
}

static void close_frames_are_heard_with_their_code(void **state)
{
    static const int GOOD[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
                                1013, 1014, 3000, 3999, 4000, 4999 };
    struct buf       b = script();
    char             payload[8], story[32];

    (void)state;
    frame(&b, FIN | WS_CLOSE, SLICE(""));
    expect(&b, NULL, "C1005:");
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        payload[0] = (char)(GOOD[i] >> 8);
        payload[1] = (char)GOOD[i];
        memcpy(payload + 2, "bye", 3);
        frame(&b, FIN | WS_CLOSE, slice_make(payload, 5));
        snprintf(story, sizeof(story), "C%d:bye", GOOD[i]);
        expect(&b, NULL, story);
    }
    buf_deinit(&b);
}

/* --- what is refused --- */

static void refuse(int first, struct slice payload, const char *story)
{
    struct buf b = script();

    frame(&b, first, payload);
    frame(&b, FIN | WS_TEXT, SLICE("not heard any more"));
    expect(&b, NULL, story);
    buf_deinit(&b);
}

static void bad_close_frames_are_refused(void **state)
{
    static const int BAD[] = { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 };

    (void)state;
    refuse(FIN | WS_CLOSE, SLICE("x"), "F1002");
    refuse(FIN | WS_CLOSE, SLICE("\x03\xe8\xff"), "F1007");
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char payload[2] = { (char)(BAD[i] >> 8), (char)BAD[i] };

        refuse(FIN | WS_CLOSE, slice_make(payload, 2), "F1002");
    }
}

static void reserved_bits_and_opcodes_are_refused(void **state)
{
    (void)state;
    for (int opcode = 0; opcode < 16; opcode++) {
        bool is_known = opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);

        if (!is_known)
            refuse(FIN | opcode, SLICE("x"), "F1002");
        refuse(FIN | RSV1 | opcode, SLICE("x"), "F1002");
        refuse(FIN | RSV2 | opcode, SLICE("x"), "F1002");
        refuse(FIN | RSV3 | opcode, SLICE("x"), "F1002");
    }
}

static void control_frames_must_be_short_and_whole(void **state)
{
    char       long_one[126] = { 0 };
    struct buf b = script();

    (void)state;
    refuse(WS_PING, SLICE("x"), "F1002");
    refuse(WS_CLOSE, SLICE(""), "F1002");
    refuse(FIN | WS_PING, slice_make(long_one, 126), "F1002");
    frame(&b, FIN | WS_PING, slice_make(long_one, 125));
    expect_cut(buf_peek(&b), 3, NULL, "P125:");
    buf_deinit(&b);
}

static void unmasked_frames_are_refused(void **state)
{
    struct buf b = script();

    (void)state;
    buf_append(&b, "\x81\x05hello", 7);
    expect(&b, NULL, "F1002");
    buf_append(&b, "\x81\x00", 2);
    expect(&b, NULL, "F1002");
    buf_deinit(&b);
}

static void fragments_of_messages_do_not_mix(void **state)
{
    struct buf b = script();

    (void)state;
    refuse(FIN | WS_CONTINUATION, SLICE("of what?"), "F1002");
    frame(&b, WS_TEXT, SLICE("begun"));
    frame(&b, FIN | WS_TEXT, SLICE("another"));
    expect(&b, NULL, "F1002");
    buf_deinit(&b);
}

static void lengths_must_be_minimal(void **state)
{
    struct buf b = script();

    (void)state;
    buf_append(&b, "\x82\xfe\x00\x05", 4);
    buf_append(&b, "keys" "12345", 9);
    expect(&b, NULL, "F1002");
    buf_append(&b, "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05" "keys" "12345", 19);
    expect(&b, NULL, "F1002");
    buf_append(&b, "\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00" "keys" "12345", 19);
    expect(&b, NULL, "F1002");
    buf_deinit(&b);
}

static void text_must_be_utf_8(void **state)
{
    struct buf b = script();

    (void)state;
    refuse(FIN | WS_TEXT, SLICE("\xff"), "F1007");
    refuse(FIN | WS_TEXT, SLICE("cut short \xc3"), "F1007");
    refuse(FIN | WS_TEXT, SLICE("\xed\xa0\x80"), "F1007");
    frame(&b, WS_TEXT, SLICE("\xce\xba\xe1\xbd\xb9"));
    frame(&b, FIN | WS_CONTINUATION, SLICE("\xf4\x90\x80\x80"));
    expect(&b, NULL, "F1007");
    buf_deinit(&b);
}

static void the_limit_is_exact_and_counts_all_fragments(void **state)
{
    char       data[1001] = { 0 };
    struct buf b = script();

    (void)state;
    frame(&b, FIN | WS_BINARY, slice_make(data, 1000));
    expect_cut(buf_peek(&b), 500, NULL, "B1000:");
    buf_reset(&b);
    frame(&b, FIN | WS_BINARY, slice_make(data, 1001));
    expect_cut(buf_peek(&b), 500, NULL, "F1009");
    buf_reset(&b);
    frame(&b, WS_BINARY, slice_make(data, 600));
    frame(&b, FIN | WS_CONTINUATION, slice_make(data, 400));
    expect_cut(buf_peek(&b), 700, NULL, "B1000:");
    frame(&b, WS_BINARY, slice_make(data, 600));
    frame(&b, FIN | WS_CONTINUATION, slice_make(data, 401));
    expect_cut(buf_peek(&b), 700, NULL, "B1000: F1009");
    buf_deinit(&b);
}

static void a_huge_announced_length_is_refused_at_its_first_byte(void **state)
{
    struct buf b = script();

    (void)state;
    buf_append(&b, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" "keys" "1", 15);
    expect(&b, NULL, "F1009");
    buf_deinit(&b);
}

static void fragments_are_counted(void **state)
{
    struct buf b = script();

    (void)state;
    for (size_t i = 0; i < LIMITS.fragments_max; i++)
        frame(&b, i == 0 ? WS_BINARY : i + 1 == LIMITS.fragments_max ? FIN : 0, SLICE("x"));
    expect(&b, NULL, "B8:xxxxxxxx");
    for (size_t i = 0; i <= LIMITS.fragments_max; i++)
        frame(&b, i == 0 ? WS_BINARY : 0, SLICE("x"));
    expect(&b, NULL, "F1008");
    buf_deinit(&b);
}

/* --- compression --- */

static void compressed(struct buf *out, struct deflater *d, struct slice text, bool is_binary)
{
    struct rcbuf *packed = websocket_frame_deflated(d, text, is_binary, 15);

    assert_non_null(packed);
    frame(out, (uint8_t)packed->data[0], websocket_frame_payload(packed));
    rcbuf_unref(packed);
}

static void compressed_messages_are_heard_inflated(void **state)
{
    struct deflater *d = deflater_new();
    struct buf       b = script();

    (void)state;
    compressed(&b, d, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false);
    frame(&b, FIN | WS_TEXT, SLICE("plain between"));
    frame(&b, FIN | RSV1 | WS_TEXT, slice_make("\xf2\x48\xcd\xc9\xc9\x07\x00", 7));
    frame(&b, RSV1 | WS_BINARY, slice_make("\xf2\x48\xcd", 3));
    frame(&b, FIN | WS_CONTINUATION, slice_make("\xc9\xc9\x07\x00", 4));
    frame(&b, FIN | RSV1 | WS_TEXT, slice_make("\x00", 1));
    expect(&b, d, "T36:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa T13:plain between T5:Hello B5:Hello T0:");
    buf_deinit(&b);
    deflater_free(d);
}

static void compressed_text_must_be_utf_8_too(void **state)
{
    struct deflater *d = deflater_new();
    struct buf       b = script();

    (void)state;
    compressed(&b, d, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), true);
    expect(&b, d, "B17:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    compressed(&b, d, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), false);
    expect(&b, d, "F1007");
    frame(&b, FIN | RSV1 | WS_BINARY, SLICE("\xff\xff\xff"));
    expect(&b, d, "F1007");
    buf_deinit(&b);
    deflater_free(d);
}

static void a_bomb_is_refused(void **state)
{
    struct deflater *d = deflater_new();
    struct buf       b = script();
    char            *zeros = mem_alloc(100000);

    (void)state;
    compressed(&b, d, slice_make(zeros, LIMITS.inflated_bytes_max), true);
    expect(&b, d, "B2000:");
    compressed(&b, d, slice_make(zeros, LIMITS.inflated_bytes_max + 1), true);
    expect(&b, d, "F1009");
    compressed(&b, d, slice_make(zeros, 100000), true);
    expect(&b, d, "F1009");
    free(zeros);
    buf_deinit(&b);
    deflater_free(d);
}

static void rsv1_stands_on_the_first_fragment_only(void **state)
{
    struct deflater *d = deflater_new();
    struct buf       b = script();

    (void)state;
    frame(&b, RSV1 | WS_BINARY, slice_make("\xf2\x48\xcd", 3));
    frame(&b, FIN | RSV1 | WS_CONTINUATION, slice_make("\xc9\xc9\x07\x00", 4));
    expect(&b, d, "F1002");
    frame(&b, FIN | RSV1 | WS_PING, SLICE(""));
    expect(&b, d, "F1002");
    frame(&b, FIN | RSV2 | WS_TEXT, SLICE("x"));
    expect(&b, d, "F1002");
    buf_deinit(&b);
    deflater_free(d);
}

/* --- leasing --- */

static void a_reader_is_idle_at_message_boundaries_only(void **state)
{
    struct ws_reader *r = ws_reader_new();
    struct buf        b = script(), out;

    (void)state;
    buf_init(&out, 1000);
    ws_reader_attach(r, &LIMITS, NULL);
    frame(&b, WS_TEXT, SLICE("one"));
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(ws_reader_is_idle(r), i == 0);
        assert_true(feed(r, slice_make(b.data + i, 1), &out));
    }
    assert_false(ws_reader_is_idle(r));        /* a whole frame, but not a whole message */
    buf_reset(&b);
    frame(&b, FIN | WS_CONTINUATION, SLICE("two"));
    assert_true(feed(r, buf_peek(&b), &out));
    assert_true(ws_reader_is_idle(r));
    assert_true(feed(r, slice_make(b.data, 1), &out));
    assert_false(ws_reader_is_idle(r));        /* one byte of a header, read ahead by wslay */
    buf_deinit(&b);
    buf_deinit(&out);
    ws_reader_free(r);
}

static void one_reader_serves_many_connections_in_turn(void **state)
{
    struct deflater  *d = deflater_new();
    struct ws_reader *r = ws_reader_new();
    struct buf        b = script(), out;

    (void)state;
    buf_init(&out, 1000);
    for (int i = 0; i < 10; i++) {
        buf_reset(&b);
        buf_reset(&out);
        ws_reader_attach(r, &LIMITS, i % 2 == 0 ? d : NULL);
        if (i % 2 == 0)
            frame(&b, FIN | RSV1 | WS_TEXT, slice_make("\xf2\x48\xcd\xc9\xc9\x07\x00", 7));
        else
            frame(&b, FIN | WS_TEXT, SLICE("Hello"));
        assert_true(feed(r, buf_peek(&b), &out));
        assert_string_equal(out.data, "T5:Hello");
        assert_true(ws_reader_is_idle(r));
        ws_reader_trim(r);
    }
    buf_deinit(&b);
    buf_deinit(&out);
    ws_reader_free(r);
    deflater_free(d);
}

/* --- writing --- */

static void close_frames_carry_a_code_or_nothing(void **state)
{
    struct rcbuf *with = websocket_frame_close(1009), *without = websocket_frame_close(0);

    (void)state;
    assert_true(slice_eq(rcbuf_slice(with), SLICE("\x88\x02\x03\xf1")));
    assert_true(slice_eq(rcbuf_slice(without), slice_make("\x88\x00", 2)));
    rcbuf_unref(with);
    rcbuf_unref(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_are_heard),
        cmocka_unit_test(fragments_are_put_together_around_control_frames),
        cmocka_unit_test(a_character_may_be_split_between_fragments),
        cmocka_unit_test(close_frames_are_heard_with_their_code),
        cmocka_unit_test(bad_close_frames_are_refused),
        cmocka_unit_test(reserved_bits_and_opcodes_are_refused),
        cmocka_unit_test(control_frames_must_be_short_and_whole),
        cmocka_unit_test(unmasked_frames_are_refused),
        cmocka_unit_test(fragments_of_messages_do_not_mix),
        cmocka_unit_test(lengths_must_be_minimal),
        cmocka_unit_test(text_must_be_utf_8),
        cmocka_unit_test(the_limit_is_exact_and_counts_all_fragments),
        cmocka_unit_test(a_huge_announced_length_is_refused_at_its_first_byte),
        cmocka_unit_test(fragments_are_counted),
        cmocka_unit_test(compressed_messages_are_heard_inflated),
        cmocka_unit_test(compressed_text_must_be_utf_8_too),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(rsv1_stands_on_the_first_fragment_only),
        cmocka_unit_test(a_reader_is_idle_at_message_boundaries_only),
        cmocka_unit_test(one_reader_serves_many_connections_in_turn),
        cmocka_unit_test(close_frames_carry_a_code_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
