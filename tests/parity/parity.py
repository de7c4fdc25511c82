#!/usr/bin/env python3
"""Compares sembed with sentence-transformers on any folder and any texts: ids, embeddings, scores of pairs.

    make parity                                   # builds build/tests/parity/embed
    v/bin/python tests/parity/parity.py FOLDER... [--texts FILE...] [--count 1000]

v is an environment with torch and sentence-transformers 6 (tests/fixtures/make_fixtures.py says how to make one). Texts
are drawn evenly from the files, seeded; without files they are those of the fixtures. A bi-encoder is compared in full,
and on a quarter of the texts cut to half and a quarter of its dimensions (as cut, and normalised) and to half its layers
and one; a cross-encoder on pairs of neighbouring texts. The reference computes in float32, one text at a time; --double
compares both with the same weights in float64, which says whose a difference is.

Exit status 1: ids differ, or a component is off by more than 1e-5 of the largest of its vector, or a cosine is below
0.999999, or a score is off by more than 5e-6.
"""
import argparse
import copy
import json
import os
import random
import subprocess
import sys

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'fixtures'))
import numpy as np
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer

from fixture_golden import with_layers
from fixture_texts import TEXTS
from tokenizer_parity import read_texts

MAX_RELATIVE, MIN_COSINE, MAX_SCORE = 1e-5, 0.999999, 5e-6
DOCUMENTS = 4  # to each query


