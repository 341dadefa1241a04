/* riad quota report: all workspaces, with repquota's columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "quota.h"

enum { NAME_LEAST = 12, NAME_MOST = 64, DAY = 86400 };

typedef const char *(*figure_function)(uint64_t value, char ret[32]);

/* Blocks of 1 KiB; a limit that is less than one is not none. */
static const char *show_kib(uint64_t bytes, char ret[32])
{
    snprintf(ret, 32, "%llu", (unsigned long long)(bytes / 1024 + (bytes % 1024 > 0)));
    return ret;
}

static const char *show_plain(uint64_t count, char ret[32])
{
    snprintf(ret, 32, "%llu", (unsigned long long)count);
    return ret;
}

/* Without the space of what people read, which would be another column. */
static const char *squeeze(char text[32])
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        if (*in != ' ') {
            *out++ = *in;
        }
    }
    *out = 0;
    return text;
}

static const char *show_human_bytes(uint64_t bytes, char ret[32])
{
    show_bytes(bytes, false, ret);
    return squeeze(ret);
}

static const char *show_human_count(uint64_t count, char ret[32])
{
    show_count(count, false, ret);
    return squeeze(ret);
}

/* As repquota: days, or hours and minutes; "none" if it is over, empty if it has not begun. */
static const char *show_grace(int64_t left, char ret[32])
{
    if (left < 0) {
        return "";
    }
    if (left == 0) {
        return "none";
    }
    if (left >= 2 * DAY) {
        snprintf(ret, 32, "%llddays", (long long)left / DAY);
    } else {
        snprintf(ret, 32, "%02lld:%02lld", (long long)left / 3600, (long long)left / 60 % 60);
    }
    return ret;
}

static void print_resource(const struct quota_row *row, const struct quota_resource *resource,
        int64_t now, figure_function show)
{
    char used[32], soft[32], hard[32], grace[32];

    printf(" %9s %9s %9s %6s", row->known ? show(resource->used, used) : "?",
            show(resource->soft, soft), show(resource->hard, hard),
            row->known ? show_grace(grace_left(resource, now), grace) : "");
}

/* What the rows are of, in a head, a column and a list. */
static const char *kind_of(const struct options *options, const char *const names[3])
{
    return names[options->users ? 1 : options->groups ? 2 : 0];
}

static void print_head(const struct options *options, const struct quota_rows *rows, int width)
{
    static const char *const kinds[] = { "workspace", "user", "group" };
    static const char *const columns[] = { "Workspace", "User", "Group" };
    char bytes[32], inodes[32];

    printf("*** Report for %s quotas%s%s\n", kind_of(options, kinds), rows->store ? " of " : "",
            rows->store ? rows->store : "");
    printf("Block grace time: %s; Inode grace time: %s\n",
            show_grace((int64_t)rows->grace[0], bytes),
            show_grace((int64_t)rows->grace[1], inodes));
    printf("%-*s    %36s %36s\n", width, "", "Block limits           ", "File limits           ");
    printf("%-*s    %9s %9s %9s %6s %9s %9s %9s %6s\n", width, kind_of(options, columns), "used",
            "soft", "hard", "grace", "used", "soft", "hard", "grace");
    for (int i = 0; i < width + 4 + 36 + 1 + 36; i++) {
        putchar('-');
    }
    putchar('\n');
}

static int name_width(const struct quota_rows *rows)
{
    size_t width = NAME_LEAST;

    for (size_t i = 0; i < rows->count; i++) {
        size_t size = strlen(rows->rows[i].name);

        width = size > width ? size : width;
    }
    return (int)(width > NAME_MOST ? NAME_MOST : width);
}

static int print_table(const struct options *options, const struct quota_rows *rows)
{
    int width = name_width(rows);

    print_head(options, rows, width);
    for (size_t i = 0; i < rows->count; i++) {
        const struct quota_row *row = &rows->rows[i];

        printf("%-*s %c%c", width, row->name, row->known && is_over(&row->bytes) ? '+' : '-',
                row->known && is_over(&row->inodes) ? '+' : '-');
        print_resource(row, &row->bytes, rows->now, options->human ? show_human_bytes : show_kib);
        print_resource(
                row, &row->inodes, rows->now, options->human ? show_human_count : show_plain);
        putchar('\n');
    }
    return RIAD_EXIT_DONE;
}

/* --- for programs --- */

static void print_quoted(const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') {
            putchar('"');
        }
        putchar(*text);
    }
    putchar('"');
}

static const char *status_of(const struct quota_row *row, const struct quota_resource *resource)
{
    return !row->known                                              ? "unknown"
           : resource->hard > 0 && resource->used >= resource->hard ? "hard"
           : is_over(resource)                                      ? "soft"
                                                                    : "ok";
}

