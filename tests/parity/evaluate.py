#!/usr/bin/env python3
"""What a model is worth with sembed: correlation with human judgements of similarity, quality of search.

    make parity                                   # builds build/tests/parity/embed
    python3 tests/parity/evaluate.py FOLDER [--sts NAME=FILE.csv[:DIMS]...] [--ir FOLDER] [--expected FILE.json]

Needs numpy, and no reference: --expected names a file of the figures that the reference gave, {name: {measure: value}},
and then the exit status is 1 where a figure differs after rounding to four decimals.

--sts: rows of two sentences and a score. Pearson's and Spearman's correlation with each similarity, named as
sentence_transformers' EmbeddingSimilarityEvaluator names them; DIMS cuts the vectors.
--ir: a folder in BEIR's form: corpus.jsonl, queries.jsonl, qrels/test.tsv. Every document is ranked by cosine.
"""
import argparse
import csv
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 64


def embed(program, folder, texts, **options):
    """Vectors [texts, dimensions] by tests/parity/embed."""
    batches = [json.dumps(dict(texts=texts[i:i + BATCH], **options)) for i in range(0, len(texts), BATCH)]
    run = subprocess.run([program, folder], input='\n'.join(batches), stdout=subprocess.PIPE, text=True, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    failed = [answer['error'] for answer in answers if 'error' in answer]
    if failed:
        sys.exit(f'evaluate: {failed[0]}')
    return np.array([row for answer in answers for row in answer['embeddings']])


def ranks(values):
    """Ranks from 0, equal values sharing the mean of theirs."""
    order = np.argsort(values, kind='stable')
    _, first, count = np.unique(values[order], return_index=True, return_counts=True)
    shared = np.empty(len(values))
    shared[order] = np.repeat(first + (count - 1) / 2, count)
    return shared


def similarities(a, b):
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return {'cosine': cosine, 'euclidean': -np.linalg.norm(a - b, axis=1), 'manhattan': -np.abs(a - b).sum(1),
            'dot': (a * b).sum(1)}


def correlations(name, program, folder, file, dims):
    with open(file, encoding='utf-8', newline='') as f:
        rows = list(csv.reader(f))
    options = dict(dims=int(dims), normalize='never') if dims else {}
    a, b = (embed(program, folder, [row[i] for row in rows], **options) for i in (0, 1))
    judged = np.array([float(row[2]) for row in rows])
    figures = {}
    for measure, values in similarities(a, b).items():
        figures[f'{name}_pearson_{measure}'] = np.corrcoef(values, judged)[0, 1]
        figures[f'{name}_spearman_{measure}'] = np.corrcoef(ranks(values), ranks(judged))[0, 1]
    for kind in ('pearson', 'spearman'):
        figures[f'{name}_{kind}_max'] = max(v for k, v in figures.items() if f'_{kind}_' in k)
    return figures


def read_ir(folder):
    def lines(name):
        with open(os.path.join(folder, name), encoding='utf-8') as f:
            return [json.loads(line) for line in f]
    corpus = {d['_id']: f'{d.get("title", "")} {d["text"]}'.strip() for d in lines('corpus.jsonl')}
    relevant = {}
    with open(os.path.join(folder, 'qrels', 'test.tsv'), encoding='utf-8') as f:
        for query, document, score in list(csv.reader(f, delimiter='\t'))[1:]:
            relevant.setdefault(query, {})[document] = int(score)
    queries = {q['_id']: q['text'] for q in lines('queries.jsonl') if q['_id'] in relevant}
    return corpus, queries, relevant


def search_quality(program, folder, ir):
    corpus, queries, relevant = read_ir(ir)
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    documents = unit(embed(program, folder, list(corpus.values())))
    scores = unit(embed(program, folder, list(queries.values()))) @ documents.T
    names = list(corpus)
    gain, recall = [], []
    for query, row in zip(queries, scores):
        best = [relevant[query].get(names[i], 0) for i in np.argsort(-row, kind='stable')[:100]]
        ideal = sorted(relevant[query].values(), reverse=True)
        discounted = lambda grades: sum(g / np.log2(i + 2) for i, g in enumerate(grades[:10]))
        gain.append(discounted(best) / discounted(ideal))
        recall.append(sum(g > 0 for g in best) / sum(g > 0 for g in ideal))
    return {'ndcg@10': float(np.mean(gain)), 'recall@100': float(np.mean(recall))}


def show(name, figures, expected):
    """Prints a table; whether all is as expected."""
    same = True
    for measure, value in figures.items():
        wanted = expected.get(name, {}).get(measure)
        good = wanted is None or round(value, 4) == round(wanted, 4)
        same = same and good
        print(f'  {measure:32} {value:.4f}' + ('' if wanted is None else f'   expected {wanted:.4f}{"" if good else "  DIFFERS"}'))
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder')
    parser.add_argument('--sts', nargs='+', default=[], metavar='NAME=FILE[:DIMS]')
    parser.add_argument('--ir', metavar='FOLDER')
    parser.add_argument('--expected', metavar='FILE.json')
    parser.add_argument('--program', default=os.path.join(HERE, '..', '..', 'build', 'tests', 'parity', 'embed'))
    args = parser.parse_args()
    expected = {}
    if args.expected:
        with open(args.expected, encoding='utf-8') as f:
            expected = json.load(f)
    same = True
    for task in args.sts:
        name, _, rest = task.partition('=')
        file, _, dims = rest.partition(':')
        same &= show(name, correlations(name, args.program, args.folder, file, dims), expected)
    if args.ir:
        name = os.path.basename(os.path.normpath(args.ir))
        same &= show(name, search_quality(args.program, args.folder, args.ir), expected)
    return not same


if __name__ == '__main__':
    sys.exit(main())
