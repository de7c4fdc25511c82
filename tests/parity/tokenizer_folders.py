#!/usr/bin/env python3
"""Compares sembed's tokens with transformers' AutoTokenizer, for model folders of many shapes.

    tokenizer_folders.py --program build/tests/parity/tokenize --tokenizers FOLDER --bert FOLDER TEXTS…

Which files a folder holds and what they say decides how transformers builds its tokenizer: by the class
that tokenizer_config.json or config.json names, from tokenizer.json or without one. Each case writes such
a folder from real vocabularies: --tokenizers holds roberta-base, xlmr-rebuilt, barthez and
bert-base-multilingual-cased, --bert a folder with an uncased WordPiece tokenizer.json. The cases with a
SentencePiece file need the packages sentencepiece and protobuf.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import transformers
from transformers import AutoTokenizer

from component_parity import random_texts
from tokenizer_parity import compare, read_texts

SPOKEN = ["Hello [MASK] World [UNK] <mask>  <s> x </s> İstanbul  ẞtraße Café <pad> [mask] [unk] <unk>",
          "<s>NOTUSED a [NEW]b  [NEW2] c Ünï 你好", "  leading", "trailing  ", "a<mask>b  <mask> c [CLS]a"]

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Folder:
    """A model folder under way."""

    def __init__(self, path, tokenizers, bert):
        self.path, self.tokenizers, self.bert = map(pathlib.Path, (path, tokenizers, bert))

    def write(self, name, content):
        (self.path / name).write_text(json.dumps(content), encoding="utf-8")

    def config(self, **settings):
        self.write("tokenizer_config.json", settings)

    def model(self, model_type):
        self.write("config.json", {"model_type": model_type})

    def copy(self, folder, *names):
        for name in names:
            shutil.copy(self.tokenizers / folder / name, self.path)

    def json(self, source, edit=lambda tokenizer: None):
        tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
        edit(tokenizer)
        self.write("tokenizer.json", tokenizer)

    def vocab_txt(self, **renamed):
        tokenizer = json.loads((self.bert / "tokenizer.json").read_text(encoding="utf-8"))
        tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
        tokens = [renamed.get(token.strip("[]"), token) for token in tokens]
        (self.path / "vocab.txt").write_text("".join(token + "\n" for token in tokens), encoding="utf-8")


def token(content, **flags):
    return dict(content=content, lstrip=False, rstrip=False, single_word=False, normalized=False, special=True) | flags


def keep_case(tokenizer):
    tokenizer["normalizer"].update(lowercase=False, strip_accents=False)


@case
def bert_as_it_is(folder):
    folder.json(folder.bert)
    folder.model("bert")


@case
def bert_config_lowercases(folder):
    folder.json(folder.bert, keep_case)
    folder.model("bert")
    folder.config(do_lower_case=True, tokenizer_class="BertTokenizer")


@case
def bert_config_keeps_case(folder):
    folder.json(folder.bert)
    folder.model("bert")
    folder.config(do_lower_case=False, strip_accents=True, tokenizer_class="BertTokenizerFast")


@case
def bert_model_type_alone(folder):
    folder.json(folder.bert, keep_case)
    folder.model("bert")


@case
def bert_without_class(folder):
    folder.json(folder.bert, keep_case)
    folder.model("bert")
    folder.config(do_lower_case=True, tokenizer_class="PreTrainedTokenizerFast", cls_token="[CLS]", mask_token="<mask>",
                  additional_special_tokens=["[NEW]", "[NEW2]"])


@case
def bert_added_tokens_decoder(folder):
    folder.json(folder.bert)
    folder.model("bert")
    folder.config(tokenizer_class="BertTokenizer", mask_token="[MASK]", added_tokens_decoder={
        "0": token("[PAD]"), "100": token("[UNK]"), "101": token("[CLS]"), "102": token("[SEP]"),
        "103": token("[MASK]", lstrip=True), "30522": token("[NEW]", rstrip=True),
        "30523": token("Café", normalized=True, special=False)})


@case
def bert_split_special_tokens(folder):
    folder.json(folder.bert)
    folder.model("bert")
    folder.config(tokenizer_class="BertTokenizer", split_special_tokens=True,
                  model_max_length=1000000000000000019884624838656)


@case
def bert_vocab_txt(folder):
    folder.vocab_txt()
    folder.model("bert")


@case
def bert_vocab_txt_cased(folder):
    folder.copy("bert-base-multilingual-cased", "vocab.txt")
    folder.model("bert")
    folder.config(do_lower_case=False)


@case
def bert_vocab_txt_options(folder):
    folder.copy("bert-base-multilingual-cased", "vocab.txt")
    folder.model("bert")
    folder.config(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False, tokenizer_class="BertTokenizer")


@case
def bert_vocab_txt_token_files(folder):
    folder.vocab_txt()
    folder.model("bert")
    folder.config(do_lower_case=True, tokenizer_class="BertTokenizer")
    folder.write("special_tokens_map.json", {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": {
        "content": "[MASK]", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}})
    folder.write("added_tokens.json", {"[NEW]": 30522, "[NEW2]": 30523})


@case
def distilbert(folder):
    folder.json(folder.bert)
    folder.model("distilbert")
    folder.config(do_lower_case=False, tokenizer_class="DistilBertTokenizer")


@case
def electra_vocab_txt(folder):
    folder.vocab_txt()
    folder.model("electra")
    folder.config(tokenizer_class="ElectraTokenizer", do_lower_case=True)


@case
def mpnet_vocab_txt(folder):
    folder.vocab_txt(PAD="<s>", unused0="<pad>", unused1="</s>", unused2="<mask>")
    folder.model("mpnet")


@case
def mpnet_mask_normalized(folder):
    mpnet_vocab_txt(folder)
    folder.config(tokenizer_class="MPNetTokenizer", do_lower_case=True, unk_token="[UNK]", mask_token={
        "__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False})


@case
def roberta_files(folder):
    folder.copy("roberta-base", "vocab.json", "merges.txt")
    folder.model("roberta")


@case
def roberta_files_prefix(folder):
    roberta_files(folder)
    folder.config(add_prefix_space=True, trim_offsets=True, tokenizer_class="RobertaTokenizer")


@case
def roberta_files_untrimmed(folder):
    roberta_files(folder)
    folder.config(add_prefix_space=True, trim_offsets=False)


@case
def roberta_json(folder):
    folder.json(folder.tokenizers / "roberta-base")
    folder.model("roberta")


@case
def roberta_json_prefix(folder):
    roberta_json(folder)
    folder.config(add_prefix_space=True, tokenizer_class="RobertaTokenizer")


@case
def roberta_without_class(folder):
    roberta_json(folder)
    folder.config(add_prefix_space=True, tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>")


@case
def xlm_roberta_json(folder):
    folder.json(folder.tokenizers / "xlmr-rebuilt")
    folder.model("xlm-roberta")


@case
def xlm_roberta_no_prefix(folder):
    xlm_roberta_json(folder)
    folder.config(tokenizer_class="XLMRobertaTokenizer", add_prefix_space=False, mask_token="<mask>")


def newer_pipeline(tokenizer):
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [tokenizer["normalizer"], {
        "type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}
    tokenizer["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


@case
def xlm_roberta_newer(folder):
    folder.json(folder.tokenizers / "xlmr-rebuilt", newer_pipeline)
    folder.model("xlm-roberta")
    folder.config(tokenizer_class="XLMRobertaTokenizerFast")


@case
def xlm_roberta_newer_without_class(folder):
    xlm_roberta_newer(folder)
    folder.config(tokenizer_class="PreTrainedTokenizerFast")


@case
def xlm_roberta_sentencepiece(folder):
    folder.copy("xlmr-rebuilt", "sentencepiece.bpe.model")
    folder.model("xlm-roberta")


@case
def camembert_sentencepiece(folder):
    folder.copy("barthez", "sentencepiece.bpe.model")
    folder.model("camembert")


def as_camembert(tokenizer):
    pieces = tokenizer["model"]["vocab"]
    unused = [["<s>NOTUSED", 0.0], ["<pad>", 0.0], ["</s>NOTUSED", 0.0], ["<unk>", 0.0], ["<unk>NOTUSED", -100.0]]
    tokenizer["model"]["type"] = "Unigram"
    tokenizer["model"]["vocab"] = unused + pieces[4:-2] + [["<s>", 0.0], ["</s>", 0.0], ["<mask>", 0.0]]
    tokenizer["added_tokens"] = []


@case
def camembert_json(folder):
    folder.json(folder.tokenizers / "barthez", as_camembert)
    folder.model("camembert")
    folder.config(tokenizer_class="CamembertTokenizer")


LEFT = {"direction": "Left", "max_length": 7, "strategy": "OnlyFirst", "stride": 2}
PADDING = {"strategy": {"Fixed": 40}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0,
           "pad_token": "[PAD]"}


@case
def bert_truncates_left(folder):
    folder.json(folder.bert)
    folder.model("bert")
    folder.config(truncation_side="left", padding_side="left")


@case
def bert_json_truncates_left(folder):
    folder.json(folder.bert, lambda tokenizer: tokenizer.update(truncation=LEFT, padding=PADDING))
    folder.model("bert")


@case
def roberta_json_truncates_left(folder):
    folder.json(folder.tokenizers / "roberta-base", lambda tokenizer: tokenizer.update(truncation=LEFT))
    folder.model("roberta")
    folder.config(add_prefix_space=True)


@case
def roberta_config_truncates_right(folder):
    folder.json(folder.tokenizers / "roberta-base", lambda tokenizer: tokenizer.update(truncation=LEFT))
    folder.model("roberta")
    folder.config(truncation_side="right", tokenizer_class="PreTrainedTokenizerFast")


@case
def roberta_files_truncate_left(folder):
    roberta_files(folder)
    folder.config(add_prefix_space=True, truncation_side="left")


@case
def xlm_roberta_truncates_left(folder):
    folder.json(folder.tokenizers / "xlmr-rebuilt", lambda tokenizer: tokenizer.update(truncation=LEFT | {"direction": "Right"}))
    folder.model("xlm-roberta")
    folder.config(truncation_side="left")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--tokenizers", required=True)
    parser.add_argument("--bert", required=True)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--shown", type=int, default=2)
    parser.add_argument("texts", nargs="*")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()

    texts = SPOKEN + list(random_texts(random.Random(3), 300))
    texts += [text for path in options.texts for text in read_texts(path, 10**9)]
    pairs = [[first[:400], second[:400]] for first, second in zip(texts[::7], texts[3::7])][:60]
    total = 0
    for name, make in CASES.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as path:
            make(Folder(path, options.tokenizers, options.bert))
            tokenizer = AutoTokenizer.from_pretrained(path)
            backend = tokenizer._tokenizer
            backend.no_padding()
            wrong = compare(options.program, path, backend, 0, texts + pairs, options.shown)
            cut = compare(options.program, path, backend, 16, texts[:200] + pairs, options.shown, tokenizer.truncation_side)
        total += sum(wrong.values()) + sum(cut.values())
        print(f"{name} ({type(tokenizer).__name__}): of {len(texts) + len(pairs)} texts and pairs, "
              f"{wrong['ids'] + cut['ids']} differ in ids, {wrong['offsets'] + cut['offsets']} in offsets alone",
              flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
