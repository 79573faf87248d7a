"""Every text of the page, in one table: key -> (English, Chinese).

`Words` speaks one language to one person; the page's fixed labels go to the browser in both, and it
chooses (`gr.I18n`).
"""

from collections.abc import Mapping
from types import MappingProxyType

TABLE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "tagline": (
            "Talk to pictures: several at once, over several turns, with boxes where things are.",
            "与图片对话：支持多图、多轮，并在图上框出目标。",
        ),
        "composer": ("Message", "消息"),
        "composer_placeholder": (
            "Ask about your pictures: drop, paste or add them here",
            "在此输入问题，可拖放、粘贴或添加图片",
        ),
        "send": ("Send", "发送"),
        "stop": ("Stop", "停止"),
        "retry": ("Retry", "重试"),
        "clear": ("Clear", "清空"),
        "mode": ("Resolution", "分辨率"),
        "mode_low": ("Low · 1 tile", "低 · 1 块"),
        "mode_standard": ("Standard · up to 12", "标准 · 最多 12 块"),
        "mode_high": ("High · up to 40", "高 · 最多 40 块"),
        "mode_custom": ("Custom", "自定义"),
        "max_tiles": ("Tiles at most", "最多块数"),
        "conversation": ("Conversation", "对话"),
        "conversation_empty": (
            "Add a picture and ask, or start from an example.",
            "添加图片并提问，或从示例开始。",
        ),
        "examples": ("Try one of these", "试试这些示例"),
        "image": ("Image", "图"),
        "tiles": ("{count} tiles", "{count} 块"),
        "tile": ("1 tile", "1 块"),
        "thumbnail": ("thumbnail", "缩略图"),
        "tokens": ("{count} visual tokens", "{count} 个视觉 token"),
        "total": ("In all {count} visual tokens.", "共 {count} 个视觉 token。"),
        "receipt_ttft": ("first token {seconds} s", "首 token {seconds} 秒"),
        "receipt_speed": ("{speed} tokens/s", "{speed} token/秒"),
        "receipt_cached": ("{count} tokens from cache", "缓存复用 {count} token"),
        "receipt_dropped": ("{count} unusable boxes left out", "忽略 {count} 个无效框"),
        "receipt_length": ("cut at the longest answer", "已达回答长度上限"),
        "receipt_guess": ("which image is meant is a guess", "所指图片为推测"),
        "ask_something": ("There is no question yet.", "还没有问题。"),
        "ask_something_next": ("Write what you want to know, then send.", "请写下问题，然后发送。"),
        "nothing_to_retry": ("There is nothing to ask again yet.", "还没有可以重试的问题。"),
        "nothing_to_retry_next": ("Ask a question first.", "请先提问。"),
        "broke_off": ("The answer broke off.", "回答中断。"),
        "model_miniature": (
            "Answers come from the embedded miniature: it knows simple drawn objects and English, not photographs.",
            "当前由内置的微型模型回答：它只认识简单的绘制物体，只懂英语，不认识照片。",
        ),
    }
)


class Words:
    """The table in one language."""

    def __init__(self, chinese: bool = False):
        self.column = int(chinese)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with its {values} filled in."""
        return TABLE[key][self.column].format(**values)


def words_for(accept_language: str | None) -> Words:
    """Chinese for a browser that prefers it, else English."""
    return Words((accept_language or "").strip().lower().startswith("zh"))
