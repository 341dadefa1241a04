/* Projects and lists of members in few letters, for the tests of the catalog. For tests only. */
#ifndef RIAD_TESTS_CATALOG_PROJECT_FIXTURE_H
#define RIAD_TESTS_CATALOG_PROJECT_FIXTURE_H

#include "catalog_fixture.h"
#include "catalog_priv.h"

static inline struct riad_catalog_workspace project_of(uint8_t number, const char *name)
{
    struct riad_catalog_workspace project = { .id = id_of(number),
        .kind = RIAD_KIND_PROJECT,
        .owner = fixture.user.id,
        .limit = { .bytes_hard = number } };

    snprintf(project.name, sizeof project.name, "%s", name);
    return project;
}

/* A letter for each role, and what stands beside roles: 0 and 4. */
static const char roles[] = "-mwr?";

/* The roster's members: a letter for the role and one for the id, each. */
enum { MEMBERS_MAX = 16 };

static inline size_t parse_members(const char *text, struct riad_member ret[MEMBERS_MAX])
{
    size_t count = strlen(text) / 2;

    for (size_t i = 0; i < count; i++) {
        ret[i] = (struct riad_member){ .user = id_of((uint8_t)text[2 * i + 1]),
            .role = (enum riad_role)(strchr(roles, text[2 * i]) - roles) };
    }
    return count;
}

#endif
