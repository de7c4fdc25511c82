#!/usr/bin/env python3
"""Compares sembed with the tokenizers library on tokenizers put together at random.

    random_tokenizers.py --program build/tests/parity/tokenize [--seed N] [--count N] [--train FILE] [TEXTS…]

Each tokenizer.json has a model trained on a few hundred lines with options drawn at random (BPE with and without bytes,
WordPiece, Unigram), and normalizers, pre-tokenizers, post-processor, added tokens and a side to truncate from drawn
likewise, in the spellings of today and of old. Compared are ids, types and offsets of texts in many scripts, alone and in
pairs, with and without a limit. What the library itself refuses is drawn again; what sembed refuses is counted.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from component_parity import SPECIAL, random_texts
from tokenizer_parity import compare, read_texts

# What each script is tried for: spaces it lacks, marks that join or change order, digits, case, direction.
LANGUAGES = [
    "สวัสดีครับ ภาษาไทยไม่มีช่องว่าง ๑๒๓ น้ำ กำ ฿๕๐", "ភាសាខ្មែរ មិនមាន​ដកឃ្លា ក្រុម ១២៣៤", "ພາສາລາວ ໒໐໒໔ ຂອບໃຈ", "မြန်မာဘာသာ စကား ၁၂၃",
    "السَّلَامُ عَلَيْكُمْ ١٢٣ ﷺ لا إله ﻻ ـــ ٪٫٬", "שָׁלוֹם עוֹלָם \u200fRTL\u200e \u202babc\u202c יִידיש ״גרשיים״", "ܫܠܡܐ ދިވެހި ߒߞߏ",
    "नमस्ते दुनिया क्षत्रिय क़ख़ ऑफ़िस ॐ १२३ ।॥", "தமிழ் மொழி கௌ கொ ௧௨௩ ஸ்ரீ", "বাংলা ভাষা ড় ঢ় য় ৎ", "తెలుగు ಕನ್ನಡ മലയാളം සිංහල", "བོད་ཡིག་ ༡༢༣ ཨོཾ",
    "한국어 한글 한글 ㄱㄴㄷ ﾡ ｶﾞ 각", "日本語テスト カタカナ ｶﾀｶﾅ がぎぐ か\u3099 ㈱ ㌔ ヶ々〆 ー〜", "你好，世界！ 𠀀𠮷野家 㐀 豈 ⼀ 〇 ㊀", "Tiếng Việt Ệ ệ ệ ệ",
    "Ελληνικά Σίσυφος ΣΊΣΥΦΟΣ ᾳ ᾼ ΐ ΐ", "Русский Ёлка й Й и\u0306 ЉЊ", "İstanbul ISPARTA ı dotless ŞĞ", "Straße STRASSE ẞ ﬀ ﬁ ſt ǆ ǅ Ǆ Ǳ", "ქართული ᲥᲐᲠᲗᲣᲚᲘ ႠႡ Հայերեն և",
    "አማርኛ ᏣᎳᎩ ꮳꮃꭹ 𐐔𐐲 𞤀𞤣𞤤𞤢𞤥", "👨‍👩‍👧‍👦 👩🏽‍🚀 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪🇫🇷 ❤️ ☺︎ 1️⃣ 🫠🪿", "a\u0301\u0323 e\u0323\u0301 q\u0307\u0323 \u0301x Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L͠G̴O",
    "\ufffd\ufffd lone \ufffd", "\ue000private\uf8ff \U000f0000 \U0010fffd", "\u0378\u0379 unassigned \U000e0fff \u2fe0", "\x00\x01\x07\x08 \x0b\x0c\x1b[0m\x7f\x80\x85\x9f",
    "\u00ad\u200b\u200c\u200d\u2060\ufeff zero\u200bwidth \u034f", "\u00a0\u1680\u2000\u2003\u2009\u202f\u205f\u3000 spaces \u2028\u2029", "‘quotes’ “double” «guillemets» „low“ ‹single› 'it''s' ``x''",
    "½ ² ³ ₂ Ⅻ ⅳ ① ⒈ ⓐ ㍿ ℡ № ™ ℃ Å Ω K 𝐀𝒷𝟘 ｆｕｌｌ１２", "1,234.56 3.14e-10 0x1F +49-30-123456 12:34 2024-01-31 50% $5 €6 £7", "https://example.org/a?b=c&d=%20#e user@example.com @at #tag C++ C# a_b-c/d\\e|f~g^h`i",
    "The Quick BROWN fox don't can't we'll I'd they've he's it's 'tis O'Neill", "def f(x):\n    return {'a': [1, 2], \"b\": None}\n\t// tab\r\n", "  leading  double  trailing  ", "", " ", "\n", "a", "\u0301",
    "▁ ▁▁ a▁b Ġ ## ##ing </w> <0x41> <unk> [UNK] <s> </s> [MASK] bc é <a>b", "x" * 300, "ab" * 60 + " " + "é" * 120,
]
PATTERNS = [r"\s+", r"\p{L}+", r"\p{N}", r"\w+|[^\w\s]+", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r"[A-Z]", r"\p{Lu}\p{Ll}*", r"[^\r\n\p{L}\p{N}]?\p{L}+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", r"\d{3}", r"\bc", r"^\s*", r"[一-龥]", r"\p{P}", r"\p{Han}|\p{Thai}"]
BEHAVIORS = ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")


def draw_normalizer(g):
    n = normalizers
    return g.choice((
        lambda: getattr(n, g.choice(("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")))(),
        lambda: n.BertNormalizer(clean_text=g.random() < .7, handle_chinese_chars=g.random() < .7,
                                 strip_accents=g.choice((None, True, False)), lowercase=g.random() < .6),
        lambda: n.Strip(left=g.random() < .5, right=g.random() < .5),
        lambda: n.Prepend(g.choice(("▁", " ", "é", "ab"))),
        lambda: n.Replace(g.choice((" ", "a", "``", "''", "é", "  ", "\n")), g.choice(("▁", "", "x", " ", "ab"))),
        lambda: n.Replace(Regex(g.choice(PATTERNS + [" {2,}", "[ \t]+$", "(?<=a)b", "^", "$", "x*"])), g.choice(("▁", "", "x", " "))),
    ))()


def draw_metaspace(g):
    """Today's spelling, or one of old."""
    old = {"type": "Metaspace", "replacement": g.choice("▁▁_")}
    if g.random() < .5:
        old["add_prefix_space"] = g.random() < .7
    if g.random() < .3:
        old["str_rep"] = old["replacement"]
    if g.random() < .5:
        old["prepend_scheme"] = g.choice(("always", "first", "never"))
    if g.random() < .4:
        old["split"] = g.random() < .5
    return old


