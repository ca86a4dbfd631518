/* hop.h -- how one gateway proves to another that a request comes from a gateway.
 *
 * A request that is passed on carries one header:
 *
 *     Taskwire-Hop: <ms> <nonce> <SHA-256 of the body> <HMAC>
 *
 * The HMAC is made from CLUSTER_SECRET over all that matters (hop.c says what), the name of
 * the gateway that it is for included; its time may be HOP_WINDOW_MS off, and within that
 * window each nonce is good once (nonces.h). Pure; any thread. */
#ifndef TASKWIRE_GATEWAY_HOP_H
#define TASKWIRE_GATEWAY_HOP_H

#include "common/buf.h"
#include "common/crypto.h"

#define HOP_HEADER     "Taskwire-Hop"
#define HOP_WINDOW_MS  30000
#define HOP_VALUE_MAX  192                     /* bytes of the header's value */

struct hop_key {
    uint8_t bytes[SHA256_BYTES];
};

/* The key for hops, which no other use of the secret shares. */
void hop_key_make(struct slice secret, struct hop_key *out);

/* A request as both ends see it. */
struct hop_request {
    struct slice recipient;                    /* the id of the gateway that it is for */
    struct slice method, target;               /* as sent: "GET", "/socket.io/?EIO=4..." */
    struct slice forwarded;                    /* the value of X-Forwarded-For */
};

/* Append the header's value. */
void hop_sign(const struct hop_key *key, const struct hop_request *r, struct slice body,
              int64_t now_ms, uint64_t nonce, struct buf *out);

enum hop_verdict {
    HOP_FINE,
    HOP_MISSING,                               /* no header, or none of this form */
    HOP_FORGED,                                /* the HMAC is another: not ours, or not for us */
    HOP_EXPIRED                                /* too old, or from the future */
};

/* What a genuine header says. */
struct hop {
    int64_t      at_ms;
    uint64_t     nonce;
    struct slice body_hash;                    /* in hex; of the header's bytes */
};

/* Check a header (its value, empty where there is none) as soon as a request's head is there.
 * The body is then to be checked with hop_fits_body, the nonce with nonces_add. */
enum hop_verdict hop_check(const struct hop_key *key, const struct hop_request *r,
                           struct slice header, int64_t now_ms, struct hop *out);
bool hop_fits_body(const struct hop *h, struct slice body);

#endif
