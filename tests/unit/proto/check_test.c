/* check_test.c -- objects against the rows of the registry, and links as browsers read them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/check.h"
#include "proto/url.h"

#define ID "65f0c0ffee65f0c0ffee65f0"

/* Check `text` against `shape`; `expected` is the sentence, NULL: it passes. */
static void assert_check(enum shape shape, const char *text, const char *expected)
{
    json_t    *object = json_parse(slice_of(text), NULL);
    struct buf why;
    int        err;

    assert_non_null(object);
    buf_init(&why, 1000);
    err = check_fields(shape, object, &why);
    if ((err == 0) != (expected == NULL))
        fail_msg("%s: %s", text, why.len != 0 ? why.data : "passed");
    if (expected != NULL)
        assert_string_equal(why.data, expected);
    assert_int_equal(check_fields(shape, object, NULL), err);
    buf_deinit(&why);
    json_decref(object);
}

static void an_object_with_its_fields_passes(void **state)
{
    (void)state;
    assert_check(SHAPE_TASK_JOIN, "{\"taskId\":\"x\"}", NULL);
    assert_check(SHAPE_DASHBOARD_JOIN, "{}", NULL);
    assert_check(SHAPE_DATA_DISPATCHED,
                 "{\"issueNumber\":1,\"issueUrl\":\"https://github.com/a/b/issues/1\","
                 "\"githubBranch\":\"b\"}", NULL);
    assert_check(SHAPE_DATA_EDITED, "{\"isPrivate\":true}", NULL);
}

static void unknown_fields_and_optional_nulls_are_ignored(void **state)
{
    (void)state;
    assert_check(SHAPE_TASK_JOIN, "{\"taskId\":\"x\",\"more\":[1,{}]}", NULL);
    assert_check(SHAPE_DATA_PR_UPDATED, "{\"prTitle\":null}", NULL);
    assert_check(SHAPE_TASK_JOIN, "{\"taskId\":null}", "taskId must be a non-empty string");
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    assert_check(SHAPE_DASHBOARD_JOIN, "[]", "a JSON object is expected");
    assert_check(SHAPE_DASHBOARD_JOIN, "\"x\"", "a JSON object is expected");
    assert_check(SHAPE_DASHBOARD_JOIN, "null", "a JSON object is expected");
    assert_int_equal(check_fields(SHAPE_DASHBOARD_JOIN, NULL, NULL), ERR_INVALID);
}

