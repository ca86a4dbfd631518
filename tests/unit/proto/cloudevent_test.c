/* cloudevent_test.c -- what internal services send: accepted whole, or refused with its code. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/cloudevent.h"

#define ID   "65f0c0ffee65f0c0ffee65f0"
#define HEAD "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/analyser\","
#define EVENT(type, rest) HEAD "\"type\":\"" type "\",\"subject\":\"" ID "\"" rest "}"

static const char DISPATCHED[] = EVENT("task.dispatched",
    ",\"time\":\"2026-11-21T02:16:00Z\",\"datacontenttype\":\"application/json\",\"extra\":{},"
    "\"data\":{\"junk\":1,\"issueNumber\":42,\"issueUrl\":\"https://github.com/a/b/issues/42\","
    "\"githubBranch\":\"fix\"}");

static void assert_refused(struct slice bytes, const char *code, const char *sentence)
{
    struct cloudevent      e;
    enum cloudevent_reason reason;
    struct buf             why;

    buf_init(&why, 1000);
    if (cloudevent_parse(bytes, &e, &reason, &why) != ERR_INVALID)
        fail_msg("accepted: %.*s", SLICE_ARG(bytes));
    assert_string_equal(cloudevent_reason_wire(reason), code);
    assert_true(why.len != 0);
    if (sentence != NULL)
        assert_string_equal(why.data, sentence);
    buf_deinit(&why);
}

static void accept(const char *text, struct cloudevent *e)
{
    enum cloudevent_reason reason;
    struct buf             why;

    buf_init(&why, 1000);
    if (cloudevent_parse(slice_of(text), e, &reason, &why) != 0)
        fail_msg("%s: %s", text, why.data);
    buf_deinit(&why);
}

static void assert_data(const struct cloudevent *e, const char *text)
{
    struct buf data;

    buf_init(&data, 1000);
    assert_int_equal(json_append(&data, e->data), 0);
    assert_string_equal(data.data, text);
    buf_deinit(&data);
}

static void an_event_is_read_with_what_is_known_of_its_data(void **state)
{
    struct cloudevent e;
    char             *key;

    (void)state;
    accept(DISPATCHED, &e);
    assert_int_equal(e.input, INPUT_DISPATCHED);
    assert_string_equal(e.task_id, ID);
    assert_int_equal(e.time, 1795227360000);
    assert_data(&e, "{\"issueNumber\":42,\"issueUrl\":\"https://github.com/a/b/issues/42\","
                    "\"githubBranch\":\"fix\"}");
    key = cloudevent_key(&e);
    assert_string_equal(key, "/analyser\n7");
    free(key);
    cloudevent_deinit(&e);
    cloudevent_deinit(&e);                     /* empty: harmless */
}

static void data_may_be_missing_where_nothing_is_needed(void **state)
{
    struct cloudevent e;

    (void)state;
    accept(EVENT("task.coding", ""), &e);
    assert_data(&e, "{}");
    assert_int_equal(e.time, 0);
    cloudevent_deinit(&e);
    accept(EVENT("task.pr_closed", ",\"data\":null,\"time\":null"), &e);
    assert_data(&e, "{}");
    cloudevent_deinit(&e);
}

static void a_merge_without_its_time_has_the_events(void **state)
{
    struct cloudevent e;

    (void)state;
    accept(EVENT("task.pr_merged", ",\"time\":\"2026-11-21T02:16:00Z\","
        "\"data\":{\"mergeCommitSha\":\"c\"}"), &e);
    assert_data(&e, "{\"mergeCommitSha\":\"c\",\"mergedAt\":\"2026-11-21T02:16:00.000Z\"}");
    cloudevent_deinit(&e);
    accept(EVENT("task.pr_merged", ",\"time\":\"2026-11-21T02:16:00Z\",\"data\":{\"mergeCommitSha\":\"c\","
                 "\"mergedAt\":\"2026-11-20T00:00:00+01:00\"}"), &e);
    assert_data(&e, "{\"mergeCommitSha\":\"c\",\"mergedAt\":\"2026-11-19T23:00:00.000Z\"}");
    cloudevent_deinit(&e);
}

