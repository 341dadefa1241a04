#include "riad/patience.h"

#include <fcntl.h>
#include <unistd.h>

static _Thread_local bool impatient;
static _Thread_local struct riad_wait noted = { .fd = -1 };

static void drop(void)
{
    if (noted.fd >= 0) {
        (void)close(noted.fd);
        noted.fd = -1;
    }
}

bool riad_is_patient(void)
{
    return !impatient;
}

void riad_set_patient(bool patient)
{
    impatient = !patient;
    if (impatient) {
        drop();
    }
}

void riad_wait_note(int fd, uint64_t offset, size_t size)
{
    if (noted.fd < 0 && impatient && size <= RIAD_WAIT_MAX) {
        noted = (struct riad_wait){ fcntl(fd, F_DUPFD_CLOEXEC, 3), offset, size };
    }
}

bool riad_wait_take(struct riad_wait *ret)
{
    if (noted.fd < 0) {
        return false;
    }
    *ret = noted;
    noted.fd = -1;
    return true;
}
