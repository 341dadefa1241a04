/* Counting anew what the limits of a mount are about (riad/recount.h). */
#include "riad/error.h"
#include "riad/recount.h"

#include "control_priv.h"
#include "host_priv.h"

enum { LISTED_MAX = 256 }; /* of what is found: an answer is bounded */

static const char *kind_of(const struct riad_miscount *miscount)
{
    static const char *const names[] = { "inode", "workspace", "user", "group" };

    return names[miscount->subject];
}

static int add(void *context, const struct riad_miscount *miscount)
{
    json_t *list = context;

    if (json_array_size(list) < LISTED_MAX) {
        json_array_append_new(list,
                json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "kind", kind_of(miscount), "id",
                        (json_int_t)miscount->id, "bytes_kept",
                        (json_int_t)(miscount->kept.blocks * RIAD_BLOCK_SIZE), "bytes_counted",
                        (json_int_t)(miscount->counted.blocks * RIAD_BLOCK_SIZE), "inodes_kept",
                        (json_int_t)miscount->kept.inodes, "inodes_counted",
                        (json_int_t)miscount->counted.inodes));
    }
    return 0;
}

json_t *riad_host_recount(struct riad_mount *mount, const json_t *request)
{
    bool repair = json_is_true(json_object_get(request, "repair"));
    json_t *list = json_array();
    uint64_t found = 0;
    int r = list ? riad_workspace_recount(mount->workspace, repair, add, list, &found) : -ENOMEM;

    if (r < 0) {
        json_decref(list);
        return riad_control_failure(riad_exit_of(r),
                r == -EROFS     ? "it is read-only: nothing can be mended"
                : r == -EUCLEAN ? "the index cannot be read: unmount, remove the local state of "
                                  "the workspace, and mount again: it is made anew"
                                : strerror(-r));
    }
    return json_pack("{s:b, s:I, s:b, s:o}", "ok", 1, "miscounts", (json_int_t)found, "repaired",
            repair && found > 0, "found", list);
}
