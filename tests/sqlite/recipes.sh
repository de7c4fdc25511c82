#!/bin/bash
# Runs the recipes of docs/recipes.md for SQLite, with the tiny model of the tests under the name that they
# use, and looks at what they leave behind. From the root of the repository: tests/sqlite/recipes.sh
# Those with sqlite-vec take the Python package sqlite-vec, whose wheel holds vec0.so and nothing else: it is
# fetched into build/ with pip; where that cannot be, they are skipped. SQLITE_VEC=/path/to/vec0 uses another.
set -u
sqlite_vec_version=0.1.9
extension=$(realpath "${SEMBED_EXTENSION:-build/sqlite/sembed.so}")
document=$PWD/docs/recipes.md
folder=$(mktemp -d) || exit
trap 'rm -r "$folder"' EXIT
failed=0

if ! command -v sqlite3 >/dev/null; then
    echo "skipped: there is no sqlite3 shell"
    exit
fi
. tests/sqlite/sanitized.sh
sanitize "$extension" "$folder"

mkdir -p "$folder/models" "$folder/build/sqlite" "$folder/tests"
cp -R tests/fixtures/tiny-bert "$folder/models/all-MiniLM-L6-v2"
ln -s "$PWD/tests/fixtures" "$folder/tests/fixtures"
ln -s "$extension" "$folder/build/sqlite/sembed.so"
export SEMBED_MODEL_PATH=$folder/models
fetched=$PWD/build/sqlite-vec-$sqlite_vec_version
cd "$folder" || exit

