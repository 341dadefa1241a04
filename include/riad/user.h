/* Layer catalog. A user's file: public keys, and the slots that open the private ones (FORMAT 3.1,
 * K1). */
#ifndef RIAD_USER_H
#define RIAD_USER_H

#include "riad/fdio.h"
#include "riad/store.h"

enum { RIAD_SLOTS_MAX = 16, RIAD_RECOVERY_TEXT_SIZE = 64 /* 56 characters, 7 dashes, a zero */ };
enum riad_slot_kind { RIAD_SLOT_PASSPHRASE = 1, RIAD_SLOT_RECOVERY, RIAD_SLOT_KEY_FILE };
/* What a person calls the secret of a slot. Static. */
const char *riad_slot_name(enum riad_slot_kind kind);

struct riad_slot {
    enum riad_slot_kind kind;
    uint32_t generation;
    struct timespec created;
    uint8_t kdf, log_n;
    uint32_t r, p;
    uint8_t salt[32];
    uint8_t commitment[32];
    uint8_t nonce[12];
    uint8_t sealed[80];
};

struct riad_user {
    struct riad_id id;
    struct timespec created;
    uint32_t generation;
    struct riad_public_key wrap_key, sign_key;
    size_t slot_count;
    struct riad_slot slots[RIAD_SLOTS_MAX];
    char name[256];
};

/* A new user with fresh key pairs and no slots; *ret_keys is the caller's. */
int riad_user_create(struct riad_user *ret, struct riad_keypair *ret_keys) RIAD_MUST_CHECK;
/* Puts a slot of the kind in place of all older ones of that kind (fresh salt, generation + 1).
 * secret: a passphrase, or 32 bytes. Runs scrypt for passphrases. -EINVAL a secret that is not 32
 * bytes, -E2BIG. */
int riad_user_set_slot(struct riad_user *user, const struct riad_store *store,
        const struct riad_keypair *keys, enum riad_slot_kind kind,
        const struct riad_secret *secret) RIAD_MUST_CHECK;
/* Signs and publishes user/<id>, replacing it. -EINVAL without slots: nobody could open it again;
 * -EROFS. */
int riad_user_save(const struct riad_user *user, const struct riad_store *store,
        const struct riad_keypair *keys) RIAD_MUST_CHECK;
/* Reads without trusting: the signature can be checked only after unlocking. -EBADMSG, -ENOENT. */
int riad_user_load(const struct riad_store *store, const struct riad_id *id,
        struct riad_user *ret) RIAD_MUST_CHECK;
/* Tries the slots of the kind; recomputes public halves and verifies the file's signature with them
 * (K3), which must still say what *user says. -ENOKEY the secret fits no slot; -EBADMSG tampered.
 * Runs scrypt for passphrases. */
int riad_user_unlock(const struct riad_store *store, const struct riad_user *user,
        enum riad_slot_kind kind, const struct riad_secret *secret,
        struct riad_keypair *ret) RIAD_MUST_CHECK;

/* --- a user's file as bytes, for who has it from a node and not from the store --- */
/* Appends the signed file. -EINVAL without slots. */
int riad_user_sign(const struct riad_user *user, const struct riad_store_binding *binding,
        const struct riad_keypair *keys, struct riad_writer *out) RIAD_MUST_CHECK;
/* Reads without trusting, as riad_user_load. id: whose it must be; NULL: anyone's. */
int riad_user_peek(const struct riad_store_binding *binding, const void *data, size_t size,
        const struct riad_id *id, struct riad_user *ret) RIAD_MUST_CHECK;
/* Signed by this key, which is also the one that it names. -EBADMSG. */
int riad_user_verify(const struct riad_store_binding *binding, const void *data, size_t size,
        const struct riad_public_key *signer, struct riad_user *ret) RIAD_MUST_CHECK;
/* As riad_user_unlock; user: peeked from the same bytes. */
int riad_user_open(const struct riad_store_binding *binding, const void *data, size_t size,
        const struct riad_user *user, enum riad_slot_kind kind, const struct riad_secret *secret,
        struct riad_keypair *ret) RIAD_MUST_CHECK;
/* The bytes of user/<id>, on the heap. -ENOENT, -EBADMSG. */
int riad_user_read(const struct riad_store *store, const struct riad_id *id, uint8_t **ret_data,
        size_t *ret_size) RIAD_MUST_CHECK;
/* Publishes bytes that were verified. -EEXIST (new), -EROFS. */
int riad_user_publish(const struct riad_store *store, const struct riad_id *id, const void *data,
        size_t size, enum riad_publish how) RIAD_MUST_CHECK;

/* 256 random bits and their text form; parsing ignores case, spaces and dashes: -EINVAL if it is no
 * code (a typing error: checksum). */
int riad_recovery_new(
        struct riad_secret **ret, char ret_text[RIAD_RECOVERY_TEXT_SIZE]) RIAD_MUST_CHECK;
int riad_recovery_parse(const struct riad_secret *text, struct riad_secret **ret) RIAD_MUST_CHECK;

#endif
