/* guards_test.c -- what a token holds open ends with it, and nothing else does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/guards.h"

struct socket {
    struct guarded guard;
    char           sub[32];
    int            warnings, expired, revoked, unfit, checks;
    bool           is_deaf;                    /* cannot be warned now */
    bool           is_outside;                 /* a recheck says no */
    struct socket *takes_along;                /* goes when this one does */
};

static bool on_expiring(struct guarded *g, void *arg)
{
    struct socket *s = container_of(g, struct socket, guard);

    (void)arg;
    s->warnings += !s->is_deaf;
    return !s->is_deaf;
}

static void on_over(struct guarded *g, enum guard_end why, void *arg)
{
    struct socket *s = container_of(g, struct socket, guard);

    ++*(int *)arg;
    if (why == GUARD_EXPIRED)
        s->expired++;
    else if (why == GUARD_REVOKED)
        s->revoked++;
    else
        s->unfit++;
    if (s->takes_along != NULL)
        guard_remove(&s->takes_along->guard);
}

static bool on_recheck(struct guarded *g, void *arg)
{
    struct socket *s = container_of(g, struct socket, guard);

    (void)arg;
    s->checks++;
    return !s->is_outside;
}

static struct slice sub_of(const struct guarded *g)
{
    return slice_of(container_of(g, struct socket, guard)->sub);
}

static int           ended;
static struct guards all;
static const struct guard_calls CALLS = { &all, sub_of, on_expiring, on_recheck, on_over, &ended };

static int set_up(void **state)
{
    (void)state;
    ended = 0;
    guards_init(&all, 1000);
    return 0;
}

static struct claims claims_of(const char *sub, const char *jti, int64_t iat, int64_t exp)
{
    struct claims c = { .iat_s = iat, .exp_s = exp };

    snprintf(c.sub, sizeof(c.sub), "%s", sub);
    snprintf(c.jti, sizeof(c.jti), "%s", jti);
    return c;
}

static void add(struct socket *s, const char *sub, const char *jti, const char *token, int64_t exp)
{
    struct claims c = claims_of(sub, jti, 900, exp);

    *s = (struct socket){ 0 };
    snprintf(s->sub, sizeof(s->sub), "%s", sub);
    guard_add(&s->guard, &CALLS, &c, slice_of(token));
}

static struct revocation revocation(const char *json)
{
    json_t           *object = json_parse(slice_of(json), NULL);
    struct revocation r;

    assert_int_equal(revocation_read(object, 1000000, &r, NULL), 0);
    json_decref(object);
    return r;
}

static void each_is_warned_once_and_ended_once(void **state)
{
    struct socket long_lived, short_lived;

    (void)state;
    add(&long_lived, "ann", "", "a.b.c", 1500);
    add(&short_lived, "bob", "", "d.e.f", 1010);           /* less than the warning is long */
    for (int64_t now = 1001; now < 1600; now++) {
        guards_turn(&all, now);
        assert_int_equal(long_lived.warnings, now >= 1500 - GUARDS_WARN_S);
        assert_int_equal(long_lived.expired, now >= 1500);
        assert_int_equal(short_lived.warnings, 1);
        assert_int_equal(short_lived.expired, now >= 1010);
    }
    assert_int_equal(all.count, 0);
}

static void one_that_cannot_be_warned_is_asked_again(void **state)
{
    struct socket s;

    (void)state;
    add(&s, "ann", "", "a.b.c", 1100);
    s.is_deaf = true;
    for (int64_t now = 1001; now < 1060; now++)
        guards_turn(&all, now);
    assert_int_equal(s.warnings, 0);
    s.is_deaf = false;
    guards_turn(&all, 1060);
    assert_int_equal(s.warnings, 1);
    s.is_deaf = true;
    guards_turn(&all, 1099);
    assert_int_equal(s.expired, 0);
    guards_turn(&all, 1100);
    assert_int_equal(s.expired, 1);
}

static void a_renewed_one_lives_by_its_new_token_alone(void **state)
{
    struct claims     fresh = claims_of("ann", "new", 1050, 1300);
    struct revocation old_jti = revocation("{\"jti\":\"old\"}");
    struct revocation old_ones = revocation("{\"sub\":\"ann\",\"issuedBefore\":\"1970-01-01T00:17:20Z\"}");
    struct revocation new_jti = revocation("{\"jti\":\"new\"}");
    struct socket     s;

    (void)state;
    add(&s, "ann", "old", "a.b.c", 1100);
    guards_turn(&all, 1045);
    assert_int_equal(s.warnings, 1);
    guard_renew(&s.guard, &fresh, slice_of("d.e.f"));
    guards_revoke(&all, &old_jti, 1060);
    guards_revoke(&all, &old_ones, 1060);
    guards_turn(&all, 1239);
    assert_int_equal(s.warnings + s.expired, 1);
    guards_turn(&all, 1240);
    assert_int_equal(s.warnings, 2);
    guards_revoke(&all, &new_jti, 1241);
    guards_turn(&all, 1241);
    assert_int_equal(s.revoked, 1);
    guards_turn(&all, 1400);
    assert_int_equal(ended, 1);
}

