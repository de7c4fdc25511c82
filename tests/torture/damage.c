/*
 * Every file of every fixture that loading reads, cut short and altered byte by byte; then the folder is
 * loaded, and used if it loads.
 *
 *     damage [COUNT [FIXTURE]]     COUNT places in each file (40), a hundred times as many in one whose like
 *                                  was in no fixture before
 *
 * What must hold:
 *
 *   of any damage         no crash, nothing that takes longer than 20 s, and loading fails with an error that
 *                         names the folder, or use (an id beyond the embeddings), or there is an answer;
 *                         from a folder whose image was made before the damage, the same
 *   JSON, cut             an error that names the file, unless only white space is gone or loading does not
 *                         read the file at all (then: the right numbers)
 *   safetensors, cut      an error that names the file
 *   vocab.txt, merges.txt, SentencePiece, cut
 *                         an error or finite numbers: a shorter list may be a good one
 *   all but weights, altered
 *                         an error or finite numbers: another letter is another vocabulary
 *   weights, altered      numbers, finite or not: another bit is another weight
 *   image, cut or altered the right numbers: it is noticed, and made anew
 */
#include "core/model/compiled.h"
#include "tests/unit/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SECONDS 20
#define MOST_FILES   24
#define NEW_FILE     100
#define IMAGE_EVERY  16 /* damages of a folder, one of which is also read with an image */

struct outcome {
    sembed_status status;
    bool loads; /* what then fails is the use of the model */
    char message[512];
    float *numbers;
    size_t count;
};

/* What is done to a file. */
struct damage {
    const char *fixture, *file;
    size_t place;
    int pattern; /* CUT: it ends at place; else the byte there is altered so */
};

enum { CUT = -1, PATTERNS = 6 };

static struct damage now; /* for the message of a crash */
static char *folder, *cache;
static sembed_context *context;
static size_t loads, errors, answers;

static void say_where(int signal)
{
    char text[300];
    int length = snprintf(text, sizeof text, "FAILED: %s/%s, place %zu, pattern %d: %s\n",
                          now.fixture, now.file, now.place, now.pattern,
                          signal == SIGALRM ? "takes too long" : "a crash");
    if (write(STDOUT_FILENO, text, (size_t)length) < 0)
        _exit(2);
    _exit(1);
}

static void give_up(const char *what, const char *message)
{
    printf("FAILED: %s/%s, place %zu, pattern %d: %s: %s\n", now.fixture, now.file, now.place,
           now.pattern, what, message);
    exit(1);
}

/* ------------------------------------------------------------------------------------- loading */

static void use(const struct sembed_model *model, struct outcome *outcome, sembed_error *error)
{
    static const sembed_text texts[] = {{"the river runs to the sea", 25},
                                        {"na\xC3\xAFve \xFF", 7}};
    sembed_model_info info;
    sembed_model_describe(model, &info);
    outcome->count = 2 * (info.labels ? info.labels : info.dimensions);
    outcome->numbers = calloc(outcome->count, sizeof(float));
    outcome->status =
        info.labels
            ? sembed_score(model, context, texts[0], texts, 2, 0, NULL, outcome->numbers, error)
            : sembed_embed(model, context, texts, 2, NULL, NULL, outcome->numbers, error);
}

static struct outcome load(const char *images)
{
    const struct image_settings settings = {images, UINT64_MAX};
    struct outcome outcome = {0};
    struct sembed_model *model = NULL;
    sembed_error error = {0}, notice = {0};
    alarm(MOST_SECONDS);
    outcome.status =
        compiled_load("m", folder, PRECISION_F32, &settings, NULL, &model, &notice, &error);
    outcome.loads = outcome.status == SEMBED_OK;
    if (outcome.loads)
        use(model, &outcome, &error);
    model_free(model);
    alarm(0);
    snprintf(outcome.message, sizeof outcome.message, "%s", error.message);
    loads++;
    return outcome;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    if (a->status != b->status || a->count != b->count)
        return false;
    if (a->status != SEMBED_OK)
        return strcmp(a->message, b->message) == 0;
    return memcmp(a->numbers, b->numbers, a->count * sizeof(float)) == 0;
}

static bool finite_numbers(const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        if (!isfinite(outcome->numbers[i]))
            return false;
    return true;
}

/* ---------------------------------------------------------------------------------------- files */

struct file {
    char name[128]; /* below the folder */
    char *data;
    size_t size;
    bool is_json, is_weights, is_read;
    size_t header; /* bytes of safetensors before the weights */
};

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

