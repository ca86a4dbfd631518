/* names.c -- one name, spelled as each product wants it. */
#include <ctype.h>

#include "proto/gen/gen.h"

void gen_snake(const char *name, struct buf *out)
{
    for (; *name != '\0'; name++)
        buf_append_char(out, (char)tolower((unsigned char)*name));
}

void gen_camel(const char *name, struct buf *out)
{
    bool is_start = true;

    for (; *name != '\0'; name++) {
        if (*name != '_')
            buf_append_char(out, (char)(is_start ? *name : tolower((unsigned char)*name)));
        is_start = *name == '_';
    }
}

bool gen_has_file(enum shape s)
{
    return shape_spec(s)->kind != KIND_ANSWER;
}

/* A colon is no letter of a file's name on every system. */
void gen_schema_name(enum shape s, struct buf *name)
{
    if (shape_spec(s)->kind == KIND_DATA)
        buf_append_text(name, "data.");
    for (const char *c = shape_spec(s)->wire; *c != '\0'; c++)
        buf_append_char(name, *c == ':' ? '.' : *c);
    buf_append_text(name, ".json");
}