/* The same sentence says what is missing and what is wrong. */
static void the_sentence_says_what_is_expected(void **state)
{
    static const struct {
        enum shape  shape;
        const char *text, *why;
    } CASES[] = {
        { SHAPE_TASK_JOIN, "{}", "taskId must be a non-empty string" },
        { SHAPE_TASK_JOIN, "{\"taskId\":\"\"}", "taskId must be a non-empty string" },
        { SHAPE_TASK_JOIN, "{\"taskId\":7}", "taskId must be a non-empty string" },
        { SHAPE_DATA_PR_CLOSED, "{\"prNumber\":0}", "prNumber must be a whole number from 1" },
        { SHAPE_DATA_PR_CLOSED, "{\"prNumber\":1.5}", "prNumber must be a whole number from 1" },
        { SHAPE_DATA_PR_CLOSED, "{\"prNumber\":1.0}", "prNumber must be a whole number from 1" },
        { SHAPE_DATA_PR_CLOSED, "{\"prNumber\":\"1\"}", "prNumber must be a whole number from 1" },
        { SHAPE_DATA_PR_CLOSED, "{\"prNumber\":9007199254740992}", "prNumber must be a whole number from 1" },
        { SHAPE_DATA_DISPATCHED, "{\"issueNumber\":1}", "issueUrl must be an https link" },
        { SHAPE_DATA_DISPATCHED, "{\"issueNumber\":1,\"issueUrl\":\"javascript:alert(1)\"}",
          "issueUrl must be an https link" },
        { SHAPE_DATA_PR_UPDATED, "{\"prState\":\"merged\"}", "prState must be draft or open" },
        { SHAPE_TASK_PR_UPDATED, "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"pr_open\",\"prNumber\":1,"
          "\"prUrl\":\"https://x/\",\"prTitle\":\"t\",\"prState\":\"\"}",
          "prState must be draft, open, merged or closed" },
        { SHAPE_DATA_EDITED, "{\"isPrivate\":\"yes\"}", "isPrivate must be true or false" },
        { SHAPE_DATA_EDITED, "{\"isPrivate\":0}", "isPrivate must be true or false" },
        { SHAPE_DATA_PR_MERGED, "{\"mergeCommitSha\":\"c\",\"mergedAt\":\"soon\"}",
          "mergedAt must be an RFC 3339 time" },
        { SHAPE_DATA_CREATED, "{\"description\":\"d\",\"repo\":\"site\"}",
          "repo must be a repository: owner/name" },
        { SHAPE_DATA_CLARIFICATION_SUBMITTED, "{\"answers\":[]}",
          "answers must be a list of 1 to 50 strings of 1 to 4000 characters" },
        { SHAPE_DATA_CLARIFICATION_SUBMITTED, "{\"answers\":[\"a\",\"\"]}",
          "answers must be a list of 1 to 50 strings of 1 to 4000 characters" },
        { SHAPE_DATA_CLARIFICATION_SUBMITTED, "{\"answers\":[\"a\",1]}",
          "answers must be a list of 1 to 50 strings of 1 to 4000 characters" },
        { SHAPE_DATA_CLARIFICATION_SUBMITTED, "{\"answers\":\"a\"}",
          "answers must be a list of 1 to 50 strings of 1 to 4000 characters" },
        { SHAPE_TASK_ANALYZING, "{\"taskId\":\"x\"}", "taskId must be a task id: 24 hexadecimal digits" },
        { SHAPE_TASK_ANALYZING, "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"x\"}",
            "status must be a status" },
        { SHAPE_TASK_EVENT_ADDED, "{\"taskId\":\"" ID "\",\"seq\":1,\"event\":1}",
            "event must be an object" },
        { SHAPE_TASK_EVENT_ADDED, "{\"taskId\":\"" ID "\",\"seq\":1,\"event\":{\"seq\":1,"
            "\"eventType\":\"x\"}}",
          "eventType must be an event type" },
        { SHAPE_TASK_PRESENCE, "{\"taskId\":\"" ID "\",\"count\":1,\"viewers\":[{\"userId\":\"u\"}]}",
          "name must be a string" },
        { SHAPE_TASK_PRESENCE, "{\"taskId\":\"" ID "\",\"count\":1,\"viewers\":[1]}",
          "a JSON object is expected" },
        { SHAPE_TASK_PRESENCE, "{\"taskId\":\"" ID "\",\"count\":1,\"viewers\":{}}",
          "viewers must be a list of objects" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_check(CASES[i].shape, CASES[i].text, CASES[i].why);
}

/* {"title":"<n times what>"} */
static char *title_of(const char *what, size_t n)
{
    struct buf b;

    buf_init(&b, 100000);
    buf_append_text(&b, "{\"title\":\"");
    while (n-- > 0)
        buf_append_text(&b, what);
    buf_append_text(&b, "\"}");
    return buf_take(&b);
}

static void limits_count_characters_not_bytes(void **state)
{
    char *fits = title_of("\xc3\xa4", 200), *too_long = title_of("\xc3\xa4", 201);

    (void)state;
    assert_check(SHAPE_DATA_EDITED, fits, NULL);
    assert_check(SHAPE_DATA_EDITED, too_long, "title must be at most 200 characters long");
    free(fits);
    free(too_long);
}

static void picking_keeps_what_is_known_in_the_order_of_the_rows(void **state)
{
    json_t *object = json_parse(SLICE("{\"x\":1,\"prNumber\":3,\"mergedAt\":\"2026-11-21T04:16:00+02:00\","
                                      "\"prTitle\":null,\"mergeCommitSha\":\"c\"}"), NULL);
    json_t    *picked;
    struct buf text;

    (void)state;
    buf_init(&text, 1000);
    assert_int_equal(check_fields(SHAPE_DATA_PR_MERGED, object, NULL), 0);
    picked = check_pick(SHAPE_DATA_PR_MERGED, object);
    assert_int_equal(json_append(&text, picked), 0);
    assert_string_equal(text.data, "{\"mergeCommitSha\":\"c\",\"mergedAt\":\"2026-11-21T02:16:00.000Z\","
                                   "\"prNumber\":3}");
    buf_deinit(&text);
    json_decref(picked);
    json_decref(object);
}

/* Every shape passes with an object made from its own rows, and fails without any one
 * required field. */
static json_t *example_of(enum shape shape);

static json_t *text_of(size_t characters)
{
    char text[64];

    assert_true(characters <= sizeof(text));
    memset(text, 'x', sizeof(text));
    return json_stringn(text, characters);
}

static json_t *example_value(const struct field *f)
{
    switch (f->type) {
    case TYPE_ID:     return json_string(ID);
    case TYPE_TEXT:   return text_of((size_t)f->from);
    case TYPE_URL:    return json_string("https://example.org/x");
    case TYPE_REPO:   return json_string("acme/site");
    case TYPE_TIME:   return json_string("2026-11-21T02:16:00.000Z");
    case TYPE_BOOL:   return json_false();
    case TYPE_STATUS: return json_string("coding");
    case TYPE_INPUT:  return json_string("note");
    case TYPE_INT:    return json_integer(f->from);
    case TYPE_CHOICE: return json_stringn(f->choices, strcspn(f->choices, "|"));
    case TYPE_TEXTS:  return json_pack("[s]", "x");
    case TYPE_OBJECT: return json_object();
    case TYPE_PART:   return example_of(f->part);
    case TYPE_LIST:   return json_pack("[o]", example_of(f->part));
    }
    return NULL;
}

static json_t *example_of(enum shape shape)
{
    size_t              count;
    const struct field *fields = shape_fields(shape, &count);
    json_t             *object = json_object();

    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, fields[i].name, example_value(&fields[i]));
    return object;
}

static void every_shape_wants_each_of_its_required_fields(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPE_COUNT; s++) {
        size_t              count;
        const struct field *fields = shape_fields(s, &count);
        json_t             *object = example_of(s);

        assert_int_equal(check_fields(s, object, NULL), 0);
        for (size_t i = 0; i < count; i++) {
            json_t *without = json_copy(object);

            json_object_del(without, fields[i].name);
            assert_int_equal(check_fields(s, without, NULL), fields[i].is_required ? ERR_INVALID : 0);
            json_decref(without);
        }
        json_decref(object);
    }
}

