/* dictionary.c -- fuzz.dict: the words of the wire, so that a fuzzer need not guess them.
 *
 * A word may stand in several tables (`failed` is a status and an input); each is printed
 * once. */
#include <string.h>

#include "proto/gen/gen.h"

#define WORDS_MAX 1000

struct words {
    const char *each[WORDS_MAX];
    size_t      count;
};

static void add(struct words *w, const char *word)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->each[i], word) == 0)
            return;
    }
    if (w->count < WORDS_MAX)
        w->each[w->count++] = word;
}

static void add_shapes(struct words *w)
{
    for (int s = 0; s < SHAPE_COUNT; s++) {
        size_t              count;
        const struct field *fields = shape_fields(s, &count);

        add(w, shape_spec(s)->wire);
        for (size_t i = 0; i < count; i++)
            add(w, fields[i].name);
    }
}

void gen_dictionary(struct buf *out)
{
    static const char *const OTHERS[] = {
        "specversion", "1.0", "id", "source", "type", "subject", "time", "data", "task.", "sid", "pid",
        "offset", "token", "upgrades", "_placeholder", "num", "2026-11-21T02:16:00.000Z",
        "65f0c0ffee65f0c0ffee65f0", "https://", "http://localhost",
    };
    struct words w = { .count = 0 };

    add_shapes(&w);
    for (int s = 0; s < STATUS_COUNT; s++)
        add(&w, status_wire(s));
    for (int i = 0; i < INPUT_COUNT; i++)
        add(&w, input_wire(i));
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
        add(&w, OTHERS[i]);
    buf_append_text(out, "# " GEN_NOTE "\n");
    for (size_t i = 0; i < w.count; i++)
        buf_printf(out, "\"%s\"\n", w.each[i]);
    buf_append_text(out,
                    "\"{\\\"\"\n\"\\\":\"\n\"\\\",\\\"\"\n\"[{\"\n\"}]\"\n\"null\"\n\"true\"\n\"false\"\n"
                    "\"\\\\u0000\"\n\"\\x1e\"\n");
}
