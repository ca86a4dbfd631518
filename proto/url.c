/* url.c -- see url.h.
 *
 * A link travels from an internal service, or a webhook, into an href on other people's
 * screens, so the question is not whether it begins well but where a browser would go.
 * Browsers are generous (WHATWG URL): they take a backslash for a slash, drop tabs and line
 * feeds, and read what stands before an '@' as a password, so `http://localhost\@evil` and
 * `http://localhost@evil` both lead to evil. This parser is RFC 3986 with everything
 * doubtful refused: printable ASCII alone, no user information, host and port spelled
 * plainly. What it accepts, every parser reads in the same way. Looking for a prefix was
 * rejected: `http://127.0.0.1.evil.com` has it. */
#include "proto/url.h"

#include <stdint.h>

#include "common/err.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Every byte is one that RFC 3986 §2 allows somewhere, and percents are whole. */
static bool is_spelled_well(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            if (text.len - i < 3 || !is_hex(text.data[i + 1]) || !is_hex(text.data[i + 2]))
                return false;
        } else if (!is_alpha(c) && !is_digit(c) &&
                   (c == '\0' || strchr("-._~:/?#[]@!$&'()*+,;=", c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool is_port(struct slice port)
{
    unsigned n = 0;

    if (port.len == 0 || port.len > 5)
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (!is_digit(port.data[i]))
            return false;
        n = n * 10 + (unsigned)(port.data[i] - '0');
    }
    return n <= UINT16_MAX;
}

/* Labels of letters, digits, hyphens and underscores between single dots. */
static bool is_name(struct slice host)
{
    char before = '.';

    if (host.len == 0 || host.len > 253)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];

        if (c == '.' ? before == '.' : !is_alpha(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
        before = c;
    }
    return before != '.';
}

static bool is_ipv6(struct slice host)
{
    bool has_colon = false;

    for (size_t i = 0; i < host.len; i++) {
        if (host.data[i] == ':')
            has_colon = true;
        else if (!is_hex(host.data[i]) && host.data[i] != '.')
            return false;
    }
    return has_colon && host.len <= 45;
}

/* Where the authority ends: at the first '/', '?' or '#' (RFC 3986 §3.2). */
static struct slice authority_take(struct slice *rest)
{
    struct slice all = *rest;

    for (size_t i = 0; i < all.len; i++) {
        if (all.data[i] == '/' || all.data[i] == '?' || all.data[i] == '#') {
            *rest = slice_from(all, i);
            return slice_make(all.data, i);
        }
    }
    *rest = slice_make(NULL, 0);
    return all;
}

static int authority_parse(struct slice authority, struct url *out)
{
    struct slice rest = authority;

    if (slice_starts(authority, "[")) {
        rest = slice_from(rest, 1);
        out->host = slice_cut(&rest, ']');
        out->is_ipv6 = true;
        if (rest.data == NULL || !is_ipv6(out->host) || (rest.len != 0 && rest.data[0] != ':'))
            return ERR_INVALID;
        out->port = slice_from(rest, 1);
        return rest.len == 0 || is_port(out->port) ? 0 : ERR_INVALID;
    }
    out->host = slice_cut(&rest, ':');         /* an '@' is in no name and in no port */
    out->port = rest;
    out->is_ipv6 = false;
    if (!is_name(out->host) || (rest.data != NULL && !is_port(rest)))
        return ERR_INVALID;
    return 0;
}

int url_parse(struct slice text, struct url *out)
{
    struct slice rest = text;

    if (!is_spelled_well(text))
        return ERR_INVALID;
    out->scheme = slice_cut(&rest, ':');
    if (out->scheme.len == 0 || !is_alpha(out->scheme.data[0]) || !slice_starts(rest, "//"))
        return ERR_INVALID;
    for (size_t i = 0; i < out->scheme.len; i++) {
        char c = out->scheme.data[i];

        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
            return ERR_INVALID;
    }
    rest = slice_from(rest, 2);
    if (authority_parse(authority_take(&rest), out) != 0)
        return ERR_INVALID;
    out->rest = rest;
    return 0;
}

/* 127.a.b.c, each a plain decimal up to 255: other spellings (octal, one number) are names
 * to some parsers and addresses to others. */
static bool is_loopback_ipv4(struct slice host)
{
    struct slice rest = host;
    unsigned     parts = 0;

    if (!slice_starts(host, "127."))
        return false;
    while (rest.data != NULL) {
        struct slice part = slice_cut(&rest, '.');

        if (!is_port(part) || part.len > 3 || (part.len > 1 && part.data[0] == '0') ||
            (part.len == 3 && memcmp(part.data, "255", 3) > 0))
            return false;
        parts++;
    }
    return parts == 4;
}

static bool is_loopback(const struct url *u)
{
    if (u->is_ipv6)
        return slice_is(u->host, "::1");
    return slice_is_nocase(u->host, "localhost") || is_loopback_ipv4(u->host);
}

bool url_is_link(struct slice text)
{
    struct url u;

    if (url_parse(text, &u) != 0)
        return false;
    if (slice_is_nocase(u.scheme, "https"))
        return true;
    return slice_is_nocase(u.scheme, "http") && is_loopback(&u);
}

static bool is_repo_part(struct slice part)
{
    if (part.len == 0 || part.len > 100 || slice_is(part, ".") || slice_is(part, ".."))
        return false;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.data[i];

        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

bool url_is_repo(struct slice text)
{
    struct slice owner = slice_cut(&text, '/');

    return owner.len <= 39 && is_repo_part(owner) && is_repo_part(text);
}

struct slice url_issue_repo(struct slice text)
{
    struct url   u;
    struct slice path, owner, name, repo;

    if (url_parse(text, &u) != 0 || !slice_starts(u.rest, "/"))
        return slice_make(NULL, 0);
    path = slice_from(u.rest, 1);
    owner = slice_cut(&path, '/');
    name = slice_cut(&path, '/');
    repo = slice_make(owner.data, owner.len + 1 + name.len);
    if (!slice_starts(path, "issues/") || !url_is_repo(repo))
        return slice_make(NULL, 0);
    return repo;
}
