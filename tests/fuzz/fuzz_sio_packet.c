/* fuzz_sio_packet.c -- Socket.IO packets and their JSON from strangers.
 *
 * The first byte chooses what the rest is: `j` one JSON text, `h` a payload whose
 * placeholders are checked (the second byte: against how many attachments), anything else a
 * packet. What our scanner says is held against jansson: whatever that takes for JSON must
 * be JSON here too, with the same first element; and a packet that is written out again must
 * read as it did. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/err.h"
#include "gateway/socketio/json_scan.h"
#include "gateway/socketio/packet.h"

#define ATTACHMENTS_MAX 10
#define JANSSON_FLAGS   (JSON_DECODE_ANY | JSON_ALLOW_NUL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

/* How deep the brackets of a text go at most; strings are not looked at, so perhaps less. */
static size_t depth_of(struct slice text)
{
    size_t depth = 0;

    for (size_t i = 0; i < text.len; i++)
        depth += text.data[i] == '[' || text.data[i] == '{';
    return depth;
}

/* jansson takes a NUL behind a text for its end: not asked about such. */
static json_t *load(struct slice text)
{
    if (text.len == 0 || memchr(text.data, '\0', text.len) != NULL)
        return NULL;
    return json_loadb(text.data, text.len, JANSSON_FLAGS, NULL);
}

static void check_json(struct slice text)
{
    struct slice trimmed;
    bool is_valid = json_scan_is_valid(text, &trimmed);
    json_t *tree = load(text);

    if (tree != NULL)
        must(is_valid || depth_of(text) > JSON_SCAN_DEPTH_MAX);
    if (is_valid) {
        must(trimmed.len != 0 && trimmed.data >= text.data &&
             trimmed.data + trimmed.len <= text.data + text.len);
        must(json_scan_is_valid(trimmed, NULL));
    }
    json_decref(tree);
}

/* The name of an event is its first element. */
static void check_name(const struct sio_packet *p)
{
    json_t *tree = load(p->payload);
    const json_t *first = json_array_get(tree, 0);

    if (json_is_string(first) && (p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT))
        must(slice_eq(p->name, slice_make(json_string_value(first), json_string_length(first))));
    json_decref(tree);
}

static void check_again(const struct sio_packet *p)
{
    struct buf text, prefix, scratch;
    struct sio_packet again;

    buf_init(&text, SIZE_MAX / 2);
    buf_init(&prefix, SIZE_MAX / 2);
    buf_init(&scratch, SIZE_MAX / 2);
    if (!slice_is(p->nsp, "/")) {
        buf_append_slice(&prefix, p->nsp);
        buf_append_char(&prefix, ',');
    }
    must(sio_packet_append_head(&text, p->type, p->attachments, buf_peek(&prefix), p->id) == 0);
    buf_append_slice(&text, p->payload);
    must(sio_packet_parse(buf_peek(&text), ATTACHMENTS_MAX, &scratch, &again) == 0);
    must(again.type == p->type && again.attachments == p->attachments && again.id == p->id);
    must(slice_eq(again.nsp, p->nsp) && slice_eq(again.payload, p->payload));
    must(slice_eq(again.name, p->name));
    buf_deinit(&text);
    buf_deinit(&prefix);
    buf_deinit(&scratch);
}

static void check_packet(struct slice text)
{
    struct sio_packet p;
    struct buf scratch;
    int err;

    buf_init(&scratch, SIZE_MAX / 2);
    err = sio_packet_parse(text, ATTACHMENTS_MAX, &scratch, &p);
    must(err == 0 || err == ERR_FRAME || err == ERR_TOO_BIG);
    if (err == 0) {
        bool is_binary = p.type == SIO_BINARY_EVENT || p.type == SIO_BINARY_ACK;

        must(p.id >= -1 && p.type != SIO_CONNECT_ERROR && p.nsp.data[0] == '/');
        must(is_binary == (p.attachments != 0) && p.attachments <= ATTACHMENTS_MAX);
        must(p.payload.len == 0 || json_scan_is_valid(p.payload, NULL));
        check_name(&p);
        check_again(&p);
        sio_placeholders_check(p.payload, p.attachments);
    }
    buf_deinit(&scratch);
}

static void check_placeholders(struct slice payload, size_t count)
{
    int err = sio_placeholders_check(payload, count);

    must(err == 0 || err == ERR_FRAME);
    if (err == 0) {
        must(json_scan_is_valid(payload, NULL));
        must(sio_placeholders_check(payload, count + 1) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make((const char *)data + 1, size == 0 ? 0 : size - 1);

    if (size == 0)
        return 0;
    if (data[0] == 'j')
        check_json(rest);
    else if (data[0] == 'h' && size > 1)
        check_placeholders(slice_from(rest, 1), data[1] % (ATTACHMENTS_MAX + 1));
    else
        check_packet(rest);
    return 0;
}
