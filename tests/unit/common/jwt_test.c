/* jwt_test.c -- good tokens, and every hostile one we could think of. */
#include "tests/unit/common/jwt_stage.h"

/* --- what other implementations made --- */

static void assert_vector(const struct jwt_key *key, struct slice token)
{
    struct claims c;

    assert_int_equal(jwt_verify(key, token, NOW, &c), 0);
    assert_string_equal(c.sub, "user-1");
    assert_string_equal(c.org, "acme");
    assert_string_equal(c.name, "Ann");
    assert_string_equal(c.jti, "j1");
    assert_string_equal(c.aud, "");
    assert_true(c.is_admin);
    assert_int_equal(c.iat_s, 1700000000);
    assert_int_equal(c.exp_s, 4000000000);
}

static void tokens_of_another_implementation_hold(void **state)
{
    struct jwt_key *hs = secret_key();
    struct jwt_key *rs = jwt_key_from_pem(SLICE(VECTOR_RSA_PEM), NULL);
    struct jwt_key *es = jwt_key_from_pem(SLICE(VECTOR_P256_PEM), NULL);

    (void)state;
    assert_non_null(rs);
    assert_non_null(es);
    assert_vector(hs, SLICE(VECTOR_HS256));
    assert_vector(rs, SLICE(VECTOR_RS256));
    assert_vector(es, SLICE(VECTOR_ES256));
    jwt_key_free(hs);
    jwt_key_free(rs);
    jwt_key_free(es);
    jwt_key_free(NULL);
}

static void no_key_takes_a_token_of_another_algorithm(void **state)
{
    static const struct slice TOKENS[] = {
        { VECTOR_HS256, sizeof(VECTOR_HS256) - 1 },
        { VECTOR_RS256, sizeof(VECTOR_RS256) - 1 },
        { VECTOR_ES256, sizeof(VECTOR_ES256) - 1 },
    };
    struct jwt_key *keys[] = {
        secret_key(),
        jwt_key_from_pem(SLICE(VECTOR_RSA_PEM), NULL),
        jwt_key_from_pem(SLICE(VECTOR_P256_PEM), NULL),
    };

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (size_t t = 0; t < 3; t++)
            assert_int_equal(verify_text(keys[k], TOKENS[t]), k == t ? 0 : ERR_TOKEN);
        jwt_key_free(keys[k]);
    }
}

static void a_changed_character_anywhere_breaks_it(void **state)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= +/";
    struct jwt_key *key = secret_key();
    char            token[] = VECTOR_HS256;

    (void)state;
    for (size_t i = 0; i < sizeof(token) - 1; i++) {
        char was = token[i];

        for (size_t k = 0; k < sizeof(ALPHABET); k++) {        /* the NUL too */
            token[i] = ALPHABET[k];
            if (token[i] != was &&
                verify_text(key, slice_make(token, sizeof(token) - 1)) != ERR_TOKEN)
                fail_msg("accepted with %c at %zu", token[i], i);
        }
        token[i] = was;
    }
    jwt_key_free(key);
}

static void a_changed_character_breaks_public_key_tokens_too(void **state)
{
    struct jwt_key *keys[] = {
        jwt_key_from_pem(SLICE(VECTOR_RSA_PEM), NULL),
        jwt_key_from_pem(SLICE(VECTOR_P256_PEM), NULL),
    };
    char           rs[] = VECTOR_RS256, es[] = VECTOR_ES256;
    char          *tokens[] = { rs, es };

    (void)state;
    for (size_t t = 0; t < 2; t++) {
        size_t len = strlen(tokens[t]);

        for (size_t i = 0; i < len; i++) {
            char was = tokens[t][i];

            tokens[t][i] = was == 'A' ? 'B' : 'A';
            assert_int_equal(verify_text(keys[t], slice_make(tokens[t], len)), ERR_TOKEN);
            tokens[t][i] = was;
        }
        jwt_key_free(keys[t]);
    }
}

static void a_cut_off_or_extended_token_is_refused(void **state)
{
    struct jwt_key *key = secret_key();
    struct slice    token = SLICE(VECTOR_HS256);
    static const char *const TAILS[] = { ".", "=", " ", "\n", "A", ".x", "AAAA" };

    (void)state;
    for (size_t len = 0; len < token.len; len++)
        assert_int_equal(verify_text(key, slice_make(token.data, len)), ERR_TOKEN);
    for (size_t i = 0; i < sizeof(TAILS) / sizeof(TAILS[0]); i++) {
        struct buf longer;

        buf_init(&longer, 1000);
        buf_append_slice(&longer, token);
        buf_append_text(&longer, TAILS[i]);
        assert_int_equal(verify_text(key, buf_peek(&longer)), ERR_TOKEN);
        buf_deinit(&longer);
    }
    assert_int_equal(verify_text(key, slice_make(NULL, 0)), ERR_TOKEN);
    jwt_key_free(key);
}

