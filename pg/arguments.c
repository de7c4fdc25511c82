/* The arguments that many functions share: an optional model in front, the options of embed behind. */
#include "host.h"

#include "utils/builtins.h"

const text *arguments_model(FunctionCallInfo fcinfo, int others)
{
    return FIRST_ARGUMENT(others) > 0 ? PG_GETARG_TEXT_PP(0) : NULL;
}

struct embed_arguments arguments_embed(FunctionCallInfo fcinfo, int first, const char *role)
{
    struct embed_arguments arguments = {
        .dims = PG_GETARG_INT32(first), .layers = PG_GETARG_INT32(first + 1), .role = role};

    if (role) {
        arguments.normalize = PG_GETARG_TEXT_PP(first + 2);
    } else {
        arguments.prompt = PG_GETARG_TEXT_PP(first + 2);
        arguments.prompt_name = PG_GETARG_TEXT_PP(first + 3);
        arguments.normalize = PG_GETARG_TEXT_PP(first + 4);
    }
    return arguments;
}

/* How large it may be only the model can say; that is the core's to check. */
static size_t count_of(const char *name, int32 value)
{
    if (value < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s: expected 0 (all) or more, found %d", name, value)));
    return (size_t)value;
}

static sembed_normalize normalize_of(const text *value)
{
    const char *name = text_to_cstring(value);

    if (strcmp(name, "model") == 0)
        return SEMBED_NORMALIZE_AS_MODEL;
    if (strcmp(name, "always") == 0)
        return SEMBED_NORMALIZE_ALWAYS;
    if (strcmp(name, "never") == 0)
        return SEMBED_NORMALIZE_NEVER;
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
         errmsg("normalize_embeddings: expected 'model', 'always' or 'never', found '%s'", name)));
}

/* The empty text stands for no value: these functions are strict, so NULL cannot. */
static const char *string_of(const text *value)
{
    if (!value || VARSIZE_ANY_EXHDR(value) == 0)
        return NULL;
    return convert_string(text_to_cstring(value));
}

sembed_options arguments_options(const struct embed_arguments *arguments)
{
    sembed_options options = {
        .dims = count_of("dims", arguments->dims),
        .layers = count_of("layers", arguments->layers),
        .prompt = string_of(arguments->prompt),
        .prompt_name = arguments->role ? arguments->role : string_of(arguments->prompt_name),
        .normalize = normalize_of(arguments->normalize),
        .refuse_truncation = settings_refuse_truncation(),
    };

    if (options.prompt && options.prompt_name)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("prompt and prompt_name are given: expected one")));
    /* No prompt, not even the model's default one. */
    if (options.prompt_name && strcmp(options.prompt_name, "none") == 0) {
        options.prompt = "";
        options.prompt_name = NULL;
    }
    return options;
}
