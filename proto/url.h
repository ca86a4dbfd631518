/* url.h -- is it a link that we show to people (SPEC T5)? `https:`, or `http:` to loopback.
 *
 * Pure. Any thread. */
#ifndef TASKWIRE_PROTO_URL_H
#define TASKWIRE_PROTO_URL_H

#include <stdbool.h>

#include "common/slice.h"

/* The parts of a link, pointing into it. */
struct url {
    struct slice scheme;                       /* as written */
    struct slice host;                         /* an IPv6 address without its brackets */
    struct slice port;                         /* empty: none */
    struct slice rest;                         /* path, query, fragment: from '/', '?' or '#' on; or empty */
    bool         is_ipv6;
};

/* Returns 0, or ERR_INVALID: not absolute, user information, an odd character, port or host. */
int url_parse(struct slice text, struct url *out);

/* Would the page show it? */
bool url_is_link(struct slice text);

/* "owner/name" as GitHub writes repositories? */
bool url_is_repo(struct slice text);

/* The repository of an issue's link: "owner/name" of `https://host/owner/name/issues/1`;
 * points into `text`; empty where the link is not of that form. */
struct slice url_issue_repo(struct slice text);

#endif
