/* Access control lists written as setfacl takes them: "u::7 u:12:5 g::5 m::5 o::0". */
#ifndef RIAD_TESTS_ACL_H
#define RIAD_TESTS_ACL_H

#include <stdlib.h>

#include "riad/acl.h"

#include "unit.h"

#define NOBODY ((uint32_t)ACL_UNDEFINED_ID)

static inline struct riad_acl acl_of(const char *text)
{
    static const char letters[] = "ugmo";
    static const uint16_t plain[] = { ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER };
    static const uint16_t named[] = { ACL_USER, ACL_GROUP, 0, 0 };
    struct riad_acl acl = { .count = 0 };

    while (*text) {
        struct riad_acl_entry *entry = &acl.entries[acl.count++];
        long kind = strchr(letters, text[0]) - letters;
        char *end;

        entry->tag = text[2] == ':' ? plain[kind] : named[kind];
        entry->id = text[2] == ':' ? NOBODY : (uint32_t)strtoul(text + 2, NULL, 10);
        text = strchr(text + 2, ':');
        entry->permissions = (uint16_t)strtoul(text + 1, &end, 10);
        text = end + strspn(end, " ");
    }
    return acl;
}

static inline void assert_acl(const struct riad_acl *acl, const char *text)
{
    struct riad_acl expected = acl_of(text);

    assert_int_equal(acl->count, expected.count);
    assert_memory_equal(acl->entries, expected.entries, acl->count * sizeof acl->entries[0]);
}

#endif
