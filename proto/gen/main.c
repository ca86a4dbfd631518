/* main.c -- protogen OUTDIR: print what others need from the rows of proto/.
 *
 * Writes events.ts, asyncapi.yaml, tables.md, fuzz.dict and schemas/NAME.json into OUTDIR,
 * which must exist. The same rows give the same bytes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/gen/gen.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)

static int write_file(const char *dir, const char *name, const struct buf *text)
{
    struct buf path;
    FILE      *f;
    int        is_written;

    buf_init(&path, 4096);
    buf_printf(&path, "%s/%s", dir, name);
    f = buf_failed(&path) || buf_failed(text) ? NULL : fopen(path.data, "w");
    is_written = f != NULL && fwrite(text->data, 1, text->len, f) == text->len;
    if ((f != NULL && fclose(f) != 0) || !is_written) {
        fprintf(stderr, "protogen: %s/%s cannot be written: %s\n", dir, name, strerror(errno));
        is_written = 0;
    }
    buf_deinit(&path);
    return is_written ? 0 : -1;
}

static int write_product(const char *dir, const char *name, void (*gen)(struct buf *))
{
    struct buf text;
    int        err;

    buf_init(&text, FILE_BYTES_MAX);
    gen(&text);
    err = write_file(dir, name, &text);
    buf_deinit(&text);
    return err;
}

static int write_schema(const char *dir, enum shape s)
{
    struct buf name, text;
    int        err;

    buf_init(&name, 1000);
    buf_init(&text, FILE_BYTES_MAX);
    buf_append_text(&name, "schemas/");
    gen_schema_name(s, &name);
    gen_schema_file(s, &text);
    err = write_file(dir, name.data, &text);
    buf_deinit(&name);
    buf_deinit(&text);
    return err;
}

static int write_schemas(const char *dir)
{
    struct buf path;
    int        err = 0;

    buf_init(&path, 4096);
    buf_printf(&path, "%s/schemas", dir);
    if (buf_failed(&path) || (mkdir(path.data, 0777) != 0 && errno != EEXIST)) {
        fprintf(stderr, "protogen: %s/schemas cannot be made: %s\n", dir, strerror(errno));
        err = -1;
    }
    buf_deinit(&path);
    for (int s = 0; err == 0 && s < SHAPE_COUNT; s++)
        err = gen_has_file(s) ? write_schema(dir, s) : 0;
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: protogen OUTDIR\n");
        return 2;
    }
    if (write_product(argv[1], "events.ts", gen_typescript) != 0 ||
        write_product(argv[1], "asyncapi.yaml", gen_asyncapi) != 0 ||
        write_product(argv[1], "tables.md", gen_markdown) != 0 ||
        write_product(argv[1], "fuzz.dict", gen_dictionary) != 0 || write_schemas(argv[1]) != 0)
        return 1;
    return 0;
}
