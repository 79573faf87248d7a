"""Chinese: how people put their questions, several phrasings for each, and how answers are worded.

The same names as in `english`. `{one}` is a kind (猫), `{m}` its measure word (只).
"""

from internvl_demo.nano.world.vocabulary import COLOURS_ZH, Kind

CODE = "zh"

LOCATE_ONE = (
    *("{one}在哪里？", "{one}在哪里？", "{one}在哪儿？", "{one}在图中的什么位置？", "{one}在图片的哪里？"),
    *("请找到{one}。", "找到{one}。", "请定位{one}。", "请指出{one}的位置。", "请框出{one}。", "标出{one}。"),
    *("给出{one}的边界框。", "{one}的坐标是什么？", "你能找到{one}吗？", "请在图中找出{one}。"),
)
LOCATE_ALL = (
    *(
        "{one}都在哪里？",
        "所有的{one}在哪里？",
        "找出所有的{one}。",
        "请找到所有{one}。",
        "请框出所有{one}。",
    ),
    *("标出所有{one}。", "请定位每{m}{one}。", "给出所有{one}的边界框。", "请指出所有{one}的位置。"),
)
_OFFICIAL = "请给出这句话所描述区域的边界框坐标："
REFER = (
    f"{_OFFICIAL}<ref>{{one}}</ref>",
    f"{_OFFICIAL}<ref>{{one}}</ref>",
    "请提供<ref>{one}</ref>的边界框。",
)
COUNT = (
    *(
        "有几{m}{one}？",
        "图中有几{m}{one}？",
        "图中有多少{m}{one}？",
        "有多少{m}{one}？",
        "图片里有几{m}{one}？",
    ),
    *(
        "数一数{one}。",
        "请数一数有几{m}{one}。",
        "你能看到几{m}{one}？",
        "一共有几{m}{one}？",
        "{one}有几{m}？",
    ),
    *("请告诉我{one}的数量。", "{one}的数量是多少？"),
)
PRESENT = (
    *("图中有{one}吗？", "有{one}吗？", "图片里有没有{one}？", "你看到{one}了吗？", "能看到{one}吗？"),
    *("这里有{one}吗？", "图中是否有{one}？"),
)
DESCRIBE = (
    *(
        "图中有什么？",
        "图片里有什么？",
        "这是什么？",
        "请描述这张图片。",
        "描述一下这张图。",
        "你看到了什么？",
    ),
    *("这张图片里有什么？", "图中都有哪些东西？", "请描述图片。", "请详细描述这张图片。", "图里有哪些物体？"),
    *("你能看到什么？", "图上画了什么？"),
)
DETECT = (
    "请在以下图像中进行目标检测，并标出所有物体。",
    "请在以下图像中进行目标检测，并标出所有物体。",
    *(
        "检测所有物体。",
        "标出所有物体。",
        "请框出图中的每个物体。",
        "找出图中的所有东西。",
        "请标注所有物体。",
    ),
    "所有东西都在哪里？",
)
REGION = ("{box}里是什么？", "这个区域里是什么：{box}", "{box}处是什么物体？", "请说出{box}中的物体。")
COLOUR = ("{one}是什么颜色的？", "{one}是什么颜色？", "{one}的颜色是什么？", "请告诉我{one}的颜色。")
EXTREME = {
    "largest": ("最大的物体是什么？", "哪个物体最大？", "图中最大的是什么？"),
    "smallest": ("最小的物体是什么？", "哪个物体最小？", "图中最小的是什么？"),
    "leftmost": ("最左边的是什么？", "最左边的物体是什么？", "哪个物体在最左边？"),
    "rightmost": ("最右边的是什么？", "最右边的物体是什么？", "哪个物体在最右边？"),
    "topmost": ("最上面的是什么？", "最上面的物体是什么？", "哪个物体在最上面？"),
    "lowest": ("最下面的是什么？", "最下面的物体是什么？", "哪个物体在最下面？"),
}
RELATION = ("{one}在{other}的{side}吗？", "图中{one}在{other}的{side}吗？", "{one}是不是在{other}的{side}？")
SIDES = {"left": "左边", "right": "右边", "above": "上面", "below": "下面"}
READ = (
    *("牌子上写着什么？", "牌子上写了什么？", "图中的文字是什么？", "请读出牌子上的字。", "上面写着什么？"),
    *("请读出图中的文字。", "这里写了什么？", "图片里的文字是什么？"),
)
PRICE = (
    *(
        "{name}多少钱？",
        "{name}的价格是多少？",
        "{name}要多少钱？",
        "请找出{name}的价格。",
        "{name}卖多少钱？",
    ),
    "单子上{name}是多少？",
)
PART_LARGEST = ("最大的是哪个？", "哪个最大？", "哪一项最大？", "哪一项的数值最高？", "最大值是哪一项？")
PART_SMALLEST = ("最小的是哪个？", "哪个最小？", "哪一项最小？", "哪一项的数值最低？", "最小值是哪一项？")
PART_VALUE = (
    *(
        "{name}的数值是多少？",
        "{name}是多少？",
        "图表中{name}是多少？",
        "请读出{name}的数值。",
        "{name}的值是多少？",
    ),
)
WHICH = ("哪张图里有{one}？", "哪张图片有{one}？", "{one}在哪张图里？", "哪一张图能看到{one}？")
ONLY = (
    *(
        "只有第{nth}张图里有什么？",
        "只有Image-{n}里有什么？",
        "哪些物体只在第{nth}张图里？",
        "第{nth}张图里多了什么？",
    ),
)
MORE = ("哪张图里的{one}更多？", "哪张图片的{one}多？", "哪一张图有更多的{one}？", "哪张图里{one}比较多？")
NTH = ("一", "二")
IN_IMAGE = ("Image-{n}：{q}", "在Image-{n}中，{q}", "{q}（Image-{n}）", "请看Image-{n}。{q}")
AND_COUNT = ("那有几{m}{one}？", "那{one}有几{m}？", "还有几{m}{one}？")
AND_SAME = ("那{one}呢？", "{one}呢？")
WHERE_IT = ("它在哪里？", "在哪里？", "在什么位置？", "请指出来。")
WHERE_THEY = ("它们在哪里？", "都在哪里？", "在什么位置？", "请指出来。")
HOW_MANY = ("有几个？", "一共有几个？", "有多少个？", "数一数。")
WHAT_COLOUR = ("它是什么颜色的？", "是什么颜色？", "什么颜色？")
OTHER = (
    *("今天天气怎么样？", "写一首诗。", "讲个笑话。", "现在几点了？", "这是谁画的？", "这是照片吗？"),
    *("这个人是谁？", "翻译成英文。", "法国的首都是哪里？", "他多大了？", "天空为什么是蓝色的？", "为什么？"),
    *("这张照片是在哪里拍的？", "你喜欢音乐吗？", "接下来会发生什么？", "给我一个菜谱。", "谢谢", "唱首歌。"),
    *("你好吗？", "现在是白天还是晚上？", "他们在做什么？", "写一个故事。", "这是哪个国家？"),
)
OTHER_ANSWER = (
    "这个我不会回答。我是一个小模型，能说出、数出、找到和比较画中的物体，也能读牌子、价目单和图表。"
)
WHO = (
    *(
        "你是谁？",
        "你叫什么名字？",
        "你能做什么？",
        "你会什么？",
        "这是什么模型？",
        "谁开发了你？",
        "介绍一下你自己。",
    ),
    *("你能帮我做什么？", "我可以问你什么？", "你是InternVL吗？", "帮助"),
)
WHO_ANSWER = (
    "我是InternVL 1.5的迷你版：结构相同，小一千倍，用画出来的图片训练。"
    "我能说出、数出、找到和比较简单的物体，也能读牌子、价目单和图表。"
)
GREETING = ("你好", "你好！", "您好", "嗨", "早上好", "晚上好！")
GREETING_ANSWER = "你好！请添加一张图片，问我里面有什么、有几个，或者某个东西在哪里。"
NO_PICTURE_ANSWER = "还没有图片。请添加一张图片再问。"
TOO_SMALL = "字太小，我看不清：请选择更高的分辨率再问。"
NOTHING = "我不认识的东西"

