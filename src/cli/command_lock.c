/* riad lock: unmounts workspaces by their names, or all. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Without names: all of one's own. root sees everybody's, and does not mean them. */
static bool is_wanted(const json_t *mount, int count, char **names)
{
    const json_t *owner = json_object_get(mount, "owner");

    for (int i = 0; i < count; i++) {
        if (strcmp(json_text(mount, "workspace"), names[i]) == 0) {
            return true;
        }
    }
    return count == 0 && (!owner || json_integer_value(owner) == (json_int_t)geteuid());
}

/* Every name must be one of a mount. */
static int check_names(const json_t *mounts, int count, char **names)
{
    for (int i = 0; i < count; i++) {
        const json_t *mount;
        bool found = false;
        size_t j;

        json_array_foreach(mounts, j, mount)
        {
            found = found || is_wanted(mount, 1, &names[i]);
        }
        if (!found) {
            return fail(RIAD_EXIT_NOT_MOUNTED,
                    "no workspace `%s` of yours is mounted: `riad status` shows what is", names[i]);
        }
    }
    return RIAD_EXIT_DONE;
}

/* One that is in use does not save the others. */
static int lock_all(const struct options *options, const struct riad_state *state,
        const json_t *mounts, int count, char **names)
{
    int code = RIAD_EXIT_DONE;
    const json_t *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        if (is_wanted(mount, count, names)) {
            int one = unmount_one(state, mount, options->lazy, options->force);

            code = one != RIAD_EXIT_DONE ? one : code;
        }
    }
    return code;
}

int command_lock(int argc, char **argv)
{
    struct riad_state state;
    struct options options;
    json_t *mounts;
    int code, r = parse_options(argc, argv, "lFs", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    code = open_mounts(&options, &state, &mounts);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = check_names(mounts, argc - optind, argv + optind);
    if (code == RIAD_EXIT_DONE) {
        code = lock_all(&options, &state, mounts, argc - optind, argv + optind);
    }
    json_decref(mounts);
    riad_state_close(&state);
    return code;
}
