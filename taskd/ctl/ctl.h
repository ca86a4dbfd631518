/* ctl.h -- what a command needs of the world: settings, the loop, taskd and Redis, and time.
 *
 * A command is a sequence of questions, so these wait for their answers: each runs the loop
 * until its answer is there or its time is over. Everything that goes wrong has been told on
 * standard error when an exit code other than EXIT_OK comes back, unless said otherwise. One
 * thread. */
#ifndef TASKWIRE_CTL_CTL_H
#define TASKWIRE_CTL_CTL_H

#include "common/http.h"
#include "common/json.h"
#include "common/redis_shard.h"
#include "taskd/ctl/cli/args.h"
#include "taskd/ctl/cli/exit.h"
#include "taskd/ctl/cli/out.h"

struct ctl;

/* From the arguments and the environment. NULL after a sentence: EXIT_USAGE. */
struct ctl *ctl_new(const struct args *a);
void        ctl_free(struct ctl *c);           /* NULL is ignored */

const struct args *ctl_args(const struct ctl *c);
const struct out  *ctl_out(const struct ctl *c);

/* What --org says: whose things are looked at; NULL where it was not given. */
const char *ctl_org(const struct ctl *c);

/* Can something be done in that org? A token that was given belongs to one already: then false
 * after a sentence. */
bool ctl_acts_in_org(const struct ctl *c);

/* --- time --- */

int64_t ctl_now_ms(const struct ctl *c);       /* monotonic */
void    ctl_sleep(struct ctl *c, int64_t ms);

/* --- taskd --- */

struct request {
    enum http_method method;
    const char      *target;                   /* "/api/tasks?limit=1" */
    const json_t    *body;                     /* NULL: none; borrowed */
    const char      *key;                      /* Idempotency-Key; NULL: none */
    int64_t          timeout_ms;               /* 0: --request-timeout */
};

struct answer {
    int     err;                               /* 0, or why there was none (nothing has been told) */
    int     status;                            /* of HTTP */
    json_t *json;                              /* NULL: no body, or none of JSON */
};

/* Ask; every TASKD_URL in turn until one answers. Tells nothing; answer_deinit. */
void taskd_ask(struct ctl *c, const struct request *r, struct answer *out);
void answer_deinit(struct answer *a);

/* Nobody there, or nobody who can answer just now: it may be worth asking again. */
bool answer_is_absence(const struct answer *a);

/* What an answer means: EXIT_OK for 2xx (with a body of JSON, or none for 204), else the exit code
 * after a sentence; `what` is what was asked for: "task 65f0…". */
enum exit_code answer_explain(const struct ctl *c, const struct answer *a, const char *what);

/* Both in one; *out (may be NULL) is a new reference, or NULL unless EXIT_OK. */
enum exit_code taskd_call(struct ctl *c, const struct request *r, const char *what, json_t **out);

/* Append a path in which `word`, which may be anything, is one segment. */
void target_put(struct buf *out, const char *before, const char *word, const char *after);

/* GET a target that is printed. */
enum exit_code taskd_get(struct ctl *c, json_t **out, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* --- Redis --- */

/* One command to server `server` of REDIS_URL; arguments are NUL-terminated texts, the last is
 * NULL. *out (may be NULL) is its reply as JSON: texts (those that are no UTF-8 with U+FFFD in
 * them), numbers, null, arrays. */
enum exit_code redis_ask(struct ctl *c, size_t server, json_t **out, ...);
enum exit_code redis_ask_slices(struct ctl *c, size_t server, json_t **out, size_t argc,
                                const struct slice *argv);

const struct redis_servers *ctl_redis_servers(const struct ctl *c);
const char *ctl_redis_run_id(const struct ctl *c, size_t server);   /* "" before the first answer */

#endif
