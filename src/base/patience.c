#include "riad/patience.h"

static _Thread_local bool impatient;

bool riad_is_patient(void)
{
    return !impatient;
}

void riad_set_patient(bool patient)
{
    impatient = !patient;
}