class Program:
    """tests/parity/embed with one folder loaded."""

    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding='utf-8')

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + '\n')
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline() or '{"error": "the program ended"}')
        except BrokenPipeError:
            answer = {'error': 'the program ended'}
        if 'error' in answer:
            sys.exit(f'parity: {answer["error"]}')
        return answer

    def embed(self, texts, batch, **options):
        ids, rows = [], []
        for i in range(0, len(texts), batch):
            answer = self.ask(texts=texts[i:i + batch], **options)
            ids += answer['ids']
            rows += answer['embeddings']
        return ids, np.array(rows, dtype=np.float64)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def choose(files, count, seed=0):
    """`count` different texts, the same share from every file; the longest of each file among them."""
    if not files:
        return TEXTS[:count]
    chosen = []
    for i, file in enumerate(files):
        texts = [t for t in dict.fromkeys(read_texts(file, None)) if t not in chosen]
        share = (count - len(chosen)) // (len(files) - i)
        longest = sorted(texts, key=len)[-max(1, share // 20):]
        others = [t for t in texts if t not in longest]
        random.Random(seed).shuffle(others)
        chosen += (longest + others)[:share]
    random.Random(seed).shuffle(chosen)
    return chosen


def vector_deviation(ours, theirs):
    """Of rows: the largest difference by the largest component of its row, and the smallest cosine."""
    relative = np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max(axis=1)
    cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    worst = int(np.nan_to_num(relative, nan=np.inf).argmax())
    return float(relative[worst]), float(cosine.min()), worst


class Report:
    def __init__(self):
        self.failed = False

    def line(self, what, good, text):
        self.failed = self.failed or not good
        print(f'  {"ok  " if good else "FAIL"} {what:44} {text}', flush=True)

    def ids(self, what, ours, theirs, shown):
        different = [i for i in range(len(theirs)) if ours[i] != theirs[i]]
        self.line(what, not different, f'{len(different)} of {len(theirs)} differ')
        for i in different[:5]:
            at = next((k for k, (a, b) in enumerate(zip(ours[i], theirs[i])) if a != b), min(len(ours[i]), len(theirs[i])))
            print(f'       {shown[i]!r:.150}\n         at {at}: ours {ours[i][at:at + 8]} theirs {theirs[i][at:at + 8]}')

    def vectors(self, what, ours, theirs, shown):
        relative, cosine, worst = vector_deviation(ours, theirs)
        good = relative <= MAX_RELATIVE and cosine >= MIN_COSINE
        self.line(what, good, f'{len(ours)} texts, off by {relative:.2e}, cosine {cosine:.9f}')
        if not good:
            print(f'       worst: {shown[worst]!r:.150}')

    def scores(self, what, ours, theirs, shown):
        difference = np.abs(ours - theirs).max(axis=1)
        worst = int(difference.argmax())
        good = bool(difference[worst] <= MAX_SCORE)
        self.line(what, good, f'{len(ours)} pairs, off by {difference[worst]:.2e}, from {theirs.min():.4f} to {theirs.max():.4f}')
        if not good:
            print(f'       worst: {shown[worst]!r:.150}')


def encode_all(model, texts):
    return model.encode(texts, batch_size=1, show_progress_bar=False).astype(np.float64)


def cut(rows, dims, normalize):
    rows = rows[:, :dims]
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) if normalize else rows


def compare_embeddings(folder, program, texts, args, report):
    model = SentenceTransformer(folder, device='cpu', model_kwargs={'dtype': torch.float32})
    about = program.ask(describe=True)
    print(f'{folder}: {about["layers"]} layers, {about["dimensions"]} dimensions, {about["max_tokens"]} tokens, {about["engine"]}')
    few = texts[:max(1, len(texts) // 4)]
    ids, ours = program.embed(texts, args.batch)
    report.ids('ids', ids, [model.preprocess([t])['input_ids'][0].tolist() for t in texts], texts)
    theirs = encode_all(model, texts)
    report.vectors('embeddings', ours, theirs, texts)
    if args.double:
        double = encode_all(copy.deepcopy(model).double(), texts)
        for name, rows in (('ours', ours), ('reference', theirs)):
            print('       {}, by float64: off by {:.2e}, cosine {:.9f}'.format(name, *vector_deviation(rows, double)))
    width = theirs.shape[1]
    for layers in sorted({about['layers'], (about['layers'] + 1) // 2, 1}, reverse=True):
        full = layers == about['layers']
        rows = theirs[:len(few)] if full else encode_all(with_layers(model, layers), few)
        options = {} if full else {'layers': layers}
        where = '' if full else f'{layers} layer{"s"[:layers > 1]}, '
        if not full:
            report.vectors(f'{where}all dimensions', program.embed(few, args.batch, **options)[1], rows, few)
        for dims in (width // 2, width // 4):
            for normalize in ('never', 'always'):
                mine = program.embed(few, args.batch, dims=dims, normalize=normalize, **options)[1]
                name = f'{where}{dims} dimensions{", normalised" if normalize == "always" else ""}'
                report.vectors(name, mine, cut(rows, dims, normalize == 'always'), few)


def compare_scores(folder, program, texts, args, report):
    model = CrossEncoder(folder, device='cpu', model_kwargs={'dtype': torch.float32})
    about = program.ask(describe=True)
    print(f'{folder}: cross-encoder, {about["layers"]} layers, {about["max_tokens"]} tokens, {about["engine"]}')
    pairs, ids, types, scores, logits = [], [], [], [], []
    for i in range(0, len(texts) - DOCUMENTS, DOCUMENTS):
        query, documents = texts[i], texts[i + 1:i + 1 + DOCUMENTS]
        answer = program.ask(query=query, documents=documents)
        pairs += [(query, document) for document in documents]
        for mine, key in ((ids, 'ids'), (types, 'types'), (scores, 'scores'), (logits, 'logits')):
            mine += answer[key]
    features = [model.preprocess([pair]) for pair in pairs]
    report.ids('ids', ids, [f['input_ids'][0].tolist() for f in features], pairs)
    zero = lambda f: torch.zeros_like(f['input_ids'])
    report.ids('token types', types, [f.get('token_type_ids', zero(f))[0].tolist() for f in features], pairs)
    for name, mine, activation in (('scores', scores, None), ('logits', logits, torch.nn.Identity())):
        theirs = model.predict(pairs, batch_size=1, activation_fn=activation, show_progress_bar=False)
        report.scores(name, np.array(mine), theirs.astype(np.float64).reshape(len(pairs), -1), pairs)


def is_cross_encoder(folder):
    with open(f'{folder}/config.json', encoding='utf-8') as f:
        names = json.load(f).get('architectures') or ['']
    return names[0].endswith('ForSequenceClassification')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folders', nargs='+')
    parser.add_argument('--texts', nargs='+', default=[], help='.jsonl (title, text), .csv, else a text per line')
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--batch', type=int, default=16, help='texts in one call of ours')
    parser.add_argument('--double', action='store_true', help='say also how far both are from float64')
    parser.add_argument('--program', default=os.path.join(HERE, '..', '..', 'build', 'tests', 'parity', 'embed'))
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    texts = choose(args.texts, args.count)
    report = Report()
    for folder in args.folders:
        program = Program(args.program, folder)
        compare = compare_scores if is_cross_encoder(folder) else compare_embeddings
        compare(folder, program, texts, args, report)
        program.close()
    return report.failed


if __name__ == '__main__':
    sys.exit(main())
