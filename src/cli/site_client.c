/* Asking riadd, the site's daemon on this machine. */
#include "site_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/fdio.h"

bool has_site(const struct options *options)
{
    return options->config || getenv("RIAD_CONFIG") || access(RIAD_CONFIG_DEFAULT, F_OK) == 0;
}

int open_site(const struct options *options, struct site_client *ret)
{
    struct riad_reason reason;
    int r = riad_config_load(config_path(options), &ret->config, &reason);

    if (r < 0) {
        return fail(riad_exit_of(r), "%s", reason.text);
    }
    ret->control = riad_config_socket(&ret->config, "control");
    ret->keys = riad_config_socket(&ret->config, "keys");
    return ret->control && ret->keys ? RIAD_EXIT_DONE : fail(RIAD_EXIT_FAILED, "no memory");
}

void close_site(struct site_client *client)
{
    riad_config_done(&client->config);
    free(client->control);
    free(client->keys);
    client->control = client->keys = NULL;
}

int begin_site(int argc, char **argv, const char *letters, int least, int most, const char *wanted,
        struct options *ret_options, struct site_client *ret)
{
    int r = parse_options(argc, argv, letters, ret_options);

    if (r != 0) {
        return r;
    }
    if (argc - optind < least || argc - optind > most) {
        return usage_error("%s", wanted);
    }
    return open_site(ret_options, ret);
}

int report_reply(json_t *reply, const char *what)
{
    const char *sentence = json_text(reply, "error");
    int code = (int)json_integer_value(json_object_get(reply, "exit"));

    if (json_is_true(json_object_get(reply, "ok"))) {
        return RIAD_EXIT_DONE;
    }
    code = fail(code ? code : RIAD_EXIT_FAILED, "%s%s%s", what, what[0] ? ": " : "",
            sentence[0] ? sentence : "riadd said no");
    return code;
}

int take_reply(json_t *reply, json_t **ret)
{
    int code = report_reply(reply, "");

    if (code != RIAD_EXIT_DONE) {
        json_decref(reply);
        return code;
    }
    *ret = reply;
    return RIAD_EXIT_DONE;
}

int call_site(
        const struct site_client *client, const char *operation, json_t *arguments, json_t **ret)
{
    int r = riad_control_call_path(client->control, operation, arguments, SITE_TIMEOUT_MS, ret);

    json_decref(arguments);
    if (r == -ECONNREFUSED || r == -EACCES) {
        return fail(RIAD_EXIT_FAILED,
                "riadd does not run here, or not with %s: nobody listens at "
                "%s",
                client->config.path, client->control);
    }
    return r < 0 ? fail(RIAD_EXIT_FAILED, "riadd does not answer: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

int ask_site(
        const struct site_client *client, const char *operation, json_t *arguments, json_t **ret)
{
    json_t *reply;
    int code = call_site(client, operation, arguments, &reply);

    return code == RIAD_EXIT_DONE ? take_reply(reply, ret) : code;
}

int get_fixed_hex(const json_t *object, const char *name, void *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && riad_hex_decode(text, ret, size) == 0 ? 0 : -EBADMSG;
}

int get_binding(const json_t *reply, struct riad_store_binding *ret)
{
    const json_t *binding = json_object_get(reply, "binding");
    int r = get_fixed_hex(binding, "store", &ret->store, sizeof ret->store);

    return r < 0 ? r : get_fixed_hex(binding, "json", &ret->json, sizeof ret->json);
}

/* The keys go to the monitor's own socket, and to nobody else. */
static int send_keys(int fd, const char magic[static 4], const struct riad_id *workspace,
        const struct riad_secret *roots)
{
    _cleanup_secret_ struct riad_secret *message = NULL;
    struct riad_unlock_request *request;
    size_t size = sizeof *request + riad_secret_size(roots);
    ssize_t n;
    int r = riad_secret_new(size, &message);

    if (r < 0) {
        return r;
    }
    request = (void *)riad_secret_bytes(message);
    memcpy(request->magic, magic, sizeof request->magic);
    request->version = RIAD_UNLOCK_VERSION;
    request->workspace = *workspace;
    request->epoch = (uint32_t)(riad_secret_size(roots) / RIAD_UNLOCK_ROOT_SIZE);
    memcpy(request + 1, riad_secret_peek(roots), riad_secret_size(roots));
    n = send(fd, request, size, MSG_NOSIGNAL);
    return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

/* Connects, and sends them; fd. -1: reported. */
static int hand_over(const struct site_client *client, const char magic[static 4],
        const struct riad_id *workspace, const struct riad_secret *roots)
{
    _cleanup_close_ int fd = riad_control_connect(client->keys);
    int r;

    if (fd < 0) {
        fail(RIAD_EXIT_FAILED, "riadd does not run here: nobody listens at %s", client->keys);
        return -1;
    }
    r = send_keys(fd, magic, workspace, roots);
    if (r < 0) {
        fail(RIAD_EXIT_FAILED, "riadd does not take the keys: %s", strerror(-r));
        return -1;
    }
    return riad_take_fd(&fd);
}

int offer_keys(const struct site_client *client, const struct riad_id *workspace,
        const struct riad_secret *roots, json_t **ret)
{
    _cleanup_close_ int fd = hand_over(client, RIAD_UNLOCK_MAGIC, workspace, roots);
    int r;

    if (fd < 0) {
        return RIAD_EXIT_FAILED;
    }
    r = riad_control_read_reply(fd, SITE_TIMEOUT_MS, ret);
    return r < 0 ? fail(RIAD_EXIT_FAILED, "riadd does not answer: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

int give_keys(const struct site_client *client, const struct riad_id *workspace,
        const struct riad_secret *roots, json_t **ret)
{
    json_t *reply;
    int code = offer_keys(client, workspace, roots, &reply);

    return code == RIAD_EXIT_DONE ? take_reply(reply, ret) : code;
}

int give_keys_to_check(const struct site_client *client, bool repair,
        const struct riad_id *workspace, const struct riad_secret *roots,
        void (*hear)(void *context, const json_t *line), void *context)
{
    int fd = hand_over(client, repair ? RIAD_REPAIR_MAGIC : RIAD_CHECK_MAGIC, workspace, roots);
    json_t *reply;
    int code, r;

    if (fd < 0) {
        return RIAD_EXIT_FAILED;
    }
    r = riad_control_read_lines(fd, hear, context, &reply);
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "riadd has ended before the check did: %s", strerror(-r));
    }
    code = report_reply(reply, "");
    code = code == RIAD_EXIT_DONE ? (int)json_number(reply, "exit") : code;
    json_decref(reply);
    return code;
}
