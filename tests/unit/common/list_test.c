/* list_test.c -- order, removal and splicing of common/list. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/list.h"

struct item {
    int         n;
    struct list in_list;
};

static int digits_of(const struct list *head)
{
    int digits = 0;

    for (const struct list *node = head->next; node != head; node = node->next)
        digits = digits * 10 + container_of(node, const struct item, in_list)->n;
    return digits;
}

static void fill(struct list *head, struct item *items, int count)
{
    list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].n = i + 1;
        list_append(head, &items[i].in_list);
    }
}

static void appended_nodes_keep_their_order(void **state)
{
    struct list head;
    struct item items[3];

    (void)state;
    fill(&head, items, 3);
    assert_int_equal(digits_of(&head), 123);
    assert_false(list_is_empty(&head));
}

static void inserting_before_the_first_puts_it_in_front(void **state)
{
    struct list head;
    struct item items[3], extra = { .n = 9 };

    (void)state;
    fill(&head, items, 3);
    list_insert_before(head.next, &extra.in_list);
    assert_int_equal(digits_of(&head), 9123);
}

static void removing_twice_is_harmless(void **state)
{
    struct list head;
    struct item items[3];

    (void)state;
    fill(&head, items, 3);
    list_remove(&items[1].in_list);
    assert_true(list_is_empty(&items[1].in_list));
    list_remove(&items[1].in_list);
    assert_int_equal(digits_of(&head), 13);
}

static void the_first_is_taken_until_none_is_left(void **state)
{
    struct list head;
    struct item items[2];

    (void)state;
    fill(&head, items, 2);
    assert_ptr_equal(list_take_first(&head), &items[0].in_list);
    assert_ptr_equal(list_take_first(&head), &items[1].in_list);
    assert_null(list_take_first(&head));
    assert_true(list_is_empty(&head));
}

static void splicing_moves_all_to_the_end(void **state)
{
    struct list a, b = LIST_INIT(b);
    struct item items[2], more = { .n = 7 };

    (void)state;
    fill(&a, items, 2);
    list_append(&b, &more.in_list);
    list_splice(&b, &a);
    assert_int_equal(digits_of(&b), 712);
    assert_true(list_is_empty(&a));
    list_splice(&b, &a);
    assert_int_equal(digits_of(&b), 712);
}

static void nodes_may_go_while_walking(void **state)
{
    struct list head;
    struct item items[4];

    (void)state;
    fill(&head, items, 4);
    list_each_safe(node, &head) {
        if (container_of(node, struct item, in_list)->n % 2 == 0)
            list_remove(node);
    }
    assert_int_equal(digits_of(&head), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_nodes_keep_their_order),
        cmocka_unit_test(inserting_before_the_first_puts_it_in_front),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(the_first_is_taken_until_none_is_left),
        cmocka_unit_test(splicing_moves_all_to_the_end),
        cmocka_unit_test(nodes_may_go_while_walking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