static void dots_alone_are_no_token(void **state)
{
    static const char *const BAD[] = { ".",     "..",    "...",      "a.b",
                                       "a.b.c", ".e30.", "e30..e30", "e30.e30." };
    struct jwt_key *key = secret_key();

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(verify_text(key, slice_of(BAD[i])), ERR_TOKEN);
    jwt_key_free(key);
}

/* --- headers --- */

static void a_plain_header_holds(void **state)
{
    (void)state;
    assert_int_equal(verify_header(HS), 0);
    assert_int_equal(verify_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"any\"}"), 0);
    assert_int_equal(verify_header(" { \"alg\" : \"HS256\" } "), 0);
}

static void a_hostile_header_is_refused_though_its_signature_holds(void **state)
{
    static const char *const BAD[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":null}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":256}",
        "{}",
        "{\"ALG\":\"HS256\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"HS256\",\"typ\":1}",
        "{\"alg\":\"HS256\"}x",
        "{\"alg\":\"HS256\"}{}",
        "{\"alg\":\"HS256\"",
        "[\"HS256\"]",
        "\"HS256\"",
        "null",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (verify_header(BAD[i]) != ERR_TOKEN)
            fail_msg("accepted: %s", BAD[i]);
    }
}

static void an_unsigned_token_is_refused_by_every_key(void **state)
{
    static const char *const ALGS[] = { "none", "HS256", "RS256", "ES256" };
    struct jwt_key *keys[] = {
        secret_key(),
        jwt_key_from_pem(SLICE(VECTOR_RSA_PEM), NULL),
        jwt_key_from_pem(SLICE(VECTOR_P256_PEM), NULL),
    };

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (size_t a = 0; a < 4; a++) {
            char       header[64];
            struct buf token;

            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", ALGS[a]);
            buf_init(&token, 1000);
            append_signed_part(&token, header, SLICE(GOOD));
            assert_int_equal(verify_text(keys[k], buf_peek(&token)), ERR_TOKEN);
            buf_append_char(&token, '.');
            assert_int_equal(verify_text(keys[k], buf_peek(&token)), ERR_TOKEN);
            buf_append_text(&token, "AAAA");
            assert_int_equal(verify_text(keys[k], buf_peek(&token)), ERR_TOKEN);
            buf_deinit(&token);
        }
        jwt_key_free(keys[k]);
    }
}

static void a_public_key_is_never_taken_for_a_secret(void **state)
{
    static const struct slice PEMS[] = {
        { VECTOR_RSA_PEM, sizeof(VECTOR_RSA_PEM) - 1 },
        { VECTOR_P256_PEM, sizeof(VECTOR_P256_PEM) - 1 },
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct jwt_key *as_public = jwt_key_from_pem(PEMS[i], NULL);
        struct jwt_key *as_secret = jwt_key_from_secret(PEMS[i], NULL);
        struct buf      token;

        buf_init(&token, 10000);
        assert_int_equal(jwt_sign(as_secret, SLICE(GOOD), &token), 0);
        assert_int_equal(verify_text(as_secret, buf_peek(&token)), 0);
        assert_int_equal(verify_text(as_public, buf_peek(&token)), ERR_TOKEN);
        assert_int_equal(jwt_sign(as_public, SLICE(GOOD), &token), ERR_INVALID);
        buf_deinit(&token);
        jwt_key_free(as_public);
        jwt_key_free(as_secret);
    }
}

/* --- length and spelling --- */

