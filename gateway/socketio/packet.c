/* packet.c -- the codec of Socket.IO packets.
 *
 * Clients are strangers, so parsing is strict where the reference is merely lucky: ids and
 * counts are digits and nothing else (JavaScript's Number() would take " 1", "1e0" or an
 * empty place), and an id has at most eighteen digits, which an int64_t holds exactly (the
 * reference rounds from 2^53 on). In everything that real clients send, both agree.
 *
 * Placeholders are checked without building the tree that they stand in: one frame per open
 * object remembers what its last `_placeholder` and `num` members were (the last one of a
 * name counts, as in JSON.parse), and whether something inside it was wrong. An object that
 * proves to be a placeholder at its end is replaced whole by the attachment, so what stands
 * inside it does not matter any more; otherwise the fault is handed to the object around
 * it. */
#include "gateway/socketio/packet.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "gateway/socketio/json_scan.h"

#define ID_DIGITS_MAX    18                    /* what fits into an int64_t for certain */
#define COUNT_DIGITS_MAX 6

/* Names with a meaning of their own in Node's and Socket.IO's emitters. */
static const char *const RESERVED[] = {
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Leading digits of `*rest` as a number, cut off; -1 if there is none, -2 if too many. */
static int64_t take_number(struct slice *rest, size_t digits_max)
{
    int64_t n = 0;
    size_t len = 0;

    while (len < rest->len && is_digit(rest->data[len])) {
        if (len == digits_max)
            return -2;
        n = n * 10 + (rest->data[len++] - '0');
    }
    *rest = slice_from(*rest, len);
    return len == 0 ? -1 : n;
}

static int take_attachments(struct slice *rest, size_t max, struct sio_packet *out)
{
    int64_t n = take_number(rest, COUNT_DIGITS_MAX);

    if (n == -2 || (n > 0 && (uint64_t)n > max))
        return ERR_TOO_BIG;
    if (n < 1 || rest->len == 0 || rest->data[0] != '-')
        return ERR_FRAME;
    *rest = slice_from(*rest, 1);
    out->attachments = (size_t)n;
    return 0;
}

static bool is_reserved(struct slice name)
{
    for (size_t i = 0; i < sizeof(RESERVED) / sizeof(RESERVED[0]); i++)
        if (slice_is(name, RESERVED[i]))
            return true;
    return false;
}

/* The first element of an event: a string, or a number (as the reference has it). */
static int take_name(const struct token *t, struct buf *scratch, struct slice *out)
{
    if (t->kind == TOKEN_NUMBER) {
        *out = t->text;
        return 0;
    }
    if (t->kind != TOKEN_STRING)
        return ERR_FRAME;
    *out = slice_make(t->text.data + 1, t->text.len - 2);
    if (t->has_escapes) {
        if (json_scan_decode(t, scratch) != 0)
            return ERR_FRAME;
        *out = buf_peek(scratch);
    }
    return is_reserved(*out) ? ERR_FRAME : 0;
}

static int check_event(struct slice payload, struct buf *scratch, struct slice *name)
{
    struct json_scanner s;
    struct token t;

    json_scan_init(&s, payload);
    t = json_scan_next(&s);
    if (t.kind != TOKEN_ARRAY)
        return ERR_FRAME;
    t = json_scan_next(&s);
    return take_name(&t, scratch, name);
}

static int check_payload(struct sio_packet *p, struct buf *scratch)
{
    struct slice text = p->payload;

    if (text.len == 0)
        return 0;                              /* every type may come without one */
    if (!json_scan_is_valid(text, &p->payload))
        return ERR_FRAME;
    switch (p->type) {
    case SIO_CONNECT:
        return p->payload.data[0] == '{' ? 0 : ERR_FRAME;
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        return check_event(p->payload, scratch, &p->name);
    case SIO_ACK:
    case SIO_BINARY_ACK:
        return p->payload.data[0] == '[' ? 0 : ERR_FRAME;
    case SIO_DISCONNECT:
    case SIO_CONNECT_ERROR:
        break;
    }
    return ERR_FRAME;
}

int sio_packet_parse(struct slice text, size_t attachments_max, struct buf *scratch,
                     struct sio_packet *out)
{
    struct slice rest = slice_from(text, 1);
    int err;

    buf_reset(scratch);
    *out = (struct sio_packet){ .nsp = SLICE("/"), .id = -1 };
    if (text.len == 0 || text.data[0] < '0' || text.data[0] > '6')
        return ERR_FRAME;
    out->type = (enum sio_packet_type)(text.data[0] - '0');
    if (out->type == SIO_CONNECT_ERROR)
        return ERR_FRAME;                      /* servers say that, never clients */
    if (out->type == SIO_BINARY_EVENT || out->type == SIO_BINARY_ACK) {
        err = take_attachments(&rest, attachments_max, out);
        if (err != 0)
            return err;
    }
    if (rest.len != 0 && rest.data[0] == '/')
        out->nsp = slice_cut(&rest, ',');
    out->id = take_number(&rest, ID_DIGITS_MAX);
    if (out->id == -2)
        return ERR_FRAME;
    out->payload = rest;
    return check_payload(out, scratch);
}

/* --- placeholders --- */

struct frame {                                 /* an open array or object */
    enum { MEMBER_OTHER, MEMBER_PLACEHOLDER, MEMBER_NUM } member;   /* the key just read */
    bool is_placeholder;                       /* "_placeholder" is true */
    bool has_good_num;                         /* "num" names an attachment */
    bool has_fault;                            /* a wrong placeholder inside */
};

static int member_of(const struct token *key)
{
    char bytes[32];
    struct buf name;
    int member = MEMBER_OTHER;

    if (!key->has_escapes)
        return slice_is(key->text, "\"_placeholder\"") ? MEMBER_PLACEHOLDER
               : slice_is(key->text, "\"num\"")        ? MEMBER_NUM : MEMBER_OTHER;
    buf_init(&name, sizeof(bytes));
    if (json_scan_decode(key, &name) == 0)
        member = slice_is(buf_peek(&name), "_placeholder") ? MEMBER_PLACEHOLDER
                 : slice_is(buf_peek(&name), "num")        ? MEMBER_NUM : MEMBER_OTHER;
    buf_deinit(&name);
    return member;
}

/* JSON spells 1 also as 1.0 or 1e0; a whole number below `count` is what is asked for. */
static bool names_attachment(struct slice number, size_t count)
{
    char digits[32];
    double n;

    if (number.len >= sizeof(digits))
        return false;
    memcpy(digits, number.data, number.len);
    digits[number.len] = '\0';
    n = strtod(digits, NULL);
    return n >= 0 && n < (double)count && n == (double)(size_t)n;
}

/* A value came where `f`'s last key stands. */
static void frame_value(struct frame *f, const struct token *t, size_t count)
{
    if (f->member == MEMBER_PLACEHOLDER)
        f->is_placeholder = t->kind == TOKEN_TRUE;
    else if (f->member == MEMBER_NUM)
        f->has_good_num = t->kind == TOKEN_NUMBER && names_attachment(t->text, count);
}

static bool frame_is_faulty(const struct frame *f)
{
    return f->is_placeholder ? !f->has_good_num : f->has_fault;
}

int sio_placeholders_check(struct slice payload, size_t count)
{
    struct frame frames[JSON_SCAN_DEPTH_MAX + 1];
    struct json_scanner s;
    size_t depth = 0;

    frames[0] = (struct frame){ .member = MEMBER_OTHER };
    json_scan_init(&s, payload);
    for (;;) {
        struct token t = json_scan_next(&s);

        switch (t.kind) {
        case TOKEN_END:
            return frames[0].has_fault ? ERR_FRAME : 0;
        case TOKEN_ERROR:
            return ERR_FRAME;
        case TOKEN_KEY:
            frames[depth].member = member_of(&t);
            break;
        case TOKEN_OBJECT:
        case TOKEN_ARRAY:
            frame_value(&frames[depth], &t, count);
            frames[++depth] = (struct frame){ .member = MEMBER_OTHER };
            break;
        case TOKEN_OBJECT_END:
        case TOKEN_ARRAY_END:
            depth--;
            frames[depth].has_fault |= frame_is_faulty(&frames[depth + 1]);
            break;
        default:
            frame_value(&frames[depth], &t, count);
            break;
        }
    }
}

/* --- out --- */

size_t sio_packet_head(char out[SIO_HEAD_SIZE], enum sio_packet_type type, size_t attachments)
{
    bool is_binary = type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;

    if (!is_binary) {
        out[0] = (char)('0' + type);
        return 1;
    }
    return (size_t)snprintf(out, SIO_HEAD_SIZE, "%d%u-", (int)type, (unsigned)attachments);
}

int sio_packet_append_head(struct buf *out, enum sio_packet_type type, size_t attachments,
                           struct slice prefix, int64_t id)
{
    char head[SIO_HEAD_SIZE];
    int err = buf_append(out, head, sio_packet_head(head, type, attachments));

    if (err == 0)
        err = buf_append_slice(out, prefix);
    if (err == 0 && id >= 0)
        err = buf_append_u64(out, (uint64_t)id);
    return err;
}
