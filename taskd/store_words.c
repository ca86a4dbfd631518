/* store_words.c -- see store_words.h.
 *
 * The database's own tokenizers were rejected: SQLite's and MongoDB's cut and fold by
 * different rules (MongoDB's also stems, and finds no prefixes). So texts are cut here, with
 * the C library's tables for Unicode, in a locale of our own: the process's says "C", in which only
 * ASCII has letters. Marks that combine with a letter before them are part of the word. */
#include "taskd/store_words.h"

#include <assert.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "common/mem.h"

static locale_t       unicode;
static pthread_once_t unicode_once = PTHREAD_ONCE_INIT;

static void on_first_use(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (unicode == NULL)                       /* a libc without it: ASCII alone */
        unicode = newlocale(LC_CTYPE_MASK, "C", NULL);
    assert(unicode != NULL);
}

/* One code point of well-formed UTF-8; what is not well-formed reads as a space. */
static wint_t next_point(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;
    int    more = p[0] < 0x80 ? 0 : p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : -1;
    wint_t c = more <= 0 ? p[0] : p[0] & (0x3fu >> more);

    if (more < 0) {
        *at += 1;
        return ' ';
    }
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *at += i;
            return ' ';
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    *at += more + 1;
    return c;
}

static size_t put_point(char *out, wint_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static bool is_word_point(wint_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return iswalnum_l(c, unicode) || (c >= 0x300 && c <= 0x36f);
}

static void add_word(struct words *w, size_t *room, const char *word, size_t len)
{
    if (w->count == *room) {
        *room = *room == 0 ? 32 : *room * 2;
        w->items = mem_resize(w->items, *room * sizeof(*w->items));
    }
    w->items[w->count++] = mem_strndup(word, len);
}

static void add_text(struct words *w, size_t *room, const char *text)
{
    char   word[STORE_WORD_BYTES + 4];
    size_t len = 0;
    bool   is_cut = false;

    if (text == NULL)
        return;
    while (*text != '\0') {
        wint_t c = next_point(&text);

        if (!is_word_point(c)) {
            if (len != 0)
                add_word(w, room, word, len);
            len = 0;
            is_cut = false;
        } else if (!is_cut) {
            size_t n = put_point(word + len, towlower_l(c, unicode));

            is_cut = len + n > STORE_WORD_BYTES;
            len += is_cut ? 0 : n;
        }
    }
    if (len != 0)
        add_word(w, room, word, len);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_distinct(struct words *w)
{
    size_t kept = 0;

    if (w->count == 0)
        return;
    qsort(w->items, w->count, sizeof(*w->items), by_bytes);
    for (size_t i = 1; i < w->count; i++) {
        if (strcmp(w->items[kept], w->items[i]) == 0)
            free(w->items[i]);
        else
            w->items[++kept] = w->items[i];
    }
    w->count = kept + 1;
}

void words_of_task(struct words *w, const struct task *t)
{
    size_t room = 0;

    pthread_once(&unicode_once, on_first_use);
    *w = (struct words){ NULL, 0 };
    add_text(w, &room, t->title);
    add_text(w, &room, t->description);
    sort_distinct(w);
}

void words_of_query(struct words *w, const char *text)
{
    size_t room = 0, kept = 0;

    pthread_once(&unicode_once, on_first_use);
    *w = (struct words){ NULL, 0 };
    add_text(w, &room, text);
    sort_distinct(w);
    /* Sorted by bytes, a word stands right before those it begins; they ask for more. */
    for (size_t i = 0; i < w->count; i++) {
        bool is_implied = i + 1 < w->count
            && strncmp(w->items[i + 1], w->items[i], strlen(w->items[i])) == 0;

        if (is_implied || kept == STORE_QUERY_WORDS)
            free(w->items[i]);
        else
            w->items[kept++] = w->items[i];
    }
    w->count = kept;
}

void words_deinit(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i]);
    free(w->items);
    *w = (struct words){ NULL, 0 };
}

static bool text_differs(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

bool words_differ(const struct task *a, const struct task *b)
{
    return text_differs(a->title, b->title) || text_differs(a->description, b->description);
}