static void the_longest_token_holds_and_one_byte_more_does_not(void **state)
{
    struct jwt_key *key = secret_key();
    int             accepted = 0, refused = 0;

    (void)state;
    for (size_t fill = 6000; fill < 6200; fill++) {
        struct buf payload, token;
        int        err;

        buf_init(&payload, 10000);
        buf_append_text(&payload, "{\"sub\":\"u\",\"exp\":4000000000,\"x\":\"");
        for (size_t i = 0; i < fill; i++)
            buf_append_char(&payload, 'x');
        buf_append_text(&payload, "\"}");
        make_token(&token, HS, buf_peek(&payload));
        err = verify_text(key, buf_peek(&token));
        assert_int_equal(err, token.len <= JWT_TOKEN_MAX ? 0 : ERR_TOKEN);
        accepted += err == 0;
        refused += err != 0;
        buf_deinit(&payload);
        buf_deinit(&token);
    }
    assert_true(accepted > 0 && refused > 0);
    jwt_key_free(key);
}

/* A payload of 28 bytes ends in a character with four bits to spare: 16 spellings. They are
 * signed as they stand, so only the check of the spelling can refuse the other 15. */
static void another_spelling_of_the_payload_is_refused_though_signed(void **state)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct jwt_key *key = secret_key();
    struct slice    payload = SLICE("{\"sub\":\"u\",\"exp\":4000000000}");
    int             accepted = 0;

    (void)state;
    assert_int_equal(payload.len % 3, 1);
    for (int i = 0; i < 64; i++) {
        uint8_t    signature[SHA256_BYTES];
        struct buf token;

        buf_init(&token, 1000);
        append_signed_part(&token, HS, payload);
        token.data[token.len - 1] = ALPHABET[i];
        crypto_hmac_sha256(SLICE(VECTOR_SECRET), buf_peek(&token), signature);
        buf_append_char(&token, '.');
        crypto_append_base64url(&token, signature, sizeof(signature));
        accepted += verify_text(key, buf_peek(&token)) == 0;
        buf_deinit(&token);
    }
    assert_int_equal(accepted, 1);
    jwt_key_free(key);
}

static void a_payload_that_is_not_one_json_object_is_refused(void **state)
{
    static const char *const BAD[] = {
        "", "null", "[]", "\"x\"", "{", GOOD "x", GOOD GOOD, GOOD ",",
        "{\"sub\":\"u\",\"exp\":4000000000,\"sub\":\"admin\"}",
        "{\"sub\":\"u\",\"exp\":1,\"exp\":4000000000}",
        "{\"sub\":\"u\",\"exp\":4000000000,\"x\":\"\xff\"}",
        ("\xef\xbb\xbf" GOOD),
    };
    struct claims c;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (verify_payload(BAD[i], &c) != ERR_TOKEN)
            fail_msg("accepted: %s", BAD[i]);
    }
    assert_int_equal(verify_signed(HS, slice_make(GOOD "\0", sizeof(GOOD)), &c), ERR_TOKEN);
}

/* --- claims --- */

static void what_is_missing_has_its_default(void **state)
{
    struct claims c;

    (void)state;
    assert_int_equal(verify_payload(GOOD, &c), 0);
    assert_string_equal(c.sub, "u");
    assert_string_equal(c.org, "~u");
    assert_string_equal(c.name, "u");
    assert_string_equal(c.jti, "");
    assert_string_equal(c.aud, "");
    assert_false(c.is_admin);
    assert_int_equal(c.iat_s, 0);
}

static void claims_of_the_wrong_kind_are_refused(void **state)
{
    static const char *const BAD[] = {
        "\"x\":1", /* no sub at all */
        "\"sub\":1",
        "\"sub\":null",
        "\"sub\":\"\"",
        "\"sub\":\"a b\"",
        "\"sub\":\"a/b\"",
        "\"sub\":\"~a\"",
        "\"sub\":\"a\\n\"",
        "\"sub\":\"h\xc3\xa4\"",
        "\"sub\":[\"a\"]",
        "\"sub\":\"u\",\"org\":\"\"",
        "\"sub\":\"u\",\"org\":null",
        "\"sub\":\"u\",\"org\":1",
        "\"sub\":\"u\",\"org\":\"~u\"",
        "\"sub\":\"u\",\"org\":\"a/b\"",
        "\"sub\":\"u\",\"org\":\"a*\"",
        "\"sub\":\"u\",\"name\":1",
        "\"sub\":\"u\",\"name\":\"a\\nb\"",
        "\"sub\":\"u\",\"name\":\"a\\u0000b\"",
        "\"sub\":\"u\",\"name\":\"\\u009b\"",
        "\"sub\":\"u\",\"name\":\"\\u007f\"",
        "\"sub\":\"u\",\"roles\":\"admin\"",
        "\"sub\":\"u\",\"roles\":{\"admin\":true}",
        "\"sub\":\"u\",\"roles\":[\"admin\",1]",
        "\"sub\":\"u\",\"jti\":7",
        "\"sub\":\"u\",\"jti\":\"a\\tb\"",
        "\"sub\":\"u\",\"aud\":7",
        "\"sub\":\"u\",\"aud\":[7]",
        "\"sub\":\"u\",\"iat\":\"1\"",
        "\"sub\":\"u\",\"iat\":-1",
        "\"sub\":\"u\",\"nbf\":\"1\"",
        "\"sub\":\"u\",\"nbf\":true",
    };
    struct claims c, zero;

    (void)state;
    memset(&zero, 0, sizeof(zero));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char payload[256];

        snprintf(payload, sizeof(payload), "{\"exp\":4000000000,%s}", BAD[i]);
        memset(&c, 'x', sizeof(c));
        if (verify_payload(payload, &c) != ERR_TOKEN)
            fail_msg("accepted: %s", payload);
        assert_memory_equal(&c, &zero, sizeof(c));      /* nothing of a bad token leaks out */
    }
}

