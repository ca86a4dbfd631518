/* packet.c -- see packet.h.
 *
 * The separator never occurs inside a packet: JSON escapes control characters and base64 has
 * none. So splitting on the byte is all there is to a payload, and no length prefixes as in
 * older revisions are needed. */
#include "gateway/engineio/packet.h"

#include "common/crypto.h"
#include "common/err.h"

int packet_parse(struct slice text, struct packet *out)
{
    if (text.len == 0 || text.data[0] < '0' || text.data[0] >= '0' + PACKET_TYPE_COUNT)
        return ERR_FRAME;
    out->type = (enum packet_type)(text.data[0] - '0');
    out->is_binary = false;
    out->data = slice_from(text, 1);
    return 0;
}

/* The Java client breaks its base64 into lines (RFC 2045 §6.8), and ends it with one. */
static int decode_lines(struct slice text, struct buf *out)
{
    struct buf joined;
    int        err = 0;

    if (text.len == 0 || memchr(text.data, '\n', text.len) == NULL)
        return crypto_decode_base64(text, out);
    buf_init(&joined, text.len);
    while (err == 0 && text.len > 0) {
        struct slice line = slice_cut(&text, '\n');

        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        err = buf_append_slice(&joined, line);
    }
    if (err == 0)
        err = crypto_decode_base64(buf_peek(&joined), out);
    buf_deinit(&joined);
    return err;
}

int packet_parse_polled(struct slice text, struct buf *scratch, struct packet *out)
{
    int err;

    if (text.len == 0 || text.data[0] != 'b')
        return packet_parse(text, out);
    buf_reset(scratch);
    err = decode_lines(slice_from(text, 1), scratch);
    if (err != 0)
        return err == ERR_TOO_BIG ? err : ERR_FRAME;
    out->type = PACKET_MESSAGE;
    out->is_binary = true;
    out->data = buf_peek(scratch);
    return 0;
}

bool payload_next(struct slice *rest, bool *more, struct slice *out)
{
    if (!*more)
        return false;
    *out = slice_cut(rest, PACKET_SEPARATOR);
    *more = rest->data != NULL;
    return true;
}

int payload_append(struct buf *payload, struct slice text)
{
    if (payload->len != 0 && buf_append_char(payload, PACKET_SEPARATOR) != 0)
        return ERR_TOO_BIG;
    return buf_append_slice(payload, text);
}
