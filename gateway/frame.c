/* frame.c -- kept envelopes.
 *
 * The text is copied once, out of the Redis reader's buffer, and cut into slices that point
 * into the copy. Runs of frames have a ceiling of their own, since what fills them is
 * everybody's traffic while one snapshot is on its way. */
#include "gateway/frame.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

struct frame *frame_new(struct slice text)
{
    struct frame *f = mem_new(struct frame);

    f->refs = 1;
    f->text = rcbuf_copy(text);
    if (envelope_parse(rcbuf_slice(f->text), &f->e) != 0) {
        frame_unref(f);
        return NULL;
    }
    return f;
}

struct frame *frame_ref(struct frame *f)
{
    f->refs++;
    return f;
}

void frame_unref(struct frame *f)
{
    assert(f->refs > 0);
    if (--f->refs > 0)
        return;
    rcbuf_unref(f->text);
    free(f);
}

bool frame_has(const struct frame *f, const char *address)
{
    struct slice rest = f->e.lines, to, json;

    while (envelope_next(&rest, &to, &json)) {
        if (slice_is(to, address))
            return true;
    }
    return false;
}

bool event_is(struct slice json, const char *name)
{
    size_t len = strlen(name);

    return json.len > len + 3 && memcmp(json.data, "[\"", 2) == 0 &&
           memcmp(json.data + 2, name, len) == 0 && json.data[len + 2] == '"';
}

void frames_init(struct frames *fs)
{
    *fs = (struct frames){ 0 };
}

void frames_clear(struct frames *fs)
{
    for (size_t i = 0; i < fs->count; i++)
        frame_unref(fs->at[i]);
    free(fs->at);
    frames_init(fs);
}

int frames_add(struct frames *fs, struct frame *f)
{
    if (fs->count == FRAMES_MAX || fs->bytes + f->text->len > FRAMES_BYTES_MAX)
        return ERR_TOO_BIG;
    if (fs->count == fs->cap) {
        fs->cap = fs->cap == 0 ? 8 : fs->cap * 2;
        fs->at = mem_resize(fs->at, fs->cap * sizeof(fs->at[0]));
    }
    fs->at[fs->count++] = frame_ref(f);
    fs->bytes += f->text->len;
    return 0;
}
