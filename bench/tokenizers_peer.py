#!/usr/bin/env python3
"""Times the tokenizers library (Hugging Face) on one thread, as `bench tokenize --json` times ours:

    bench/tokenizers_peer.py FOLDER TEXTS [PASSES]

FOLDER holds tokenizer.json, or vocab.txt. TEXTS: JSON lines, each a string. Each text is tokenised whole. The library is
timed both ways, a call for each text and one call for all, in processor time, and the faster way counts.
"""
import json
import os
import sys
import time

os.environ.update(TOKENIZERS_PARALLELISM='false', RAYON_NUM_THREADS='1')
import tokenizers


def open_tokenizer(folder):
    path = os.path.join(folder, 'tokenizer.json')
    if not os.path.exists(path):
        return tokenizers.BertWordPieceTokenizer(os.path.join(folder, 'vocab.txt'), lowercase=False)
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def best_time(work, passes):
    times = []
    for _ in range(passes):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main():
    folder, path = sys.argv[1:3]
    passes = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with open(path, encoding='utf8') as lines:
        texts = [json.loads(line) for line in lines]
    start = time.perf_counter()
    tokenizer = open_tokenizer(folder)
    load = time.perf_counter() - start
    tokens = sum(len(tokenizer.encode(text).ids) for text in texts)
    best = min(best_time(lambda: [tokenizer.encode(text) for text in texts], passes),
               best_time(lambda: tokenizer.encode_batch(texts), passes))
    print(json.dumps({'texts': len(texts), 'tokens': tokens, 'us_per_text': best / len(texts) * 1e6,
                      'load_ms': load * 1e3, 'version': tokenizers.__version__}))


main()