/* --- links --- */

static void links_that_are_shown(void **state)
{
    static const char *const GOOD[] = {
        "https://github.com/a/b/issues/1", "https://github.com", "HTTPS://GitHub.com/",
        "https://github.com:8443/x?y=1&z=%20#top", "https://sub-domain.example.org/~user/",
        "https://[2001:db8::1]:443/", "https://10.0.0.1/", "https://example.org?x", "https://example.org#x",
        "https://example.org/a@b", "https://github.com/a/b/compare/x...y",
        "http://localhost/", "http://localhost:3000/x", "http://LOCALHOST", "http://127.0.0.1:8080/x",
        "http://127.1.2.3/", "http://[::1]:3000/x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        if (!url_is_link(slice_of(GOOD[i])))
            fail_msg("refused: %s", GOOD[i]);
    }
}

static void links_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const BAD[] = {
        "", "x", "/x", "//example.org/x", "https:", "https:/", "https://", "https:///x", "https:example.org",
        "javascript:alert(1)", "data:text/html,x", "ftp://example.org/", "file:///etc/passwd",
        "http://example.org/", "http://10.0.0.1/", "http://[2001:db8::1]/",
        "http://localhost@evil.com/", "http://127.0.0.1@evil.com/", "http://localhost:80@evil.com/",
        "https://user:secret@example.org/", "https://user@example.org/",
        "http://127.0.0.1.evil.com/", "http://localhost.evil.com/", "http://localhost./",
        "http://127.1/", "http://127.0.0.256/", "http://127.0.0.01/", "http://0x7f.0.0.1/",
        "http://127.0.0.1./",
        "http://2130706433/", "http://127.0.0.1.1/", "http://127..0.1/", "http://127.0.0./",
        "http://localhost\\@evil.com/", "https://example.org\\x", "http:\\\\localhost/",
        "https://exa mple.org/", " https://example.org/", "https://example.org/ ", "https://example.org/a b",
        "https://example.org/\n", "ht\ttps://example.org/", "https://example.org/\x01",
        "https://example.org/\x7f",
        "https://ex\xc3\xa4mple.org/", "https://example.org/\xe2\x80\xae", "https://example.org/%",
        "https://example.org/%2",
        "https://example.org/%zz", "https://example.org:/", "https://example.org:x/",
        "https://example.org:65536/",
        "https://example.org:-1/", "https://.example.org/", "https://example..org/", "https://example.org./",
        "https://[::1/", "https://::1/", "https://[]/", "https://[::1]x/", "https://[::1]:/",
        "https://[fe80::1%25x]/",
        "https://exa%6dple.org/", "https://example.org/<script>", "https://example.org/\"",
        "https://example.org/`",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (url_is_link(slice_of(BAD[i])))
            fail_msg("accepted: %s", BAD[i]);
    }
    assert_false(url_is_link(slice_make(NULL, 0)));
    assert_false(url_is_link(slice_make("https://example.org/\0x", 22)));
}

