/* Access control lists as a program or a row has them (FORMAT 6.3). */
#include "riad/acl.h"

#include "fuzz.h"

static const struct fuzz_model model = {
    .data = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 5, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255,
            255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255 },
    .size = 44,
};

/* The list says what its mode says, and a mode that is put in comes out again. */
static void check_mode(struct riad_acl *acl)
{
    uint32_t mode = 0100000;

    riad_acl_to_mode(acl, &mode);
    FUZZ_ASSERT((mode & ~0777U) == 0100000);
    riad_acl_set_mode(acl, 0640);
    riad_acl_to_mode(acl, &mode);
    FUZZ_ASSERT(mode == 0100640);
    mode = 0100711;
    riad_acl_inherit(acl, &mode);
    FUZZ_ASSERT((mode & ~0711U) == 0100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    uint8_t encoded[RIAD_ACL_SIZE_MAX];
    struct riad_acl acl;
    int r;

    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    r = riad_acl_decode(bytes.data, bytes.size, &acl);
    FUZZ_ASSERT(r == 0 || r == -EINVAL || r == -EOPNOTSUPP || r == -E2BIG);
    FUZZ_ASSERT(r == 0 || !fuzz_is_model(&bytes, &model));
    if (r < 0) {
        return 0;
    }
    FUZZ_ASSERT(acl.count <= RIAD_ACL_ENTRIES_MAX);
    if (acl.count > 0) {
        FUZZ_ASSERT(riad_acl_encode(&acl, encoded) == bytes.size);
        FUZZ_ASSERT(memcmp(encoded, bytes.data, 4) == 0);
        check_mode(&acl);
    }
    return 0;
}
