/* A workspace that was written to for a while, whose files say in each of their lines which they
 * are and of which version: so that what a salvage leaves can be judged without knowing what was
 * damaged. For tests only. */
#ifndef RIAD_TESTS_CORE_ORCHARD_H
#define RIAD_TESTS_CORE_ORCHARD_H

#include "chance.h"
#include "picture.h"
#include "rows.h"

enum { ORCHARD_FILES = 60, ORCHARD_FOLDERS = 6, LINE = 16 };

struct orchard_file {
    bool there;
    unsigned version;
    uint64_t folder, inode;
    char name[32];
};

struct orchard {
    struct fixture *fixture;
    struct riad_workspace *workspace;
    uint64_t chance;
    struct orchard_file files[ORCHARD_FILES];
    uint64_t folders[ORCHARD_FOLDERS]; /* the first is the root */
    size_t folder_count;
};

static inline uint64_t orchard_below(struct orchard *orchard, uint64_t bound)
{
    return chance_next(&orchard->chance) % bound;
}

/* All of a file, anew. */
static inline void orchard_write(struct orchard *orchard, size_t i)
{
    struct orchard_file *file = &orchard->files[i];
    size_t lines = orchard_below(orchard, 8) == 0 ? 20000 : orchard_below(orchard, 900);
    uint8_t *data = malloc(lines * LINE + 1);

    file->version++;
    for (size_t line = 0; line < lines; line++) {
        snprintf((char *)data + line * LINE, LINE + 1, "%04u v%04u %04u\n", (unsigned)i % 10000,
                file->version % 10000, (unsigned)line % 10000);
    }
    assert_int_equal(set_size(orchard->workspace, file->inode, 0), 0);
    write_all(orchard->workspace, file->inode, 0, data, lines * LINE);
    free(data);
}

static inline void orchard_make(struct orchard *orchard, size_t i)
{
    struct orchard_file *file = &orchard->files[i];

    file->folder = orchard->folders[orchard_below(orchard, orchard->folder_count)];
    file->there = true;
    snprintf(file->name, sizeof file->name, "f%04zu", i);
    file->inode = make_file(orchard->workspace, file->folder, file->name);
    orchard_write(orchard, i);
}

static inline void orchard_remove(struct orchard *orchard, size_t i)
{
    struct orchard_file *file = &orchard->files[i];

    riad_forget(orchard->workspace, file->inode, 1);
    assert_int_equal(riad_unlink(orchard->workspace, &alice, file->folder, file->name), 0);
    file->there = false;
}

static inline void orchard_move(struct orchard *orchard, size_t i)
{
    struct orchard_file *file = &orchard->files[i];
    uint64_t folder = orchard->folders[orchard_below(orchard, orchard->folder_count)];
    char name[32];

    snprintf(name, sizeof name, "f%04zu.%u", i, (unsigned)orchard_below(orchard, 1000));
    assert_int_equal(
            riad_rename(orchard->workspace, &alice, file->folder, file->name, folder, name, 0), 0);
    file->folder = folder;
    snprintf(file->name, sizeof file->name, "%s", name);
}

static inline void orchard_reopen(struct orchard *orchard)
{
    fixture_close(orchard->workspace);
    orchard->workspace = fixture_open(orchard->fixture);
    for (size_t i = 0; i < ORCHARD_FILES; i++) {
        if (orchard->files[i].there) {
            riad_reference(orchard->workspace, orchard->files[i].inode);
        }
    }
}

static inline void orchard_act(struct orchard *orchard)
{
    size_t i = orchard_below(orchard, ORCHARD_FILES);
    struct riad_inode row;

    if (!orchard->files[i].there) {
        orchard_make(orchard, i);
        return;
    }
    switch (orchard_below(orchard, 8)) {
    case 0:
        orchard_remove(orchard, i);
        break;
    case 1:
    case 2:
        orchard_move(orchard, i);
        break;
    case 3:
        row.mode = (uint32_t)(0600 | orchard_below(orchard, 64));
        assert_int_equal(riad_setattr(orchard->workspace, &alice, orchard->files[i].inode,
                                 RIAD_SET_MODE, &row, &row),
                0);
        break;
    default:
        orchard_write(orchard, i);
    }
}