static void a_link_cut_at_any_byte_is_read_within_its_bounds(void **state)
{
    static const char LINK[] = "https://[2001:db8::1]:8443/acme/site/issues/1?x=%20#y";

    (void)state;
    for (size_t n = 0; n < sizeof(LINK); n++) {
        char *copy = mem_dup(LINK, n == 0 ? 1 : n);

        (void)url_is_link(slice_make(copy, n));
        assert_true(url_issue_repo(slice_make(copy, n)).len <= n);
        free(copy);
    }
}

static void repositories_are_owner_and_name(void **state)
{
    static const char *const BAD[] = { "", "/", "a", "a/", "/b", "a/b/c", "a/..", "./b", "a b/c", "a/b\n",
                                       "https://github.com/a/b", "a/b?x" };

    (void)state;
    assert_true(url_is_repo(SLICE("acme/site")));
    assert_true(url_is_repo(SLICE("a-b/c_d.e")));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (url_is_repo(slice_of(BAD[i])))
            fail_msg("accepted: %s", BAD[i]);
    }
}

static void an_issues_link_names_its_repository(void **state)
{
    (void)state;
    assert_true(slice_is(url_issue_repo(SLICE("https://github.com/acme/site/issues/42")), "acme/site"));
    assert_true(slice_is(url_issue_repo(SLICE("http://127.0.0.1:9/acme/site/issues/42#x")), "acme/site"));
    assert_int_equal(url_issue_repo(SLICE("https://github.com/acme/site")).len, 0);
    assert_int_equal(url_issue_repo(SLICE("https://github.com/acme/site/pull/42")).len, 0);
    assert_int_equal(url_issue_repo(SLICE("https://github.com/acme/issues/42")).len, 0);
    assert_int_equal(url_issue_repo(SLICE("https://github.com/x/acme/site/issues/42")).len, 0);
    assert_int_equal(url_issue_repo(SLICE("https://github.com")).len, 0);
    assert_int_equal(url_issue_repo(SLICE("nothing")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_with_its_fields_passes),
        cmocka_unit_test(unknown_fields_and_optional_nulls_are_ignored),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(the_sentence_says_what_is_expected),
        cmocka_unit_test(limits_count_characters_not_bytes),
        cmocka_unit_test(picking_keeps_what_is_known_in_the_order_of_the_rows),
        cmocka_unit_test(every_shape_wants_each_of_its_required_fields),
        cmocka_unit_test(links_that_are_shown),
        cmocka_unit_test(links_that_lead_elsewhere_are_refused),
        cmocka_unit_test(a_link_cut_at_any_byte_is_read_within_its_bounds),
        cmocka_unit_test(repositories_are_owner_and_name),
        cmocka_unit_test(an_issues_link_names_its_repository),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
