/* json_scan.c -- a JSON tokenizer.
 *
 * Socket.IO's server has to refuse what is not JSON, to find the name of an event, and to
 * check the placeholders of a binary one; it never needs the values. A tree (jansson) would
 * cost some forty allocations per event, and refuse what every JavaScript client may send
 * and the reference accepts: keys that occur twice, integers past 64 bits, halves of
 * surrogate pairs. So here is a scanner: `expect` says what may come next, one bit per level
 * says whether that level is an object.
 *
 *     after '['      VALUE_OR_END          after '{'      KEY_OR_END
 *     after a value  COMMA (or, outermost, DONE)
 *     after ','      VALUE in an array, KEY in an object
 *     after a key    its colon is passed at once, then VALUE */
#include "gateway/socketio/json_scan.h"

#include "common/err.h"

enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA, DONE, FAILED };

void json_scan_init(struct json_scanner *s, struct slice text)
{
    s->at = text.data;
    s->end = text.len == 0 ? text.data : text.data + text.len;
    s->expect = VALUE;
    s->depth = 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_space(struct json_scanner *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

static bool in_object(const struct json_scanner *s)
{
    unsigned level = s->depth - 1u;

    return (s->is_object[level / 8] & (1u << (level % 8))) != 0;
}

static struct token failed(struct json_scanner *s)
{
    s->expect = FAILED;
    return (struct token){ .kind = TOKEN_ERROR };
}

static void value_ended(struct json_scanner *s)
{
    s->expect = s->depth == 0 ? DONE : COMMA;
}

static struct token opened(struct json_scanner *s, bool object)
{
    struct token t = { .kind = object ? TOKEN_OBJECT : TOKEN_ARRAY, .text = slice_make(s->at, 1) };
    unsigned level = s->depth;

    if (level == JSON_SCAN_DEPTH_MAX)
        return failed(s);
    if (object)
        s->is_object[level / 8] |= (uint8_t)(1u << (level % 8));
    else
        s->is_object[level / 8] &= (uint8_t)~(1u << (level % 8));
    s->depth++;
    s->at++;
    s->expect = object ? KEY_OR_END : VALUE_OR_END;
    return t;
}

static struct token closed(struct json_scanner *s, bool object)
{
    struct token t = { .kind = object ? TOKEN_OBJECT_END : TOKEN_ARRAY_END,
                       .text = slice_make(s->at, 1) };

    s->depth--;
    s->at++;
    value_ended(s);
    return t;
}

/* How long the escape at `at` (a backslash) is; 0 if it is none. */
static size_t escape_length(const char *at, const char *end)
{
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    if (end - at < 6 || !is_hex(at[2]) || !is_hex(at[3]) || !is_hex(at[4]) || !is_hex(at[5]))
        return 0;
    return 6;
}

static struct token string(struct json_scanner *s, enum token_kind kind)
{
    const char *at = s->at + 1;
    struct token t = { .kind = kind };
    size_t len;

    for (; at < s->end && *at != '"'; at += len) {
        len = 1;
        if (*at == '\\') {
            t.has_escapes = true;
            len = escape_length(at, s->end);
        } else if ((unsigned char)*at < 0x20) {
            len = 0;
        }
        if (len == 0)
            return failed(s);
    }
    if (at == s->end)
        return failed(s);
    at++;
    t.text = slice_make(s->at, (size_t)(at - s->at));
    s->at = at;
    return t;
}

static const char *digits(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && is_digit(*at))
        at++;
    return at == from ? NULL : at;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?; NULL if it is none. */
static const char *number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : digits(at, end);
    if (at != NULL && at < end && *at == '.')
        at = digits(at + 1, end);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = digits(at, end);
    }
    return at;
}

static struct token word(struct json_scanner *s, const char *text, enum token_kind kind)
{
    struct slice rest = slice_make(s->at, (size_t)(s->end - s->at));
    struct token t = { .kind = kind, .text = slice_make(s->at, strlen(text)) };

    if (!slice_starts(rest, text))
        return failed(s);
    s->at += t.text.len;
    value_ended(s);
    return t;
}

static struct token number(struct json_scanner *s)
{
    const char *end = number_end(s->at, s->end);
    struct token t = { .kind = TOKEN_NUMBER };

    if (end == NULL)
        return failed(s);
    t.text = slice_make(s->at, (size_t)(end - s->at));
    s->at = end;
    value_ended(s);
    return t;
}

static struct token value(struct json_scanner *s)
{
    struct token t;

