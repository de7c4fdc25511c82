/* How many floating-point operations a model's matrix products take. */
#include "bench/bench.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/memory.h"

/* From the folder's config.json, which DistilBERT spells in its own way. */
struct dimensions read_dimensions(const char *folder)
{
    struct dimensions dimensions = {0};
    struct json_file file = {0};
    sembed_error error = {0};
    char *path = path_join(folder, "config.json");

    if (!path)
        die("out of memory");
    must(json_file_open(path, &file, &error), &error);
    bool distilbert = json_object_get(file.root, "n_layers") != NULL;
    must(json_get_size(&file, file.root, distilbert ? "n_layers" : "num_hidden_layers",
                       &dimensions.layers, &error),
         &error);
    must(json_get_size(&file, file.root, distilbert ? "dim" : "hidden_size", &dimensions.hidden,
                       &error),
         &error);
    must(json_get_size(&file, file.root, distilbert ? "hidden_dim" : "intermediate_size",
                       &dimensions.intermediate, &error),
         &error);
    json_file_close(&file);
    memory_free(path);
    return dimensions;
}

double layer_operations(const struct dimensions *dimensions, size_t tokens)
{
    double t = (double)tokens, h = (double)dimensions->hidden, i = (double)dimensions->intermediate;

    return (double)dimensions->layers * 2 * t * (4 * h * h + 2 * h * i);
}

double count_operations(const struct dimensions *dimensions, size_t tokens)
{
    double t = (double)tokens, h = (double)dimensions->hidden;

    return layer_operations(dimensions, tokens) + (double)dimensions->layers * 4 * t * t * h;
}
