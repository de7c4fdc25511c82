#!/usr/bin/env python3
"""Compares sembed with the tokenizers library on random texts, by the tokenizers of real folders.

    random_texts.py --program build/tests/parity/tokenize --folder FOLDER … [--seed N] [--count N] [TEXTS…]

FOLDER: a model's folder, one with a tokenizer.json, or a tokenizer.json itself. Texts are random bytes (decoded as the
core decodes them, a U+FFFD for each fault), random characters of all of Unicode, of what components care about, of the
tokenizer's own pieces, pieces of the texts given with characters changed, and long runs of one of these. Each text
goes alone, without a limit and with one, and in pairs.
"""

import argparse
import pathlib
import random
import sys
import tempfile

from tokenizers import Tokenizer

from component_parity import CHARACTERS, SPECIAL
from tokenizer_parity import compare, load_reference, read_texts


def random_text(g, pieces, texts):
    length = g.choice((1, 2, 3, 5, 10, 30, 100))
    kind = g.randrange(6)
    if kind == 0:
        return bytes(g.choice((g.randrange(256), g.randrange(0xC0, 0x100), g.randrange(0x80, 0xC0), 0x61, 0x20)) for _ in range(length)).decode("utf-8", "replace")
    if kind == 1:
        return "".join(g.choice(CHARACTERS) for _ in range(length))
    if kind == 2:
        return "".join(g.choice(SPECIAL) for _ in range(length))
    if kind == 3:
        return "".join(g.choice(pieces) + g.choice(("", "", " ", "a")) for _ in range(length))
    if kind == 4 and texts:
        text = list(g.choice(texts)[:400])
        for _ in range(g.randrange(5)):
            text.insert(g.randrange(len(text) + 1), g.choice(SPECIAL))
        return "".join(text)
    return g.choice((g.choice(SPECIAL), g.choice(pieces), g.choice(CHARACTERS) + g.choice(SPECIAL))) * g.choice((3, 30, 300, 3000))


def survives(tokenizer, text):
    """The library panics on some texts with some tokenizers."""
    try:
        tokenizer.encode(text)
        return True
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return False


def compare_folder(options, name, folder, tokenizer, texts):
    g = random.Random(options.seed)
    pieces = sorted(tokenizer.get_vocab())
    lines = [text for text in (random_text(g, pieces, texts) for _ in range(options.count)) if survives(tokenizer, text)]
    lines += [[a[:300], b[:300]] for a, b in zip(lines[::5], lines[1::5])]
    wrong = {"ids": 0, "offsets": 0}
    for limit in (0, g.randrange(6, 60)):
        for kind, count in compare(options.program, folder, tokenizer, limit, lines, options.shown).items():
            wrong[kind] += count
    print(f"{name}: {len(lines)} texts and pairs twice: {wrong['ids']} differ in ids, {wrong['offsets']} in offsets alone", flush=True)
    return sum(wrong.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--shown", type=int, default=2)
    parser.add_argument("texts", nargs="*")
    options = parser.parse_args()
    texts = [text for path in options.texts for text in read_texts(path, 10**9)]
    wrong = 0
    for folder in map(pathlib.Path, options.folder):
        with tempfile.TemporaryDirectory() as alone:
            if folder.is_file():
                (pathlib.Path(alone) / "tokenizer.json").write_bytes(folder.read_bytes())
                tokenizer = Tokenizer.from_file(str(folder))
                tokenizer.no_padding()
                wrong += compare_folder(options, folder, alone, tokenizer, texts)
            else:
                wrong += compare_folder(options, folder, folder, load_reference(folder), texts)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
