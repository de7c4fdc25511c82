#!/usr/bin/env python3
"""Compares sembed's tokens with those of the tokenizers library, for any folder and any texts.

    tokenizer_parity.py --program build/tests/parity/tokenize --folder MODEL … TEXTS…

A TEXTS file is read by its ending: .jsonl (title and text, or text), .csv (every column that is no
number), anything else line by line. Compared are ids, token types and offsets of every text alone
(without a limit and with several), and of pairs of neighbouring texts under several limits.
Differences are printed and counted; the exit status says whether there were any.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys

from tokenizers import Tokenizer

LIMITS = (0, 5, 16, 128)


def read_texts(path, most):
    path = pathlib.Path(path)
    data = path.read_text(encoding="utf-8", errors="surrogateescape")
    if path.suffix == ".jsonl":
        rows = (json.loads(line) for line in data.split("\n") if line)
        texts = [" ".join(filter(None, (row.get("title"), row.get("text")))) for row in rows]
    elif path.suffix == ".csv":
        texts = [cell for row in csv.reader(data.splitlines()) for cell in row if not is_number(cell)]
    else:
        texts = data.split("\n")
    return [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in texts[:most]]


def is_number(cell):
    try:
        float(cell)
        return True
    except ValueError:
        return False


def load_reference(folder):
    """The tokenizer as sentence-transformers uses it; without a model's config.json, tokenizer.json as it is."""
    folder = pathlib.Path(folder)
    if (folder / "config.json").exists():
        from tokenizers.normalizers import Lowercase, Sequence
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(folder))._tokenizer
        settings = folder / "sentence_bert_config.json"
        if settings.exists() and json.loads(settings.read_text(encoding="utf-8")).get("do_lower_case"):
            tokenizer.normalizer = Sequence([Lowercase(), *filter(None, [tokenizer.normalizer])])
    else:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def byte_offsets(text):
    """offsets[i]: the byte at which character i begins."""
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + len(character.encode("utf-8")))
    return offsets


def expected(tokenizer, line):
    encoding = tokenizer.encode(*line) if isinstance(line, list) else tokenizer.encode(line)
    texts = line if isinstance(line, list) else [line]
    maps = [byte_offsets(text) for text in texts]
    offsets = []
    for (start, stop), sequence in zip(encoding.offsets, encoding.sequence_ids):
        offsets.append([0, 0] if sequence is None else [maps[sequence][start], maps[sequence][stop]])
    return {"ids": encoding.ids, "types": encoding.type_ids, "offsets": offsets}


def run(program, folder, limit, lines):
    data = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([program, str(folder), str(limit)], input=data.encode("utf-8"),
                          stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(program, folder, tokenizer, limit, lines, shown, side="right"):
    """How many lines differ in ids or types, and in offsets. side: what is over the limit is cut off there."""
    if limit:
        tokenizer.enable_truncation(limit, strategy="longest_first", direction=side)
    else:
        tokenizer.no_truncation()
    wrong = {"ids": 0, "offsets": 0}
    for line, found in zip(lines, run(program, folder, limit, lines), strict=True):
        wanted = expected(tokenizer, line)
        kind = None
        if found.get("ids") != wanted["ids"] or found["types"] != wanted["types"]:
            kind = "ids"
        elif found["offsets"] != wanted["offsets"]:
            kind = "offsets"
        if kind is None:
            continue
        wrong[kind] += 1
        if sum(wrong.values()) <= shown:
            print(f"  {kind} differ, limit {limit}: {line!r:.300}")
            print(f"    expected {wanted!s:.600}\n    found    {found!s:.600}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", action="append", required=True)
    parser.add_argument("--most", type=int, default=10**9, help="texts taken of each file")
    parser.add_argument("--shown", type=int, default=3, help="differences printed of each kind")
    parser.add_argument("--pairs", type=int, default=2000, help="pairs compared under each limit")
    parser.add_argument("texts", nargs="+")
    options = parser.parse_args()

    texts = [text for path in options.texts for text in read_texts(path, options.most)]
    # Cut to some length: the library's truncation takes quadratic time with long pairs.
    pairs = [[first[:400], second[:400]] for first, second in zip(texts, texts[1:])]
    pairs = pairs[:: max(1, len(pairs) // options.pairs)]
    total = 0
    for folder in options.folder:
        tokenizer = load_reference(folder)
        for limit in LIMITS:
            for name, lines in (("texts", texts), ("pairs", pairs)):
                wrong = compare(options.program, folder, tokenizer, limit, lines, options.shown)
                total += sum(wrong.values())
                print(f"{folder}: {len(lines)} {name}, limit {limit or 'none'}: "
                      f"{wrong['ids']} differ in ids, {wrong['offsets']} in offsets alone")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
