/* Whose calls are counted is told by a table of descriptors, in pages that are made when they are
 * needed and never freed: a look-up takes no lock. */
#include "riad/store_calls.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "store_calls_priv.h"

enum { PAGES = 1024, PAGE = 1024 }; /* a process has at most 2^20 descriptors (fs.nr_open) */

struct page {
    _Atomic(struct riad_store_calls *) calls[PAGE]; /* NULL: not counted */
};

static _Atomic(struct page *) pages[PAGES];

static const char *const names[RIAD_CALL_KINDS] = {
    [RIAD_CALL_OPEN] = "open",
    [RIAD_CALL_CREATE] = "create",
    [RIAD_CALL_CLOSE] = "close",
    [RIAD_CALL_READ] = "read",
    [RIAD_CALL_WRITE] = "write",
    [RIAD_CALL_SYNC] = "sync",
    [RIAD_CALL_RESIZE] = "resize",
    [RIAD_CALL_STAT] = "stat",
    [RIAD_CALL_NAME] = "name",
    [RIAD_CALL_LIST] = "list",
    [RIAD_CALL_ADVISE] = "advise",
};

static struct page *page_of(int fd)
{
    return fd < 0 || fd >= PAGES * PAGE ? NULL : atomic_load(&pages[fd / PAGE]);
}

static struct riad_store_calls *calls_of(int fd)
{
    struct page *page = page_of(fd);

    return page ? atomic_load(&page->calls[fd % PAGE]) : NULL;
}

static struct page *need_page(int fd)
{
    struct page *page = page_of(fd), *none = NULL;

    if (page || fd < 0 || fd >= PAGES * PAGE) {
        return page;
    }
    page = calloc(1, sizeof *page);
    if (page && !atomic_compare_exchange_strong(&pages[fd / PAGE], &none, page)) {
        free(page);
        page = none; /* another thread was faster */
    }
    return page;
}

static void set_calls(int fd, struct riad_store_calls *calls)
{
    struct page *page = calls ? need_page(fd) : page_of(fd);

    if (page) {
        atomic_store(&page->calls[fd % PAGE], calls);
    }
}

void riad_store_calls_add(enum riad_store_call kind, int fd)
{
    struct riad_store_calls *calls = calls_of(fd);

    if (calls) {
        atomic_fetch_add_explicit(&calls->calls[kind], 1, memory_order_relaxed);
    }
}

void riad_store_calls_opened(int directory_fd, int fd)
{
    if (fd >= 0) {
        set_calls(fd, calls_of(directory_fd));
    }
}

void riad_store_calls_closing(int fd)
{
    set_calls(fd, NULL);
}

void riad_store_calls_begin(int directory_fd, struct riad_store_calls *calls)
{
    set_calls(directory_fd, calls);
}

static void end_in_page(struct page *page, struct riad_store_calls *calls)
{
    for (int i = 0; i < PAGE; i++) {
        struct riad_store_calls *own = calls;

        atomic_compare_exchange_strong(&page->calls[i], &own, NULL);
    }
}

void riad_store_calls_end(struct riad_store_calls *calls)
{
    for (int i = 0; i < PAGES; i++) {
        struct page *page = atomic_load(&pages[i]);

        if (page) {
            end_in_page(page, calls);
        }
    }
}

void riad_store_calls_read(const struct riad_store_calls *calls, uint64_t ret[RIAD_CALL_KINDS])
{
    for (int i = 0; i < RIAD_CALL_KINDS; i++) {
        ret[i] = atomic_load_explicit(&calls->calls[i], memory_order_relaxed);
    }
}

const char *riad_store_call_name(enum riad_store_call kind)
{
    return names[kind];
}
