/* forwarded.c -- see forwarded.h. What came in the header is kept as it stands: it is as
 * trustworthy as whoever sent it, and the last entry is always ours. */
#include "gateway/forwarded.h"

void forwarded_append(const struct http_request *r, struct buf *out)
{
    struct slice before = http_request_header(r, FORWARDED_HEADER);
    char         peer[NET_ADDRESS_SIZE];

    buf_append_slice(out, before);
    if (before.len > 0)
        buf_append_text(out, ", ");
    http_request_peer(r, peer);
    buf_append_text(out, peer);
}
