"""Chinese names of images: a table of patterns with their meanings. Traditional characters are simplified before.

`第二张` alone names an image only where no other noun follows, for tables, beds and tickets are counted with 张, too;
`图一` names none where the numeral belongs to what follows, as in 图一共有三只猫.
"""

import re
from collections.abc import Callable

from internvl_demo.grounding.naming.sent import Images, Row, Sent

_DIGITS = {char: number for number, char in enumerate("一二三四五六七八九", 1)} | {"两": 2}

_NUMERAL = r"(?:四十|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九]|[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9]))"
_SOME = r"(?:十|[两二三四五六七八九]|[0-9]{1,2})"
_IMAGE = r"(?:图片|图像|照片|相片|截图|影像|画面|图(?![书案标纸钉腾章谋解形表画层])|照(?![明相样常]))"
_OPEN = (
    r"(?=[里中内上下左右的是有呢吗吧啊也都和与跟及或没不显展拍描出呈在来看所这那还以而且同比各"
    r"，。、；：？！,.;:?!()（）\[\]【】「」『』“”\"'<>|/\s-]|\Z)"
)
"""What may follow `第二张`; any other character begins a noun."""
_COUNTED = rf"[张幅副]\s{{0,4}}(?:{_IMAGE}|{_OPEN})"
_ONE = rf"(?:{_COUNTED}|[个份]?\s{{0,4}}{_IMAGE})"
_AND = r"\s{0,3}(?:、|,|，|和|与|跟|及|以及|或)\s{0,3}"
_TO = r"\s{0,3}(?:到|至|[-~～\u2010-\u2014])\s{0,3}"
_NOT_COUNTED = (
    r"(?![个张幅副条名位座辆匹头朵本件台把种处人年月日层分足几点些样般共起直律旦定边致带切下目]"
    r"|看(?![到见])|只(?![有能是剩见]))"
)
"""What must not follow the numeral of `图一`."""
_NAMED = (
    r"(?<![地版蓝意企构试力贪拼草])(?:图片|图像|照片|相片|截图|图)(?:\s{0,3}[-_#\u2010-\u2013])?\s{0,3}[(（]?"
)


def _value(numeral: str) -> int:
    """Return the number of `21`, `二十一`, `十` or `两`."""
    if numeral.isdecimal():
        return int(numeral)
    tens, ten, ones = numeral.rpartition("十")
    return (_DIGITS.get(tens, 1) * 10 if ten else 0) + _DIGITS.get(ones, 0)


def _values(match: re.Match[str]) -> list[int]:
    return [_value(numeral) for numeral in re.findall(r"[0-9]+|[一二三四五六七八九十两]+", match["name"])]


def _numbers(match: re.Match[str], sent: Sent) -> Images:
    return tuple(image for value in _values(match) for image in sent.number(value))


def _range(match: re.Match[str], sent: Sent) -> Images:
    first, *_, last = _values(match)
    return tuple(image for value in range(first, min(last, sent.count) + 1) for image in sent.number(value))


def _places(match: re.Match[str], sent: Sent) -> Images:
    return tuple(image for value in _values(match) for image in sent.ordinal(value))


def _from_last(match: re.Match[str], sent: Sent) -> Images:
    return tuple(image for value in _values(match) for image in sent.from_last(value))


def _edge(match: re.Match[str], sent: Sent) -> Images:
    (some,) = _values(match)
    return sent.first(some) if match["edge"] in ("前", "最前") else sent.last(some)


def _row(pattern: str, images: Callable[[re.Match[str], Sent], Images]) -> Row:
    return Row(re.compile(pattern), images)


ROWS = (
    _row(rf"倒数第\s?(?P<name>{_NUMERAL})\s?{_ONE}", _from_last),
    _row(rf"第\s?(?P<name>{_NUMERAL}(?:{_AND}第?\s?{_NUMERAL}){{0,9}})\s?{_ONE}", _places),
    _row(rf"第\s?(?P<name>{_NUMERAL}{_TO}第?\s?{_NUMERAL})\s?{_ONE}", _range),
    _row(rf"(?P<edge>最前|最后|前|后)面?的?(?P<name>{_SOME}){_ONE}", _edge),
    _row(rf"(?:最后面?|最末|最新)的?[一那这]?{_ONE}|末{_ONE}", lambda _, sent: sent.from_last(1)),
    _row(rf"(?:首|头一?|最前面?的?[一那]?|最[初早]的?[一那]?){_ONE}", lambda _, sent: sent.ordinal(1)),
    _row(rf"(?:[前上]|前面的?)一{_ONE}", lambda _, sent: sent.former()),
    _row(rf"(?:后|后面的?)一{_ONE}", lambda _, sent: sent.latter()),
    _row(
        rf"(?:{_SOME}|几){_COUNTED}|两图|(?:所有|全部|这些|那些|每一?|各|哪一?)的?{_ONE}",
        lambda _, sent: sent.all(),
    ),
    _row(rf"(?:另外?|其他|其它|其余)的?[一那这几两]?{_ONE}", lambda _, sent: sent.all()),
    _row(rf"{_NAMED}(?P<name>{_NUMERAL}(?:{_AND}{_NUMERAL}){{0,9}}){_NOT_COUNTED}", _numbers),
    _row(rf"{_NAMED}(?P<name>{_NUMERAL}{_TO}{_NUMERAL}){_NOT_COUNTED}", _range),
    _row(rf"(?P<name>{_NUMERAL})号{_IMAGE}", _numbers),
)
