/* A model's folder and the folder with its image, for tests that then do something to one of them. */
#ifndef SEMBED_TESTS_IMAGE_SCENE_H
#define SEMBED_TESTS_IMAGE_SCENE_H

#include "core/model/model.h"

#include <stdbool.h>
#include <sys/stat.h>

#define PLENTY ((uint64_t)1 << 40) /* bytes of images */

struct scene {
    char *folder, *cache, *image;
    struct sembed_model *plain; /* from the folder */
};

/* A copy of the fixture, and its image. */
struct scene scene_create(const char *fixture);
void scene_free(struct scene *scene);

/* Loads by way of an image in cache, which may be NULL. */
struct sembed_model *scene_load(const char *folder, const char *cache, sembed_error *notice);
bool is_from_image(const struct sembed_model *model);

/* What a model makes of some texts: vectors, or scores; freed with free. */
float *answers(const struct sembed_model *model, size_t *size);
void assert_same_answers(const struct sembed_model *a, const struct sembed_model *b);

char *join(const char *folder, const char *name); /* freed with memory_free */

/* The name of the only file in the folder that ends so, freed with free; NULL: none. */
char *find_ending(const char *folder, const char *ending);
size_t count_files(const char *folder);
ino_t inode_of(const char *folder, const char *name);

/* Overwrites the image as somebody would who has no idea of marks, and looks at what comes of it. */
void assert_made_anew(struct scene *scene, const void *data, size_t size);

/* The header as image.c lays it out; here, so that a test may write nonsense into it. */
struct laid_out {
    char magic[16];
    uint32_t format, byte_order;
    uint64_t file_size;
    struct {
        uint64_t offset, size, checksum;
    } sections[4];
    uint64_t checksum;
};

/* A scene and the bytes of its image, to be altered. */
struct opened_scene {
    struct scene scene;
    unsigned char *data;
    size_t size;
    struct laid_out header; /* a copy */
};

struct opened_scene opened_scene_create(const char *fixture);
void opened_scene_free(struct opened_scene *opened);

#endif
