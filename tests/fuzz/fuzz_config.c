/* The text of a configuration file. */
#include "riad/config.h"

#include "fuzz.h"

static struct fuzz_model model;

static void make_model(void)
{
    static const char text[] = "# comment\n[site]\nstore = /srv/riad\n"
                               "root = QN7KYZ6PVRAPBI6WXOGLSW6GJYP7DVWT3GBMWLOC7SKRHB6CX3SYVB7Z\n"
                               "[node]\nkey = node.key\nstate = /var/lib/riad\n";

    memcpy(model.data, text, sizeof text - 1);
    model.size = sizeof text - 1;
}

static int parse(const struct fuzz_bytes *bytes)
{
    struct riad_reason reason;
    struct riad_config config;
    char *text = calloc(1, bytes->size + 1);
    int r;

    FUZZ_ASSERT(text);
    memcpy(text, bytes->data, bytes->size);
    r = riad_config_parse("/etc/riad/riadd.conf", text, &config, &reason);
    free(text);
    FUZZ_ASSERT(r == 0 || (r == -EINVAL && reason.text[0] != '\0'));
    if (r == 0) {
        FUZZ_ASSERT(config.store[0] == '/' && config.node_key[0] == '/');
        FUZZ_ASSERT(!config.state || config.state[0] == '/');
        riad_config_done(&config);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one(data, size, &model, make_model, parse);
}
