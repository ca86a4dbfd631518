/* fuzz_eio_payload.c -- POST bodies of long polling: payloads, packets, base64.
 *
 * The packets of a payload, joined again, are the payload; a packet that is accepted lies inside
 * of what was given or inside the scratch buffer, and a binary one, encoded again, decodes to
 * the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "gateway/engineio/packet.h"

#define SCRATCH_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

static void check_binary(struct slice bytes)
{
    struct buf    text, again;
    struct packet p;

    buf_init(&text, 2 * SCRATCH_MAX);
    buf_init(&again, SCRATCH_MAX);
    must(buf_append_char(&text, 'b') == 0);
    must(crypto_append_base64(&text, bytes.data, bytes.len) == 0);
    must(packet_parse_polled(buf_peek(&text), &again, &p) == 0);
    must(p.is_binary && slice_eq(p.data, bytes));
    buf_deinit(&text);
    buf_deinit(&again);
}

static void check_packet(struct slice text, struct buf *scratch)
{
    struct packet p, plain;
    int           err = packet_parse_polled(text, scratch, &p);

    must(err == 0 || err == ERR_FRAME || err == ERR_TOO_BIG);
    if (err != 0)
        return;
    must(p.type < PACKET_TYPE_COUNT);
    if (p.is_binary) {
        must(p.type == PACKET_MESSAGE && p.data.len <= SCRATCH_MAX);
        check_binary(p.data);
    } else {
        must(packet_parse(text, &plain) == 0 && plain.type == p.type);
        must(slice_eq(p.data, slice_from(text, 1)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = { (const char *)data, size }, rest = body, text;
    struct buf   joined, scratch;
    size_t       count = 0;
    bool         more = true;

    buf_init(&joined, size + 1);
    buf_init(&scratch, SCRATCH_MAX);
    while (payload_next(&rest, &more, &text)) {
        if (count++ != 0)
            must(buf_append_char(&joined, PACKET_SEPARATOR) == 0);
        must(buf_append_slice(&joined, text) == 0);
        must(text.len == 0 || memchr(text.data, PACKET_SEPARATOR, text.len) == NULL);
        check_packet(text, &scratch);
    }
    must(count >= 1 && slice_eq(buf_peek(&joined), body));
    buf_deinit(&joined);
    buf_deinit(&scratch);
    return 0;
}
