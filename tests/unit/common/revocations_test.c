/* revocations_test.c -- which tokens a list of revocations covers, and what is one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/revocations.h"

#define NOW    INT64_C(1795226400000)          /* 2026-11-21T02:00:00Z */
#define DAY_MS INT64_C(86400000)
#define TOKEN  SLICE("head.claims.signature")
#define HASH   "75d0a4a1af8b1fb7df6ebb0c6f6a7c8f8f37ad3e5d3c2b0e3b3a5b8b5a0c1d2e"

static struct claims claims_of(const char *sub, const char *jti, int64_t iat_s)
{
    struct claims c = { .iat_s = iat_s };

    snprintf(c.sub, sizeof(c.sub), "%s", sub);
    snprintf(c.jti, sizeof(c.jti), "%s", jti);
    return c;
}

static struct revocation make(const char *json)
{
    json_t           *object = json_parse(slice_of(json), NULL);
    struct revocation r;
    struct buf        why;

    buf_init(&why, 1000);
    if (revocation_read(object, NOW, &r, &why) != 0)
        fail_msg("%s: %s", json, why.data);
    buf_deinit(&why);
    json_decref(object);
    return r;
}

static void add(struct revocations *r, const char *json)
{
    struct revocation one = make(json);

    revocations_add(r, &one);
}

static bool covers(const struct revocations *r, const char *sub, const char *jti, int64_t iat_s,
                   int64_t now)
{
    struct claims c = claims_of(sub, jti, iat_s);

    return revocations_cover(r, &c, TOKEN, now);
}

static void an_empty_list_covers_nothing(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    assert_false(covers(r, "ann", "j", 0, NOW));
    revocations_free(r);
    revocations_free(NULL);
}

static void a_persons_older_tokens_are_covered(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    add(r, "{\"sub\":\"ann\",\"issuedBefore\":\"2026-11-21T01:00:00.500Z\"}");
    assert_true(covers(r, "ann", "", NOW / 1000 - 3600 - 1, NOW));
    assert_true(covers(r, "ann", "", NOW / 1000 - 3600, NOW));           /* half a second before */
    assert_false(covers(r, "ann", "", NOW / 1000 - 3600 + 1, NOW));
    assert_true(covers(r, "ann", "", 0, NOW));                           /* it does not say when */
    assert_false(covers(r, "bob", "", 0, NOW));
    assert_false(covers(r, "an", "", 0, NOW));
    revocations_free(r);
}

static void to_the_second_before_is_not_at(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    add(r, "{\"sub\":\"ann\",\"issuedBefore\":\"2026-11-21T01:00:00Z\"}");
    assert_true(covers(r, "ann", "", NOW / 1000 - 3600 - 1, NOW));
    assert_false(covers(r, "ann", "", NOW / 1000 - 3600, NOW));
    revocations_free(r);
}

static void decisions_about_one_person_stand_side_by_side(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    add(r, "{\"sub\":\"ann\",\"issuedBefore\":\"2026-11-21T01:00:00Z\"}");
    add(r, "{\"sub\":\"ann\",\"issuedBefore\":\"2026-11-20T01:00:00Z\"}");
    add(r, "{\"sub\":\"ann\",\"issuedBefore\":\"2026-11-20T01:00:00Z\"}");
    assert_int_equal(revocations_count(r), 2);
    assert_true(covers(r, "ann", "", NOW / 1000 - 7200, NOW));
    revocations_drop(r, "sub:1795222800000:ann");
    assert_false(covers(r, "ann", "", NOW / 1000 - 7200, NOW));
    assert_true(covers(r, "ann", "", NOW / 1000 - 2 * 86400, NOW));
    revocations_drop(r, "sub:1795136400000:ann");
    revocations_drop(r, "sub:1795136400000:ann");
    revocations_drop(r, "never was");
    assert_false(covers(r, "ann", "", 0, NOW));
    assert_int_equal(revocations_count(r), 0);
    add(r, "{\"sub\":\"ann\"}");
    assert_true(covers(r, "ann", "", NOW / 1000 - 1, NOW));
    revocations_free(r);
}

static void one_token_is_covered_by_its_jti(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    add(r, "{\"jti\":\"j1\"}");
    assert_true(covers(r, "ann", "j1", NOW / 1000, NOW));
    assert_true(covers(r, "bob", "j1", NOW / 1000, NOW));
    assert_false(covers(r, "ann", "j", NOW / 1000, NOW));
    assert_false(covers(r, "ann", "", NOW / 1000, NOW));
    assert_false(covers(r, "j1", "", NOW / 1000, NOW));
    revocations_free(r);
}

/* Whatever its signature says: another may be as good. */
static void one_token_is_covered_by_its_hash(void **state)
{
    struct revocations *r = revocations_new();
    struct claims       c = claims_of("ann", "", NOW / 1000);
    char                hash[JWT_FINGERPRINT_SIZE], json[128];

    (void)state;
    jwt_fingerprint(TOKEN, hash);
    snprintf(json, sizeof(json), "{\"fingerprint\":\"%s\"}", hash);
    add(r, json);
    assert_true(revocations_cover(r, &c, TOKEN, NOW));
    assert_true(revocations_cover(r, &c, SLICE("head.claims.another"), NOW));
    assert_false(revocations_cover(r, &c, SLICE("head.claimz.signature"), NOW));
    revocations_free(r);
}

