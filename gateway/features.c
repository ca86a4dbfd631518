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

struct features features_override(const struct features *f, const json_t *flags)
{
    int64_t percent = json_int(flags, "FEATURE_WEBSOCKET_ROLLOUT_PERCENT", f->rollout_percent);

    return (struct features){
        .websocket = json_bool(flags, "FEATURE_WEBSOCKET_ENABLED", f->websocket),
        .dashboard = json_bool(flags, "FEATURE_WEBSOCKET_DASHBOARD", f->dashboard),
        .task_detail = json_bool(flags, "FEATURE_WEBSOCKET_TASK_DETAIL", f->task_detail),
        .rollout_percent = percent < 0 || percent > 100 ? f->rollout_percent : (unsigned)percent,
    };
}

bool features_are_equal(const struct features *a, const struct features *b)
{
    return a->websocket == b->websocket && a->dashboard == b->dashboard &&
           a->task_detail == b->task_detail && a->rollout_percent == b->rollout_percent;
}