static void print_columns(const struct quota_row *row, const struct quota_resource *resource,
        int64_t now, figure_function show)
{
    char used[32], soft[32], hard[32];
    int64_t left = row->known ? grace_left(resource, now) : -1;

    printf(",%s,%s,%s,", row->known ? show(resource->used, used) : "", show(resource->soft, soft),
            show(resource->hard, hard));
    if (left >= 0) {
        printf("%lld", (long long)left);
    }
}

/* Blocks in KiB, graces in seconds; what is not known, and a grace that has not begun, is empty. */
static int print_csv(const struct options *options, const struct quota_rows *rows)
{
    static const char *const columns[] = { "Workspace", "User", "Group" };

    printf("%s,BlockStatus,FileStatus,BlockUsed,BlockSoftLimit,BlockHardLimit,BlockGrace,"
           "FileUsed,FileSoftLimit,FileHardLimit,FileGrace,AsOf\n",
            kind_of(options, columns));
    for (size_t i = 0; i < rows->count; i++) {
        const struct quota_row *row = &rows->rows[i];
        const json_t *as_of = json_object_get(row->item, "as_of");

        print_quoted(row->name);
        printf(",%s,%s", status_of(row, &row->bytes), status_of(row, &row->inodes));
        print_columns(row, &row->bytes, rows->now, show_kib);
        print_columns(row, &row->inodes, rows->now, show_plain);
        putchar(',');
        if (json_is_integer(as_of)) {
            printf("%lld", (long long)json_integer_value(as_of));
        }
        putchar('\n');
    }
    return RIAD_EXIT_DONE;
}

static int print_as_json(const struct options *options, const struct quota_rows *rows)
{
    static const char *const lists[] = { "workspaces", "users", "groups" };
    json_t *list = json_array();

    for (size_t i = 0; i < rows->count; i++) {
        json_array_append_new(list, pack_row(&rows->rows[i], rows->now));
    }
    return print_json(json_pack("{s:s?, s:I, s:I, s:o}", "store", rows->store,
            "bytes_grace_seconds", (json_int_t)rows->grace[0], "inodes_grace_seconds",
            (json_int_t)rows->grace[1], kind_of(options, lists), list));
}

/* --- which, and in which order --- */

static int parse_order(const char *text, enum quota_order *ret)
{
    static const char *const names[] = {
        [QUOTA_BY_NAME] = "name", [QUOTA_BY_USED] = "used", [QUOTA_BY_SHARE] = "share"
    };

    *ret = QUOTA_BY_NAME;
    for (unsigned i = 0; text && i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = i;
            return RIAD_EXIT_DONE;
        }
    }
    return text ? usage_error("--sort is name, used or share, not `%s`", text) : RIAD_EXIT_DONE;
}

static void keep_over(struct quota_rows *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct quota_row *row = &rows->rows[i];

        if (row->known && (is_over(&row->bytes) || is_over(&row->inodes))) {
            rows->rows[kept++] = *row;
        }
    }
    rows->count = kept;
}

static int gather_mounted(const struct options *options, struct quota_rows *ret)
{
    struct riad_state state;
    json_t *mounts;
    int code = open_mounts(options, &state, &mounts);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    riad_state_close(&state);
    code = gather_mounts(mounts, ret);
    json_decref(mounts);
    return code;
}

static int gather(const struct options *options, const char *store, struct quota_rows *ret)
{
    if (options->users || options->groups) {
        return gather_subjects(options, ret);
    }
    if (store) {
        return gather_store(options, store, NULL, ret);
    }
    return has_site(options) ? gather_site(options, false, ret) : gather_mounted(options, ret);
}

int command_quota_report(int argc, char **argv)
{
    _cleanup_quota_rows_ struct quota_rows rows = { 0 };
    struct options options;
    enum quota_order order;
    int code, r = parse_options(argc, argv, "pPrksRcjZzvTyeg", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 < argc) {
        return usage_error("name one store, or none for the site, or for what is mounted");
    }
    if (options.workspaces + options.users + options.groups > 1 ||
            ((options.users || options.groups) && optind < argc)) {
        return usage_error("--workspace, --user or --group; users and groups are a site's");
    }
    if (options.json && options.csv) {
        return usage_error("--json or --csv");
    }
    code = parse_order(options.sort, &order);
    code = code == RIAD_EXIT_DONE ? gather(&options, argv[optind], &rows) : code;
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (options.over) {
        keep_over(&rows);
    }
    sort_rows(&rows, order);
    return options.json  ? print_as_json(&options, &rows)
           : options.csv ? print_csv(&options, &rows)
                         : print_table(&options, &rows);
}
