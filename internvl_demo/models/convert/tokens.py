"""Convert the tokenizer: files beside the weights, in the one form that `transformers` reads without remote code.

The official folder brings SentencePiece's `tokenizer.model` and Python code around it. What the code does is
little, and is expressed here in the terms of the `tokenizers` library: byte-pair encoding in the order of the
pieces' scores, spaces as U+2581, bytes for what no piece spells, and `<s>` before a text.

InternLM2 renames pieces: `tokenizer_config.json` (added_tokens_decoder) or `added_tokens.json` says that 92542
is `<|im_end|>`, while the SentencePiece model calls it `[UNUSED_TOKEN_145]`; InternVL appends `<img>` and its
like behind the last piece. Every token keeps its id. The old names are forgotten, so that nobody can end a
turn by writing `[UNUSED_TOKEN_145]`.

Pieces are read from the file format itself (SentencePiece's is protocol buffers, of which seven fields are
needed), so neither `sentencepiece` nor `protobuf` has to be installed.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import Qwen2Tokenizer

from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert.section import read_json

_SPACE = "\u2581"
_ROLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
"""Kinds of pieces in SentencePiece's file."""

_AGAIN = "Copy the tokenizer files of the original checkpoint again."


@dataclass(frozen=True)
class TokenizerFiles:
    """A tokenizer as it is stored: tokenizer.json, and the few settings beside it."""

    json: str
    settings: Mapping[str, Any]

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer itself."""
        return Tokenizer.from_str(self.json)

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, or None if there is no such token."""
        found: int | None = self.tokenizer().token_to_id(token)
        return found

    def with_bos(self) -> "TokenizerFiles":
        """Return the same tokenizer, writing `<s>` before a text, as InternLM2's does and servers rely on."""
        tokenizer = Tokenizer.from_str(self.json)
        bos = str(self.settings.get("bos_token"))
        bos_id = tokenizer.token_to_id(bos)
        if bos_id is None or tokenizer.encode("").ids:
            return self
        tokenizer.post_processor = _bos_first(bos, bos_id)
        return replace(self, json=tokenizer.to_str(pretty=True))

    def write(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json."""
        (folder / "tokenizer.json").write_text(self.json, "utf-8")
        settings = json.dumps(self.settings, indent=2, ensure_ascii=False)
        (folder / "tokenizer_config.json").write_text(settings + "\n", "utf-8")


def read_tokenizer(folder: Path) -> TokenizerFiles | None:
    """Read the tokenizer of a checkpoint; None if it has none. Raises CheckpointError when it cannot be used."""
    settings = (
        read_json(folder, "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    )
    fast, pieces = folder / "tokenizer.json", folder / "tokenizer.model"
    try:
        if fast.is_file():
            text = fast.read_text("utf-8")
            tokenizer = Tokenizer.from_str(text)
        elif pieces.is_file():
            anew = settings.get("legacy") is False
            tokenizer = _of_sentencepiece(pieces.read_bytes(), _added_tokens(folder, settings), anew)
            if settings.get("add_bos_token") is False:
                tokenizer.post_processor = None
            text = tokenizer.to_str(pretty=True)
        elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            text = Qwen2Tokenizer.from_pretrained(folder).backend_tokenizer.to_str(pretty=True)
            tokenizer = Tokenizer.from_str(text)
        else:
            return None
    except CheckpointError:
        raise
    except Exception as error:  # tokenizers raises bare Exceptions
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"The tokenizer of {folder} cannot be read: {reason}.", _AGAIN) from error
    return TokenizerFiles(text, _settings(tokenizer, settings))


def _settings(tokenizer: Tokenizer, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return tokenizer_config.json, in terms that every `transformers` from 4.56 on reads."""
    roles = {role: _content(given.get(role)) or usual for role, usual in _ROLES.items()}
    roles = {role: token for role, token in roles.items() if tokenizer.token_to_id(token) is not None}
    added_tokens = tokenizer.get_added_tokens_decoder()
    special = [added_tokens[id_].content for id_ in sorted(added_tokens) if added_tokens[id_].special]
    length = given.get("model_max_length")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **({"model_max_length": length} if type(length) is int else {}),
        **roles,
        "additional_special_tokens": [token for token in special if token not in roles.values()],
    }


def _added_tokens(folder: Path, settings: Mapping[str, Any]) -> dict[int, AddedToken]:
    """Return the tokens that a checkpoint adds or renames, by id."""
    added_tokens: dict[int, AddedToken] = {}
    if (folder / "added_tokens.json").is_file():
        for content, id_ in read_json(folder, "added_tokens.json").items():
            added_tokens[int(id_)] = AddedToken(content, normalized=False, special=True)
    for id_, token in (settings.get("added_tokens_decoder") or {}).items():
        added_tokens[int(id_)] = AddedToken(
            token["content"],
            normalized=False,
            special=bool(token.get("special", True)),
            lstrip=bool(token.get("lstrip", False)),
            rstrip=bool(token.get("rstrip", False)),
        )
    return added_tokens