static void ids_may_have_128_characters_and_not_more(void **state)
{
    char          payload[600], id[140];
    struct claims c;

    (void)state;
    for (int len = 127; len <= 130; len++) {
        int want = len <= JWT_ID_MAX ? 0 : ERR_TOKEN;

        memset(id, 'a', sizeof(id));
        id[len] = '\0';
        snprintf(payload, sizeof(payload), "{\"sub\":\"%s\",\"exp\":4000000000}", id);
        assert_int_equal(verify_payload(payload, &c), want);
        if (want == 0) {
            assert_string_equal(c.org + 1, id);
            assert_string_equal(c.name, id);
        }
        snprintf(payload, sizeof(payload), "{\"sub\":\"u\",\"org\":\"%s\",\"exp\":4000000000}", id);
        assert_int_equal(verify_payload(payload, &c), want);
        snprintf(payload, sizeof(payload), "{\"sub\":\"u\",\"jti\":\"%s\",\"exp\":4000000000}", id);
        assert_int_equal(verify_payload(payload, &c), want);
    }
}

static void every_byte_is_in_the_alphabet_of_ids_or_not(void **state)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@|+-";

    (void)state;
    for (int c = 0; c < 256; c++) {
        char one = (char)c;
        bool want = memchr(ALPHABET, one, sizeof(ALPHABET) - 1) != NULL;

        assert_int_equal(jwt_id_is_valid(slice_make(&one, 1)), want);
    }
    assert_false(jwt_id_is_valid(slice_make(NULL, 0)));
}

static void a_long_name_is_cut_between_code_points(void **state)
{
    char          payload[1000] = "{\"sub\":\"u\",\"exp\":4000000000,\"name\":\"a";
    struct claims c;

    (void)state;
    for (int i = 0; i < 120; i++)
        strncat(payload, "\xc3\xa4", sizeof(payload) - strlen(payload) - 1);
    strncat(payload, "\"}", sizeof(payload) - strlen(payload) - 1);
    assert_int_equal(verify_payload(payload, &c), 0);
    assert_int_equal(strlen(c.name), JWT_NAME_MAX - 1);        /* 1 + 2 * 99 */
    assert_int_equal(verify_payload("{\"sub\":\"u\",\"exp\":4000000000,\"name\":\"\"}", &c), 0);
    assert_string_equal(c.name, "u");
}

static void roles_and_audiences_are_read(void **state)
{
    struct claims c;

    (void)state;
    assert_int_equal(
        verify_payload("{\"sub\":\"u\",\"exp\":4000000000,\"roles\":[],\"aud\":\"taskd\"}", &c), 0);
    assert_false(c.is_admin);
    assert_string_equal(c.aud, "taskd");
    assert_int_equal(verify_payload("{\"sub\":\"u\",\"exp\":4000000000,\"roles\":[\"Admin\","
                                    "\"admins\"],\"aud\":[\"taskd\"]}",
                                    &c),
                     0);
    assert_false(c.is_admin);
    assert_string_equal(c.aud, "");
    assert_int_equal(
        verify_payload("{\"sub\":\"u\",\"exp\":4000000000,\"roles\":[\"x\",\"admin\"]}", &c), 0);
    assert_true(c.is_admin);
}

/* --- time --- */

