"""Build the miniature's tokenizer: byte-level BPE, so that any text can be written, over a small vocabulary.

Control tokens are those of InternVL 1.5's template and grounding. In a box, every number from 0 to 999 is one
token and `, ` another, so that `[[123, 45, 678, 900]]` is nine tokens and a coordinate one choice; elsewhere a
number is spelled in digits, as it is read: `costs 47`.
Words are learned from the lessons themselves; whatever they do not hold is spelled in bytes. Chinese
characters are one token each, and every word that the world prints is one, too: STOP is read as a whole.
"""

import random
import re
from collections.abc import Iterator

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.conversation.template import V1_5_SYSTEM
from internvl_demo.nano.lessons.lessons import LANGUAGES, ask_nothing, ask_pair, ask_picture, follow_up
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.pictures import EXAM_SEEDS
from internvl_demo.nano.world.prints import draw_list, draw_sign, printed_words
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.nano.world.truth import LETTERS
from internvl_demo.nano.world.vocabulary import COLOURS_ZH, SIGN, kinds, looks

CONTROL = (
    *("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", IMG_CONTEXT),
    *("<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"),
)
_WORDS = 2700
_PIECES = Regex(
    r"(?<=\[|, )\p{N}{1,3}|\p{N}|, ?|\p{Han}| ?\p{Lu}?\p{Ll}+|\p{Lu}+|\p{L}| ?[^\s\p{L}\p{N},]+|\s+"
)


def build_tokenizer(scenes: int = 400) -> PreTrainedTokenizerFast:
    """Learn the vocabulary from lessons; the result is the same every time."""
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
    missing = [value for value in range(1000) if len(tokenizer.tokenize(f"[{value}")) != 2]
    if missing:
        raise AssertionError(f"numbers that are not one token: {missing[:5]}")
    return tokenizer


def _texts(scenes: int) -> Iterator[str]:
    """Yield what the vocabulary is learned from, without control tokens, which never meet the BPE."""
    yield from (f"system\n{V1_5_SYSTEM}\nuser\nassistant\nImage-1: \nImage-2: " for _ in range(200))
    yield from (f"[{value}, " for value in range(1000) for _ in range(60))
    yield from (f"the {kind.en} {kind.plural}{kind.zh}{kind.counter}" for kind in kinds() for _ in range(60))
    yield from (char for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for _ in range(200))
    yield from (word for word in printed_words() for _ in range(400))
    control = re.compile("|".join(map(re.escape, CONTROL)))
    for text in _lessons(random.Random(5), scenes):
        yield control.sub("\n", text)


def _lessons(rng: random.Random, scenes: int) -> Iterator[str]:
    """Yield questions and answers as training has them, and every phrasing in both languages."""
    for language in LANGUAGES.values():
        for value in vars(language).values():
            phrases = value.values() if isinstance(value, dict) else [value]
            yield from (f"{phrase}\n" for part in phrases if isinstance(part, tuple) for phrase in part * 3)
    for _ in range(scenes):
        first, second = draw_scene(rng.randrange(EXAM_SEEDS)), draw_scene(rng.randrange(EXAM_SEEDS))
        printed = rng.choice((draw_sign, draw_list, draw_chart))(rng.randrange(EXAM_SEEDS))
        for language in LANGUAGES.values():
            lessons = [ask_picture(rng, picture, language) for picture in (first, printed) for _ in range(5)]
            lessons += [ask_pair(rng, (first, second), language), ask_nothing(rng, language)]
            lessons += [
                lesson for before in lessons[:3] if (lesson := follow_up(rng, first, language, before))
            ]
            yield from (f"{lesson.question}\n{lesson.answer}\n" for lesson in lessons)


def truth_words(tokenizer: PreTrainedTokenizerFast) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the token ids with which the truth of a patch is written.

    names (looks, n): singular, plural, Chinese and colour of each look, padded with -1; letters (letters,);
    printed words (words,), -1: none. Row 0 of each stands for nothing.
    """
    by_name = {kind.en: kind for kind in (*kinds(), SIGN)}
    rows: list[list[int]] = [[]]
    for name, colour in looks():
        kind = by_name.get(name)
        forms = [f" {kind.en}", f" {kind.plural}", kind.zh] if kind else [f" {name}"]
        forms += [f" {colour}", COLOURS_ZH[colour]] if colour else []
        rows.append(
            sorted(
                {token for form in forms for token in tokenizer.encode(form, add_special_tokens=False)[:2]}
            )
        )
    width = max(map(len, rows))
    names = torch.tensor([row + [-1] * (width - len(row)) for row in rows])
    letters = [-1, *tokenizer.convert_tokens_to_ids(list(LETTERS))]
    words = [-1, *tokenizer.convert_tokens_to_ids(list(printed_words())), -1]
    return names, torch.tensor(letters), torch.tensor(words)
