"""Writes the data that the tests evaluate models on, and expected.json: what the evaluators of sentence-transformers
make of it with the small models of tests/fixtures. scripts/evaluate must give the same in both hosts.

    v/bin/python tests/evaluation/make_expected.py

Needs what tests/fixtures/make_fixtures.py needs.
"""

import copy
import csv
import json
import pathlib
import random

import numpy
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.cross_encoder.evaluation import CrossEncoderCorrelationEvaluator
from sentence_transformers.sentence_transformer import evaluation
from sklearn.metrics import ndcg_score

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"
SUBJECTS = ["The river", "A stone", "The ferry", "The old fox", "A warm light", "The library, late at night,", "Rain"]
VERBS = ["runs to", "stays at", "is seen from", "jumps over", "was \"lost\" near", "warms"]
OBJECTS = ["the town.", "a quiet garden.", "the landing.", "the mountain!", "naïve Zürich, 東京.", "the train"]


def write_csv(name, rows):
    with open(HERE / name, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_lines(name, lines):
    with open(HERE / name, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


random.seed(7)
sentences = [f"{s} {v} {o}" for s in SUBJECTS for v in VERBS for o in OBJECTS]
random.shuffle(sentences)
pairs = [(sentences[2 * i], sentences[2 * i + 1], random.randrange(0, 26) / 5) for i in range(40)]
triplets = [tuple(sentences[80 + 3 * i:83 + 3 * i]) for i in range(30)]
texts = sentences[170:190]
# A title that is empty, and documents without one.
documents = {f"d{i}": ({"title": "" if i % 3 else sentences[(200 + i) % len(sentences)], "text": sentences[i]}
                       if i % 4 else {"text": sentences[i]}) for i in range(150)}
queries = {f"q{i}": sentences[150 + i] for i in range(20)}
qrels = {f"q{i}": {f"d{d}": random.randrange(0, 3) for d in random.sample(range(150), 1 + i % 12)} for i in range(15)}
qrels = {query: judged for query, judged in qrels.items() if any(judged.values())}

write_csv("pairs.csv", pairs)
write_csv("triplets.csv", triplets)
write_csv("texts.csv", [[text] for text in texts])
write_lines("ir/corpus.jsonl", [{"_id": identity, **document} for identity, document in documents.items()])
write_lines("ir/queries.jsonl", [{"_id": identity, "text": text} for identity, text in queries.items()])
with open(HERE / "ir/qrels/test.tsv", "w", encoding="utf-8") as file:
    file.write("query-id\tcorpus-id\tscore\n")
    file.writelines(f"{query}\t{document}\t{score}\n" for query, judged in qrels.items()
                    for document, score in judged.items())

MEASURES = ["cosine", "euclidean", "manhattan", "dot"]
model = SentenceTransformer(str(FIXTURES / "tiny-bert"), device="cpu", model_kwargs={"dtype": torch.float32})
first, second, scores = zip(*pairs)
expected = {}
for dims in (24, 16, 8):
    name = "sts" if dims == 24 else f"sts-{dims}"
    expected[name] = evaluation.EmbeddingSimilarityEvaluator(
        first, second, scores, similarity_fn_names=MEASURES, truncate_dim=dims)(model)
expected["triplets"] = evaluation.TripletEvaluator(
    *zip(*triplets), similarity_fn_names=MEASURES)(model)
student = copy.deepcopy(model)
student[0].auto_model.encoder.layer = student[0].auto_model.encoder.layer[:1]
expected["student"] = evaluation.MSEEvaluator(texts, texts, teacher_model=model)(student)
cross_encoder = CrossEncoder(str(FIXTURES / "cross-bert"), device="cpu", model_kwargs={"dtype": torch.float32})
expected["pairs"] = CrossEncoderCorrelationEvaluator([[a, b] for a, b, _ in pairs], list(scores))(cross_encoder)


def ndcg_and_recall():
    """InformationRetrievalEvaluator takes every relevant document for equally good, so graded relevance is
    sklearn's."""
    corpus = {key: f'{d.get("title", "")} {d["text"]}'.strip() for key, d in documents.items()}
    similarity = model.similarity(model.encode_query([queries[q] for q in qrels]),
                                  model.encode_document(list(corpus.values()))).numpy()
    relevance = numpy.array([[qrels[q].get(d, 0) for d in corpus] for q in qrels])
    evaluator = evaluation.InformationRetrievalEvaluator(
        queries, corpus, {q: {d for d, score in judged.items() if score} for q, judged in qrels.items()},
        precision_recall_at_k=[100], map_at_k=[1], mrr_at_k=[1], accuracy_at_k=[1], ndcg_at_k=[10])
    recall = evaluator(model)
    return {"ndcg@10": float(ndcg_score(relevance, similarity, k=10)), "recall@100": recall["cosine_recall@100"]}


expected["ir"] = ndcg_and_recall()
for name, figures in expected.items():
    for key, value in figures.items():
        figures[key] = float(value)
with open(HERE / "expected.json", "w", encoding="utf-8") as file:
    json.dump(expected, file, indent=1)
    file.write("\n")