static void a_revocation_hits_those_it_covers_alone(void **state)
{
    struct revocation by_sub = revocation("{\"sub\":\"ann\",\"issuedBefore\":\"1970-01-01T00:16:00Z\"}");
    struct revocation too_early = revocation("{\"sub\":\"ann\",\"issuedBefore\":\"1970-01-01T00:15:00Z\"}");
    struct revocation by_jti = revocation("{\"jti\":\"bob\"}");
    struct revocation by_token;
    char              fingerprint[JWT_FINGERPRINT_SIZE], json[128];
    struct socket     ann[2], bob, cat[2];

    (void)state;
    add(&ann[0], "ann", "", "a.1.x", 5000);
    add(&ann[1], "ann", "j", "a.2.x", 5000);
    add(&bob, "bob", "bob", "b.1.x", 5000);
    add(&cat[0], "cat", "ann", "c.1.x", 5000);             /* a jti that reads like a sub */
    add(&cat[1], "cat", "", "c.2.x", 5000);
    guards_revoke(&all, &too_early, 1001);
    assert_int_equal(ended, 0);
    guards_revoke(&all, &by_sub, 1001);
    assert_int_equal(ann[0].revoked + ann[1].revoked, 2);
    guards_revoke(&all, &by_sub, 1001);
    guards_revoke(&all, &by_jti, 1001);
    guards_turn(&all, 1001);
    assert_int_equal(bob.revoked, 1);
    assert_int_equal(ended, 3);
    jwt_fingerprint(SLICE("c.2.another signature"), fingerprint);
    snprintf(json, sizeof(json), "{\"fingerprint\":\"%s\"}", fingerprint);
    by_token = revocation(json);
    guards_revoke(&all, &by_token, 1001);
    guards_turn(&all, 1001);
    assert_int_equal(cat[1].revoked, 1);
    assert_int_equal(cat[0].revoked, 0);
    assert_int_equal(all.count, 1);
    guard_remove(&cat[0].guard);
}

static void one_that_goes_takes_another_along(void **state)
{
    struct revocation r = revocation("{\"sub\":\"ann\"}");
    struct socket     first, second;

    (void)state;
    add(&first, "ann", "", "a.1.x", 5000);
    add(&second, "ann", "", "a.2.x", 5000);
    first.takes_along = &second;
    second.takes_along = &first;
    guards_revoke(&all, &r, 1001);
    assert_int_equal(first.revoked + second.revoked, 1);
    assert_int_equal(all.count, 0);
}

static void many_go_a_slice_at_a_time_and_who_is_renewed_meanwhile_stays(void **state)
{
    enum { MANY = 3 * GUARDS_SLICE };
    struct socket *s = calloc(MANY, sizeof(*s));
    struct claims  fresh = claims_of("sub-7", "", 1050, 9000);

    (void)state;
    for (int i = 0; i < MANY; i++)
        add(&s[i], "ann", "", "a.b.c", 1100);
    for (int turn = 0; turn < 3; turn++)
        guards_turn(&all, 1050);               /* the warnings */
    guards_turn(&all, 1100);
    assert_int_equal(ended, GUARDS_SLICE);
    guard_renew(&s[MANY - 1].guard, &fresh, SLICE("d.e.f"));
    guards_turn(&all, 1100);
    guards_turn(&all, 1100);
    assert_int_equal(ended, MANY - 1);
    assert_int_equal(all.count, 1);
    guard_remove(&s[MANY - 1].guard);
    free(s);
}