    switch (*s->at) {
    case '{': return opened(s, true);
    case '[': return opened(s, false);
    case 't': return word(s, "true", TOKEN_TRUE);
    case 'f': return word(s, "false", TOKEN_FALSE);
    case 'n': return word(s, "null", TOKEN_NULL);
    case '"':
        t = string(s, TOKEN_STRING);
        if (t.kind != TOKEN_ERROR)
            value_ended(s);
        return t;
    default:
        return number(s);
    }
}

static struct token key(struct json_scanner *s)
{
    struct token t;

    if (*s->at != '"')
        return failed(s);
    t = string(s, TOKEN_KEY);
    if (t.kind == TOKEN_ERROR)
        return t;
    skip_space(s);
    if (s->at == s->end || *s->at != ':')
        return failed(s);
    s->at++;
    s->expect = VALUE;
    return t;
}

static struct token close_or_fail(struct json_scanner *s)
{
    bool object = in_object(s);

    return *s->at == (object ? '}' : ']') ? closed(s, object) : failed(s);
}

struct token json_scan_next(struct json_scanner *s)
{
    if (s->expect == FAILED)
        return failed(s);
    skip_space(s);
    if (s->at == s->end)
        return s->expect == DONE ? (struct token){ .kind = TOKEN_END } : failed(s);
    if (s->expect == COMMA && *s->at == ',') {
        s->at++;
        s->expect = in_object(s) ? KEY : VALUE;
        skip_space(s);
        if (s->at == s->end)
            return failed(s);
    }
    switch ((enum expect)s->expect) {
    case VALUE_OR_END: return *s->at == ']' ? closed(s, false) : value(s);
    case KEY_OR_END:   return *s->at == '}' ? closed(s, true) : key(s);
    case VALUE:        return value(s);
    case KEY:          return key(s);
    case COMMA:        return close_or_fail(s);
    case DONE:
    case FAILED:       break;
    }
    return failed(s);
}

int json_scan_skip(struct json_scanner *s)
{
    unsigned outside = s->depth - 1u;

    while (s->depth > outside)
        if (json_scan_next(s).kind == TOKEN_ERROR)
            return ERR_INVALID;
    return 0;
}

bool json_scan_is_valid(struct slice text, struct slice *out)
{
    struct json_scanner s;
    struct token t;
    const char *from, *to = NULL;

    json_scan_init(&s, text);
    t = json_scan_next(&s);
    from = t.text.data;
    for (; t.kind != TOKEN_END; t = json_scan_next(&s)) {
        if (t.kind == TOKEN_ERROR)
            return false;
        to = t.text.data + t.text.len;
    }
    if (out != NULL)
        *out = slice_make(from, (size_t)(to - from));
    return true;
}

/* --- what a string means --- */

unsigned json_scan_hex4(const char *hex)
{
    unsigned code = 0;

    for (int i = 0; i < 4; i++)
        code = code * 16 + (unsigned)(is_digit(hex[i]) ? hex[i] - '0' : (hex[i] | 0x20) - 'a' + 10);
    return code;
}

int json_scan_append_utf8(struct buf *out, unsigned code)
{
    char bytes[4];
    size_t len;

    if (code < 0x80) {
        bytes[0] = (char)code;
        len = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        len = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        len = 3;
    } else {
        bytes[0] = (char)(0xf0 | code >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++)
        bytes[i] = (char)(0x80 | (code >> 6 * (len - 1 - i) & 0x3f));
    return buf_append(out, bytes, len);
}

/* The escape at `at` (known to be well formed); returns how long it, or the pair, is. */
static size_t unescape(const char *at, const char *end, struct buf *out)
{
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    const char *known = strchr(FROM, at[1]);
    unsigned code, low;

    if (at[1] != 'u') {
        buf_append_char(out, known != NULL ? TO[known - FROM] : at[1]);
        return 2;
    }
    code = json_scan_hex4(at + 2);
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u') {
        low = json_scan_hex4(at + 8);
        if (low >= 0xdc00 && low < 0xe000) {
            json_scan_append_utf8(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return 12;
        }
    }
    json_scan_append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return 6;
}

int json_scan_decode(const struct token *t, struct buf *out)
{
    const char *at = t->text.data + 1, *end = t->text.data + t->text.len - 1;
    bool failed_before = out->failed;

    while (at < end) {
        const char *next = t->has_escapes ? memchr(at, '\\', (size_t)(end - at)) : NULL;

        buf_append(out, at, (size_t)((next != NULL ? next : end) - at));
        if (next == NULL)
            break;
        at = next + unescape(next, end, out);
    }
    return out->failed && !failed_before ? ERR_TOO_BIG : 0;
}
