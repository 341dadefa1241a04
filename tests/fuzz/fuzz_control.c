/* What a client of the control socket sends (docs/CONTROL.md). */
#include <sys/socket.h>
#include <unistd.h>

#include "control_priv.h"
#include "fuzz.h"

enum { PATIENCE_MS = 10000 };

static const struct fuzz_model model = {
    .data = "{\"version\": 1, \"op\": \"unmount\", \"directory\": \"/home/ann\", \"lazy\": true}\n",
    .size = sizeof "{\"version\": 1, \"op\": \"unmount\", \"directory\": \"/home/ann\", \"lazy\": "
                   "true}\n" -
            1,
};

/* A message that was taken is an object, and can be sent on. */
static void check(json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);

    FUZZ_ASSERT(json_is_object(message));
    FUZZ_ASSERT(text);
    free(text);
    json_decref(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    json_t *message = NULL;
    int ends[2], r;

    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_ASSERT(send(ends[0], bytes.data, bytes.size, MSG_NOSIGNAL) == (ssize_t)bytes.size);
    close(ends[0]);
    r = riad_control_receive(
            ends[1], riad_control_now() + PATIENCE_MS, RIAD_CONTROL_LINE_MAX, &message);
    close(ends[1]);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -ECONNRESET);
    FUZZ_ASSERT((r == 0) == (message != NULL));
    if (message) {
        check(message);
    }
    return 0;
}
