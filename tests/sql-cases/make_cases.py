"""Writes cases.jsonl; see README.md. Needs what tests/fixtures/make_fixtures.py needs, and scipy."""

import json
import pathlib
import unicodedata

import numpy
import scipy.stats
import torch
from sentence_transformers import util
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"

cases = []


def case(name, sql=None, **fields):
    if sql is not None:
        fields = {"sql": sql, **fields}
    cases.append({"name": name, **fields})


def by_host(sqlite, postgresql):
    """What each says of the same fault."""
    return {"sqlite": sqlite, "postgresql": postgresql}


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def literal(value):
    """A vector, texts or options, as README.md says."""
    return "@" + json.dumps(value, ensure_ascii=False)


def goldens(folder):
    with open(FIXTURES / folder / "golden.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def is_plain(text):
    """Texts that every client passes on as they are."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


# ------------------------------------------------------------------------------------------ embed

OPTIONS = ("dims", "layers", "normalize", "prompt", "prompt_name")


def options_of(golden):
    options = {key: golden[key] for key in OPTIONS if key in golden}
    if options.get("prompt") == "":
        del options["prompt"]
        options["prompt_name"] = "none"
    return options


def embed_cases(folder, wanted):
    """Up to `wanted` goldens of each kind of request."""
    seen = {}
    for golden in goldens(folder):
        if "embedding" not in golden or not is_plain(golden["text"]) or len(golden["text"]) > 200:
            continue
        options = options_of(golden)
        role = golden.get("role", "encode")
        kind = (role, tuple(sorted(options)), options.get("prompt_name"), options.get("normalize"))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > wanted or (role != "encode" and {"prompt", "prompt_name"} & options.keys()):
            continue
        function = "embed" if role == "encode" else "embed_" + role
        arguments = [quote(folder), quote(golden["text"])] + ([literal(options)] if options else [])
        case(f"{function} {folder} {json.dumps(options)} {seen[kind]}",
             f"SELECT {function}({', '.join(arguments)})", result=[[golden["embedding"]]])


for folder, wanted in (("tiny-bert", 6), ("roberta", 2), ("prompts", 1), ("prompts-excluded", 1),
                       ("truncate-dim", 1), ("dense-identity", 1), ("mpnet", 2), ("xlm-roberta", 2)):
    embed_cases(folder, wanted)

plain = [golden for golden in goldens("tiny-bert") if "embedding" in golden and not options_of(golden)
         and "role" not in golden and is_plain(golden["text"])]
first, second = plain[0], plain[1]
case("embed by the default model", f"SELECT embed({quote(first['text'])})",
     result=[[first["embedding"]]])
case("embed by the default model of the settings", f"SELECT embed({quote(goldens('mpnet')[0]['text'])})",
     settings={"model": "mpnet"}, result=[[goldens("mpnet")[0]["embedding"]]])
case("normalize by PostgreSQL's name", result=[[first["embedding"][:8]]],
     sqlite=f"SELECT embed('tiny-bert', {quote(first['text'])}, "
            "'{\"dims\": 8, \"normalize_embeddings\": \"never\"}')",
     postgresql=f"SELECT embed('tiny-bert', {quote(first['text'])}, dims => 8, normalize_embeddings => 'never')")
texts = literal([first["text"], None, second["text"]])
case("embed many", result=[[first["embedding"]], [None], [second["embedding"]]],
     sqlite=f"SELECT vector FROM embed_batch('tiny-bert', {texts}) ORDER BY id",
     postgresql=f"SELECT embed('tiny-bert', {texts})")
cut = next(golden for golden in goldens("roberta") if options_of(golden).keys() == {"dims", "normalize"}
           and is_plain(golden["text"]))
case("embed many with options", result=[[cut["embedding"]], [cut["embedding"]]],
     sqlite="SELECT vector FROM embed_batch('roberta', "
            f"{literal([cut['text']] * 2)}, {literal(options_of(cut))}) ORDER BY id",
     postgresql=f"SELECT embed('roberta', {literal([cut['text']] * 2)}, {literal(options_of(cut))})")
case("embed no texts", result=[], sqlite="SELECT vector FROM embed_batch('tiny-bert', '[]')",
     postgresql="SELECT embed('tiny-bert', ARRAY[]::text[])")
TWO_DIMENSIONS = by_host("expected a string or null at index 0, found an array",
                         "texts must be a one-dimensional array, this has 2 dimensions")
case("embed many of two dimensions", error=TWO_DIMENSIONS,
     sqlite="SELECT vector FROM embed_batch('tiny-bert', '[[\"a\"]]')",
     postgresql="SELECT embed('tiny-bert', ARRAY[['a']])")
for options, error in (({"dims": -1}, "dims"), ({"dims": 10000}, "found 10000"),
                       ({"layers": -1}, "layers"), ({"layers": 3}, "layers: expected at most the 2"),
                       ({"prompt_name": "nothing"}, "has no prompt 'nothing'")):
    case(f"embed no texts {json.dumps(options)}", error=error,
         sqlite=f"SELECT count(*) FROM embed_batch('tiny-bert', '[]', {literal(options)})",
         postgresql=f"SELECT count(*) FROM embed('tiny-bert', ARRAY[]::text[], {literal(options)})")
case("dims 0 is all of them", f"SELECT embed('tiny-bert', {quote(first['text'])}, {literal({'dims': 0, 'layers': 0})})",
     result=[[first["embedding"]]])
case("embed of NULL", "SELECT embed('tiny-bert', NULL)" , result=[[None]])
case("embed by NULL", "SELECT embed(NULL, 'a text')", result=[[None]])
for function in ("embed", "embed_query", "embed_document"):
    case(f"{function} by an unknown model", f"SELECT {function}('nobody', 'a text')",
         error="model 'nobody' is not found")
    case(f"{function} by a cross-encoder", f"SELECT {function}('cross-bert', 'a text')",
         error="model 'cross-bert' is a cross-encoder")
    for options, error in (({"dims": -1}, "dims"), ({"dims": 10000}, "found 10000"),
                           ({"layers": -1}, "layers"), ({"layers": 3}, "layers: expected at most the 2"),
                           ({"normalize": "yes"}, "'model', 'always' or 'never'")):
        case(f"{function} {json.dumps(options)}",
             f"SELECT {function}('tiny-bert', 'a text', {literal(options)})", error=error)
case("an unknown model: which there are", "SELECT embed('nobody', 'a text')", error="; there are: bert-saved, ")
case("an unknown prompt",
     f"SELECT embed('prompts', 'a text', {literal({'prompt_name': 'nothing'})})", error="nothing")
case("prompt and prompt_name",
     f"SELECT embed('prompts', 'a text', {literal({'prompt': 'a', 'prompt_name': 'query'})})",
     error="prompt and prompt_name")

# ------------------------------------------------------------------------------------ similarities

SIMILARITIES = {"cos_sim": util.cos_sim, "dot_score": util.dot_score,
                "euclidean_sim": util.euclidean_sim, "manhattan_sim": util.manhattan_sim}
PAIRS = [([1, 0], [1, 0]), ([1, 2], [-2, -4]), ([0.5, -0.25, 3], [1, 1, 1]), ([0, 0], [1, 1]),
         ([0, 0], [0, 0]), ([3], [-0.125]), ([1e-4, 0], [3e4, 3e4])]


def compare(function, a, b):
    vectors = [torch.tensor(numpy.array([v], dtype=numpy.float32).astype(numpy.float64)) for v in (a, b)]
    # As the reference's, 0 - x is written as -x by it; -0 and 0 are equal.
    return float(SIMILARITIES[function](*vectors)[0][0]) + 0.0


for function in SIMILARITIES:
    for a, b in PAIRS:
        case(f"{function} of {a} and {b}", f"SELECT {function}({literal(a)}, {literal(b)})",
             result=[[compare(function, a, b)]])
    case(f"{function} of embeddings",
         f"SELECT {function}(embed('tiny-bert', {quote(first['text'])}), embed('tiny-bert', {quote(second['text'])}))",
         result=[[compare(function, first["embedding"], second["embedding"])]])
    case(f"{function} of NULL", f"SELECT {function}(NULL, {literal([1])})", result=[[None]])
    case(f"{function} of different sizes", f"SELECT {function}({literal([1, 2, 3])}, {literal([1, 2, 3, 4])})",
         error="3 and 4 dimensions")
    case(f"{function} of an empty vector", error="empty",
         sqlite=f"SELECT {function}('[]', '[]')",
         postgresql=f"SELECT {function}('{{}}'::real[], '{{}}'::real[])")
    case(f"{function} of a vector with NULL", error=by_host("something else at index 1", "must not contain NULL"),
         sqlite=f"SELECT {function}('[1, null]', '[1, 2]')",
         postgresql=f"SELECT {function}('{{1,NULL}}'::real[], '{{1,2}}'::real[])")
    case(f"{function} of two dimensions", error=by_host("something else at index 0", "this has 2 dimensions"),
         sqlite=f"SELECT {function}('[[1, 2]]', '[[1, 2]]')",
         postgresql=f"SELECT {function}('{{{{1,2}}}}'::real[], '{{{{1,2}}}}'::real[])")
    case(f"{function} of no numbers", error=by_host("something else at index 1", "invalid input syntax"),
         sqlite=f"SELECT {function}('[1, \"x\"]', '[1, 2]')",
         postgresql=f"SELECT {function}('{{1,x}}', '{{1,2}}')")
    case(f"{function} of a text", error=by_host("found TEXT that is not JSON", "malformed array literal"),
         sqlite=f"SELECT {function}('a text', '[1, 2]')",
         postgresql=f"SELECT {function}('a text', '{{1,2}}')")
    # SQLite knows no NaN: it is NULL there. Floats: quiet NaN, infinity, 1.
    case(f"{function} of NaN", result=[[None]],
         sqlite=f"SELECT {function}(x'0000c07f0000803f', '[1, 1]')",
         postgresql=f"SELECT nullif({function}('{{NaN,1}}', '{{1,1}}'), 'NaN')")
    case(f"{function} of infinity", result=[[{"cos_sim": None, "dot_score": 9, "euclidean_sim": -9,
                                              "manhattan_sim": -9}[function]]],
         sqlite=f"SELECT min(max({function}(x'0000807f0000803f', '[1, 1]'), -9), 9)",
         postgresql=f"SELECT least(greatest(nullif({function}('{{Infinity,1}}', '{{1,1}}'), 'NaN'), -9), 9) "
                    f"WHERE {function}('{{Infinity,1}}', '{{1,1}}') <> 'NaN' UNION ALL "
                    f"SELECT NULL WHERE {function}('{{Infinity,1}}', '{{1,1}}') = 'NaN'")
for model, function in (("tiny-bert", "cos_sim"), ("prompts", "dot_score")):
    case(f"similarity of {model}", f"SELECT similarity('{model}', {literal([1, 2])}, {literal([3, -5])})",
         result=[[compare(function, [1, 2], [3, -5])]])
case("similarity of an unknown model", f"SELECT similarity('nobody', {literal([1])}, {literal([1])})",
     error="model 'nobody' is not found")
case("similarity of different sizes", f"SELECT similarity('tiny-bert', {literal([1])}, {literal([1, 2])})",
     error="1 and 2 dimensions")

# ----------------------------------------------------------------------------------------- vectors

vector = [0.5, -0.25, 3, -1, 0, 0.75, 0.1, -0.9]
for n in (1, 3, 8):
    case(f"truncate_dim to {n}", f"SELECT truncate_dim({literal(vector)}, {n})", result=[[vector[:n]]])
for n in (0, -1, 9, 10000):
    case(f"truncate_dim to {n}", f"SELECT truncate_dim({literal(vector)}, {n})", error="truncate_dim")
normalized = torch.nn.functional.normalize(torch.tensor([vector], dtype=torch.float64))[0].tolist()
case("l2_normalize", f"SELECT l2_normalize({literal(vector)})", result=[[normalized]])
case("l2_normalize of zeros", f"SELECT l2_normalize({literal([0, 0])})", result=[[[0, 0]]])
case("l2_normalize of NULL", "SELECT l2_normalize(NULL)", result=[[None]])
numbers = numpy.clip(numpy.rint(numpy.array(vector, dtype=numpy.float32) * numpy.float32(127)), -127, 127)
case("quantize_int8", result=[[numbers.astype(numpy.int8).tobytes().hex()]],
     sqlite=f"SELECT lower(hex(quantize_int8({literal(vector)})))",
     postgresql=f"SELECT encode(quantize_int8({literal(vector)}), 'hex')")
bits = numpy.array(vector) > 0
case("quantize_binary, first bit low", result=[[numpy.packbits(bits, bitorder="little").tobytes().hex()]],
     sqlite=f"SELECT lower(hex(quantize_binary({literal(vector)})))")
case("quantize_binary, first bit first", result=[["".join(str(int(bit)) for bit in bits)]],
     postgresql=f"SELECT quantize_binary({literal(vector)})::text")

# ------------------------------------------------------------------------------------------ rerank

for folder in ("cross-bert", "cross-roberta", "cross-xlm-roberta", "cross-electra", "cross-mpnet"):
    by_query = {}
    for golden in goldens(folder):
        if is_plain(golden["query"] + golden["document"]) and golden["document"]:
            by_query.setdefault(golden["query"], []).append(golden)
    query, pairs = max(by_query.items(), key=lambda item: len(item[1]))
    documents = [pair["document"] for pair in pairs]
    ranks = sorted(range(len(pairs)), key=lambda i: (-pairs[i]["scores"][0], i))
    rows = [[i, pairs[i]["scores"][0], documents[i]] for i in ranks]
    assert len(rows) > 1
    statement = (f"SELECT corpus_id, score, text FROM rerank('{folder}', {quote(query)}, "
                 f"{literal(documents)}{{}})")
    case(f"rerank by {folder}", statement.format(""), result=rows)
    case(f"rerank by {folder}, top 1", statement.format(", 1"), result=rows[:1])
    case(f"rerank by {folder}, top 0 is all", statement.format(", 0"), result=rows)
    case(f"rerank by {folder}, top 10000", statement.format(", 10000"), result=rows)
    case(f"rerank_score by {folder}", f"SELECT rerank_score('{folder}', {quote(query)}, {quote(documents[0])})",
         result=[[pairs[0]["scores"][0]]])
    if folder == "cross-bert":
        case("rerank by the setting",
             f"SELECT corpus_id, score, text FROM rerank({quote(query)}, {literal(documents)})", result=rows)
        case("rerank by the setting, top 1", result=rows[:1],
             sql=f"SELECT corpus_id, score, text FROM rerank({quote(query)}, {literal(documents)}, 1)")
        case("rerank by the setting, top 0 is all", result=rows,
             sql=f"SELECT corpus_id, score, text FROM rerank({quote(query)}, {literal(documents)}, 0)")
        case("rerank_score by the setting", f"SELECT rerank_score({quote(query)}, {quote(documents[1])})",
             result=[[pairs[1]["scores"][0]]])
        twice = [documents[0], None, documents[0]]
        score = pairs[0]["scores"][0]
        case("equal scores keep their order, NULL is left out",
             f"SELECT corpus_id, score FROM rerank('{folder}', {quote(query)}, {literal(twice)})",
             result=[[0, score], [2, score]])
    elif folder == "cross-roberta":
        case("rerank_score by another setting", f"SELECT rerank_score({quote(query)}, {quote(documents[1])})",
             settings={"reranker": folder}, result=[[pairs[1]["scores"][0]]])
case("rerank of no texts", result=[], sqlite="SELECT * FROM rerank('cross-bert', 'a', '[]')",
     postgresql="SELECT * FROM rerank('cross-bert', 'a', ARRAY[]::text[])")
case("rerank of NULL", f"SELECT * FROM rerank('cross-bert', NULL, {literal(['a'])})", result=[])
case("rerank of two dimensions", error=TWO_DIMENSIONS, sqlite="SELECT * FROM rerank('cross-bert', 'a', '[[\"a\"]]')",
     postgresql="SELECT * FROM rerank('cross-bert', 'a', ARRAY[['a']])")
case("rerank by the setting, top -1", f"SELECT * FROM rerank('a', {literal(['a'])}, -1)", error="top_k")
case("rerank, top -1", f"SELECT * FROM rerank('cross-bert', 'a', {literal(['a'])}, -1)", error="top_k")
case("rerank by an unknown model", f"SELECT * FROM rerank('nobody', 'a', {literal(['a'])})",
     error="model 'nobody' is not found")
for function, call in (("rerank", "SELECT * FROM rerank('{}', 'a', " + literal(["a"]).replace("{", "{{") + ")"),
                       ("rerank_score", "SELECT rerank_score('{}', 'a', 'b')")):
    case(f"{function} by an embedding model", call.format("tiny-bert"), error="model 'tiny-bert' gives embeddings")
    case(f"{function} by a model of three labels", call.format("cross-distilbert"),
         error="model 'cross-distilbert' gives a pair 3 scores")
case("rerank_score of NULL", "SELECT rerank_score('cross-bert', 'a', NULL)", result=[[None]])

# ------------------------------------------------------------------------------------------ tokens

TEXTS = ["The river froze early, and the ferry stayed.", "", "naïve Zürich 東京 🚲 river",
         "unbelievable  mountaineers"]
for folder in ("tiny-bert", "roberta", "mpnet"):
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for text in TEXTS:
        encoding = tokenizer.backend_tokenizer.encode(text)
        rows = []
        for i, (identity, token, (start, stop)) in enumerate(
                zip(encoding.ids, encoding.tokens, encoding.offsets)):
            rows.append([i, identity, token] + ([None, None] if stop == 0 else [start, stop]))
        case(f"tokenize by {folder}: {text}",
             f"SELECT position, id, token, start, stop FROM tokenize('{folder}', {quote(text)})", result=rows)
        case(f"token_count by {folder}: {text}", f"SELECT token_count('{folder}', {quote(text)})",
             result=[[len(rows)]])
long_text = "river " * 400
tiny = AutoTokenizer.from_pretrained(FIXTURES / "tiny-bert").backend_tokenizer
tiny.no_truncation()
tiny.no_padding()
long_count = len(tiny.encode(long_text).ids)
case("tokens beyond the limit are counted", f"SELECT token_count({quote(long_text)})", result=[[long_count]])
case("tokenize by the setting", f"SELECT count(*) FROM tokenize({quote(long_text)})", result=[[long_count]])
case("tokenize NULL", "SELECT * FROM tokenize('tiny-bert', NULL)", result=[])
case("token_count of NULL", "SELECT token_count('tiny-bert', NULL)", result=[[None]])
for function in ("embed", "embed_query", "embed_document"):
    case(f"{function} refuses a text that is too long", f"SELECT {function}('tiny-bert', {quote(long_text)})",
         settings={"on_truncate": "error"},
         error=f"a text of {long_count} tokens: model 'tiny-bert' reads at most 64")
cross = AutoTokenizer.from_pretrained(FIXTURES / "cross-bert")
pair_limit = json.load(open(FIXTURES / "cross-bert" / "config.json"))["max_position_embeddings"]
pair_count = len(cross("river", long_text, truncation=False)["input_ids"])
for name, sql in (("rerank", f"SELECT * FROM rerank('cross-bert', 'river', {literal(['a', long_text])})"),
                  ("rerank_score", f"SELECT rerank_score('cross-bert', 'river', {quote(long_text)})")):
    case(f"{name} refuses a pair that is too long", sql, settings={"on_truncate": "error"},
         error=f"a query and document of {pair_count} tokens: model 'cross-bert' reads at most {pair_limit}")
case("a pair that fits is not refused", "SELECT count(*) FROM rerank('cross-bert', 'river', "
     f"{literal(['a', 'b'])})", settings={"on_truncate": "error"}, result=[[2]])
case("a text that fits is not refused", f"SELECT embed('tiny-bert', {quote(first['text'])})",
     settings={"on_truncate": "error"}, result=[[first["embedding"]]])

# ------------------------------------------------------------------------------------------ chunks

sentence = "Ünd the river runs."
document = " ".join([sentence] * 5)
special = len(tiny.encode("").ids)
tokens = len(tiny.encode(sentence).ids) - special
length = len(sentence) + 1


def chunks(*spans):
    """Sentences [from, to) of the document, as rows."""
    return [[i, document[start * length:stop * length - 1], start * length, stop * length - 1]
            for i, (start, stop) in enumerate(spans)]


SELECT_CHUNKS = "SELECT chunk_index, text, start, stop FROM chunk"
case("chunk at sentences", f"{SELECT_CHUNKS}('tiny-bert', {quote(document)}, {2 * tokens + special}, 0)",
     result=chunks((0, 2), (2, 4), (4, 5)))
case("chunk without overlap", f"{SELECT_CHUNKS}('tiny-bert', {quote(document)}, {2 * tokens + special})",
     result=chunks((0, 2), (2, 4), (4, 5)))
case("chunk with overlap", f"{SELECT_CHUNKS}('tiny-bert', {quote(document)}, {3 * tokens + special}, {tokens})",
     result=chunks((0, 3), (2, 5)))
case("chunk by the setting", f"{SELECT_CHUNKS}({quote(document)}, {2 * tokens + special}, 0)",
     result=chunks((0, 2), (2, 4), (4, 5)))
case("chunk what fits", f"{SELECT_CHUNKS}('tiny-bert', 'a river')", result=[[0, "a river", 0, 7]])
case("chunk what fits, by the setting", f"{SELECT_CHUNKS}('a river')", result=[[0, "a river", 0, 7]])
case("chunk nothing", f"{SELECT_CHUNKS}('tiny-bert', '  ')", result=[])
case("chunk NULL", f"{SELECT_CHUNKS}('tiny-bert', NULL)", result=[])
case("chunk of no room", f"{SELECT_CHUNKS}('tiny-bert', 'a river', 2, 0)", error="max_tokens")
case("chunk of negative size", f"{SELECT_CHUNKS}('tiny-bert', 'a river', -1, 0)", error="max_tokens")
case("chunk of more than the model reads", f"{SELECT_CHUNKS}('tiny-bert', 'a river', 65, 0)",
     error="max_tokens: expected at most the 64 that model 'tiny-bert' reads, found 65")
case("chunk of all that the model reads", f"{SELECT_CHUNKS}('tiny-bert', 'a river', 64, 0)",
     result=[[0, "a river", 0, 7]])
case("chunk of too much overlap", f"{SELECT_CHUNKS}('tiny-bert', 'a river', 10, 8)", error="overlap")

# -------------------------------------------------------------------------------------- aggregates


def values(rows):
    return "(VALUES " + ", ".join("(" + ", ".join("NULL" if v is None else v if isinstance(v, str) else repr(v)
                                                  for v in row) + ")" for row in rows) + ") AS t"


x = [0.3, 0.1, 0.3, 0.9, -4.0, 2.5, 0.0]
y = [1.0, 2.0, 2.0, 5.0, 0.5, 4.0, 2.0]
rows = list(zip(x, y))
case("spearman", f"SELECT spearman(column1, column2) FROM {values(rows)}",
     result=[[float(scipy.stats.spearmanr(x, y)[0])]])
case("pearson", result=[[float(scipy.stats.pearsonr(x, y)[0])]],
     sqlite=f"SELECT pearson(column1, column2) FROM {values(rows)}",
     postgresql=f"SELECT corr(column1, column2) FROM {values(rows)}")
case("spearman leaves out NULL",
     f"SELECT spearman(column1, column2) FROM {values([(None, 9.0)] + rows + [(9.0, None)])}",
     result=[[float(scipy.stats.spearmanr(x, y)[0])]])
case("spearman by group", "SELECT column1, spearman(column2, column3) FROM "
     f"{values([(1, a, b) for a, b in rows] + [(2, a, -b) for a, b in rows])} GROUP BY column1 ORDER BY column1",
     result=[[1, float(scipy.stats.spearmanr(x, y)[0])], [2, -float(scipy.stats.spearmanr(x, y)[0])]])
case("spearman of nothing", f"SELECT spearman(column1, column2) FROM {values(rows)} WHERE column1 > 99",
     result=[[None]])
exact = [0.1 * i * i for i in range(11)]
for name, sign in (("equal", 1), ("opposite", -1)):
    rows = [[float(a), sign * a] for a in exact]
    case(f"spearman of {name} series is exact",
         sqlite=f"SELECT iif(spearman(column1, column2) = {sign}, 'yes', 'no') FROM {values(rows)}",
         postgresql="SELECT CASE WHEN spearman(column1::float8, column2::float8) = "
                    f"{sign} THEN 'yes' ELSE 'no' END FROM {values(rows)}", result=[["yes"]])
case("spearman over a window", "SELECT spearman(column1, column2) OVER (ORDER BY column3 ROWS 2 PRECEDING) "
     f"FROM {values([(a, b, float(i)) for i, (a, b) in enumerate(zip(x, y))])} ORDER BY column3",
     result=[[None if i == 0 or len(set(x[max(0, i - 2):i + 1])) == 1 or len(set(y[max(0, i - 2):i + 1])) == 1
              else float(scipy.stats.spearmanr(x[max(0, i - 2):i + 1], y[max(0, i - 2):i + 1])[0])]
             for i in range(len(x))])
TRIPLETS = [([1, 0], [1, 1], [0, 1]), ([1, 0], [0, 1], [1, 1]), ([1, 0], [9, 1], [1, 0.5]), ([1, 0], [1, 0], [1, 0])]
for metric, function in (("cosine", "cos_sim"), ("dot", "dot_score"), ("euclidean", "euclidean_sim"),
                         ("manhattan", "manhattan_sim")):
    right = [compare(function, a, p) > compare(function, a, n) for a, p, n in TRIPLETS]
    rows = [[literal(v) for v in triplet] for triplet in TRIPLETS]
    case(f"triplet_accuracy, {metric}",
         f"SELECT triplet_accuracy(column1, column2, column3, '{metric}') FROM {values(rows)}",
         result=[[sum(right) / len(right)]])
    if metric == "cosine":
        case("triplet_accuracy", f"SELECT triplet_accuracy(column1, column2, column3) FROM {values(rows)}",
             result=[[sum(right) / len(right)]])
case("triplet_accuracy by another metric", error="hamming",
     sql=f"SELECT triplet_accuracy({literal([1])}, {literal([1])}, {literal([1])}, 'hamming')")
case("triplet_accuracy of different sizes", error="1 and 2 dimensions",
     sql=f"SELECT triplet_accuracy({literal([1])}, {literal([1, 2])}, {literal([1, 2])}, 'dot')")
student, teacher = numpy.array([[1, 2], [0.5, -1]]), numpy.array([[1.25, 2], [0, 0]])
rows = [[literal(a.tolist()), literal(b.tolist())] for a, b in zip(student, teacher)]
case("negative_mse", f"SELECT negative_mse(column1, column2) FROM {values(rows)}",
     result=[[float(-100 * ((student - teacher) ** 2).mean())]])
case("negative_mse over a window", "SELECT negative_mse(column1, column2) OVER (ORDER BY column3 ROWS CURRENT ROW) "
     f"FROM {values([row + [float(i)] for i, row in enumerate(rows)])} ORDER BY column3",
     result=[[float(-100 * (d ** 2).mean())] for d in student - teacher])
case("negative_mse of different sizes", f"SELECT negative_mse({literal([1])}, {literal([1, 2])})",
     error="1 and 2 dimensions")
case("negative_mse of nothing", f"SELECT negative_mse({literal([1])}, NULL)", result=[[None]])

# ------------------------------------------------------------------------------------------ models

case("sembed_models", "SELECT architecture, dimensions, max_tokens, layers, similarity, labels FROM sembed_models "
     "WHERE name = 'tiny-bert'", result=[["bert", 24, 64, 2, "cosine", 0]])

# -------------------------------------------------------------------------------------- precisions


def yes(condition):
    return f"SELECT CASE WHEN {condition} THEN 'yes' ELSE 'no' END"


pair = next(golden for golden in goldens("cross-bert")
            if golden.get("scores") and is_plain(golden["query"] + golden["document"]) and golden["document"])
pair_arguments = f"{quote(pair['query'])}, {quote(pair['document'])}"
plain_text = quote(first["text"])
case("f32 is the model as it is", f"SELECT embed('tiny-bert@f32', {plain_text})", result=[[first["embedding"]]])
case("f32 is no other model", "SELECT name FROM sembed_models WHERE name = 'tiny-bert@f32'", result=[])
# How near the reference: a cosine, and a score between 0 and 1.
for precision, cosine, distance in (("bf16", 0.9995, 0.004), ("int8", 0.998, 0.02)):
    needs = {"needs": precision}
    name = f"tiny-bert@{precision}"
    case(f"{precision} is near float32", yes(f"cos_sim(embed('{name}', {plain_text}), {literal(first['embedding'])}) > {cosine}"),
         result=[["yes"]], **needs)
    case(f"{precision} is another model than float32",
         yes(f"embed('{name}', {plain_text}) <> embed('tiny-bert', {plain_text})"), result=[["yes"]], **needs)
    case(f"{precision} by the setting", yes(f"embed({plain_text}) = embed('{name}', {plain_text})"),
         settings={"model": name}, result=[["yes"]], **needs)
    case(f"{precision} with options", result=[["yes"]], **needs,
         sql=yes(f"embed('{name}', {plain_text}, {literal({'dims': 8, 'normalize': 'never'})}) = "
                 f"truncate_dim(embed('{name}', {plain_text}), 8)"))
    case(f"{precision}: one by one and many", result=[[1]], **needs,
         sqlite=f"SELECT count(*) FROM embed_batch('{name}', json_array({quote(second['text'])}, {plain_text})) "
                f"WHERE vector = embed('{name}', {plain_text})",
         postgresql=f"SELECT count(*) FROM embed('{name}', ARRAY[{quote(second['text'])}, {plain_text}]) AS vector "
                    f"WHERE vector = embed('{name}', {plain_text})")
    case(f"{precision} in sembed_models",
         f"SELECT loaded, precision, architecture, dimensions FROM sembed_models WHERE name = '{name}' "
         f"AND (SELECT embed('{name}', 'a')) IS NOT NULL".replace(
             "loaded,", "CASE WHEN loaded THEN 'yes' ELSE 'no' END,"),
         result=[["yes", precision, "bert", 24]], **needs)
    case(f"{precision} in the tokens of a text", f"SELECT token_count('{name}', {quote(sentence)})",
         result=[[len(tiny.encode(sentence).ids)]], **needs)
    case(f"rerank_score in {precision}",
         yes(f"abs(rerank_score('cross-bert@{precision}', {pair_arguments}) - {pair['scores'][0]}) < {distance}"),
         result=[["yes"]], **needs)
    case(f"rerank in {precision}", f"SELECT count(*) FROM rerank('cross-bert@{precision}', 'river', {literal(['a', 'b', None])})",
         result=[[2]], **needs)
    case(f"image in {precision}", yes(f"sembed_compile('{name}') > 0"), result=[["yes"]], **needs)
case("image in f32", yes("sembed_compile('tiny-bert@f32') = sembed_compile('tiny-bert')"), result=[["yes"]])
case("precision in sembed_models", "SELECT precision FROM sembed_models WHERE name = 'tiny-bert'", result=[["f32"]])
for wrong in ("int4", "INT8", "", "bf16 "):
    case(f"precision '{wrong}'", f"SELECT embed('tiny-bert@{wrong}', 'a')",
         error=f"model 'tiny-bert@{wrong}': expected a precision behind the @: f32, bf16 or int8; found '{wrong}'")
case("rerank by an unknown precision", f"SELECT * FROM rerank('cross-bert@f16', 'a', {literal(['a'])})",
     error="model 'cross-bert@f16': expected a precision behind the @: f32, bf16 or int8; found 'f16'")
case("a precision of no model", "SELECT embed('nobody@int8', 'a')", error="model 'nobody' is not found; there are: ")
case("a precision alone", "SELECT embed('@int8', 'a')", error="expected the name of a folder on the model path")

names = [entry["name"] for entry in cases]
assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
with open(HERE / "cases.jsonl", "w", encoding="utf-8") as file:
    for entry in cases:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
print(len(cases), "cases")
