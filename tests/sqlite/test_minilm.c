/*
 * The real model: all-MiniLM-L6-v2 against 201 texts by sentence-transformers 6.2.0, through SQL.
 * Skipped where the model (SEMBED_TEST_MODEL, else models/all-MiniLM-L6-v2) or the texts
 * (SEMBED_TEST_GOLDEN, else ../shared/reference/minilm_golden.jsonl) are not there.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_goldens(void **state)
{
    (void)state;
    const char *model = getenv("SEMBED_TEST_MODEL"), *golden = getenv("SEMBED_TEST_GOLDEN");
    model = model ? model : "models/all-MiniLM-L6-v2";
    golden = golden ? golden : "../shared/reference/minilm_golden.jsonl";
    if (access(model, R_OK) || access(golden, R_OK)) {
        print_message("skipped: needs %s and %s\n", model, golden);
        skip();
    }
    sqlite3 *database = open_database();
    run(database, "SELECT sembed_load('minilm', %Q)", model);
    size_t every = is_emulated() ? 10 : 1; /* and that takes minutes */
    assert_true(check_goldens(database, "minilm", golden, 384, every) >= 200 / every);
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens)};
    return cmocka_run_group_tests_name("minilm", tests, use_fixtures, NULL);
}