def draw_pretokenizer(g):
    p = pre_tokenizers
    return g.choice((
        lambda: getattr(p, g.choice(("BertPreTokenizer", "Whitespace", "WhitespaceSplit")))(),
        lambda: p.Punctuation(g.choice(BEHAVIORS)),
        lambda: p.Digits(individual_digits=g.random() < .5),
        lambda: p.CharDelimiterSplit(g.choice(" a-é")),
        lambda: p.Split(g.choice((" ", "a", "ab", "é")), g.choice(BEHAVIORS), g.random() < .3),
        lambda: p.Split(Regex(g.choice(PATTERNS)), g.choice(BEHAVIORS), g.random() < .3),
        lambda: p.ByteLevel(add_prefix_space=g.random() < .5, use_regex=g.random() < .7, trim_offsets=g.random() < .5),
        lambda: draw_metaspace(g),
    ))()


def as_json(component):
    return component if isinstance(component, dict) or component is None else json.loads(component.__getstate__())


def sequence(g, kind, key, draw, most):
    parts = [as_json(draw(g)) for _ in range(g.randrange(most + 1))]
    if not parts:
        return None
    if len(parts) == 1 and g.random() < .6:
        return parts[0]
    return {"type": "Sequence", key: parts}


def draw_model(g, lines, normalizer, pretokenizer):
    """A trained model's JSON, with options that its trainer does not draw."""
    kind = g.choice(("BPE", "BPE bytes", "WordPiece", "Unigram", "Unigram"))
    size = g.choice((120, 300, 900))
    special = ["<unk>", "[UNK]", "<s>", "</s>", "[MASK]"]
    if kind.startswith("BPE"):
        affixes = dict(end_of_word_suffix="</w>") if g.random() < .2 else dict(continuing_subword_prefix="##") if g.random() < .2 else {}
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        alphabet = pre_tokenizers.ByteLevel.alphabet() if kind == "BPE bytes" else []
        trainer = trainers.BpeTrainer(vocab_size=size + 300, show_progress=False, special_tokens=special, initial_alphabet=alphabet, limit_alphabet=g.choice((80, 400)), **affixes)
    elif kind == "WordPiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        trainer = trainers.WordPieceTrainer(vocab_size=size + 200, show_progress=False, special_tokens=special, limit_alphabet=g.choice((80, 400)))
    else:
        tokenizer = Tokenizer(models.Unigram())
        trainer = trainers.UnigramTrainer(vocab_size=size + 200, show_progress=False, special_tokens=special, unk_token="<unk>")
    base = json.loads(tokenizer.to_str())
    base.update(normalizer=normalizer, pre_tokenizer=pretokenizer)
    tokenizer = Tokenizer.from_str(json.dumps(base))
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] == "BPE":
        model.update(fuse_unk=g.random() < .5, ignore_merges=g.random() < .3, unk_token=g.choice(("<unk>", None)))
        if g.random() < .3:
            model["byte_fallback"] = True
            for byte in range(256) if g.random() < .7 else range(0, 256, 2):
                model["vocab"].setdefault(f"<0x{byte:02X}>", len(model["vocab"]))
        if g.random() < .3:  # as files of old spell merges
            if not any(" " in side for merge in model["merges"] for side in merge):
                model["merges"] = [" ".join(merge) for merge in model["merges"]]
        if g.random() < .2:
            del model["ignore_merges"], model["fuse_unk"], model["byte_fallback"]
    elif model["type"] == "WordPiece":
        model["max_input_chars_per_word"] = g.choice((100, 10, 3))
        if g.random() < .2:
            model["continuing_subword_prefix"] = g.choice(("", "▁", "a"))
    elif g.random() < .5:
        model["byte_fallback"] = True
        model["vocab"] += [[f"<0x{byte:02X}>", g.choice((0.0, -3.5))] for byte in (range(256) if g.random() < .7 else range(0, 256, 2))]
    if g.random() < .15:
        del model["type"]
    return model


