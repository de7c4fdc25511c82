#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

json_t *golden_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: cannot be opened", path);
    json_t *lines = json_array();
    json_error_t error;
    json_t *line;
    const size_t flags = JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL;
    while ((line = json_loadf(file, flags, &error)))
        json_array_append_new(lines, line);
    if (!feof(file))
        fail_msg("%s: object %zu: %s", path, json_array_size(lines), error.text);
    fclose(file);
    assert_int_not_equal(json_array_size(lines), 0);
    return lines;
}

sembed_text golden_text(const json_t *line, const char *key)
{
    const json_t *string = json_object_get(line, key);
    assert_true(json_is_string(string));
    return (sembed_text){json_string_value(string), json_string_length(string)};
}

sembed_options golden_options(const json_t *line)
{
    sembed_options options = {0};
    options.dims = (size_t)json_integer_value(json_object_get(line, "dims"));
    options.layers = (size_t)json_integer_value(json_object_get(line, "layers"));
    options.prompt = json_string_value(json_object_get(line, "prompt"));
    options.prompt_name = json_string_value(json_object_get(line, "prompt_name"));
    const char *role = json_string_value(json_object_get(line, "role"));
    if (role && strcmp(role, "encode") != 0)
        options.prompt_name = role;
    const char *normalize = json_string_value(json_object_get(line, "normalize"));
    if (normalize)
        options.normalize =
            strcmp(normalize, "always") == 0 ? SEMBED_NORMALIZE_ALWAYS : SEMBED_NORMALIZE_NEVER;
    return options;
}

struct deviation golden_deviation(const float *values, const json_t *recorded)
{
    double difference = 0, largest = 0, product = 0, value_square = 0, recorded_square = 0;
    size_t n = json_array_size(recorded);
    for (size_t i = 0; i < n; i++) {
        double value = values[i], expected = json_number_value(json_array_get(recorded, i));
        if (!isfinite(value))
            return (struct deviation){INFINITY, INFINITY, -1};
        difference = fmax(difference, fabs(value - expected));
        largest = fmax(largest, fabs(expected));
        product += value * expected;
        value_square += value * value;
        recorded_square += expected * expected;
    }
    return (struct deviation){difference, difference / largest,
                              product / sqrt(value_square * recorded_square)};
}

struct deviation deviation_worse(struct deviation a, struct deviation b)
{
    return (struct deviation){fmax(a.absolute, b.absolute), fmax(a.relative, b.relative),
                              fmin(a.cosine, b.cosine)};
}

void golden_check_tokens(const char *where, const json_t *line, const sembed_token *tokens,
                         size_t count)
{
    const json_t *ids = json_object_get(line, "ids"), *types = json_object_get(line, "types");
    size_t expected = json_array_size(ids);
    for (size_t i = 0; i < count && i < expected; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        json_int_t type = json_integer_value(json_array_get(types, i));
        if (tokens[i].id != id || (types && tokens[i].type != type)) {
            char *text = json_dumps(line, JSON_COMPACT);
            fail_msg("%s: token %zu: expected %lld of type %lld, found %u of type %u in %.300s",
                     where, i, (long long)id, (long long)type, tokens[i].id, tokens[i].type, text);
        }
    }
    if (count != expected) {
        char *text = json_dumps(line, JSON_COMPACT);
        fail_msg("%s: expected %zu tokens, found %zu in %.300s", where, expected, count, text);
    }
}

const char *const golden_engines[2] = {"onednn", "openblas"};

bool golden_select_engine(const char *engine)
{
    setenv("SEMBED_ENGINE", engine, 1);
    return strncasecmp(sembed_engine(), engine, strlen(engine)) == 0;
}
