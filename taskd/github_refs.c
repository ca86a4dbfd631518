/* github_refs.c -- which issues does a pull request say it closes?
 *
 * GitHub's own rules: one of nine words, an optional colon, white space, and a reference:
 * `#42`, `GH-42`, `owner/repo#42` or the issue's link. What stands in a comment of HTML (the
 * unfilled lines of a template: "<!-- Fixes #123 -->") or in code is not meant. References to
 * other repositories are passed over: a pull request there belongs to no task here.
 *
 * A look at the words rather than a Markdown parser: what the two see differently (an
 * indented block of code) costs one look-up that finds nothing. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "proto/url.h"
#include "taskd/github.h"

#define TEXT_BYTES_MAX    65536                /* GitHub's own ceiling for a body: 65,536 characters */
#define NUMBER_DIGITS_MAX 10

static const char *const WORDS[] = { "close", "closes", "closed", "fix", "fixes", "fixed",
                                     "resolve", "resolves", "resolved" };

/* Neither `_` (emphasis) nor what is beyond ASCII (a dash, an emoji) is part of a word here. */
static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t run_of(struct slice text, char c)
{
    size_t n = 0;

    while (n < text.len && text.data[n] == c)
        n++;
    return n;
}

/* After an opening run of backticks: what follows the closing run of the same length, or, if
 * there is none, what follows the opening. */
static struct slice skip_code(struct slice text)
{
    size_t       opening = run_of(text, '`');
    struct slice after = slice_from(text, opening);
    struct slice rest = after;

    while (rest.len > 0) {
        const char *at = memchr(rest.data, '`', rest.len);
        size_t      n;

        if (at == NULL)
            break;
        rest = slice_from(rest, (size_t)(at - rest.data));
        n = run_of(rest, '`');
        rest = slice_from(rest, n);
        if (n == opening)
            return rest;
    }
    return after;
}

static struct slice skip_comment(struct slice text)
{
    const char *end = memmem(text.data, text.len, "-->", 3);

    return slice_from(text, end == NULL ? text.len : (size_t)(end - text.data) + 3);
}

/* The closing word that `text` begins with; 0: none. */
static size_t closing_word(struct slice text)
{
    size_t n = 0;

    while (n < text.len && is_word_char(text.data[n]))
        n++;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_is_nocase(slice_make(text.data, n), WORDS[i]))
            return n;
    }
    return 0;
}

/* The number that `text` begins with; 0 where it is none, or runs on as a word. */
static int64_t number_of(struct slice text)
{
    int64_t number = 0;
    size_t  n = 0;

    while (n < text.len && text.data[n] >= '0' && text.data[n] <= '9') {
        if (n == NUMBER_DIGITS_MAX)
            return 0;
        number = number * 10 + (text.data[n++] - '0');
    }
    return n < text.len && is_word_char(text.data[n]) ? 0 : number;
}

static bool same_repo(struct slice a, struct slice b)
{
    return a.len == b.len && a.len > 0 && strncasecmp(a.data, b.data, a.len) == 0;
}

/* The issue of `repo` that the reference at the beginning of `text` names; 0: none. */
static int64_t reference_of(struct slice text, struct slice repo)
{
    struct slice token = text;
    struct slice rest;
    struct slice link_repo;

    if (slice_starts(text, "#"))
        return number_of(slice_from(text, 1));
    if (text.len > 3 && strncasecmp(text.data, "GH-", 3) == 0)
        return number_of(slice_from(text, 3));
    for (token.len = 0; token.len < text.len && !is_space(text.data[token.len]);)
        token.len++;
    if (slice_starts(token, "https://") || slice_starts(token, "http://")) {
        while (token.len > 0 && strchr(".,;:!?)", token.data[token.len - 1]) != NULL)
            token.len--;                       /* the sentence's, not the link's */
        link_repo = url_issue_repo(token);
        return same_repo(link_repo, repo)
            ? number_of(slice_from(slice_make(link_repo.data,
                                              (size_t)(token.data + token.len - link_repo.data)),
                                   link_repo.len + sizeof("/issues/") - 1)) : 0;
    }
    rest = token;
    if (!same_repo(slice_cut(&rest, '#'), repo))
        return 0;
    return number_of(rest);
}

/* What stands after a closing word: an optional colon, and white space; empty otherwise. */
static struct slice after_word(struct slice text)
{
    size_t n = 0;

    if (text.len > 0 && text.data[0] == ':')
        text = slice_from(text, 1);
    while (n < text.len && is_space(text.data[n]))
        n++;
    return n == 0 ? slice_make(text.data, 0) : slice_from(text, n);
}

static size_t add_issue(int64_t issues[GITHUB_ISSUES_MAX], size_t count, int64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (issues[i] == number)
            return count;
    }
    if (number > 0 && count < GITHUB_ISSUES_MAX)
        issues[count++] = number;
    return count;
}

size_t github_find_issues(struct slice text, struct slice repo, int64_t issues[GITHUB_ISSUES_MAX],
                          size_t count)
{
    bool is_inside = false;                    /* of a word */

    if (text.len > TEXT_BYTES_MAX)
        text.len = TEXT_BYTES_MAX;
    while (text.len > 0 && count < GITHUB_ISSUES_MAX) {
        size_t word = is_inside ? 0 : closing_word(text);

        if (slice_starts(text, "<!--")) {
            text = skip_comment(text);
        } else if (text.data[0] == '`') {
            text = skip_code(text);
        } else if (word > 0) {
            text = slice_from(text, word);
            count = add_issue(issues, count, reference_of(after_word(text), repo));
        } else {
            is_inside = is_word_char(text.data[0]) || text.data[0] == '-';
            text = slice_from(text, 1);
            continue;
        }
        is_inside = false;
    }
    return count;
}
