#!/usr/bin/env python3
"""Writes what the fuzzers begin with, made of tests/fixtures, and their dictionaries.

    tests/fuzz/make_seeds.py FOLDER        FOLDER/<fuzzer>/…, FOLDER/<fuzzer>.dict

The inputs' forms are told at the head of each fuzz_*.c.
"""

import base64
import json
import pathlib
import re
import sys

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
HERE = pathlib.Path(__file__).parent

TEXTS = ["", "a", "The river runs to the sea.", "naïve café, l'été\r\n", "東京 12,345 — don't stop!", "  two  spaces\t", "[MASK] <mask></s>##ing▁",
         "ﬁ Ⅻ ｶﾞ Å\u030a q\u0307\u0323 \u0958", "👩\u200d👩\u200d👧 🇩🇪🇫🇷 ❤\ufe0f", "ไทย ภาษา สวัสดี", "\0\x01\x7f\u200b\ufeff", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
BROKEN = [b"\xff", b"a\xc3", b"\xe2\x82 b", b"\xed\xa0\x80", b"\xf0\x9f\x91", b"\xc0\xaf\xf5\x80"]
PATTERNS = [r"\s+", r"\p{L}+|\p{N}{1,3}", r"[^\s\p{L}&&[a-f]]", r"(?<=a)b|^\s*$", r"(?i:'s|'t)|[^\r\n\p{L}]?\p{L}+|\s+(?!\S)", r"\bc\B", r"[一-龥]", r"\h+\R?", r"[[:alpha:]]", r"(a|b)*?c",
            r"\x{41}\u0042\103", r"(?<n>x)\k<n>", r"a{2,}?|b++", r"\A.\Z\z\G", r"(a*)*b", r"\p{^L}\P{Lu}"]
REPLACED = "config.json modules.json tokenizer_config.json special_tokens_map.json sentence_bert_config.json config_sentence_transformers.json 1_Pooling/config.json".split()


SMALL_MODEL = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
               "vocab": {"[UNK]": 0, "a": 1, "##b": 2, "river": 3}}


def components():
    """Tokenizers without their model, one for each component of tokenizer.json."""
    lines = (FIXTURES / "components.jsonl").read_text(encoding="utf-8").split("\n")
    return [case for case in map(json.loads, filter(None, lines)) if "tokenizer" in case]


def fixtures_with(name):
    return sorted(path for path in FIXTURES.glob(f"*/{name}"))


def c_table(fuzzer, table):
    """The strings of an array in a fuzzer's source, row by row."""
    source = (HERE / f"fuzz_{fuzzer}.c").read_text(encoding="utf-8")
    body = re.search(r"\b%s\[\] = \{(.*?)\n\};" % table, source, re.S).group(1)
    return re.findall(r'"((?:[^"\\]|\\.)*)"', body)


def safetensors():
    for path in fixtures_with("**/model.safetensors"):
        data = path.read_bytes()
        header = int.from_bytes(data[:8], "little")
        if len(data) < 4000:
            yield data
        names = json.loads(data[8:8 + header])
        few = {name: names[name] for name in list(names)[:2]}
        end = max(value["data_offsets"][1] for name, value in few.items() if name != "__metadata__") if set(few) - {"__metadata__"} else 0
        text = json.dumps(few).encode()
        if end < 20000:
            yield len(text).to_bytes(8, "little") + text + data[8 + header:8 + header + end]
    small = b'{"a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}}'
    yield len(small).to_bytes(8, "little") + small + b"abcd"


def model_folder():
    names = c_table("model_folder", "files")
    for i, (fixture, file) in enumerate(zip(names[::2], names[1::2])):
        yield bytes([i]) + (FIXTURES / fixture / file).read_bytes()
        for other in fixtures_with(file):
            yield bytes([i]) + other.read_bytes()


def shrunk(root, most=40):
    """A tokenizer.json of the same kind with a small vocabulary."""
    model = root["model"]
    vocab = model["vocab"]
    kept = list(vocab.items())[:most] if isinstance(vocab, dict) else vocab[:most]
    model["vocab"] = dict(kept) if isinstance(vocab, dict) else kept
    if "merges" in model:
        known = model["vocab"]
        parts = [merge if isinstance(merge, list) else merge.split(" ", 1) for merge in model["merges"]]
        model["merges"] = [merge for merge, (a, b) in zip(model["merges"], parts) if a in known and b in known and a + b in known]
    return root


def tokenizer_json():
    classes = {"bert": 1, "mpnet": 2, "roberta": 3, "xlm-roberta": 4, "camembert": 5}
    for path in fixtures_with("tokenizer.json"):
        root = shrunk(json.loads(path.read_text(encoding="utf-8")))
        data = json.dumps(root, ensure_ascii=False).encode()
        yield b"\0" + data
        kind = json.loads((path.parent / "config.json").read_text())["model_type"]
        yield bytes([classes.get(kind, 1)]) + data
    for case in components():
        yield b"\0" + json.dumps({**case["tokenizer"], "model": SMALL_MODEL}, ensure_ascii=False).encode()