/* Writes a file as it is never seen twice: an image knows a file by its times and size. */
static void put(const char *name, const char *data, size_t size)
{
    static long writes;
    char path[512];
    folder_write(folder, name, data, size);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    writes++;
    const struct timespec times[2] = {{1700000000 + writes, 0}, {1700000000 + writes, 0}};
    if (utimensat(AT_FDCWD, path, times, 0) != 0)
        give_up("cannot set times", path);
}

static void add_files(struct file *files, size_t *count, const char *below)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, below);
    DIR *directory = opendir(path);
    const struct dirent *item;
    while (directory && (item = readdir(directory)) != NULL) {
        const char *name = item->d_name;
        struct file file = {.is_json = ends_in(name, ".json"),
                            .is_weights = ends_in(name, ".safetensors")};
        if (*name == '.' || *count == MOST_FILES)
            continue;
        snprintf(file.name, sizeof file.name, "%s%.60s", below, name);
        if (!strchr(name, '.') && !*below) {
            char inner[80];
            snprintf(inner, sizeof inner, "%.60s/", name);
            add_files(files, count, inner);
        }
        if (!file.is_json && !file.is_weights && !ends_in(name, ".txt") && !ends_in(name, ".model"))
            continue;
        file.data = folder_read(folder, file.name, &file.size);
        if (file.is_weights)
            file.header = 8 + (size_t)(unsigned char)file.data[0] +
                          ((size_t)(unsigned char)file.data[1] << 8);
        files[(*count)++] = file;
    }
    if (directory)
        closedir(directory);
}

/* Bytes of the file less the white space at its end. */
static size_t trimmed_size(const struct file *file)
{
    size_t size = file->size;
    while (size && strchr(" \n\r\t", file->data[size - 1]))
        size--;
    return size;
}

/* --------------------------------------------------------------------------------------- damage */

static void check(const struct file *file, const struct outcome *outcome,
                  const struct outcome *right)
{
    bool cut = now.pattern == CUT;
    bool in_weights = file->is_weights && now.place >= file->header;
    if (!outcome->loads && !strstr(outcome->message, folder))
        give_up("an error without the folder's name", outcome->message);
    if (outcome->status != SEMBED_OK &&
        (outcome->status == SEMBED_NO_MEMORY || outcome->status == SEMBED_ENGINE ||
         outcome->status == SEMBED_CANCELED))
        give_up("an error of another kind", outcome->message);
    if (!file->is_read && !same(outcome, right))
        give_up("a file that is not read makes a difference", outcome->message);
    bool must_fail = cut && file->is_read &&
                     (file->is_weights || (file->is_json && now.place < trimmed_size(file)));
    if (must_fail && outcome->status == SEMBED_OK)
        give_up("a file that was cut loads", "");
    if (must_fail && !strstr(outcome->message, file->name))
        give_up("an error without the file's name", outcome->message);
    if (outcome->status == SEMBED_OK && !finite_numbers(outcome) && (cut || !in_weights))
        give_up("numbers that are not finite", "");
    errors += outcome->status != SEMBED_OK;
    answers += outcome->status == SEMBED_OK;
}

static char altered(char byte, int pattern)
{
    switch (pattern) {
    case 0:
        return (char)(byte ^ 1);
    case 1:
        return (char)(byte ^ 0x80);
    case 2:
        return (char)(byte == '"' ? '\\' : '"');
    case 3:
        return (char)(byte == '9' ? '-' : '9');
    case 4:
        return (char)~byte;
    default:
        return (char)(byte ? 0 : 0xFF);
    }
}

static void try_damage(const struct file *file, size_t place, int pattern,
                       const struct outcome *right)
{
    static size_t count;
    now.file = file->name;
    now.place = place;
    now.pattern = pattern;
    char byte = place < file->size ? file->data[place] : 0;
    if (pattern != CUT)
        file->data[place] = altered(byte, pattern);
    put(file->name, file->data, pattern == CUT ? place : file->size);
    struct outcome outcome = load(NULL);
    check(file, &outcome, right);
    if (count++ % IMAGE_EVERY == 0) {
        struct outcome imaged = load(cache);
        if (!same(&outcome, &imaged))
            give_up("another answer where there is an image", imaged.message);
        free(imaged.numbers);
    }
    free(outcome.numbers);
    if (pattern != CUT)
        file->data[place] = byte;
}

/* Whether there has been a file of that name and content. */
static bool is_known(const struct file *file)
{
    static uint64_t known[2048];
    static size_t known_count;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *at = file->name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    for (size_t i = 0; i < file->size; i++)
        hash = (hash ^ (unsigned char)file->data[i]) * 1099511628211u;
    for (size_t i = 0; i < known_count; i++)
        if (known[i] == hash)
            return true;
    if (known_count < sizeof known / sizeof *known)
        known[known_count++] = hash;
    return false;
}

