#!/usr/bin/env python3
"""Compares sembed with the tokenizers library component by component.

    component_parity.py --program build/tests/parity/tokenize [--seed N] [--random N] [TEXTS…]
    component_parity.py --write tests/fixtures/components.jsonl

Each case is a tokenizer.json with one normalizer, pre-tokenizer, post-processor or kind of added
token, or a few of them, and a model that shows every byte of every word: BPE without merges, with
byte fallback and an end-of-word suffix. Texts are all characters of Unicode, each between letters;
all strings of marks of every combining class, two by two; random strings of characters that some
component cares about; and the files given. --write keeps a few short texts of each case with what the
library makes of them, for test_components.c, which needs no Python.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from tokenizer_parity import compare, expected, read_texts

SPECIAL = "abcXYZ019 .,'-_!?¿«»\t\n\r\x0b\x0c\x00\x1f\x7f\x85\xa0éÉñßİıſΣςσǅﬁ①½²٣௧ऀँ़़्你好ｱガガ한ᄒ"\
    "ᅡᆫ한각゙̣́̈̀︎️\u200b\u200d\u2028\u3000\ufeff\ufffd▁Ġ😀👍🏽🇩🇪\U000e0041\u0600\u0345\u0f73\u0f71"\
    "\u0344\u1e944\U0001e944\U00011938\u32ff\u1c89\u212b\u2126\u0958\u2adc\ufb1d\u1100\u1161\u11a8"


# What patterns call sets of characters; Unicode 16 in the library, whatever PCRE2 knows.
CLASSES = (r"\p{L}", r"\P{L}", r"[^\p{L}]", r"\p{^Lu}", r"[\p{Lu}\p{Lo}]", r"\p{N}+", r"\p{M}", r"\p{P}", r"[\p{S}x]", r"\p{Z}", r"\s", r"\S", r"[^\s]",
           r"\d", r"\D", r"\w+", r"\W", r"[^\w]", r"\b", r"\Bb", r"[\h]", r"\h+", r"\H", "[[:punct:]]", "[[:space:][:digit:]]", r"\p{Han}",
           r"\p{Hiragana}+|\p{Katakana}", r"\p{Thai}", r"\u00e9|(?m:b.)", r"\p{N}{1,3}+", r"a{0,2}+b", r"[]a-c]", r"[a\]b]", r"[\b]|\t")

# Cases that are tried with every character.
THOROUGH = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "BertPreTokenizer", "Whitespace",
            "WhitespaceSplit", "Digits", "Punctuation", "bytes False True True", "BERT"}

CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def byte_models():
    """Two models that know bytes alone. BPE's offsets show each byte, Unigram's each word."""
    tokens = ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    yield models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=[],
                     unk_token="<unk>", byte_fallback=True)
    yield models.Unigram([(token, -1.0) for token in tokens], unk_id=0, byte_fallback=True)


def cases():
    """(name, normalizer, pre-tokenizer, post-processor, added tokens)"""
    n, p, q = normalizers, pre_tokenizers, processors
    for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel", "Strip"):
        yield name, getattr(n, name)(), None, None, []
    yield "BERT", n.BertNormalizer(), p.BertPreTokenizer(), None, []
    yield "BERT alone", n.BertNormalizer(), None, None, []
    yield "words, stripped", n.Sequence([n.Strip(), n.Prepend("»")]), p.WhitespaceSplit(), None, []
    yield "words, prefixed", n.Sequence([n.Strip(), n.Prepend(" ")]), p.ByteLevel(), None, []
    for flags in range(16):
        options = dict(clean_text=bool(flags & 1), handle_chinese_chars=bool(flags & 2),
                       strip_accents=(None, True, False)[flags % 3], lowercase=bool(flags & 8))
        yield f"BertNormalizer {options}", n.BertNormalizer(**options), p.BertPreTokenizer(), None, []
    yield "strip left", n.Strip(left=True, right=False), None, None, []
    yield "strip right", n.Strip(left=False, right=True), None, None, []
    yield "prepend", n.Prepend("▁x"), None, None, []
    yield "camembert-like", n.Sequence([n.Replace(Regex("``|''"), '"'), n.NFKD(), n.StripAccents(), n.Lowercase(),
                                        n.Replace(Regex(" {2,}"), " ")]), p.Metaspace(), None, []
    yield "NFC lower", n.Sequence([n.NFC(), n.Lowercase(), n.NFKC(), n.StripAccents()]), p.Whitespace(), None, []
    for text, content in ((" ", "▁"), ("a", ""), ("", "-"), ("b", "xyz")):
        yield f"replace {text!r}", n.Replace(text, content), p.WhitespaceSplit(), None, []
    for text, content in ((r"\s+", " "), ("^", "> "), ("[aeiou]", "é"), ("x*", "-"), ("(?<=b)c", "C")):
        yield f"replace /{text}/", n.Replace(Regex(text), content), p.WhitespaceSplit(), None, []
    yield "replace then strip", n.Sequence([n.Replace("a", " "), n.Strip(), n.Prepend("▁")]), None, None, []
    for name in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Digits", "Punctuation"):
        yield name, None, getattr(p, name)(), None, []
    yield "digits", None, p.Digits(individual_digits=True), None, []
    yield "delimiter", None, p.CharDelimiterSplit("b"), None, []
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        yield f"punctuation {behavior}", None, p.Punctuation(behavior), None, []
        for invert in (False, True):
            for text in (" ", "bc"):
                yield f"split {text!r} {behavior} {invert}", None, p.Split(text, behavior, invert), None, []
            for text in (r"\s", r"[a-c]+|\d", r"x*", r"\p{M}+|[^\s\p{Nd}]"):
                yield f"split /{text}/ {behavior} {invert}", None, p.Split(Regex(text), behavior, invert), None, []
    for text in CLASSES:
        yield f"class {text}", None, p.Split(Regex(text), "isolated"), None, []
    for scheme in ("always", "first", "never"):
        for split in (False, True):
            yield f"metaspace {scheme} {split}", None, p.Metaspace(prepend_scheme=scheme, split=split), None, \
                [AddedToken("bc", normalized=False)]
            yield f"spaces, metaspace {scheme} {split}", n.Nmt(), p.Sequence(
                [p.WhitespaceSplit(), p.Metaspace(prepend_scheme=scheme, split=split)]), None, []
    for prefix in (False, True):
        for regex in (False, True):
            for trim in (False, True):
                byte_level = p.ByteLevel(add_prefix_space=prefix, use_regex=regex, trim_offsets=trim)
                post = q.Sequence([q.ByteLevel(add_prefix_space=prefix, trim_offsets=trim), q.TemplateProcessing(
                    single="<unk> $A", pair="<unk> $A <unk>:2 $B:1", special_tokens=[("<unk>", 0)])])
                yield f"bytes {prefix} {regex} {trim}", None, p.Sequence([byte_level, p.Digits()]), post, \
                    [AddedToken("bc", lstrip=True, rstrip=True, normalized=False)]
                yield f"byte words {prefix} {regex} {trim}", None, p.Sequence([p.WhitespaceSplit(), byte_level,
                                                                               p.Punctuation()]), post, []
    for trim in (False, True):
        for prefix in (False, True):
            post = q.RobertaProcessing(("x", 7), ("y", 9), trim_offsets=trim, add_prefix_space=prefix)
            yield f"roberta {trim} {prefix}", None, p.Sequence(
                [p.ByteLevel(add_prefix_space=prefix), p.Digits()]), post, [AddedToken("bc", lstrip=True)]
    yield "bert post", None, p.Whitespace(), q.BertProcessing(("x", 7), ("y", 9)), []
    for flags in range(32):
        tokens = [AddedToken(content, single_word=bool(flags & 1), lstrip=bool(flags & 2), rstrip=bool(flags & 4),
                             normalized=bool(flags & 8), special=False)
                  for content in ("bc", "Xé", "<a>", "<a>b", "é", " c", "X ")]
        yield f"added {flags}", n.BertNormalizer() if flags & 16 else None, p.WhitespaceSplit(), None, tokens
    yield "added both", n.Lowercase(), p.BertPreTokenizer(), None, [
        AddedToken("Xa", normalized=True), AddedToken("XA", normalized=False), AddedToken("b", single_word=True),
        AddedToken("9", rstrip=True, normalized=False), AddedToken("0", lstrip=True, normalized=True)]


def write_tokenizer(folder, case, model):
    _, normalizer, pre_tokenizer, post_processor, added = case
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if post_processor:
        tokenizer.post_processor = post_processor
    tokenizer.add_tokens(added)
    tokenizer.save(str(pathlib.Path(folder) / "tokenizer.json"))


PLAIN = "  Hello,  wOrld! Ünïcödé 你好 bcX é it's 42½ <a>b É\tc \n"
# Marks that block one another, change places, compose, or are known to some crates alone.
MARKS = "e\u0310\u0301 a\u0302\u0323 q\u0307\u0323 \u0344\u0323e \u1112\u1161\u11ab \U0001e922\U0001e944\U0001e94a\u0301"


def fnv(numbers):
    """FNV-1a over numbers of four bytes, as test_components.c has it."""
    state = 2166136261
    for number in numbers:
        for byte in number.to_bytes(4, "little"):
            state = (state ^ byte) * 16777619 & 0xFFFFFFFF
    return state


def digest(found):
    return fnv(number for id, (start, stop) in zip(found["ids"], found["offsets"]) for number in (id, start, stop))


def words_of(found):
    """[[word, start, stop], …]: byte tokens of the same offsets are one word, others stand as their id."""
    words = []
    for id, (start, stop) in zip(found["ids"], found["offsets"]):
        if not 1 <= id <= 256:
            words.append([id, start, stop])
        elif words and isinstance(words[-1][0], bytes) and words[-1][1:] == [start, stop]:
            words[-1][0] += bytes([id - 1])
        else:
            words.append([bytes([id - 1]), start, stop])
    return [[word.decode("utf-8") if isinstance(word, bytes) else word, *place] for word, *place in words]


def long_text(texts):
    """More than one part of encode.c, and the same in test_components.c."""
    return " ".join(texts * (6000 // len(" ".join(texts).encode("utf-8")) + 1))


def golden_lines():
    """One line for the models, then one for each case."""
    names = ("bytes", "words")
    yield {name: json.loads(Tokenizer(model).to_str())["model"] for name, model in zip(names, byte_models())}
    generator = random.Random(7)
    for case in cases():
        texts = [PLAIN, MARKS, "".join(generator.choice(SPECIAL) for _ in range(14))]
        texts.append(long_text(texts))
        line = {"name": case[0], "texts": texts[:-1], "words": [], "digests": []}
        for name, model in zip(names, byte_models()):
            with tempfile.TemporaryDirectory() as folder:
                write_tokenizer(folder, case, model)
                root = json.loads((pathlib.Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))
                tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
            found = [expected(tokenizer, text) for text in texts]
            if name == "words":
                line["words"] = [words_of(one) for one in found[:-1]]
            line["digests"].append([digest(one) for one in found])
        line["tokenizer"] = {key: root[key] for key in ("added_tokens", "normalizer", "pre_tokenizer", "post_processor")}
        yield line


def every_character():
    words = [f"a{character}b" for character in CHARACTERS]
    return [" ".join(words[i:i + 64]) for i in range(0, len(words), 64)]


def every_mark():
    """Each mark between marks of low and of high class, in both orders, behind a letter."""
    strip = normalizers.StripAccents()
    return [f"e{mark}\u0334 e\u0301{mark} e{mark}\u0345{mark}\u093c\u0301x e\u0323{mark}"
            for mark in CHARACTERS if not strip.normalize_str(mark)]


def random_texts(generator, count):
    for _ in range(count):
        length = generator.choice((0, 1, 2, 5, 10, 30))
        yield "".join(generator.choice(SPECIAL) for _ in range(length))


def long_texts(generator, count):
    """Long enough to be tokenized in parts."""
    for _ in range(count):
        words = ("".join(generator.choice(SPECIAL) for _ in range(generator.randrange(12))) for _ in range(900))
        yield " ".join(words)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program")
    parser.add_argument("--write", help="a file for goldens")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random", type=int, default=2000)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--shown", type=int, default=2)
    parser.add_argument("texts", nargs="*")
    options = parser.parse_args()

    if options.write:
        lines = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in golden_lines())
        pathlib.Path(options.write).write_text("".join(lines), encoding="utf-8")
        return 0
    generator = random.Random(options.seed)
    texts = list(random_texts(generator, options.random)) + list(long_texts(generator, 5))
    texts += [text for path in options.texts for text in read_texts(path, 10**9)]
    texts += [list(pair) for pair in zip(texts[:300], texts[1:301])]
    characters = every_character() + every_mark()
    total = 0
    for case in cases():
        if options.only not in case[0]:
            continue
        wrong = {"ids": 0, "offsets": 0}
        for model in byte_models():
            with tempfile.TemporaryDirectory() as folder:
                write_tokenizer(folder, case, model)
                tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
                lines = texts + characters if case[0] in THOROUGH else texts + characters[::50]
                found = compare(options.program, folder, tokenizer, 0, lines, options.shown)
            wrong = {kind: wrong[kind] + found[kind] for kind in wrong}
        total += sum(wrong.values())
        print(f"{case[0]}: of {len(lines)} texts, by two models, "
              f"{wrong['ids']} differ in ids, {wrong['offsets']} in offsets alone", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
