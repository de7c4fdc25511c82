/* The benchmarks: bench/run is the way to start them. */
#include "bench/bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char help[] =
    "bench COMMAND [--model FOLDER] [--kind short|passage|long|one] [--texts FILE] [--passes N]\n"
    "              [--precision f32|bf16|int8] [--threads N] [--vectors FILE] [--json]\n"
    "\n"
    "  embed       texts to vectors, which --vectors writes as float32\n"
    "  tokenize    texts to token ids\n"
    "  rerank      a query and 100 of the texts, by a cross-encoder\n"
    "  similarity  cos_sim over 100,000 vectors, against reading them\n"
    "  matmuls     the matrix products that embed makes, alone\n"
    "  limit       the arithmetic of one core\n"
    "\n"
    "FILE of texts: JSON lines, each a string; without it, made-up texts of that kind.\n"
    "Times are of one thread, unless said otherwise; the best of N passes (3) and the middle one "
    "are shown.\n";

static const struct command {
    const char *name;
    int (*run)(const struct bench_options *options);
} commands[] = {{"embed", bench_embed},     {"tokenize", bench_tokenize},
                {"rerank", bench_rerank},   {"similarity", bench_similarity},
                {"matmuls", bench_matmuls}, {"limit", bench_limit}};

void die(const char *format, ...)
{
    va_list arguments;

    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void must(sembed_status status, const sembed_error *error)
{
    if (status != SEMBED_OK)
        die("%s", error->message);
}

void open_model(const char *folder, const char *precision, sembed_registry **registry,
                const sembed_model **model)
{
    sembed_error error = {0};
    char name[64];

    snprintf(name, sizeof name, "model@%s", precision);
    must(sembed_registry_create(NULL, registry, &error), &error);
    must(sembed_registry_load(*registry, name, folder, NULL, &error), &error);
    must(sembed_registry_acquire(*registry, name, NULL, model, &error), &error);
}

static double read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double seconds_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double processor_seconds(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double sort_and_median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare_doubles);
    return count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
}

const char *processor_name(void)
{
    static char name[128] = "unknown processor";
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && fgets(line, sizeof line, file)) {
        char *value = strstr(line, ": ");

        if (strncmp(line, "model name", 10) == 0 && value) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(name, sizeof name, "%s", value + 2);
            break;
        }
    }
    if (file)
        fclose(file);
    return name;
}

double peak_megabytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* argv[*i + 1] for an option that takes a value; moves *i on. */
static const char *option_value(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc)
        die("%s wants a value", argv[*i]);
    return argv[++*i];
}

static size_t option_count(int argc, char **argv, int *i)
{
    const char *name = argv[*i], *value = option_value(argc, argv, i);
    char *end;
    unsigned long count;

    errno = 0;
    count = strtoul(value, &end, 10);
    if (errno || *end || value[0] < '0' || value[0] > '9' || count < 1 || count > 1000000)
        die("%s wants a whole number from 1 to 1000000, not '%s'", name, value);
    return count;
}

static struct bench_options read_options(int argc, char **argv)
{
    struct bench_options options = {.folder = "models/all-MiniLM-L6-v2",
                                    .kind = "short",
                                    .precision = "f32",
                                    .passes = 3,
                                    .threads = 1};

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--model") == 0)
            options.folder = option_value(argc, argv, &i);
        else if (strcmp(argv[i], "--kind") == 0)
            options.kind = option_value(argc, argv, &i);
        else if (strcmp(argv[i], "--texts") == 0)
            options.texts_path = option_value(argc, argv, &i);
        else if (strcmp(argv[i], "--precision") == 0)
            options.precision = option_value(argc, argv, &i);
        else if (strcmp(argv[i], "--vectors") == 0)
            options.vectors_path = option_value(argc, argv, &i);
        else if (strcmp(argv[i], "--passes") == 0)
            options.passes = option_count(argc, argv, &i);
        else if (strcmp(argv[i], "--threads") == 0)
            options.threads = option_count(argc, argv, &i);
        else if (strcmp(argv[i], "--json") == 0)
            options.json = true;
        else
            die("unknown option '%s'", argv[i]);
    }
    return options;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            struct bench_options options = read_options(argc, argv);

            return commands[i].run(&options);
        }
    }
    fputs(help, stderr);
    return 2;
}