# blocks LANGUAGE [HEADING]: what stands in the document's blocks of that language (below that heading).
blocks() {
    awk -v fence="\`\`\`$1" -v heading="### ${2:-}" '
        /^### / { inside = (heading == "### " || $0 == heading) }
        /^## /  { inside = (heading == "### ") }
        /^```/  { shown = ($0 == fence && inside); next }
        shown' "$document"
}

# check NAME EXPECTED SQL [SHELL-ARGUMENT...]: the statement's output in recipes.db.
check() {
    local name=$1 expected=$2 sql=$3 found
    shift 3
    found=$(sqlite3 -batch -init /dev/null -cmd '.load build/sqlite/sembed' \
        -cmd 'PRAGMA trusted_schema = ON' "$@" recipes.db "$sql" 2>&1)
    if [ "$found" = "$expected" ]; then
        echo "ok: $name"
    else
        printf 'FAILED: %s\nexpected %s\nfound    %s\n' "$name" "$expected" "$found"
        failed=1
    fi
}

blocks 'sql sqlite' >recipes.sql
if ! sqlite3 -batch -bail -init /dev/null recipes.db <recipes.sql >output 2>&1; then
    echo "FAILED: a recipe"
    cat output
    exit 1
fi

check "a generated column is current" "5|5" "SELECT count(*), sum(embedding =
    embed('all-MiniLM-L6-v2', title || char(10) || body)) FROM pages"
check "a trigger embeds new rows, a batch the others" "6|6" "SELECT count(*), sum(embedding =
    embed('all-MiniLM-L6-v2', body)) FROM notes"
check "a trigger embeds changed rows" "6|0" "UPDATE notes SET body = body || '!' WHERE id = 2;
    SELECT count(*), sum(embedding IS NOT embed('all-MiniLM-L6-v2', body)) FROM notes"
check "a trigger embeds changed pieces" "1|1|0" "UPDATE documents SET body = 'A short one.' WHERE id = 2;
    SELECT count(*), sum(body = 'A short one.'), sum(embedding IS NOT embed('all-MiniLM-L6-v2', body))
    FROM pieces WHERE document = 2"
check "pieces hold the document" "1|0|0" "SELECT count(*) > 1, sum(token_count('all-MiniLM-L6-v2', p.body) > 40),
    sum(instr(d.body, p.body) = 0) FROM pieces AS p JOIN documents AS d ON d.id = document WHERE document = 1"
check "a document goes with its pieces" "0" "DELETE FROM documents WHERE id = 1;
    SELECT count(*) FROM pieces WHERE document = 1"

echo ".output /dev/null
SELECT sembed_config('model', 'all-MiniLM-L6-v2');
.output stdout" >model.sql

# The same by another way: places counted, not numbered.
hybrid=$(sed -n '/^WITH words/,/;$/p' recipes.sql)
check "reciprocal ranks are added" "3|0" "SELECT count(*), sum(abs(score - 1.0 / (61 + (SELECT count(*) FROM notes AS o
    WHERE cos_sim(o.embedding, embed('all-MiniLM-L6-v2', 'how to sleep better')) >
    cos_sim(n.embedding, embed('all-MiniLM-L6-v2', 'how to sleep better'))))
    - CASE WHEN n.body LIKE '%sleep%' THEN 1.0 / 61 ELSE 0 END) > 1e-12)
    FROM (${hybrid%;}) JOIN notes AS n USING (id)" -cmd ".read model.sql"

# 10,000 rows, some without a text, by the loop.
blocks 'sql sqlite' 'Embed a table that exists' | sed '/^SELECT/d' >batch.sql
blocks 'sh sqlite' 'Embed a table that exists' >loop.sh
sqlite3 -batch -init /dev/null notes.db "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, embedding BLOB);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO notes SELECT 3 * i, CASE WHEN i % 100 THEN 'note ' || i || ' of the river' END, NULL FROM n"
sh loop.sh >output 2>&1
mv notes.db recipes.db
check "10,000 rows are embedded in batches" "9900|100|0" "SELECT count(embedding), sum(body IS NULL),
    sum(embedding IS NOT embed('all-MiniLM-L6-v2', body)) FROM notes"
if [ "$(head -n 1 output)" = "9900 rows to embed" ] && [ "$(grep -c 'rows to embed' output)" -eq 20 ]; then
    echo "ok: progress is shown"
else
    echo "FAILED: progress is shown"
    cat output
    failed=1
fi

# ------------------------------------------------------------------------------------------ sqlite-vec

vec=${SQLITE_VEC:-}
if [ -z "$vec" ]; then
    vec=$fetched/sqlite_vec/vec0
    [ -f "$vec.so" ] || PIP_REQUIRE_VIRTUALENV=0 timeout 120 python3 -m pip install -q --no-deps --target "$fetched" \
        "sqlite-vec==$sqlite_vec_version" >pip.log 2>&1
fi
if [ ! -f "${vec%.so}.so" ]; then
    echo "skipped: sqlite-vec $sqlite_vec_version cannot be fetched with pip"
    exit $failed
fi
check_vec() { check "$@" -cmd ".load ${vec%.so}" -cmd ".read model.sql"; }

sqlite3 -batch -init /dev/null -cmd '.load build/sqlite/sembed' recipes.db \
    "DELETE FROM notes WHERE id > 300 OR body IS NULL" # 99 are left
blocks 'sql sqlite-vec' | sed 's/384/24/g' >vec.sql
if ! sqlite3 -batch -bail -init /dev/null -cmd '.load build/sqlite/sembed' -cmd ".load ${vec%.so}" \
    -cmd ".read model.sql" recipes.db <vec.sql >output 2>&1 || [ "$(grep -c . output)" -ne 6 ]; then
    echo "FAILED: the recipe with sqlite-vec"
    cat output
    failed=1
fi
sqlite3 -batch -bail -init /dev/null -cmd '.load build/sqlite/sembed' -cmd ".load ${vec%.so}" recipes.db \
    "CREATE VIRTUAL TABLE int8s USING vec0(small int8[24] distance_metric=cosine);
    INSERT INTO int8s (rowid, small) SELECT id, quantize_int8(embedding) FROM notes" || failed=1
check_vec "vec0 holds what embed gives" "99|99" "SELECT count(*), sum(vectors.embedding = notes.embedding)
    FROM vectors JOIN notes ON notes.id = vectors.rowid"
check_vec "vec0 finds what cos_sim finds" "1" "SELECT (SELECT group_concat(rowid) FROM (SELECT rowid FROM vectors
    WHERE embedding MATCH embed('a stone') AND k = 10 ORDER BY distance)) =
    (SELECT group_concat(id) FROM (SELECT id FROM notes ORDER BY cos_sim(embedding, embed('a stone')) DESC, id LIMIT 10))"
check_vec "its distance agrees with cos_sim" "99|0" "SELECT count(*), sum(abs(1 - distance - cos_sim(v.embedding,
    embed('a stone'))) > 1e-5) FROM (SELECT rowid, distance, embedding FROM vectors
    WHERE embedding MATCH embed('a stone') AND k = 99) AS v"
check_vec "its distances agree with the other similarities" "0|0" "SELECT
    sum(abs(vec_distance_l2(embedding, embed('a stone')) + euclidean_sim(embedding, embed('a stone'))) > 1e-5),
    sum(abs(vec_distance_l1(embedding, embed('a stone')) + manhattan_sim(embedding, embed('a stone'))) > 1e-5) FROM notes"
check_vec "an int8 column is searched" "99|0|1" "SELECT count(*), sum(abs(1 - distance - cos_sim(n.embedding,
    embed('a stone'))) > 0.02), max(vec_to_json(v.small) = vec_to_json(quantize_int8(n.embedding)))
    FROM (SELECT rowid, distance, small FROM int8s WHERE small MATCH quantize_int8(embed('a stone')) AND k = 99) AS v
    JOIN notes AS n ON n.id = v.rowid"
check_vec "a bit column is searched" "99|0" "SELECT count(*), sum(distance <> vec_distance_hamming(
    quantize_binary(n.embedding), quantize_binary(embed('a stone'))))
    FROM (SELECT rowid, distance FROM vectors WHERE bits MATCH quantize_binary(embed('a stone')) AND k = 99) AS v
    JOIN notes AS n ON n.id = v.rowid"
check_vec "its bits are those of quantize_binary" "99" "SELECT count(*) FROM notes
    WHERE quantize_binary(embedding) = vec_quantize_binary(embedding)"
check_vec "it reads int8 vectors" "99|99" "SELECT count(*), sum(abs(vec_distance_cosine(quantize_int8(embedding),
    quantize_int8(embedding))) < 1e-6) FROM notes"
check_vec "its normalized vectors are ours" "0" "SELECT sum(cos_sim(vec_normalize(embedding), l2_normalize(embedding))
    < 0.9999999) FROM notes"

exit $failed
