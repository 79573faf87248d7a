"""Every text of the page, in one table: key -> (English, Chinese).

The Chinese of errors is in `errors_zh`. `Words` speaks one language to one person; the page's fixed labels go to
the browser in both, and it chooses (`gr.I18n`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from internvl_demo.web.errors_zh import in_chinese

TABLE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "tagline": (
            "Talk to pictures, with boxes where things are.",
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
        "clear": ("New", "新对话"),
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
        "receipt_image": ("{image}: {tiles}, {tokens}", "{image}：{tiles}，{tokens}"),
        "receipt_cached": ("{count} tokens from cache", "缓存复用 {count} token"),
        "receipt_dropped": ("{count} unusable boxes left out", "忽略 {count} 个无效框"),
        "receipt_length": ("cut at the longest answer", "已达回答长度上限"),
        "receipt_broke_off": ("broken off before its end", "回答未完，已中断"),
        "receipt_guess": ("which image is meant is a guess", "所指图片为推测"),
        "in_line": ("You are number {place} in the line.", "您正在排队，排在第 {place} 位。"),
        "in_line_next": (
            "The answer begins by itself; Stop gives the place up.",
            "轮到后会自动开始回答；点击“停止”即放弃排队。",
        ),
        "language": ("中文", "English"),
        "names_question": ("Question", "问题"),
        "names_picture": ("Picture", "图片"),
        "names_answer": ("Answer", "回答"),
        "names_scroll": ("Scroll down", "滚动到底部"),
        "names_wide": ("Wide part of the answer: arrow keys move it", "较宽内容：用方向键左右移动"),
        "names_copy_code": ("Copy the code", "复制代码"),
        "names_upload": ("Add pictures from files", "从文件添加图片"),
        "names_close": ("Close", "关闭"),
        "names_said_error": ("Error", "错误"),
        "names_said_warning": ("Warning", "警告"),
        "names_said_rejected": (
            "{count} file(s) were rejected. Accepted formats: image",
            "{count} 个文件未被接受：仅支持图片。",
        ),
        "names_said_type": (
            "Invalid file type: {name}. Only image allowed.",
            "文件类型不受支持：{name}。仅支持图片。",
        ),
        "names_said_size": (
            "File(s) exceed the maximum allowed size of {size} Mb: {names}",
            "文件超过 {size} MB 的大小上限：{names}",
        ),
        "names_said_lost": (
            "Connection to the server was lost. Attempting reconnection...",
            "与服务器的连接已断开，正在尝试重新连接……",
        ),
        "names_said_errored": ("Connection errored out.", "连接出错。"),
        "names_said_busy": (
            "This application is currently busy. Please try again.",
            "应用正忙，请稍后重试。",
        ),
        "names_reset": ("Default", "恢复默认值"),
        "panel_conversations": ("Conversations", "对话列表"),
        "panel_new": ("New conversation", "新对话"),
        "panel_untitled": ("Without a name", "未命名"),
        "panel_rename": ("Rename", "重命名"),
        "panel_delete": ("Delete", "删除"),
        "panel_sure": ("Delete it for ever?", "确定永久删除？"),
        "panel_keep": ("Keep", "保留"),
        "panel_close": ("Close", "关闭"),
        "panel_empty": (
            "Conversations that you begin here are kept for this browser.",
            "在此开始的对话会为本浏览器保留。",
        ),
        "turns_edit": ("Edit the question", "编辑问题"),
        "turns_edit_note": (
            "Its images stay; what followed it goes.",
            "图片保留，其后的内容将被移除。",
        ),
        "turns_edit_send": ("Send", "发送"),
        "turns_edit_leave": ("Cancel", "取消"),
        "turns_undo": ("Take this question back", "撤回此问题"),
        "turns_copy": ("Copy the answer", "复制回答"),
        "turns_copied": ("Copied", "已复制"),
        "turns_earlier": ("Earlier answer", "上一版回答"),
        "turns_later": ("Later answer", "下一版回答"),
        "turns_beside": ("Answers side by side", "并排比较回答"),
        "turns_choose": ("Go on from this one", "从此版继续"),
        "turns_chosen": ("The conversation goes on from here", "对话从此版继续"),
        "turns_close": ("Close", "关闭"),
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
        "viewer_region_way": ("Send the region as", "选区发送方式"),
        "viewer_region_coordinates": ("Coordinates", "坐标"),
        "viewer_region_coordinates_hint": ("Its place in numbers, in your words.", "用数字写进您的问题。"),
        "viewer_region_mark": ("Marked copy", "标记副本"),
        "viewer_region_mark_hint": ("The whole image, with a red frame on it.", "整张图片，并画上红框。"),
        "viewer_region_crop": ("Crop", "裁剪"),
        "viewer_region_crop_hint": (
            "This part alone, in its original pixels.",
            "只取这一部分，保留原始像素。",
        ),
        "viewer_region_add": ("Add to the message", "加入消息"),
        "viewer_region_again": ("Zoom and ask again", "放大再问"),
        "viewer_region_again_of": ("Zoom and ask again: {label}", "放大再问：{label}"),
        "model_miniature": (
            "The embedded miniature answers: it knows drawn objects, no photographs, and reads print with mistakes.",
            "当前由内置的微型模型回答：它认识绘制的物体，不认识照片，识字常会出错。",
        ),
        "inspector_open": ("Prompt and call", "提示词与调用"),
        "inspector_title": ("Prompt and call of answer {turn}", "第 {turn} 个回答的提示词与调用"),
        "inspector_close": ("Close", "关闭"),
        "inspector_prompt": ("Prompt", "提示词"),
        "inspector_system": ("System", "系统"),
        "inspector_question": ("Question", "提问"),
        "inspector_image": ("Image", "图片"),
        "inspector_answer": ("Answer", "回答"),
        "inspector_opening": ("The answer begins here", "回答由此开始"),
        "inspector_tokens": ("{count} tokens", "{count} 个 token"),
        "inspector_about": ("≈ {count} tokens", "约 {count} 个 token"),
        "inspector_estimated": (
            "The words' tokens are estimated, the images' are exact.",
            "文字的 token 数为估计值，图片的为准确值。",
        ),
        "inspector_views": ("{views} views × {tokens} tokens", "{views} 个视图 × {tokens} 个 token"),
        "inspector_files": ("Save beside the script:", "请与脚本保存在同一目录："),
        "inspector_needs_server": (
            "INTERNVL_ENDPOINT is the model server, as http://HOST:PORT, INTERNVL_API_KEY its key.",
            "INTERNVL_ENDPOINT 为模型服务器地址（http://HOST:PORT），INTERNVL_API_KEY 为其密钥。",
        ),
        "inspector_needs_openai": (
            "Needs Python's openai package. INTERNVL_ENDPOINT is the model server, as http://HOST:PORT, "
            "INTERNVL_API_KEY its key.",
            "需要 Python 的 openai 包。INTERNVL_ENDPOINT 为模型服务器地址（http://HOST:PORT），"
            "INTERNVL_API_KEY 为其密钥。",
        ),
        "inspector_needs_page": (
            "PAGE is this page: export PAGE={page}",
            "PAGE 为本页地址：export PAGE={page}",
        ),
        "inspector_needs_package": (
            "Run it in this demo's folder, with its requirements installed.",
            "请在本演示程序的目录中运行，并先安装其依赖。",
        ),
        "inspector_no_curl": (
            "The page's API takes one question, with one resolution for all its images. This call is more than that; "
            "the Python tab has it.",
            "页面 API 一次只接受一个问题，且所有图片使用同一分辨率。此调用超出该范围，请使用 Python 标签页。",
        ),
        "inspector_copy": ("Copy", "复制"),
        "inspector_copied": ("Copied", "已复制"),
        "inspector_not_copied": ("Not copied: select the text and copy it", "未能复制，请选中文本后复制"),
        "context_so_far": ("So far", "已有对话"),
        "context_question": ("Question", "问题"),
        "context_answer": ("Answer", "回答"),
        "context_sent_image": (", already sent", "（已发送）"),
        "context_new_image": (", new", "（待发送）"),
        "context_part": ("{part}: {count} tokens", "{part}：{count} 个 token"),
        "context_sentence": (
            "{total} of {context} tokens · {answer} for the answer",
            "{total} / {context} 个 token · 留给回答 {answer}",
        ),
        "context_free": (" · {count} free", " · 剩余 {count}"),
        "context_too_long": (
            "This does not fit into the model's context: {count} tokens too many.",
            "超出模型的上下文长度：多出 {count} 个 token。",
        ),
        "context_choose": (
            "One of these changes is enough; nothing is changed unless you choose it.",
            "采用以下任意一项即可；不会自动更改任何内容。",
        ),
        "context_no_fix": (
            "No single change is enough: write less, or send fewer images.",
            "单独一项更改不足以解决：请缩短文字，或减少图片。",
        ),
        "context_edit_shorter": (
            "Nothing was changed: write it shorter, or ask it in a new conversation.",
            "未作更改：请写得短一些，或在新对话中提问。",
        ),
        "context_fewer": ("Fewer tiles: {changes}", "减少分块：{changes}"),
        "context_change": ("{image}\u00a0{before}\u00a0→\u00a0{after}",) * 2,
        "context_shorter": ("Shorter answer: at most {count} tokens", "缩短回答：最多 {count} 个 token"),
        "context_leave_out": ("Leave out {image}", "不发送 {image}"),
        "context_new": ("New conversation with only this question", "新建对话，只带此问题"),
        "context_new_fewer": (
            "New conversation with only this question, fewer tiles: {changes}",
            "新建对话，只带此问题，并减少分块：{changes}",
        ),
        "tray_images": ("Pictures for the next message", "下一条消息的图片"),
        "tray_drag": ("Drag to change the order", "拖动以调整顺序"),
        "tray_earlier": ("Move {image} one place earlier", "将 {image} 前移一位"),
        "tray_later": ("Move {image} one place later", "将 {image} 后移一位"),
        "tray_remove": ("Remove {image}", "移除 {image}"),
        "tray_mode": ("Resolution of {image}", "{image} 的分辨率"),
        "tray_default": ("Default · up to {count}", "默认 · 最多 {count} 块"),
        "tray_tiles": ("Tiles at most for {image}", "{image} 的最多块数"),
        "tray_now": ("{name} is now {image}.", "{name} 现在是 {image}。"),
        "tray_removed": ("{image} is removed.", "已移除 {image}。"),
        "tray_mention": ("Images to name in the question", "可在问题中引用的图片"),
        "tray_cancel": ("Cancel", "取消"),
        "tray_camera": ("Camera", "拍照"),
        "tray_take": ("Take the picture", "拍摄"),
        "tray_switch": ("Other camera", "切换摄像头"),
        "tray_choose": ("Choose a file instead", "改为选择文件"),
        "tray_camera_wait": ("Waiting for the camera …", "正在等待摄像头……"),
        "tray_camera_none": (
            "No camera was found. Connect one, or choose a file instead.",
            "未找到摄像头。请连接摄像头，或改为选择文件。",
        ),
        "tray_camera_refused": (
            "The camera was refused. Allow it for this page in the browser, or choose a file instead.",
            "摄像头被拒绝。请在浏览器中允许本页使用，或改为选择文件。",
        ),
        "tray_camera_busy": (
            "The camera cannot be used now. Close programs that use it, or choose a file instead.",
            "摄像头暂时无法使用。请关闭占用它的程序，或改为选择文件。",
        ),
        "tray_address": ("Web address", "网址"),
        "tray_address_label": ("Address of a picture", "图片网址"),
        "tray_address_help": (
            "A public address; the picture is fetched by the server that this page comes from.",
            "须为公网地址；图片由本页所在的服务器获取。",
        ),
        "tray_fetch": ("Fetch", "获取"),
        "tray_fetching": ("Fetching a picture from {host} …", "正在从 {host} 获取图片……"),
    }
)


class Words:
    """The table in one language."""

    def __init__(self, chinese: bool = False):
        self.column = int(chinese)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with its {values} filled in."""
        return self.either(TABLE[key]).format(**values)

    def either(self, texts: tuple[str, str]) -> str:
        """Of English and Chinese, the person's."""
        return texts[self.column]

    def said(self, sentence: str) -> str:
        """What an error says, which is English, in the person's language."""
        return in_chinese(sentence) if self.column else str(sentence)


def words_for(language: str | None) -> Words:
    """Chinese for `zh`, `zh-CN` and the like, else English."""
    return Words((language or "").strip().lower().startswith("zh"))
