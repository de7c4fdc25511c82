#!/bin/bash
# A session in the sqlite3 shell, as a user has it, compared with what it must print. From the root of
# the repository: tests/sqlite/shell.sh (the documents' own examples: scripts/check-examples sqlite)
set -u
export SEMBED_MODEL_PATH=${SEMBED_FIXTURES:-tests/fixtures} SEMBED_MODEL=tiny-bert
export SEMBED_EXTENSION=${SEMBED_EXTENSION:-build/sqlite/sembed.so}
folder=$(mktemp -d) || exit
trap 'rm -r "$folder"' EXIT
failed=0

if ! command -v sqlite3 >/dev/null; then
    echo "skipped: there is no sqlite3 shell"
    exit
fi

# Whatever the library brings must not meet names of the program that loads it.
exported=$(nm -D --defined-only "$SEMBED_EXTENSION" | grep -vE ' [A-Z] (__(a|ub|t)san|_ITM|__gmon|__cxa)' | cut -d ' ' -f 2-)
if [ "$exported" = "T sqlite3_sembed_init" ]; then
    echo "ok: only one symbol is exported"
else
    echo "FAILED: only one symbol is exported, found: $exported"
    failed=1
fi

. tests/sqlite/sanitized.sh
sanitize "$SEMBED_EXTENSION" "$folder"

# expect NAME: runs the SQL before the line "--" of stdin; the lines after it are what must appear.
expect() {
    local name=$1 input
    input=$(cat)
    printf '%s\n' "${input%%$'\n--\n'*}" >"$folder/sql"
    printf '%s\n' "${input#*$'\n--\n'}" >"$folder/expected"
    sqlite3 -batch -init /dev/null -cmd ".load ${SEMBED_EXTENSION%.so}" "$folder/docs.db" \
        <"$folder/sql" >"$folder/found" 2>&1
    # 3.41 and later say it in other words, with the place.
    sed -i -E 's/^(Runtime error|Parse error|Error)( near line [0-9]+)?: (stepping, )?/Error: /; s/ \([0-9]+\)$//' \
        "$folder/found"
    if diff -u "$folder/expected" "$folder/found"; then
        echo "ok: $name"
    else
        echo "FAILED: $name"
        failed=1
    fi
}

expect "a table is embedded and searched" <<'SQL'
CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, embedding BLOB);
INSERT INTO docs(body) VALUES ('the river'), ('a stone'), ('the running water');
UPDATE docs SET embedding = embed(body);
SELECT body FROM docs ORDER BY cos_sim(embedding, embed('a stone')) DESC LIMIT 1;
SELECT count(*), sum(length(embedding)) FROM docs;
--
a stone
3|288
SQL

expect "the table is there for the next shell" <<'SQL'
SELECT body FROM docs WHERE embedding = embed('the river');
--
the river
SQL

expect "many texts in one call" <<'SQL'
SELECT id, length(vector) FROM embed_batch('["river", null, "stone"]');
SELECT d.id, b.vector = d.embedding FROM docs AS d
JOIN embed_batch((SELECT json_group_array(body) FROM (SELECT body FROM docs ORDER BY id))) AS b ON b.id = d.id - 1;
--
0|96
1|
2|96
1|1
2|1
3|1
SQL

expect "what is there" <<'SQL'
SELECT sembed_version() LIKE '_%._%._% (%)';
SELECT sembed_load('again', 'tests/fixtures/tiny-bert');
SELECT name, loaded, architecture, dimensions, max_tokens, similarity FROM sembed_models WHERE name IN ('again');
--
1
again
again|1|bert|24|64|cosine
SQL

expect "errors are told and do no harm" <<'SQL'
SELECT cos_sim('[1,2,3]', '[1,2,3,4]');
SELECT * FROM embed_batch;
SELECT 'still here';
--
Error: cos_sim: vectors of different sizes: 3 and 4 dimensions
Error: embed_batch: an argument is missing: embed_batch(json_array) or embed_batch(model, json_array [, options])
still here
SQL

# The compiled image in a cache folder of its own, and the vector by it.
image_inode() { stat -c %i "$folder"/images/*.image; }
vector() {
    SEMBED_CACHE=$folder/images sqlite3 -batch -init /dev/null -cmd ".load ${SEMBED_EXTENSION%.so}" :memory: \
        "SELECT hex(embed('river')), (SELECT shared_bytes > private_bytes FROM sembed_models WHERE loaded)" 2>&1
}
# check NAME CONDITION...
check() {
    if [ "${@:2}" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: ${*:2}"
        failed=1
    fi
}
by_image=$(vector) inode=$(image_inode)
check "an image is used again" "$(vector) $(image_inode)" = "$by_image $inode"
if [ "$(id -u)" = 0 ]; then # who else may give files away
    chown 54321 "$folder"/images/*.image
    check "an image of another user: right answer" "$(vector)" = "$by_image"
    check "an image of another user is made anew" "$(image_inode)" != "$inode"
    chown 54321 "$folder/images" && rm "$folder"/images/*
    check "a folder of another user: right answer" "$(vector | head -c 192)" = "${by_image%|*}"
    check "a folder of another user stays empty" -z "$(ls "$folder/images")"
fi

exit $failed
