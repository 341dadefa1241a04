/* The chain of changes (L2, FORMAT 5.3). */
#include "riad/digest.h"
#include "riad/error.h"

#include "record_priv.h"

enum { PIECES_MAX = 6 };

int riad_chain_hash(const struct riad_id *workspace, const struct riad_buffer *body, size_t count,
        struct riad_hash *ret)
{
    struct riad_piece pieces[PIECES_MAX + 2] = {
        RIAD_PIECE_LABEL("riad/v1/chain"),
        RIAD_PIECE_OF(*workspace),
    };

    if (count > PIECES_MAX) {
        return -E2BIG;
    }
    for (size_t i = 0; i < count; i++) {
        pieces[i + 2] = (struct riad_piece){ body[i].data, body[i].size };
    }
    return riad_sha256(pieces, count + 2, ret);
}