static void a_recheck_looks_at_each_once(void **state)
{
    struct socket s[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        add(&s[i], i < 3 ? "ann" : "bob", "", "a.b.c", 9000);
    guards_recheck(&all);
    guard_remove(&s[1].guard);
    guards_turn(&all, 1001);
    guards_turn(&all, 1002);
    for (int i = 0; i < 5; i++)
        assert_int_equal(s[i].checks, i != 1);
    guards_recheck(&all);
    guards_turn(&all, 1003);
    assert_int_equal(s[4].checks, 2);
    for (int i = 0; i < 5; i++)
        guard_remove(&s[i].guard);
}

static void a_recheck_of_many_goes_on_where_it_was_and_hides_nobody(void **state)
{
    enum { MANY = 3 * GUARDS_LOOKS };
    struct revocation r = revocation("{\"sub\":\"ann\"}");
    struct socket    *s = calloc(MANY, sizeof(*s));
    int               unfit = 0, revoked = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        add(&s[i], "ann", "", "a.b.c", 9000);
        s[i].is_outside = i % 3 == 0;
    }
    guards_recheck(&all);
    guards_turn(&all, 1001);
    assert_int_equal(ended, GUARDS_SLICE);     /* of the third of what was looked at */
    guards_recheck(&all);                      /* once more, from the beginning */
    guards_turn(&all, 1002);
    guards_revoke(&all, &r, 1002);             /* while most of the bucket is put aside */
    while (guards_are_busy(&all))
        guards_turn(&all, 1003);
    for (int i = 0; i < MANY; i++) {
        unfit += s[i].unfit;
        revoked += s[i].revoked;
    }
    assert_int_equal(unfit + revoked, MANY);
    assert_int_equal(ended, MANY);
    assert_true(unfit > 0 && revoked > MANY / 2);
    assert_int_equal(all.count, 0);
    free(s);
}

static void many_single_tokens_are_found_in_one_walk(void **state)
{
    enum { MANY = 1000 };
    struct socket *s = calloc(MANY, sizeof(*s));
    int            revoked = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        char sub[32], jti[32];

        snprintf(sub, sizeof(sub), "sub-%d", i);
        snprintf(jti, sizeof(jti), "jti-%d", i);
        add(&s[i], sub, jti, "a.b.c", 9000);
    }
    for (int i = 0; i < MANY; i += 2) {
        char              json[64];
        struct revocation r;

        snprintf(json, sizeof(json), "{\"jti\":\"jti-%d\"}", i);
        r = revocation(json);
        guards_revoke(&all, &r, 1001);
    }
    guards_turn(&all, 1001);
    for (int i = 1; i < MANY; i += 2)          /* what is left to be ended is marked by now */
        guard_remove(&s[i].guard);
    assert_true(guards_are_busy(&all));
    while (guards_are_busy(&all))
        guards_turn(&all, 1001);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(s[i].revoked, i % 2 == 0);
        revoked += s[i].revoked;
    }
    assert_int_equal(revoked, MANY / 2);
    guards_deinit(&all);
    free(s);
}

static void a_token_without_iat_is_older_than_any_revocation(void **state)
{
    struct revocation r = revocation("{\"sub\":\"ann\",\"issuedBefore\":\"1970-01-01T00:00:01Z\"}");
    struct claims     undated = claims_of("ann", "", 0, 5000), dated = claims_of("ann", "", 2, 5000);
    struct socket     s[2] = { { .sub = "ann" }, { .sub = "ann" } };

    (void)state;
    guard_add(&s[0].guard, &CALLS, &undated, SLICE("a.b.c"));
    guard_add(&s[1].guard, &CALLS, &dated, SLICE("d.e.f"));
    guards_revoke(&all, &r, 1001);
    assert_int_equal(s[0].revoked, 1);
    assert_int_equal(s[1].revoked, 0);
    guard_remove(&s[1].guard);
}

static void removing_twice_and_what_never_was_guarded_is_harmless(void **state)
{
    struct socket s = { 0 };

    (void)state;
    guarded_init(&s.guard);
    guard_remove(&s.guard);
    add(&s, "ann", "j", "a.b.c", 1001);
    guard_remove(&s.guard);
    guard_remove(&s.guard);
    guards_turn(&all, 2000);
    assert_int_equal(ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_is_warned_once_and_ended_once, set_up),
        cmocka_unit_test_setup(one_that_cannot_be_warned_is_asked_again, set_up),
        cmocka_unit_test_setup(a_renewed_one_lives_by_its_new_token_alone, set_up),
        cmocka_unit_test_setup(a_revocation_hits_those_it_covers_alone, set_up),
        cmocka_unit_test_setup(one_that_goes_takes_another_along, set_up),
        cmocka_unit_test_setup(many_go_a_slice_at_a_time_and_who_is_renewed_meanwhile_stays, set_up),
        cmocka_unit_test_setup(a_recheck_looks_at_each_once, set_up),
        cmocka_unit_test_setup(a_recheck_of_many_goes_on_where_it_was_and_hides_nobody, set_up),
        cmocka_unit_test_setup(many_single_tokens_are_found_in_one_walk, set_up),
        cmocka_unit_test_setup(a_token_without_iat_is_older_than_any_revocation, set_up),
        cmocka_unit_test_setup(removing_twice_and_what_never_was_guarded_is_harmless, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
