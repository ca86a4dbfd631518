/* gen.h -- what protogen prints, one function per product.
 *
 * Each appends a whole file to `out`, from the rows of proto/ alone: the same rows give the
 * same bytes. */
#ifndef TASKWIRE_PROTO_GEN_GEN_H
#define TASKWIRE_PROTO_GEN_GEN_H

#include "common/json.h"
#include "proto/shapes.h"

#define GEN_NOTE "Made by proto/gen from the rows of proto/*.def: change those and run `make proto-out`."

void gen_typescript(struct buf *out);          /* events.ts */
void gen_asyncapi(struct buf *out);            /* asyncapi.yaml */
void gen_markdown(struct buf *out);            /* tables.md */
void gen_dictionary(struct buf *out);          /* fuzz.dict, for libFuzzer */

/* The JSON Schema (2020-12) of a shape, without $schema and $id. New reference. */
json_t *gen_schema(enum shape s);

/* The same as a file of its own, and that file's name: "task.join.json", "data.coding.json";
 * of a part "TimelineEvent.json". */
void gen_schema_file(enum shape s, struct buf *out);
void gen_schema_name(enum shape s, struct buf *name);

/* "TASK_PR_OPENED" as "task_pr_opened", as "TaskPrOpened". */
void gen_snake(const char *name, struct buf *out);
void gen_camel(const char *name, struct buf *out);

/* Is it a kind of shape that clients meet under a name of its own? (Answers have none.) */
bool gen_has_file(enum shape s);

#endif
