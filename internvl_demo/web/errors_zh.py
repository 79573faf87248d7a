"""What errors say, in Chinese: the English template of a sentence -> its Chinese one, for the page alone.

The English stands where an error is raised. A sentence that is not here, and what stands inside of one (a file's
name, a server's words), is shown as it is. Commands, logs and `/ask` speak English.
"""

from collections.abc import Mapping
from types import MappingProxyType

from internvl_demo.errors import Sentence, filled

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        # Pictures
        "{name}: {problem}": "{name}：{problem}",
        "The file is empty.": "文件是空的。",
        "JPEG, PNG, WebP, GIF, BMP or TIFF": "JPEG、PNG、WebP、GIF、BMP 或 TIFF",
        "Choose a picture that is {formats}.": "请选择 {formats} 格式的图片。",
        '"{name}" is a folder or a device, not a file.': "“{name}”是文件夹或设备，不是文件。",
        "Choose a picture file.": "请选择一个图片文件。",
        'There is no file "{name}".': "找不到文件“{name}”。",
        "Check the name and the folder.": "请检查文件名和文件夹。",
        'The file "{name}" cannot be read.': "无法读取文件“{name}”。",
        "Check that you may open it, or choose another.": "请确认您有权打开它，或另选一个文件。",
        "There is not enough memory to open the picture.": "内存不足，无法打开图片。",
        "Send a smaller one, or try again later.": "请换一张较小的图片，或稍后再试。",
        "The picture is damaged or incomplete.": "图片已损坏或不完整。",
        "Save it again as JPEG or PNG, or choose another picture.": "请重新保存为 JPEG 或 PNG，或另选一张图片。",
        "The file is larger than {limit} MB.": "文件超过 {limit} MB。",
        "Make the picture smaller or save it as JPEG, and send it again.": (
            "请缩小图片或保存为 JPEG，然后重新发送。"
        ),
        "The picture is only {width} x {height} pixels.": "图片只有 {width} × {height} 像素。",
        "Choose one with at least {least} pixels on each side.": "请选择每边至少 {least} 像素的图片。",
        "The picture has more than {most} megapixels.": "图片超过 {most} 百万像素。",
        "Scale it down and send it again.": "请缩小后重新发送。",
        "The file is {kind}, which cannot be read here.": "文件是{kind}，此处无法读取。",
        "a HEIC picture": " HEIC 图片",
        "an AVIF picture": " AVIF 图片",
        "a video": "视频",
        "an SVG drawing": " SVG 矢量图",
        "a PDF document": " PDF 文档",
        "Save it as {formats}.": "请另存为 {formats} 格式。",
        "The file is not a picture of a supported format, or it is damaged.": (
            "文件不是支持的图片格式，或已损坏。"
        ),
        "{mode} is not a resolution mode.": "{mode} 不是有效的分辨率模式。",
        "Choose low, standard, high, or a number of tiles from 1 to {most}.": (
            "请选择低、标准、高，或 1 到 {most} 之间的块数。"
        ),
        "The selected image is not in the conversation.": "选中的图片不在对话中。",
        "Select a region of one that is.": "请在对话中的图片上框选。",
        "It is not clear how to send the region.": "不清楚选区应以何种方式发送。",
        "Choose a marked copy or a crop.": "请选择标记副本或裁剪。",
        "The selection is no rectangle on the image.": "选区不是图片上的矩形。",
        "Draw one, or click one of the boxes.": "请拖出一个矩形，或点击已有的框。",
        "A message takes {most} pictures at most; what came after them was left out.": (
            "一条消息最多包含 {most} 张图片，多出的未添加。"
        ),
        "Send these first, or remove some.": "请先发送这些图片，或移除一部分。",
        "{name} is no longer kept here.": "图片“{name}”已不再保存。",
        "Add it again.": "请重新添加。",
        "{count} pictures of the message are no longer kept here.": "消息中有 {count} 张图片已不再保存。",
        "Add them again.": "请重新添加。",
        # Addresses
        "The address has not sent a picture within {seconds} seconds.": "该网址在 {seconds} 秒内没有传来图片。",
        "Try again later, or save the picture and add it as a file.": (
            "请稍后再试，或保存图片后作为文件添加。"
        ),
        "The address leads on more than {most} times.": "该网址的跳转超过 {most} 次。",
        "Check it, or save the picture and add it as a file.": "请检查网址，或保存图片后作为文件添加。",
        "This is no address on the web.": "这不是网址。",
        "It begins with https:// ...": "网址以 https:// 开头，请检查后重试。",
        "Only addresses that begin with http:// or https:// can be fetched.": (
            "只能获取以 http:// 或 https:// 开头的网址。"
        ),
        "The address holds a name or a password.": "网址中含有用户名或密码。",
        "Leave out what stands before the @.": "请去掉 @ 之前的部分。",
        "The address names an unusual port.": "网址使用了不常见的端口。",
        "Only 80 and 443 can be used.": "请改用 80 或 443 端口。",
        'There is no host "{host}".': "找不到主机“{host}”。",
        "The connection broke before the picture was there.": "图片传完之前连接中断。",
        "Try again later.": "请稍后再试。",
        '"{host}" cannot be reached.': "无法连接“{host}”。",
        "The address answers with error {status}.": "该网址返回错误 {status}。",
        "The address leads on to none.": "该网址跳转到了无效的地址。",
        "The address leads to a web page, not to a picture.": "该网址是网页，不是图片。",
        'Open it, and copy the address of the picture itself ("Copy image address").': (
            "请打开网页，复制图片本身的网址（“复制图片地址”）。"
        ),
        "The picture was sent compressed once more.": "图片在传输时又被压缩了一次。",
        "Save it and add it as a file.": "请保存后作为文件添加。",
        "The file at the address is larger than {limit} MB.": "该网址的文件超过 {limit} MB。",
        "Choose a smaller picture.": "请换一张较小的图片。",
        "The address is not one of the public internet.": "该网址不在公共互联网上。",
        "Save the picture and add it as a file.": "请保存图片后作为文件添加。",
        # Conversations
        "There is no question yet.": "还没有问题。",
        "Write what you want to know, then send.": "请写下问题，然后发送。",
        "There is nothing to ask again yet.": "还没有可以重试的问题。",
        "Ask a question first.": "请先提问。",
        "There is no question to answer.": "没有需要回答的问题。",
        "Ask one first.": "请先提问。",
        "The last question is still being answered.": "上一个问题还在回答中。",
        "Wait for the answer, or stop it.": "请等待回答结束，或点击“停止”。",
        "The conversation is no longer here.": "该对话已不存在。",
        "Begin a new one.": "请开始新对话。",
        "That question is no longer in the conversation.": "该问题已不在对话中。",
        "That is not a version of the last answer.": "这不是最后一个回答的版本。",
        "Reload the page to see the conversation as it is.": "请刷新页面，查看对话的当前状态。",
        "The picture is no longer kept here.": "图片已不再保存。",
        "Send it again.": "请重新发送。",
        "A picture of this conversation is missing on the server.": "服务器上缺少此对话的一张图片。",
        "A picture of this conversation was damaged on the server.": "服务器上此对话的一张图片已损坏。",
        "Send it again in a new conversation.": "请在新对话中重新发送。",
        "The server's disk is full, so the conversation could not be kept.": "服务器磁盘已满，对话未能保存。",
        "The server cannot write its files, so the conversation could not be kept.": (
            "服务器无法写入文件，对话未能保存。"
        ),
        "The server's store of conversations is damaged.": "服务器上保存的对话已损坏。",
        "The server's store of conversations does not work.": "服务器无法保存或读取对话。",
        "Copy what you need from this page, and tell whoever runs the demo.": (
            "请先复制本页需要的内容，并告知演示的管理员。"
        ),
        # Answers
        "The answer broke off. {problem}": "回答中断。{problem}",
        "Nobody was looking any more, so the answer was ended.": "因无人查看，回答已结束。",
        "The demo ended while it was answering.": "回答过程中演示程序退出了。",
        "Retry for the whole answer.": "请点击“重试”，获取完整回答。",
        "The demo failed while answering.": "演示程序在回答时出错。",
        "Retry; tell whoever runs it.": "请重试，并告知管理员。",
        "The model is busy: {running} questions are being answered and {waiting} are waiting.": (
            "模型正忙：正在回答 {running} 个问题，另有 {waiting} 个在排队。"
        ),
        "Wait a moment, then send the question again.": "请稍等片刻，再重新发送问题。",
        "The GPU has too little memory for this conversation.": "GPU 显存不足，容不下此对话。",
        "Lower the resolution mode.": "请降低分辨率。",
        "The model failed: {reason}.": "模型出错：{reason}。",
        "Ask again, or start a new conversation.": "请重新提问，或开始新对话。",
        "The conversation takes {count} tokens, the model reads {most}.": (
            "对话需要 {count} 个 token，模型最多读取 {most} 个。"
        ),
        "Lower the resolution mode of its images, or start a new conversation.": (
            "请降低图片的分辨率，或开始新对话。"
        ),
        # The model server
        "The connection to {endpoint} failed ({cause}).": "无法连接 {endpoint}（{cause}）。",
        "What came from {endpoint} is not an answer ({kind}).": "{endpoint} 返回的内容不是回答（{kind}）。",
        "The conversation is too long for the model ({said}).": "对话超出模型的上下文长度（{said}）。",
        "The model server refused (HTTP {status}: {said}).": "模型服务器拒绝了请求（HTTP {status}：{said}）。",
        "a web page": "返回了网页",
        "no reason": "未说明原因",
        "What answers at {endpoint} is not a model server ({kind}).": "{endpoint} 不是模型服务器（{kind}）。",
        "no type": "类型不明",
        "The model server at {endpoint} did not answer in time.": "模型服务器 {endpoint} 未能及时响应。",
        "The model server at {endpoint} has stopped answering.": "模型服务器 {endpoint} 已停止响应。",
        "Wait until it runs again, then send the question again; the host can check it and its log.": (
            "请等它恢复后重新发送问题；管理员可检查服务器及其日志。"
        ),
        "The model server's answer went on far beyond the longest answer and was cut.": (
            "模型服务器的回答远超长度上限，已被截断。"
        ),
        "The model server's answer broke off before its end.": "模型服务器的回答未完即中断。",
        "The model server gave up before the answer's end ({reason}).": "模型服务器中途放弃了回答（{reason}）。",
        "The server at {endpoint} offers no model.": "服务器 {endpoint} 未提供任何模型。",
        "The server at {endpoint} has no model {name}.": "服务器 {endpoint} 没有模型 {name}。",
        "Set INTERNVL_MODEL to one that it offers: {offered}.": (
            "请将 INTERNVL_MODEL 设为它提供的模型之一：{offered}。"
        ),
        "Check that the model server runs and that --endpoint (INTERNVL_ENDPOINT) names it.": (
            "请检查模型服务器是否在运行，以及 --endpoint（INTERNVL_ENDPOINT）是否指向它。"
        ),
        "Check that --endpoint (INTERNVL_ENDPOINT) names a model server and that no proxy answers in its place.": (
            "请检查 --endpoint（INTERNVL_ENDPOINT）是否指向模型服务器，以及是否有代理代为应答。"
        ),
        "Set INTERNVL_API_KEY to a key that the model server accepts.": (
            "请将 INTERNVL_API_KEY 设为模型服务器接受的密钥。"
        ),
        "Send the question again.": "请重新发送问题。",
        "Check that INTERNVL_MODEL names a model of that server, and --endpoint (INTERNVL_ENDPOINT) the server.": (
            "请检查 INTERNVL_MODEL 是否为该服务器的模型，以及 --endpoint（INTERNVL_ENDPOINT）是否指向该服务器。"
        ),
        "Send the question again; if it fails again, look into the model server's log.": (
            "请重新发送问题；若仍失败，请查看模型服务器的日志。"
        ),
        "Change the question or its photos and send it again; the model server's log says more.": (
            "请修改问题或图片后重新发送；详情见模型服务器的日志。"
        ),
        "Remove photos or turns, or choose a lower resolution mode, and send the question again.": (
            "请减少图片或对话轮次，或降低分辨率，然后重新发送问题。"
        ),
        "Send fewer or smaller photos, or raise the size limit of the proxy before the model server.": (
            "请减少或缩小图片，或调高模型服务器前代理的大小限制。"
        ),
        # A model server that this app starts
        "The model server {does}{share}{again}.": "模型服务器{does}{share}{again}。",
        "is being started": "正在启动",
        "downloads the model": "正在下载模型",
        "loads the model's weights": "正在加载模型权重",
        "allocates its cache": "正在分配缓存",
        "is nearly ready": "即将就绪",
        " ({percent}%)": "（{percent}%）",
        " after restart {count}{why}": "，此前已重启 {count} 次{why}",
        ": {reason}": "：{reason}",
        "The model server ended{why}. It is started again (restart {count}).": (
            "模型服务器已退出{why}。正在重新启动（第 {count} 次）。"
        ),
        "Your question can be sent as soon as it is ready; this page tells when.": (
            "请等它就绪后再发送问题，届时本页会提示。"
        ),
        "The model server ended and was given up{why}.": "模型服务器已退出，不再重启{why}。",
        "Remove the cause, then start the app again; the server's log is in the app's terminal.": (
            "请排除原因后重新启动应用；服务器日志见应用的终端。"
        ),
        "The model server has been ended.": "模型服务器已被关闭。",
        "Start the app again.": "请重新启动应用。",
    }
)


def in_chinese(sentence: str) -> str:
    """The sentence in Chinese, where there is one. Only sentences of ours inside of it are, too."""
    if not isinstance(sentence, Sentence):
        return CHINESE.get(sentence, sentence)  # kept without what it was made of
    values = {
        name: in_chinese(value) if isinstance(value, Sentence) else value
        for name, value in sentence.values.items()
    }
    return filled(CHINESE.get(sentence.template, sentence.template), values)
