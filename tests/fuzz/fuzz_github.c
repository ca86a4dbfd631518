/* fuzz_github.c -- webhooks: the first line is the event's name, the rest is the body.
 *
 * Bodies come signed, so only GitHub can send them; but what is in them is written by anyone
 * who may comment. Whatever becomes an input must be one that the ingest takes as it is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"
#include "proto/cloudevent.h"
#include "proto/url.h"
#include "taskd/github.h"

#define TASK "65f0c0ffee65f0c0ffee65f0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

static void check_input(const struct github_delivery *d)
{
    struct cloudevent      event;
    enum cloudevent_reason reason;
    struct buf             text, why;

    must(d->lookup_count > 0 && d->lookup_count <= GITHUB_LOOKUPS_MAX);
    must(url_is_repo(slice_of(d->repo)));
    for (size_t i = 0; i < d->lookup_count; i++) {
        must((d->lookups[i].by == GITHUB_BY_BRANCH) == (d->lookups[i].number == 0));
        must(d->lookups[i].number >= 0);
    }
    buf_init(&text, CLOUDEVENT_BYTES_MAX);
    buf_init(&why, 4096);
    github_append_event(&text, d, TASK, "delivery", 1000);
    must(!buf_failed(&text));
    must(cloudevent_parse(buf_peek(&text), &event, &reason, &why) == 0);
    must(event.input == d->input);
    json_object_del(event.data, "mergedAt");   /* is spelled anew, or the event's time */
    json_object_del(d->data, "mergedAt");
    must(json_equal(event.data, d->data));
    cloudevent_deinit(&event);
    buf_deinit(&text);
    buf_deinit(&why);
}

static void check_references(struct slice text)
{
    int64_t issues[GITHUB_ISSUES_MAX];
    size_t  n = github_find_issues(text, SLICE("acme/site"), issues, 0);

    must(n <= GITHUB_ISSUES_MAX);
    for (size_t i = 0; i < n; i++)
        must(issues[i] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice           rest = slice_make((const char *)data, size);
    struct slice           event = slice_cut(&rest, '\n');
    struct github_delivery d;
    struct buf             why;
    enum github_verdict    verdict;

    buf_init(&why, 4096);
    verdict = github_read(event, rest, &d, &why);
    if (verdict == GITHUB_INPUT)
        check_input(&d);
    else
        must(d.data == NULL && d.repo == NULL && (verdict == GITHUB_PING || why.len > 0));
    github_deinit(&d);
    buf_deinit(&why);
    check_references(rest);
    return 0;
}