static inline void orchard_add_folder(struct orchard *orchard)
{
    uint64_t parent = orchard->folders[orchard_below(orchard, orchard->folder_count)];
    char name[16];

    snprintf(name, sizeof name, "d%zu", orchard->folder_count);
    orchard->folders[orchard->folder_count++] = make_directory(orchard->workspace, parent, name);
}

/* The workspace is closed when it returns. Some terms, and checkpoints now and then. */
static inline void orchard_grow(struct orchard *orchard, struct fixture *fixture, uint64_t seed)
{
    *orchard = (struct orchard){
        .fixture = fixture, .chance = seed, .folders = { RIAD_ROOT_INODE }, .folder_count = 1
    };
    orchard->workspace = fixture_open(fixture);
    for (unsigned i = 0; i < 160; i++) {
        if (orchard->folder_count < ORCHARD_FOLDERS && orchard_below(orchard, 20) == 0) {
            orchard_add_folder(orchard);
        }
        orchard_act(orchard);
        if (orchard_below(orchard, 50) == 0) {
            assert_int_equal(riad_workspace_checkpoint(orchard->workspace), 0);
        }
        if (orchard_below(orchard, 50) == 0) {
            orchard_reopen(orchard);
        }
    }
    fixture_close(orchard->workspace);
}

/* What was seen of a workspace. */
struct harvest {
    const struct orchard *orchard;
    unsigned files, unreadable, old, unnamed, moved;
};

/* A line of a file: never of another one, never of a version that was not written, never zeros. */
static inline void orchard_judge_line(
        struct harvest *harvest, const char *line, size_t number, size_t *file, bool *old)
{
    unsigned id, version, at;

    if (sscanf(line, "%4u v%4u %4u\n", &id, &version, &at) != 3 || at != number % 10000 ||
            id >= ORCHARD_FILES || (*file != SIZE_MAX && id != *file) || version < 1 ||
            version > harvest->orchard->files[id].version) {
        fail_msg("line %zu: \"%.16s\"", number, line);
    }
    *file = id;
    *old |= version < harvest->orchard->files[id].version;
}

static inline void orchard_judge_file(struct harvest *harvest, struct riad_workspace *workspace,
        const struct riad_inode *row, size_t named)
{
    size_t file = named;
    bool old = false, unreadable = false;

    assert_int_equal(row->size % LINE, 0);
    for (uint64_t offset = 0; offset < row->size; offset += 4096) {
        uint32_t size = row->size - offset < 4096 ? (uint32_t)(row->size - offset) : 4096;
        char data[4097] = "";
        uint32_t done = 0;
        int r = riad_read(workspace, row->inode, offset, size, (uint8_t *)data, &done);

        if (r < 0) {
            assert_int_equal(r, -EIO);
            unreadable = true;
            continue;
        }
        assert_int_equal(done, size);
        for (uint32_t at = 0; at < size; at += LINE) {
            orchard_judge_line(harvest, data + at, (offset + at) / LINE, &file, &old);
        }
    }
    harvest->files++;
    harvest->unreadable += unreadable;
    harvest->old += old;
}

static inline void orchard_walk(
        struct harvest *harvest, struct riad_workspace *workspace, uint64_t folder)
{
    struct picture_list *list = calloc(1, sizeof *list);

    assert_int_equal(riad_readdir(workspace, folder, 0, picture_add, list), 0);
    for (size_t i = 0; i < list->count; i++) {
        const struct riad_inode *row = &list->items[i].row;
        const char *name = list->items[i].name;
        unsigned id = 0;

        if (S_ISDIR(row->mode)) {
            orchard_walk(harvest, workspace, row->inode);
            continue;
        }
        harvest->unnamed += name[0] == '#';
        assert_true(name[0] == '#' || sscanf(name, "f%4u", &id) == 1);
        orchard_judge_file(harvest, workspace, row, name[0] == '#' ? SIZE_MAX : id);
    }
    free(list);
}

static inline struct harvest orchard_harvest(
        const struct orchard *orchard, struct riad_workspace *workspace)
{
    struct harvest harvest = { .orchard = orchard };

    orchard_walk(&harvest, workspace, RIAD_ROOT_INODE);
    return harvest;
}

static inline unsigned orchard_count(const struct orchard *orchard)
{
    unsigned count = 0;

    for (size_t i = 0; i < ORCHARD_FILES; i++) {
        count += orchard->files[i].there;
    }
    return count;
}

#endif