def draw_postprocessor(g):
    def template():
        special = [{"SpecialToken": {"id": name, "type_id": g.randrange(2)}} for name in ("<s>", "</s>")]
        return [special[0], {"Sequence": {"id": "A", "type_id": 0}}, special[1]], [
            special[0], {"Sequence": {"id": g.choice("A"), "type_id": 0}}, special[1]] + [special[1]] * g.randrange(2) + [
            {"Sequence": {"id": "B", "type_id": g.randrange(2)}}, special[1]]

    def processing():
        single, pair = template()
        ids = {"<s>": [2], "</s>": g.choice(([3], [3, 4]))}
        return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {
            name: {"id": name, "ids": ids[name], "tokens": [name] * len(ids[name])} for name in ids}}

    q = processors
    byte_level = lambda: as_json(q.ByteLevel(add_prefix_space=g.random() < .5, trim_offsets=g.random() < .7))
    return g.choice((
        lambda: None, processing, byte_level,
        lambda: as_json(q.BertProcessing(("</s>", 3), ("<s>", 2))),
        lambda: as_json(q.RobertaProcessing(("</s>", 3), ("<s>", 2), g.random() < .6, g.random() < .5)),
        lambda: {"type": "Sequence", "processors": [byte_level(), processing()]},
    ))()


def draw_added(g):
    return [AddedToken(content, single_word=g.random() < .3, lstrip=g.random() < .3, rstrip=g.random() < .3,
                       normalized=g.random() < .5, special=g.random() < .5)
            for content in ("[MASK]", "bc", "é", "<a>", " the", "The ", "한", "👍", "##", "New Token", "<s>", "\n")
            if g.random() < .25]