def _content(token: Any) -> str | None:
    """Return a token of a configuration: text, or an object that holds it."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _bos_first(bos: str, bos_id: int) -> Any:
    return processors.TemplateProcessing(
        single=[bos, "$A"], pair=[bos, "$A", bos, "$B:1"], special_tokens=[(bos, bos_id)]
    )


@dataclass(frozen=True)
class _Piece:
    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class _SentencePiece:
    """The parts of a tokenizer.model that are needed."""

    pieces: list[_Piece]
    charsmap: bytes = b""
    prefix_space: bool = True
    single_spaces: bool = True


def _of_sentencepiece(data: bytes, added_tokens: Mapping[int, AddedToken], once: bool = False) -> Tokenizer:
    """Convert a tokenizer.model, and the names that the checkpoint gives to some ids, to a fast tokenizer.

    once: whether a vocabulary that puts a space before a text does so at its very beginning alone, as newer versions
    of Llama's tokenizer do (`legacy` false), and not after every control token.
    """
    model = _parse(data)
    names = [
        added_tokens[id_].content if id_ in added_tokens else piece.text
        for id_, piece in enumerate(model.pieces)
    ]
    vocabulary = {name: id_ for id_, name in enumerate(names)}
    if len(vocabulary) != len(names):
        twice = next(name for id_, name in enumerate(names) if vocabulary[name] != id_)
        raise CheckpointError(f"The tokenizer has two tokens {twice!r}.", _AGAIN)
    (unknown,) = [name for name, piece in zip(names, model.pieces, strict=True) if piece.kind == _UNKNOWN]
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary,
            _merges(model.pieces, added_tokens),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    if once and model.prefix_space:
        model = replace(model, prefix_space=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, prepend_scheme="first", split=False)
        strip = [decoders.Strip(" ", 1, 0)]
    else:
        strip = [decoders.Strip(" ", 1, 0)] if model.prefix_space else []
    tokenizer.normalizer = normalizers.Sequence(list(_normalizers(model)))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    for id_, token in sorted({**_own_tokens(model), **added_tokens}.items()):
        tokenizer.add_tokens([token])
        if tokenizer.token_to_id(token.content) != id_:
            raise CheckpointError(
                f"The token {token.content!r} cannot have the id {id_}: the ids before it are not all named.",
                _AGAIN,
            )
    if (bos := tokenizer.token_to_id("<s>")) is not None:
        tokenizer.post_processor = _bos_first("<s>", bos)
    return tokenizer


def _own_tokens(model: _SentencePiece) -> dict[int, AddedToken]:
    """Return the pieces that are found in a text before anything else, by id."""
    found: dict[int, AddedToken] = {}
    for id_, piece in enumerate(model.pieces):
        if piece.kind in (_UNKNOWN, _CONTROL, _USER_DEFINED):
            spaced = (
                piece.kind == _USER_DEFINED and _SPACE in piece.text
            )  # found where spaces are U+2581 already
            if spaced and model.prefix_space:
                raise CheckpointError(
                    f"The tokenizer's user-defined piece {piece.text!r} begins with or holds a space.",
                    "Such a tokenizer.model cannot be converted; use a checkpoint that has a tokenizer.json.",
                )
            special = piece.kind != _USER_DEFINED
            found[id_] = AddedToken(piece.text, normalized=spaced, special=special)
    return found


def _merges(pieces: list[_Piece], renamed: Mapping[int, AddedToken]) -> list[tuple[str, str]]:
    """Return pairs of pieces in the order in which SentencePiece joins them: by the score of the result."""
    own = {
        piece.text: id_
        for id_, piece in enumerate(pieces)
        if piece.kind == _NORMAL and (id_ not in renamed or renamed[id_].content == piece.text)
    }
    found: list[tuple[float, int, int, str, str]] = []
    for text, id_ in own.items():
        for at in range(1, len(text)):
            left, right = text[:at], text[at:]
            if left in own and right in own:
                found.append((-pieces[id_].score, id_, at, left, right))
    return [(left, right) for *_, left, right in sorted(found)]


def _normalizers(model: _SentencePiece) -> Iterator[Any]:
    if model.charsmap:
        yield normalizers.Precompiled(model.charsmap)
    if model.single_spaces:
        yield normalizers.Replace(
            Regex(" {2,}"), " "
        )  # first: a run before the end is tried at each of its spaces
        yield normalizers.Replace(Regex(r"\A +| +\z"), "")
    if model.prefix_space:
        yield normalizers.Prepend(_SPACE)
    yield normalizers.Replace(" ", _SPACE)


def _parse(data: bytes) -> _SentencePiece:
    """Parse SentencePiece's ModelProto.

    Its fields: 1 pieces (1 text, 2 score, 3 kind), 2 trainer (3 algorithm), 3 normaliser
    (2 character map, 3 space before the text, 4 runs of spaces as one).
    """
    pieces: list[_Piece] = []
    trainer: dict[int, Any] = {}
    normaliser: dict[int, Any] = {}
    for field, value in _fields(data):
        if field == 1:
            piece = dict(_fields(value))
            score = struct.unpack("<f", piece.get(2, bytes(4)))[0]
            pieces.append(_Piece(piece.get(1, b"").decode(), score, piece.get(3, _NORMAL)))
        elif field == 2:
            trainer = dict(_fields(value))
        elif field == 3:
            normaliser = dict(_fields(value))
    if not trainer or not normaliser:
        raise ValueError("tokenizer.model is cut off or not SentencePiece's")
    if trainer.get(3) != 2:
        raise CheckpointError(
            "tokenizer.model is not byte-pair encoding, as InternLM2's is.",
            "Copy tokenizer.model of the original checkpoint.",
        )
    return _SentencePiece(
        pieces, normaliser.get(2, b""), bool(normaliser.get(3, True)), bool(normaliser.get(4, True))
    )


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield each field of protocol buffers' wire format as (field number, number or bytes)."""
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(data):
        field, kind = divmod(number(), 8)
        if kind == 0:
            yield field, number()
            continue
        size = {1: 8, 5: 4}.get(kind) or number()
        if kind not in (1, 2, 5) or place + size > len(data):
            raise ValueError("tokenizer.model is cut off or not SentencePiece's")
        yield field, data[place : place + size]
        place += size
