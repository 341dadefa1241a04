/* Who is told when the limit of a user or group is nearly used up, or something was refused. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "riad/limit_marks.h"

#include "event_queue_priv.h"
#include "site_shares_priv.h"

struct riad_told_subject {
    enum riad_catalog_subject_kind kind;
    uint32_t id;
    unsigned marks[RESOURCES]; /* what was told (riad/limit_marks.h) */
};

/* One resource, as it is. */
struct measure {
    unsigned resource;
    uint64_t used;
    struct bound bound;
    bool refused;
};

static struct riad_told_subject *find_told(
        struct riad_site_host *site, const struct riad_catalog_subject *subject)
{
    struct riad_told_subject *told;

    for (size_t i = 0; i < site->told_count; i++) {
        if (site->told[i].kind == subject->kind && site->told[i].id == subject->id) {
            return &site->told[i];
        }
    }
    told = reallocarray(site->told, site->told_count + 1, sizeof *told);
    if (!told) {
        return NULL;
    }
    site->told = told;
    told[site->told_count] = (struct riad_told_subject){ .kind = subject->kind, .id = subject->id };
    return &told[site->told_count++];
}

/* (lock) What is there in workspaces that are open here, and what is granted to others. Of the one
 * that asks, or NULL: what it asks for, as far as it is granted. */
static struct riad_usage used_of(struct riad_site_host *site, const struct riad_mount *asking,
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    struct riad_usage sum = { 0 };

    for (size_t i = 0; i < subject->grant_count; i++) {
        const struct riad_catalog_grant *grant = &subject->grants[i];
        struct riad_usage used = { .blocks = grant->bytes / RIAD_BLOCK_SIZE,
            .inodes = grant->inodes };
        struct riad_mount *mount = riad_site_hold(site, &grant->workspace);
        int r = 0;

        if (mount && mount == asking) {
            used.blocks = smaller(used.blocks, needed->blocks);
            used.inodes = smaller(used.inodes, needed->inodes);
        } else if (mount) {
            r = riad_workspace_owner_usage(
                    mount->workspace, (enum riad_subject)subject->kind, subject->id, &used);
        }
        if (mount) {
            riad_host_unhold(&site->host, mount);
        }
        sum.blocks += r < 0 ? 0 : used.blocks;
        sum.inodes += r < 0 ? 0 : used.inodes;
    }
    return sum;
}

struct telling {
    struct riad_site_host *site;
    const struct riad_catalog_subject *subject;
    const struct measure *measure;
};

/* What holds now; 0: nothing. */
static uint64_t most_of(const struct bound *bound)
{
    uint64_t most = ceiling(bound, (uint64_t)time(NULL));

    return most < UINT64_MAX ? most : 0;
}

/* Of no workspace: its members need not know. The number comes first: commands are told it. */
static void tell(void *context, enum riad_limit_mark mark, const char *what)
{
    static const struct riad_id none;
    const struct telling *telling = context;
    const struct measure *measure = telling->measure;
    const struct bound *bound = &measure->bound;
    bool is_bytes = measure->resource == BYTES;
    char text[RIAD_EVENT_QUEUE_TEXT], used[32], limit[32], grace[64] = "";

    riad_limit_show(is_bytes, measure->used, used);
    riad_limit_show(is_bytes,
            mark == RIAD_MARK_SOFT   ? bound->soft
            : mark == RIAD_MARK_HARD ? most_of(bound)
                                     : bound->hard,
            limit);
    if (mark == RIAD_MARK_SOFT) {
        riad_limit_show_grace(bound->since, bound->grace, grace);
    }
    snprintf(text, sizeof text, "%s %u: %s in all workspaces: %s: %s of %s%s",
            telling->subject->kind == RIAD_CATALOG_USER ? "uid" : "gid", telling->subject->id,
            is_bytes ? "space" : "inodes", what, used, limit, grace);
    riad_host_queue_event(&telling->site->host, &none, "limit", text);
}

static void watch(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        const struct measure *measure, unsigned *told)
{
    struct telling telling = { site, subject, measure };
    const struct bound *bound = &measure->bound;
    const struct riad_limit_measure looked = { measure->used, bound->soft, bound->hard,
        most_of(bound), measure->refused };

    if (is_bound(bound)) {
        riad_limit_marks_look(&looked, told, tell, &telling);
    }
}

void riad_site_watch_subject(struct riad_site_host *site, const struct riad_mount *mount,
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    static const struct riad_usage nothing;
    const struct riad_catalog_grant none = { 0 };
    const struct riad_catalog_grant *grant =
            mount ? riad_catalog_find_grant(subject, &mount->id) : NULL;
    struct riad_usage usage = used_of(site, mount, subject, needed ? needed : &nothing);
    struct amount used = amount_of(&usage), wanted = amount_of(needed ? needed : &nothing);
    struct riad_told_subject *told = find_told(site, subject);
    struct amount granted;

    grant = grant ? grant : &none;
    granted = (struct amount){ { grant->bytes, grant->inodes } };
    for (unsigned i = 0; told && i < RESOURCES; i++) { /* without memory nobody is told */
        struct measure measure = { i, used.of[i], bound_of(&subject->limit, &subject->clock, i),
            wanted.of[i] > granted.of[i] };

        watch(site, subject, &measure, &told->marks[i]);
    }
}

/* Only where so much is granted can there be something to tell, or not any more. */
static bool is_near(const struct riad_catalog_subject *subject)
{
    static const struct share_changes none;
    struct amount sum = riad_shares_sum(subject, &none);
    bool near = false;

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &subject->clock, i);

        near |= (bound.hard > 0 && sum.of[i] >= bound.hard / 4 * 3) ||
                (bound.soft > 0 && sum.of[i] >= bound.soft / 4 * 3) || bound.since > 0;
    }
    return near;
}

/* A clock goes on, and no more is used than the soft limit; or little is left of a limit, and much
 * of what is granted here is not used any more: others may need it. */
static bool is_to_be_given_back(
        struct riad_site_host *site, const struct riad_catalog_subject *subject)
{
    static const struct share_changes none;
    struct riad_usage usage = used_of(site, NULL, subject, NULL);
    struct amount used = amount_of(&usage), sum = riad_shares_sum(subject, &none);
    bool back = false;

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &subject->clock, i);
        uint64_t most = most_of(&bound);

        back |= bound.since > 0 && used.of[i] <= bound.soft;
        back |= less(most, sum.of[i]) < most / SCARCE &&
                less(sum.of[i], used.of[i]) > most / SCARCE;
    }
    return back;
}

void riad_site_watch_subjects(struct riad_site_host *site)
{
    riad_site_register_exempt(site);
    for (size_t i = 0; i < site->catalog.subject_count; i++) {
        const struct riad_catalog_subject *subject = &site->catalog.subjects[i];

        if (!is_near(subject)) {
            continue;
        }
        if (is_to_be_given_back(site, subject)) {
            int r = riad_site_release_spare(site, subject->kind, subject->id);

            (void)r;                              /* it is tried again */
            subject = &site->catalog.subjects[i]; /* the list is another one, of the same */
        }
        riad_site_watch_subject(site, NULL, subject, NULL);
    }
}
