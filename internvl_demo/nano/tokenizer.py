"""The miniature's tokenizer: byte-level BPE, so that any text can be said, over a small vocabulary.

Control tokens are those of InternVL 1.5's template and grounding. Every number from 0 to 999 is one
token and `, ` another, so that a box `[[123, 45, 678, 900]]` is nine tokens and a coordinate one choice.
Words are learned from the lessons themselves; whatever they do not hold is spelled in bytes.
"""

import random
import re
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from internvl_demo.nano.lessons import sample_texts
from internvl_demo.prompt import IMG_CONTEXT, SYSTEM

CONTROL = (
    *("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", IMG_CONTEXT),
    *("<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"),
)
_WORDS = 1200
_PIECES = Regex(r"\p{N}{1,3}|, ?| ?\p{L}+| ?[^\s\p{L}\p{N},]+|\s+")


def build_tokenizer(scenes: int = 400) -> PreTrainedTokenizerFast:
    """Learns the vocabulary from lessons; the same every time."""
    bpe = Tokenizer(models.BPE())
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(_PIECES, "isolated"), bytes_only])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=len(CONTROL) + 256 + 1000 + _WORDS,
        special_tokens=list(CONTROL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_texts(scenes), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        additional_special_tokens=list(CONTROL[3:]),
        clean_up_tokenization_spaces=False,
        model_max_length=8192,
    )
    missing = [value for value in range(1000) if len(tokenizer.tokenize(str(value))) != 1]
    if missing:
        raise AssertionError(f"numbers that are not one token: {missing[:5]}")
    return tokenizer


def _texts(scenes: int) -> Iterator[str]:
    """What the vocabulary is learned from; control tokens are left out, as they never meet the BPE."""
    yield from (f"system\n{SYSTEM}\nuser\nassistant\nImage-1: \nImage-2: " for _ in range(200))
    yield from (f"{value}, " for value in range(1000) for _ in range(60))
    control = re.compile("|".join(map(re.escape, CONTROL)))
    for text in sample_texts(random.Random(5), scenes):
        yield control.sub("\n", text)
