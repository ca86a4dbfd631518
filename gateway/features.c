/* features.c -- see features.h.
 *
 * A person's place in 0..99 is taken from SHA-256 of the sub: even, the same in every
 * process, and unrelated to how subs are given out. */
#include "gateway/features.h"

#include "common/crypto.h"

bool features_let_in(const struct features *f, const char *sub)
{
    uint8_t  digest[SHA256_BYTES];
    unsigned place;

    if (!f->websocket)
        return false;
    crypto_sha256(slice_of(sub), digest);
    place = (((unsigned)digest[0] << 16) | ((unsigned)digest[1] << 8) | digest[2]) % 100;
    return place < f->rollout_percent;
}

void features_print(const struct features *f, const char *sub, struct buf *out)
{
    bool live = features_let_in(f, sub);

    buf_printf(out, "{\"features\":{\"websocket\":%s,\"dashboard\":%s,\"taskDetail\":%s}}",
               live ? "true" : "false", live && f->dashboard ? "true" : "false",
               live && f->task_detail ? "true" : "false");
}