static void bytes_that_are_no_json_object_are_refused(void **state)
{
    (void)state;
    assert_refused(slice_make(NULL, 0), "bad_json", NULL);
    assert_refused(SLICE("{"), "bad_json", NULL);
    assert_refused(SLICE("[]"), "bad_json", "the event is not a JSON object");
    assert_refused(SLICE("{} x"), "bad_json", NULL);
    assert_refused(SLICE("{\"id\":\"a\",\"id\":\"b\"}"), "bad_json", NULL);
    assert_refused(SLICE("{\"id\":\"\xff\"}"), "bad_utf8", "the event is not UTF-8");
    assert_refused(SLICE("{\"id\":\"\xc0\x80\"}"), "bad_utf8", NULL);
    assert_refused(SLICE("{\"id\":\"\\u0000\"}"), "bad_json", NULL);
}

static void an_event_past_its_limit_is_not_parsed(void **state)
{
    size_t                 len = CLOUDEVENT_BYTES_MAX + 1;
    char                  *bytes = mem_alloc(len);
    struct cloudevent      e;
    enum cloudevent_reason reason;
    struct buf             why;

    (void)state;
    memset(bytes, ' ', len);
    memcpy(bytes, DISPATCHED, strlen(DISPATCHED));
    assert_refused(slice_make(bytes, len), "too_large", "the event is larger than 256 KiB");
    buf_init(&why, 1000);
    assert_int_equal(cloudevent_parse(slice_make(bytes, len - 1), &e, &reason, &why), 0);
    cloudevent_deinit(&e);
    buf_deinit(&why);
    free(bytes);
}

