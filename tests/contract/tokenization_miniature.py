"""The miniature's tokenizer in the form of InternLM2's: slow, for which LMDeploy has a road of its own.

On that road special tokens get spaces around them unless a request says otherwise. This file stands alone: it
is copied into the checkpoint's folder, and `transformers` loads it from there.
"""

from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizer


class MiniatureTokenizer(PreTrainedTokenizer):
    """Byte-level BPE from tokenizer.json; special tokens are `transformers`' own affair; begins with `<s>`."""

    vocab_files_names = {"vocab_file": "tokenizer.json"}  # noqa: RUF012 - `transformers` reads the class
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, vocab_file, **settings):
        self._bpe = Tokenizer.from_file(str(Path(vocab_file)))
        super().__init__(**settings)

    @property
    def vocab_size(self):
        return self._bpe.get_vocab_size(with_added_tokens=True)

    def get_vocab(self):
        return self._bpe.get_vocab(with_added_tokens=True)

    def _tokenize(self, text, **_):
        return self._bpe.encode(text, add_special_tokens=False).tokens

    def _convert_token_to_id(self, token):
        return self._bpe.token_to_id(token)

    def _convert_id_to_token(self, index):
        return self._bpe.id_to_token(index)

    def convert_tokens_to_string(self, tokens):
        return self._bpe.decoder.decode(list(tokens))

    def build_inputs_with_special_tokens(self, token_ids_0, token_ids_1=None):
        return [self.bos_token_id, *token_ids_0, *(token_ids_1 or [])]

    def save_vocabulary(self, *_, **__):
        return ()