def vocabulary():
    for path in fixtures_with("vocab.txt"):
        lines = path.read_bytes().split(b"\n")
        yield b"\0" + b"\n".join(lines[:60])
    for path in fixtures_with("vocab.json"):
        root = json.loads(path.read_text(encoding="utf-8"))
        merges = (path.parent / "merges.txt").read_text(encoding="utf-8").split("\n")[:20]
        kept = dict(list(root.items())[:400])
        yield b"\1" + json.dumps(kept, ensure_ascii=False).encode() + b"\xff" + "\n".join(merges).encode()


def sentencepiece():
    for family, name in enumerate(("xlm-roberta-model", "camembert-model")):
        yield bytes([family]) + (FIXTURES / name / "sentencepiece.bpe.model").read_bytes()
    piece = b"\x0a\x08\x0a\x01a\x15\0\0\x80\xbf"
    yield b"\0" + piece * 4
    yield b"\1" + piece + b"\x12\x02\x18\x01\x1a\x00"


def charsmaps():
    for path in fixtures_with("tokenizer.json"):
        root = json.loads(path.read_text(encoding="utf-8"))
        normalizer = root.get("normalizer") or {}
        for part in [normalizer, *normalizer.get("normalizers", [])]:
            if part.get("type") == "Precompiled":
                yield base64.b64decode(part["precompiled_charsmap"])


def charsmap():
    for blob in {bytes(blob) for blob in charsmaps()}:
        for text in TEXTS:
            yield text.encode() + b"\xff" + blob
        yield "é".encode() + b"\xff" + blob[:64]


def tokenize():
    for i in range(len(c_table("tokenize", "fixtures"))):
        for text in TEXTS[2:]:
            yield bytes([i, 8]) + text.encode()
        for text in BROKEN:
            yield bytes([i, 0]) + text


def regex():
    for pattern in PATTERNS:
        for text in TEXTS[2:9:3]:
            yield pattern.encode() + b"\xff" + text.encode()


def chunk():
    for limit, overlap in ((0, 0), (8, 0), (8, 3), (4, 1), (3, 0)):
        for text in TEXTS[2:]:
            yield bytes([limit, overlap]) + (text * 3).encode()
        yield bytes([limit, overlap]) + b"It rains. \xff We stay.  \n\nNo\xe3\x80\x82Yes\xe3\x80\x82 " * 3


def image():
    for choice in range(8):
        yield bytes([choice])
        for place in (0, 16, 24, 40, 48, 56, 64, 72, 88, 96, 112, 136, 200, 400, 1000, 5000, 9000):
            yield bytes([choice]) + place.to_bytes(3, "little") + b"\x7f"
        yield bytes([choice]) + (5000).to_bytes(3, "little")


def sql():
    for kind in range(4):
        for function in range(21):
            yield bytes([kind, function, 0, 4, 31, 0]) + b"a river\xff\x01[1, 2]\xff\x00x"
            yield bytes([kind, function, 1, 0]) + b"tiny-bert\xff" + bytes([0]) + b"some text\xff" + bytes([4, 33])
            yield bytes([kind, function, 1, 1]) + b"\0\0\x80\x3f\xff\1\0\0\x80\x3f\xff"


def strings(value):
    """Every key and string of a JSON tree."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def dictionary(words):
    lines = set()
    for word in words:
        quoted = "".join(chr(b) if 32 <= b < 127 and b not in b'\\"' else f"\\x{b:02x}" for b in word.encode())
        if 0 < len(word) < 64:
            lines.add(f'"\\"{quoted}\\""')
    lines.update(f'"{word}"' for word in ("null", "true", "false", "-1", "1e999", "18446744073709551616", "[]", "{}", "\\\\ud800", "\\\\u0000"))
    return "\n".join(sorted(lines)) + "\n"


def json_dictionaries():
    small = [json.loads(path.read_text(encoding="utf-8")) for name in REPLACED for path in fixtures_with(name)]
    yield "model_folder", dictionary(word for root in small for word in strings(root))
    roots = [json.loads(path.read_text(encoding="utf-8")) for path in fixtures_with("tokenizer.json")]
    for root in roots:
        root["model"] = {key: value for key, value in root["model"].items() if key not in ("vocab", "merges")}
    roots += [case["tokenizer"] for case in components()]
    yield "tokenizer_json", dictionary(word for root in roots for word in strings(root))
    yield "safetensors", dictionary(["dtype", "shape", "data_offsets", "__metadata__", "F32", "F16", "BF16", "F64", "I64", "BOOL"])


def main():
    folder = pathlib.Path(sys.argv[1])
    for make in (safetensors, model_folder, tokenizer_json, vocabulary, sentencepiece, charsmap, tokenize, regex, chunk, image, sql):
        seeds = folder / make.__name__
        seeds.mkdir(parents=True, exist_ok=True)
        for i, data in enumerate(make()):
            (seeds / f"{i:03}").write_bytes(data)
    for name, text in json_dictionaries():
        (folder / f"{name}.dict").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