static void each_attribute_has_its_code(void **state)
{
    static const struct {
        const char *text, *code, *why;
    } CASES[] = {
        { "{}", "bad_envelope", "specversion must be \"1.0\"" },
        { "{\"specversion\":\"0.3\"}", "bad_envelope", "specversion must be \"1.0\"" },
        { "{\"specversion\":1.0}", "bad_envelope", "specversion must be \"1.0\"" },
        { "{\"specversion\":\"1.0\"}", "bad_envelope", "id must be a string of 1 to 256 characters" },
        { "{\"specversion\":\"1.0\",\"id\":\"\"}", "bad_envelope",
            "id must be a string of 1 to 256 characters" },
        { "{\"specversion\":\"1.0\",\"id\":7}", "bad_envelope",
            "id must be a string of 1 to 256 characters" },
        { "{\"specversion\":\"1.0\",\"id\":\"a\\nb\"}", "bad_envelope",
            "id must be a string of 1 to 256 characters" },
        { "{\"specversion\":\"1.0\",\"id\":\"7\"}", "bad_envelope",
          "source must be a string of 1 to 256 characters" },
        { EVENT("task.coding", ",\"time\":\"noon\""), "bad_envelope", "time must be an RFC 3339 time" },
        { EVENT("task.coding", ",\"time\":1"), "bad_envelope", "time must be an RFC 3339 time" },
        { HEAD "\"type\":7}", "unknown_type", NULL },
        { EVENT("coding", ""), "unknown_type", NULL },
        { EVENT("task.", ""), "unknown_type", NULL },
        { EVENT("task.Coding", ""), "unknown_type", NULL },
        { EVENT("task.created", ""), "rest_only", NULL },
        { EVENT("task.edited", ""), "rest_only", NULL },
        { EVENT("task.clarification_submitted", ""), "rest_only", NULL },
        { HEAD "\"type\":\"task.coding\"}", "bad_subject", NULL },
        { HEAD "\"type\":\"task.coding\",\"subject\":\"42\"}", "bad_subject", NULL },
        { HEAD "\"type\":\"task.coding\",\"subject\":\"" ID "0\"}", "bad_subject", NULL },
        { HEAD "\"type\":\"task.coding\",\"subject\":\"65F0C0FFEE65F0C0FFEE65F0\"}", "bad_subject", NULL },
        { EVENT("task.failed", ""), "bad_data", "errorMessage must be a non-empty string" },
        { EVENT("task.failed", ",\"data\":\"no\""), "bad_data", "a JSON object is expected" },
        { EVENT("task.failed", ",\"data\":[]"), "bad_data", "a JSON object is expected" },
        { EVENT("task.coding", ",\"data_base64\":\"e30=\""), "bad_data", NULL },
        { EVENT("task.dispatched", ",\"data\":{\"issueNumber\":\"42\"}"), "bad_data",
          "issueNumber must be a whole number from 1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_refused(slice_of(CASES[i].text), CASES[i].code, CASES[i].why);
}

static void id_and_source_have_a_limit(void **state)
{
    char       long_id[CLOUDEVENT_CHARS_MAX + 2];
    struct buf text;

    (void)state;
    memset(long_id, 'x', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    buf_init(&text, 2000);
    buf_printf(&text, "{\"specversion\":\"1.0\",\"source\":\"/a\",\"type\":\"task.coding\","
        "\"subject\":\"%s\","
                      "\"id\":\"%s\"}", ID, long_id);
    assert_refused(buf_peek(&text), "bad_envelope", "id must be a string of 1 to 256 characters");
    buf_deinit(&text);
}

static void cut_at_any_byte_it_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(DISPATCHED); n++) {
        char *copy = mem_dup(DISPATCHED, n == 0 ? 1 : n);

        assert_refused(slice_make(copy, n), "bad_json", NULL);
        free(copy);
    }
}

/* SPEC I4: what the data of each kind may hold. */
static void every_input_of_the_bus_is_taken(void **state)
{
    static const char *const ALL[] = {
        EVENT("task.analyzing", ",\"data\":{}"),
        EVENT("task.llm_response", ",\"data\":{\"taskType\":\"bug\",\"summary\":\"s\"}"),
        EVENT("task.clarification_needed", ",\"data\":{\"questions\":[\"Which?\"]}"),
        EVENT("task.coding", ",\"data\":{}"),
        EVENT("task.pr_opened", ",\"data\":{\"prNumber\":1,\"prUrl\":\"https://github.com/a/b/pull/1\","
              "\"prTitle\":\"t\",\"prState\":\"draft\"}"),
        EVENT("task.pr_updated", ",\"data\":{\"prState\":\"open\"}"),
        EVENT("task.pr_merged", ",\"data\":{\"mergeCommitSha\":\"c0ffee\"}"),
        EVENT("task.pr_closed", ",\"data\":{\"prNumber\":1}"),
        EVENT("task.failed", ",\"data\":{\"errorMessage\":\"e\"}"),
        EVENT("task.note", ",\"data\":{\"text\":\"t\"}"),
        EVENT("task.pr_comment", ",\"data\":{\"author\":\"a\",\"body\":\"b\",\"url\":\"https://x.org/\"}"),
        EVENT("task.pr_review", ",\"data\":{\"author\":\"a\",\"body\":\"\",\"url\":\"https://x.org/\"}"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        struct cloudevent e;

        accept(ALL[i], &e);
        cloudevent_deinit(&e);
    }
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void a_traceparent_is_kept_where_it_is_one(void **state)
{
    struct cloudevent e;

    (void)state;
    accept(EVENT("task.coding", ",\"traceparent\":\"" PARENT "\""), &e);
    assert_string_equal(e.trace, PARENT);
    cloudevent_deinit(&e);
    accept(EVENT("task.coding", ",\"traceparent\":\"00-0-0-0\""), &e);
    assert_string_equal(e.trace, "");
    cloudevent_deinit(&e);
    accept(EVENT("task.coding", ",\"traceparent\":7"), &e);
    assert_string_equal(e.trace, "");
    cloudevent_deinit(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_read_with_what_is_known_of_its_data),
        cmocka_unit_test(data_may_be_missing_where_nothing_is_needed),
        cmocka_unit_test(a_merge_without_its_time_has_the_events),
        cmocka_unit_test(bytes_that_are_no_json_object_are_refused),
        cmocka_unit_test(an_event_past_its_limit_is_not_parsed),
        cmocka_unit_test(each_attribute_has_its_code),
        cmocka_unit_test(id_and_source_have_a_limit),
        cmocka_unit_test(cut_at_any_byte_it_is_refused),
        cmocka_unit_test(every_input_of_the_bus_is_taken),
        cmocka_unit_test(a_traceparent_is_kept_where_it_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