_FORMS = {"list": "一张价目单", "bar": "一张柱状图", "line": "一张折线图", "pie": "一张饼图", "scrap": "文字"}
_WHICH = {
    "largest": "最大的",
    "smallest": "最小的",
    "leftmost": "最左边的",
    "rightmost": "最右边的",
    "topmost": "最上面的",
    "lowest": "最下面的",
}


def names(kind: Kind) -> dict[str, str]:
    """Return the values of a phrasing's placeholders for a kind."""
    return {"one": kind.zh, "m": kind.counter}


def counted_kind(kind: Kind, count: int) -> str:
    """Return a count and the kind's name, such as "3 cats" or "3只猫"."""
    return kind.counted_zh(count)


def named_kind(kind: Kind, _count: int) -> str:
    """Return the name with which boxes are labelled; the number follows from the boxes."""
    return kind.zh


def listed(parts: list[str]) -> str:
    """Return an enumeration such as "a, b and c" or "一、二和三"."""
    return "和".join(part for part in ("、".join(parts[:-1]), parts[-1]) if part)


def located(kind: Kind, _count: int, boxes: str) -> str:
    """Say where all objects of a kind are."""
    return f"<ref>{kind.zh}</ref>{boxes}"


def counted(kind: Kind, count: int, boxes: str) -> str:
    """Say how many objects of a kind there are, after finding them."""
    return f"数一数{located(kind, count, boxes)}：一共有{count}{kind.counter}。"