def draw_tokenizer(g, lines):
    normalizer = sequence(g, "Sequence", "normalizers", draw_normalizer, 3)
    pretokenizer = sequence(g, "Sequence", "pretokenizers", draw_pretokenizer, 3)
    model = draw_model(g, lines, normalizer, pretokenizer)
    root = json.loads(Tokenizer(models.BPE()).to_str())
    root.update(normalizer=normalizer, pre_tokenizer=pretokenizer, model=model, post_processor=draw_postprocessor(g))
    if g.random() < .4:
        root["truncation"] = {"direction": g.choice(("Left", "Right")), "max_length": 7, "strategy": "LongestFirst", "stride": 0}
    if g.random() < .3:
        root["padding"] = {"strategy": {"Fixed": 30}, "direction": g.choice(("Left", "Right")), "pad_to_multiple_of": 8,
                           "pad_id": 1, "pad_type_id": 0, "pad_token": "[UNK]"}
    tokenizer = Tokenizer.from_str(json.dumps(root))
    tokenizer.add_tokens(draw_added(g))
    saved = json.loads(tokenizer.to_str())
    root["added_tokens"] = saved["added_tokens"]
    return root


def contradicts_itself(tokenizer, root):
    """Why the library's answer is none, if so. Of added tokens that the normalizer makes alike it takes one by the order of a hash
    table, another in each process; one that it makes empty cuts the text between any two bytes, or panics there. And what a
    regular expression puts before the first character is lost count of by the normalizer that follows, which doubles it or panics."""
    normalizer = tokenizer.normalizer
    spellings = [token["content"] if normalizer is None else normalizer.normalize_str(token["content"])
                 for token in root["added_tokens"] if token["normalized"]]
    if "" in spellings:
        return "an added token normalizes to nothing"
    if len(set(spellings)) < len(spellings):
        return "two added tokens normalize to the same"
    parts = (root.get("normalizer") or {}).get("normalizers", [])
    for part in parts[:-1]:
        regex = part.get("pattern", {}).get("Regex")
        if regex and part["content"] and normalizers.Replace(Regex(regex), part["content"]).normalize_str("ab").endswith("ab"):
            return "a normalizer after one that inserts at the beginning"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=1, help="of the first tokenizer")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--train", help="a file of texts that models are trained on; else LANGUAGES")
    parser.add_argument("--shown", type=int, default=1)
    parser.add_argument("--keep", help="a folder for tokenizers that differ")
    parser.add_argument("texts", nargs="*")
    options = parser.parse_args()

    corpus = (read_texts(options.train, 10**9) if options.train else []) + LANGUAGES * 3
    files = [text for path in options.texts for text in read_texts(path, 10**9)]
    differ, refused, compared, texts_compared = 0, collections.Counter(), 0, 0
    for seed in range(options.seed, options.seed + options.count):
        g = random.Random(seed)
        try:
            root = draw_tokenizer(g, g.sample(corpus, min(len(corpus), 400)))
        except BaseException as error:  # the library panics on some
            if isinstance(error, KeyboardInterrupt):
                raise
            refused[f"by the library: {error!s:.60}"] += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tokenizer.json"
            path.write_text(json.dumps(root, ensure_ascii=False), encoding="utf-8")
            tokenizer = Tokenizer.from_file(str(path))
            reason = contradicts_itself(tokenizer, root)
            if reason:
                refused[f"by the library: {reason}"] += 1
                continue
            side = (root.get("truncation") or {}).get("direction", "Right").lower()
            tokenizer.no_padding()
            texts = LANGUAGES + list(random_texts(g, 80)) + g.sample(files, min(len(files), 30))
            pairs = [[a[:200], b[:200]] for a, b in zip(g.sample(texts, 30), g.sample(texts, 30))]
            try:
                wrong = sum(sum(compare(options.program, folder, tokenizer, limit, texts + pairs, options.shown, side).values())
                            for limit in (0, g.choice((8, 9, 12, 13))))
            except subprocess.CalledProcessError:
                reason = subprocess.run([options.program, folder], input=b"", stderr=subprocess.PIPE).stderr.decode()
                refused[reason.split("tokenizer.json: ")[-1].strip()] += 1
                continue
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                refused[f"by the library: {error!s:.60}"] += 1
                continue
        compared += 1
        texts_compared += 2 * len(texts + pairs)
        differ += wrong > 0
        if wrong:
            print(f"seed {seed}: {wrong} texts differ", flush=True)
            if options.keep:
                pathlib.Path(options.keep).mkdir(exist_ok=True, parents=True)
                (pathlib.Path(options.keep) / f"{seed}.json").write_text(json.dumps(root, ensure_ascii=False), encoding="utf-8")
    print(f"{compared} tokenizers, {texts_compared} texts: {differ} tokenizers differ")
    for reason, count in refused.most_common():
        print(f"  refused {count}: {reason}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