/* About `count` places of a part of the file, the first and last ones among them. */
static void damage_part(const struct file *file, size_t from, size_t to, size_t count,
                        const struct outcome *right)
{
    size_t size = to - from, step = size / count + 1;
    for (size_t place = from; place < to; place += step) {
        try_damage(file, place, CUT, right);
        try_damage(file, place, (int)(place / step % PATTERNS), right);
    }
    if (size) {
        try_damage(file, to - 1, CUT, right);
        try_damage(file, to - 1, 1, right);
    }
}

/* Whether the file makes a difference at all. */
static bool is_read(const struct file *file)
{
    now.file = file->name;
    put(file->name, "x", 1);
    struct outcome outcome = load(NULL);
    free(outcome.numbers);
    put(file->name, file->data, file->size);
    return outcome.status != SEMBED_OK;
}

static char *find_image(void)
{
    static char name[256];
    DIR *directory = opendir(cache);
    const struct dirent *item;
    *name = '\0';
    while (directory && (item = readdir(directory)) != NULL)
        if (ends_in(item->d_name, ".image"))
            snprintf(name, sizeof name, "%s", item->d_name);
    if (directory)
        closedir(directory);
    if (!*name)
        give_up("there is no image", cache);
    return name;
}

/* The image is damaged where it lies, and its time is what it was before. */
static void damage_image(size_t count, const struct outcome *right)
{
    folder_remove(cache);
    cache = folder_create();
    struct outcome made = load(cache);
    free(made.numbers);
    size_t size;
    char *name = find_image(), *data = folder_read(cache, name, &size), path[512];
    snprintf(path, sizeof path, "%s/%s", cache, name);
    now.file = "the image";
    size_t step = size / count + 1;
    for (size_t place = 0; place < size; place += step) {
        for (int pattern = CUT; pattern < 2; pattern += 2) {
            now.place = place;
            now.pattern = pattern;
            char byte = data[place];
            if (pattern != CUT)
                data[place] = altered(byte, (int)(place % PATTERNS));
            folder_write(cache, name, data, pattern == CUT ? place : size);
            data[place] = byte;
            struct outcome outcome = load(cache);
            if (!same(&outcome, right))
                give_up("another answer", outcome.message);
            free(outcome.numbers);
        }
    }
    free(data);
}

static void torture(const char *fixture, size_t count)
{
    struct file files[MOST_FILES];
    size_t file_count = 0, unread = 0;
    now = (struct damage){.fixture = fixture, .file = ""};
    folder = folder_copy_fixture(fixture);
    cache = folder_create();
    loads = errors = answers = 0;
    add_files(files, &file_count, "");
    struct outcome right = load(NULL), imaged = load(cache);
    if (right.status != SEMBED_OK || !same(&right, &imaged) || !finite_numbers(&right))
        give_up("does not load", right.message);
    free(imaged.numbers);
    for (size_t i = 0; i < file_count; i++) {
        struct file *file = &files[i];
        if (ends_in(file->name, "golden.jsonl"))
            continue;
        file->is_read = is_read(file);
        unread += !file->is_read;
        size_t places = is_known(file) ? count : NEW_FILE * count;
        damage_part(file, 0, file->is_weights ? file->header : file->size, places, &right);
        if (file->is_weights)
            damage_part(file, file->header, file->size, places / 4 + 1, &right);
        put(file->name, file->data, file->size);
    }
    damage_image(2 * count, &right);
    printf("ok: %s: %zu files, %zu of them not read; loaded %zu times: %zu errors, %zu answers\n",
           fixture, file_count, unread, loads, errors, answers);
    fflush(stdout);
    for (size_t i = 0; i < file_count; i++)
        free(files[i].data);
    free(right.numbers);
    folder_remove(folder);
    folder_remove(cache);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

int main(int count, char **arguments)
{
    static char names[64][64];
    size_t fixtures = 0, places = count > 1 ? strtoul(arguments[1], NULL, 10) : 40;
    sembed_error error = {0};
    static const int signals[] = {SIGALRM, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], say_where);
    if (sembed_context_create(&context, &error) != SEMBED_OK)
        return 1;
    DIR *directory = opendir(fixtures_folder());
    const struct dirent *item;
    while (directory && (item = readdir(directory)) != NULL && fixtures < 64)
        if (!strchr(item->d_name, '.') && (count < 3 || strcmp(item->d_name, arguments[2]) == 0))
            snprintf(names[fixtures++], sizeof names[0], "%.63s", item->d_name);
    closedir(directory);
    qsort(names, fixtures, sizeof names[0], compare_names);
    for (size_t i = 0; i < fixtures; i++)
        torture(names[i], places ? places : 1);
    sembed_context_destroy(context);
    return fixtures ? 0 : 1;
}
