/* The terms of a workspace (O1): the highest one that verifies, and those it goes back to. */
#include <stdlib.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/folder.h"

#include "term_priv.h"

struct loading {
    int directory;
    const struct riad_store_binding *binding;
    struct riad_signers *signers;
    const struct riad_id *workspace;
};

struct number_list {
    uint32_t *numbers;
    size_t count;
    size_t capacity;
};

static int add_number(struct number_list *list, uint32_t number)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 16;
        uint32_t *grown = reallocarray(list->numbers, capacity, sizeof *grown);

        if (!grown) {
            return -ENOMEM;
        }
        list->numbers = grown;
        list->capacity = capacity;
    }
    list->numbers[list->count++] = number;
    return 0;
}

static bool parse_name(const char *name, uint32_t *ret)
{
    uint8_t bytes[4];

    if (riad_hex_decode(name, bytes, sizeof bytes) < 0) {
        return false;
    }
    *ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return *ret > 0;
}

static int read_names(struct riad_folder *folder, struct number_list *list)
{
    const char *name = NULL;
    uint32_t number;
    int r;

    while ((r = riad_folder_next(folder, &name)) > 0) {
        r = parse_name(name, &number) ? add_number(list, number) : 0;
        if (r < 0) {
            return r;
        }
    }
    return r;
}

static int descending(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left < right) - (left > right);
}

static int list_numbers(int workspace_fd, struct number_list *list)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    int r = riad_folder_open(workspace_fd, "term", &folder);

    if (r < 0) {
        return r;
    }
    r = read_names(folder, list);
    if (r == 0 && list->count > 0) {
        qsort(list->numbers, list->count, sizeof *list->numbers, descending);
    }
    return r;
}

static int read_term(const struct loading *loading, uint32_t number, struct riad_term *ret)
{
    return riad_term_read(loading->directory, loading->binding, loading->signers,
            loading->workspace, number, ret);
}

/* The highest that verifies; ret->number is 0 if none does. */
static int find_last(
        const struct loading *loading, const struct number_list *list, struct riad_term *ret)
{
    *ret = (struct riad_term){ 0 };
    for (size_t i = 0; i < list->count; i++) {
        int r = read_term(loading, list->numbers[i], ret);

        if (r != -EBADMSG && r != -ENOENT) {
            return r;
        }
    }
    return 0;
}

/* Fills terms from the youngest to the oldest; there are at most max, as numbers fall. -EUCLEAN: a
 * link is missing, or a term claims to begin before the one before it did. */
static int follow(
        const struct loading *loading, struct riad_term *terms, size_t max, size_t *ret_count)
{
    size_t count = 1;

    while (terms[count - 1].previous != 0) {
        int r;

        if (count == max) {
            return -EUCLEAN;
        }
        r = read_term(loading, terms[count - 1].previous, &terms[count]);
        if (r == -EBADMSG || r == -ENOENT) {
            return -EUCLEAN;
        }
        if (r < 0) {
            return r;
        }
        if (terms[count].end.sequence.number > terms[count - 1].end.sequence.number) {
            return -EUCLEAN;
        }
        count++;
    }
    *ret_count = count;
    return 0;
}

static void reverse(struct riad_term *terms, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct riad_term swapped = terms[i];

        terms[i] = terms[count - 1 - i];
        terms[count - 1 - i] = swapped;
    }
}

/* terms are sorted, numbers fall. */
static uint32_t find_taken(
        const struct number_list *list, const struct riad_term *terms, size_t count)
{
    uint32_t taken = count > 0 ? terms[count - 1].number : 0;

    for (size_t i = list->count; i > 0 && taken < UINT32_MAX; i--) {
        if (list->numbers[i - 1] == taken + 1) {
            taken++;
        }
    }
    return taken;
}

static int load(
        const struct loading *loading, const struct number_list *list, struct riad_history *ret)
{
    _cleanup_free_ struct riad_term *terms = NULL;
    size_t count = 0;
    int r;

    terms = calloc(list->count, sizeof *terms);
    if (!terms) {
        return -ENOMEM;
    }
    r = find_last(loading, list, &terms[0]);
    if (r == 0 && terms[0].number > 0) {
        r = follow(loading, terms, list->count, &count);
    }
    if (r < 0) {
        return r;
    }
    reverse(terms, count);
    *ret = (struct riad_history){ .count = count, .taken = find_taken(list, terms, count) };
    if (count > 0) {
        ret->terms = riad_take_pointer(terms);
    }
    return 0;
}

int riad_history_load(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, struct riad_history *ret)
{
    _cleanup_close_ int directory = riad_open_dir_at(workspace_fd, "term");
    const struct loading loading = { directory, binding, signers, workspace };
    struct number_list list = { 0 };
    int r;

    if (directory < 0) {
        return directory;
    }
    r = list_numbers(workspace_fd, &list);
    if (r == 0 && list.count > 0) {
        r = load(&loading, &list, ret);
    } else if (r == 0) {
        *ret = (struct riad_history){ 0 };
    }
    free(list.numbers);
    return r;
}

void riad_history_done(struct riad_history *history)
{
    free(history->terms);
    *history = (struct riad_history){ 0 };
}

bool riad_history_bound(const struct riad_history *history, uint32_t term, struct riad_end *ret)
{
    for (size_t i = 0; i + 1 < history->count; i++) {
        if (history->terms[i].number == term) {
            *ret = history->terms[i + 1].end;
            return true;
        }
    }
    return false;
}
