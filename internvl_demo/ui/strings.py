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
        "receipt_broke_off": ("broken off before its end", "回答未完，已中断"),
        "receipt_guess": ("which image is meant is a guess", "所指图片为推测"),
        "ask_something": ("There is no question yet.", "还没有问题。"),
        "ask_something_next": ("Write what you want to know, then send.", "请写下问题，然后发送。"),
        "nothing_to_retry": ("There is nothing to ask again yet.", "还没有可以重试的问题。"),
        "nothing_to_retry_next": ("Ask a question first.", "请先提问。"),
        "broke_off": ("The answer broke off.", "回答中断。"),
        "in_line": ("You are number {place} in the line.", "您正在排队，排在第 {place} 位。"),
        "in_line_next": (
            "The answer begins by itself; Stop gives the place up.",
            "轮到后会自动开始回答；点击“停止”即放弃排队。",
        ),
        "line_full": (
            "The model is busy: {running} questions are being answered and {waiting} are waiting.",
            "模型正忙：正在回答 {running} 个问题，另有 {waiting} 个在排队。",
        ),
        "line_full_next": ("Wait a moment, then send the question again.", "请稍等片刻，再重新发送问题。"),
        "viewer_images": ("Images of the conversation", "对话中的图片"),
        "viewer_image_boxes": ("{image}, boxes: {count}", "{image}，{count} 个框"),
        "viewer_stage_keys": (
            "Plus and minus zoom, arrow keys move, 0 shows all of it.",
            "加号和减号缩放，方向键移动，0 显示全图。",
        ),
        "viewer_zoom": ("Zoom {percent} %: show the whole image", "缩放 {percent}%：显示全图"),
        "viewer_zoom_group": ("Zoom", "缩放"),
        "viewer_zoom_in": ("Zoom in", "放大"),
        "viewer_zoom_out": ("Zoom out", "缩小"),
        "viewer_zoom_fit": ("Whole image", "全图"),
        "viewer_labels": ("Show or hide boxes by label", "按标签显示或隐藏框"),
        "viewer_no_label": ("no label", "无标签"),
        "viewer_boxes_on": ("Boxes on {image}", "{image} 上的框"),
        "viewer_box_as_text": ("1 box as text", "1 个框的文字说明"),
        "viewer_boxes_as_text": ("{count} boxes as text", "{count} 个框的文字说明"),
        "viewer_box": (
            "{label}: {image}, from {left} to {right} % across and {top} to {bottom} % down",
            "{label}：{image}，横向 {left}%–{right}%，纵向 {top}%–{bottom}%",
        ),
        "viewer_phrase": ("Shows its box in the image", "在图中显示对应的框"),
        "viewer_tiles": ("Tiles", "分块"),
        "viewer_cut": ("Resolution of the tile X-ray", "分块透视的分辨率"),
        "viewer_as_sent": ("{mode} (as sent)", "{mode}（已发送）"),
        "viewer_up_to": ("Up to {count} tiles", "最多 {count} 块"),
        "viewer_model_thumbnail": ("thumbnail", "缩略图"),
        "viewer_select": ("Select", "框选"),
        "viewer_region_help": (
            "Drag a rectangle over the image, or click one of the boxes.",
            "在图上拖出一个矩形，或点击已有的框。",
        ),
        "viewer_region": ("Region of {image}: {box}", "{image} 的选区：{box}"),
        "viewer_region_keys": (
            "Arrow keys move it, Shift and an arrow resize it, Enter puts it into the question, Escape removes it.",
            "方向键移动，Shift 加方向键调整大小，回车写入问题，Esc 删除。",
        ),
        "viewer_insert": ("Put into the question", "写入问题"),
        "viewer_zoom_here": ("Zoom to it", "放大此处"),
        "viewer_remove": ("Remove", "删除"),
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