static int verify_at(const char *times, int64_t now_s, struct claims *out)
{
    struct jwt_key *key = secret_key();
    struct buf      payload, token;
    int             err;

    buf_init(&payload, 1000);
    buf_printf(&payload, "{\"sub\":\"u\",%s}", times);
    buf_init(&token, 1000);
    assert_int_equal(jwt_sign(key, buf_peek(&payload), &token), 0);
    err = jwt_verify(key, buf_peek(&token), now_s, out);
    buf_deinit(&payload);
    buf_deinit(&token);
    jwt_key_free(key);
    return err;
}

static void a_token_ends_at_the_second_it_names(void **state)
{
    struct claims c;

    (void)state;
    assert_int_equal(verify_at("\"exp\":1000", 999, &c), 0);
    assert_int_equal(verify_at("\"exp\":1000", 1000, &c), ERR_EXPIRED);
    assert_string_equal(c.sub, "u");           /* filled where only the time is wrong */
    assert_int_equal(c.exp_s, 1000);
    assert_int_equal(verify_at("\"exp\":1000", 1001, &c), ERR_EXPIRED);
    assert_int_equal(verify_at("\"exp\":0", 0, &c), ERR_EXPIRED);
    assert_int_equal(verify_at("\"exp\":1000.9", 999, &c), 0);
    assert_int_equal(c.exp_s, 1000);
    assert_int_equal(verify_at("\"exp\":1000.9", 1000, &c), ERR_EXPIRED);
    assert_int_equal(verify_at("\"exp\":1e3", 999, &c), 0);
}

static void a_token_begins_when_nbf_says(void **state)
{
    struct claims c;

    (void)state;
    assert_int_equal(verify_at("\"exp\":1000,\"nbf\":500", 499, &c), ERR_EXPIRED);
    assert_int_equal(verify_at("\"exp\":1000,\"nbf\":500", 500, &c), 0);
    assert_int_equal(verify_at("\"exp\":1000,\"nbf\":499.5", 499, &c), ERR_EXPIRED);
    assert_int_equal(verify_at("\"exp\":1000,\"nbf\":499.5", 500, &c), 0);
    assert_int_equal(verify_at("\"exp\":1000,\"iat\":7.9", 500, &c), 0);
    assert_int_equal(c.iat_s, 7);
}

static void times_that_are_none_are_refused(void **state)
{
    static const char *const BAD[] = {
        "\"x\":1",
        "\"exp\":null",
        "\"exp\":\"4000000000\"",
        "\"exp\":true",
        "\"exp\":[4000000000]",
        "\"exp\":-1",
        "\"exp\":-0.5",
        "\"exp\":1e300",
        "\"exp\":1e999",
        "\"exp\":9223372036854775807",
        "\"exp\":9223372036854775808",
        "\"exp\":99999999999999999999",
        "\"exp\":NaN",
    };
    struct claims c;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (verify_at(BAD[i], 500, &c) != ERR_TOKEN)
            fail_msg("accepted: %s", BAD[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_another_implementation_hold),
        cmocka_unit_test(no_key_takes_a_token_of_another_algorithm),
        cmocka_unit_test(a_changed_character_anywhere_breaks_it),
        cmocka_unit_test(a_changed_character_breaks_public_key_tokens_too),
        cmocka_unit_test(a_cut_off_or_extended_token_is_refused),
        cmocka_unit_test(dots_alone_are_no_token),
        cmocka_unit_test(a_plain_header_holds),
        cmocka_unit_test(a_hostile_header_is_refused_though_its_signature_holds),
        cmocka_unit_test(an_unsigned_token_is_refused_by_every_key),
        cmocka_unit_test(a_public_key_is_never_taken_for_a_secret),
        cmocka_unit_test(the_longest_token_holds_and_one_byte_more_does_not),
        cmocka_unit_test(another_spelling_of_the_payload_is_refused_though_signed),
        cmocka_unit_test(a_payload_that_is_not_one_json_object_is_refused),
        cmocka_unit_test(what_is_missing_has_its_default),
        cmocka_unit_test(claims_of_the_wrong_kind_are_refused),
        cmocka_unit_test(ids_may_have_128_characters_and_not_more),
        cmocka_unit_test(every_byte_is_in_the_alphabet_of_ids_or_not),
        cmocka_unit_test(a_long_name_is_cut_between_code_points),
        cmocka_unit_test(roles_and_audiences_are_read),
        cmocka_unit_test(a_token_ends_at_the_second_it_names),
        cmocka_unit_test(a_token_begins_when_nbf_says),
        cmocka_unit_test(times_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