def absent(kind: Kind) -> str:
    """Say that there is none of a kind."""
    return f"图中没有{kind.zh}。"


def absent_everywhere(kind: Kind) -> str:
    """Say that there is none of a kind in any image."""
    return f"这些图中都没有{kind.zh}。"


def yes_there(kind: Kind, count: int, boxes: str) -> str:
    """Say that there are some of a kind."""
    return f"有，图中有<ref>{named_kind(kind, count)}</ref>{boxes}。"


def not_there(kind: Kind) -> str:
    """Say that there is none of a kind, to somebody who asked whether there is."""
    return f"没有，{absent(kind)}"


def described(parts: list[str]) -> str:
    """Describe a picture of objects."""
    return f"图中有{listed(parts or [NOTHING])}。"


def described_form(form: str) -> str:
    """Describe a picture of print or a chart."""
    return f"图中是{_FORMS[form]}。"


def detected(parts: list[str]) -> str:
    """Name all kinds with all their boxes."""
    return f"我看到{listed(parts or [NOTHING])}。"


def region(kind: Kind) -> str:
    """Say what a box holds."""
    return f"这是{kind.zh}。"


def coloured(kind: Kind, colour: str) -> str:
    """Say an object's colour."""
    return f"{kind.zh}是{COLOURS_ZH[colour]}的。"


def extreme(which: str, kind: Kind, boxes: str) -> str:
    """Say which object is the largest, leftmost, ..."""
    return f"{_WHICH[which]}是<ref>{kind.zh}</ref>{boxes}。"


def related(right: bool, one: Kind, side: str, other: Kind, boxes: tuple[str, str]) -> str:
    """Say where one object is from another, after finding both; then yes or no."""
    found = "和".join(located(kind, 1, box) for kind, box in zip((one, other), boxes, strict=True))
    return f"{found}：{one.zh}在{other.zh}的{SIDES[side]}，{'是的' if right else '不是'}。"


def read(words: str) -> str:
    """Say what a sign says."""
    return f"牌子上写着“{words}”。"


def no_sign() -> str:
    """Say that there is no sign to be read."""
    return "图中没有牌子。"


def price(name: str, value: int) -> str:
    """Say a price of a list."""
    return f"{name}的价格是{value}。"


def no_price(name: str) -> str:
    """Say that a name is not on the list."""
    return f"单子上没有{name}。"


def part(which: str, name: str, value: int) -> str:
    """Say which part of a chart is the largest or smallest."""
    return f"{name}{'最大' if which == 'largest' else '最小'}，是{value}。"


def part_value(name: str, value: int) -> str:
    """Say the value of a chart's part."""
    return f"{name}是{value}。"


def only(number: int, parts: list[str]) -> str:
    """Say what only one of the images shows."""
    if not parts:
        return f"没有什么是只在Image-{number}里的。"
    return f"只有Image-{number}里有{listed(parts)}。"


def more(kind: Kind, counts: tuple[int, int]) -> str:
    """Say which of two images has more of a kind, after counting both."""
    first, second = counts
    if first == second:
        return f"{first}比{second}：两张图里的{kind.zh}一样多。"
    return f"{first}比{second}：Image-{1 if first > second else 2}里的{kind.zh}更多。"