static void what_has_expired_covers_nothing(void **state)
{
    struct revocations *r = revocations_new();

    (void)state;
    add(r, "{\"jti\":\"j\",\"expiresAt\":\"2026-11-21T02:00:10Z\"}");
    add(r, "{\"sub\":\"ann\",\"expiresAt\":\"2026-11-21T02:00:10Z\"}");
    assert_true(covers(r, "bob", "j", 0, NOW + 9999));
    assert_false(covers(r, "bob", "j", 0, NOW + 10000));
    assert_true(covers(r, "ann", "", 0, NOW + 9999));
    assert_false(covers(r, "ann", "", 0, NOW + 10000));
    add(r, "{\"jti\":\"j\",\"expiresAt\":\"2026-11-21T02:01:00Z\"}");     /* longer, after all */
    assert_true(covers(r, "bob", "j", 0, NOW + 10000));
    assert_int_equal(revocations_count(r), 2);
    revocations_free(r);
}

static void missing_times_are_now_and_thirty_days(void **state)
{
    struct revocation r = make("{\"sub\":\"ann\",\"expiresAt\":null}");

    (void)state;
    assert_int_equal(r.issued_before, NOW);
    assert_int_equal(r.expires_at, NOW + 30 * DAY_MS);
    assert_string_equal(r.id, "sub:1795226400000:ann");
}

static void it_is_written_and_read_as_it_was(void **state)
{
    static const char *const TEXTS[] = {
        "{\"id\":\"sub:1795222800000:ann@acme\",\"sub\":\"ann@acme\","
            "\"issuedBefore\":\"2026-11-21T01:00:00.000Z\",\"expiresAt\":\"2026-12-01T00:00:00.000Z\"}",
        "{\"id\":\"jti:j\",\"jti\":\"j\",\"expiresAt\":\"2026-12-01T00:00:00.000Z\"}",
        "{\"id\":\"token:" HASH "\",\"fingerprint\":\"" HASH "\",\"expiresAt\":\"2026-12-01T00:00:00.000Z\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct revocation r = make(TEXTS[i]);
        json_t           *json = revocation_to_json(&r);
        struct buf        out;

        buf_init(&out, 1000);
        assert_int_equal(json_append(&out, json), 0);
        assert_string_equal(out.data, TEXTS[i]);
        buf_deinit(&out);
        json_decref(json);
    }
}

static void the_longest_id_fits(void **state)
{
    char              sub[JWT_ID_MAX + 1], json[300];
    struct revocation r;

    (void)state;
    memset(sub, 'a', JWT_ID_MAX);
    sub[JWT_ID_MAX] = '\0';
    snprintf(json, sizeof(json), "{\"sub\":\"%s\",\"issuedBefore\":\"9999-12-31T23:59:59.999Z\"}", sub);
    r = make(json);
    assert_int_equal(strlen(r.id), 4 + 15 + 1 + JWT_ID_MAX);
    assert_string_equal(r.id + strlen(r.id) - JWT_ID_MAX, sub);
}

static void what_is_none_is_refused(void **state)
{
    static const char *const BAD[] = {
        "{}", "[]", "null", "{\"sub\":null}", "{\"sub\":1}", "{\"sub\":\"\"}",
        "{\"sub\":\"a/b\"}", "{\"sub\":\"a b\"}",
        "{\"sub\":\"a\",\"jti\":\"b\"}", "{\"jti\":\"b\",\"fingerprint\":\"" HASH "\"}",
        "{\"fingerprint\":\"abc\"}", "{\"fingerprint\":\"" HASH "0\"}",
        "{\"fingerprint\":\"75D0A4A1AF8B1FB7DF6EBB0C6F6A7C8F8F37AD3E5D3C2B0E3B3A5B8B5A0C1D2E\"}",
        "{\"sub\":\"a\",\"issuedBefore\":5}", "{\"sub\":\"a\",\"issuedBefore\":\"now\"}",
        "{\"jti\":\"a\",\"expiresAt\":\"soon\"}", "{\"jti\":\"a\",\"expiresAt\":\"2099-01-01T00:00:00Z\"}",
    };
    struct revocation r;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        json_t    *object = json_parse(slice_of(BAD[i]), NULL);
        struct buf why;

        buf_init(&why, 1000);
        assert_int_equal(revocation_read(object, NOW, &r, &why), ERR_INVALID);
        assert_true(why.len > 0);
        assert_int_equal(revocation_read(object, NOW, &r, NULL), ERR_INVALID);
        buf_deinit(&why);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_covers_nothing),
        cmocka_unit_test(a_persons_older_tokens_are_covered),
        cmocka_unit_test(to_the_second_before_is_not_at),
        cmocka_unit_test(decisions_about_one_person_stand_side_by_side),
        cmocka_unit_test(one_token_is_covered_by_its_jti),
        cmocka_unit_test(one_token_is_covered_by_its_hash),
        cmocka_unit_test(what_has_expired_covers_nothing),
        cmocka_unit_test(missing_times_are_now_and_thirty_days),
        cmocka_unit_test(it_is_written_and_read_as_it_was),
        cmocka_unit_test(the_longest_id_fits),
        cmocka_unit_test(what_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
