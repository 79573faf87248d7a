"""Draw words and numbers: signs among objects, price lists of many small lines, and scraps of print.

All print is in capitals and digits. A letter's truth is a box as high as a capital of its typeface.
"""

import random
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from internvl_demo.errors import SetupError
from internvl_demo.nano.world.backgrounds import Colour, against, any_colour, draw_background
from internvl_demo.nano.world.pictures import EXAM_SEEDS, Box, Letter, Picture, Print, Thing
from internvl_demo.nano.world.scenes import SIZES_WH, from_left, place
from internvl_demo.nano.world.vocabulary import SIGN, kinds

_FOLDERS = ("/usr/share/fonts/truetype", "/usr/share/fonts", "/usr/share/fonts/TTF")
_TRAIN_FACES = (
    *("dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf"),
    *("dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSerif-Bold.ttf", "liberation/LiberationMono-Bold.ttf"),
    *("liberation/LiberationSans-Regular.ttf", "liberation/LiberationSans-Bold.ttf"),
    "liberation/LiberationMono-Regular.ttf",
)
_EXAM_FACES = (
    *("liberation/LiberationSerif-Regular.ttf", "liberation/LiberationSerif-Bold.ttf"),
    "dejavu/DejaVuSansMono-Bold.ttf",
)

_WORDS = """
STOP OPEN CLOSED EXIT SALE TAXI HOTEL BANK CAFE FREE DANGER POLICE SCHOOL PARK SLOW PUSH PULL WELCOME
TICKETS MARKET MUSEUM LIBRARY STATION BAKERY FLOWERS BOOKS MUSIC CINEMA BEACH HARBOUR AIRPORT TOILET
LIFT STAIRS WATER PHONE HELP INFO FIRE NORTH SOUTH EAST WEST LEFT RIGHT ENTRY TOYS SHOES HATS PIZZA
BREAD JUICE MILK FISH APPLES ICE SOUP LUNCH DINNER MENU TODAY MONDAY FRIDAY SUNDAY JUNE WINTER SUMMER
QUIET PRIVATE NEW BEST HAPPY LOVE PEACE HOME GARDEN ZOO FARM LAKE RIVER BRIDGE TOWER CASTLE QUEEN KING
JAZZ ROCK GYM POOL BOXES WAX FOX VIEW QUIZ
"""
WORDS = tuple(_WORDS.split())
"""What signs say, besides numbers and, in training, letters at random."""
LIST_TITLE = "PRICES"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
CHART_TITLES = ("SALES", "VISITS", "COSTS", "VOTES", "RAIN", "POINTS")


@lru_cache
def printed_words() -> tuple[str, ...]:
    """Return all words that may be printed on anything, each once."""
    names = (kind.en.upper() for kind in kinds())
    return tuple(dict.fromkeys((*WORDS, *names, *MONTHS, *CHART_TITLES, LIST_TITLE)))


@lru_cache(maxsize=512)
def typeface(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Return a typeface at a size. Raises SetupError when it is not installed."""
    for folder in _FOLDERS:
        for place_of in (Path(folder, name), Path(folder, Path(name).name)):
            if place_of.is_file():
                return ImageFont.truetype(str(place_of), size_px)
    raise SetupError(
        f"The typeface {Path(name).stem}, with which print is drawn, is not installed.",
        "On Debian or Ubuntu: apt-get install fonts-dejavu-core fonts-liberation.",
    )


def pick_face(rng: random.Random, exam: bool) -> str:
    """Return a random typeface's name; an exam's are others than training's."""
    return rng.choice(_EXAM_FACES if exam else _TRAIN_FACES)


def write(
    draw: ImageDraw.ImageDraw,
    xy: tuple[float, float],
    text: str,
    face: ImageFont.FreeTypeFont,
    colour: Colour,
) -> list[Letter]:
    """Write text with its capitals' tops at y; return its letters."""
    x, y = xy
    _, top, _, bottom = face.getbbox("H")
    draw.text((x, y - top), text, font=face, fill=colour)
    edges = [x + face.getlength(text[:index]) for index in range(len(text) + 1)]
    return [
        Letter(char, (left, y, right, y + bottom - top))
        for char, (left, right) in zip(text, pairwise(edges), strict=True)
        if char != " "
    ]


def draw_sign(seed: int) -> Picture:
    """Draw a sign with a word or a number on it, and up to three objects beside it.

    Its capitals are 24 to 70 pixels high when the picture is seen in one tile.
    """
    rng, exam = random.Random(seed), seed >= EXAM_SEEDS
    image = draw_background(rng, rng.choice(SIZES_WH), exam)
    words = _sign_words(rng, exam)
    sign, letters = _paint_sign(rng, image, words, pick_face(rng, exam))
    things = [sign]
    for kind in rng.sample(kinds(), rng.choice((0, 1, 1, 2, 3))):
        thing = place(rng, image, kind, things, 0.3)
        if thing:
            things.append(thing)
    prints = (Print.of(letters),)
    return Picture(image, from_left(things), "sign", words=words, letters=tuple(letters), prints=prints)


def _sign_words(rng: random.Random, exam: bool) -> str:
    form = rng.random()
    if form < 0.2:
        return str(rng.randint(2, 999))
    if form < 0.45 and not exam:
        return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.randint(3, 6)))
    return rng.choice(WORDS)


def _paint_sign(rng: random.Random, image: Image.Image, words: str, face: str) -> tuple[Thing, list[Letter]]:
    capital = rng.uniform(25, 70) * image.height / 448
    while True:
        font = typeface(face, max(8, round(capital / 0.72)))
        _, top, _, bottom = font.getbbox("H")
        width, height = font.getlength(words), bottom - top
        pad_x, pad_y = capital * rng.uniform(0.35, 0.8), capital * rng.uniform(0.35, 0.8)
        board_w, board_h = round(width + 2 * pad_x), round(height + 2 * pad_y)
        if board_w < image.width * 0.96 or capital < 26 * image.height / 448:
            break
        capital *= 0.85
    x, y = (
        rng.randint(0, max(0, image.width - board_w - 1)),
        rng.randint(0, max(0, image.height - board_h - 1)),
    )
    ground = any_colour(rng)
    box = (x, y, min(image.width - 1, x + board_w), min(image.height - 1, y + board_h))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(box, rng.choice((0, 0.15, 0.4)) * capital, ground, against(rng, ground), 2)
    letters = write(draw, (x + pad_x, y + pad_y), words, font, against(rng, ground))
    return Thing(SIGN, box), letters


def draw_list(seed: int, lines: int | None = None) -> Picture:
    """Draw a page with a price list: columns of names and prices in small print, 1008 x 1344 or 1344 x 1008.

    Seen in one tile its capitals are some five pixels high, in twelve three times as high.
    """
    rng, exam = random.Random(seed), seed >= EXAM_SEEDS
    portrait = rng.random() < 0.6
    width, height = (1008, 1344) if portrait else (1344, 1008)
    ground = rng.choice(((255, 255, 255), (250, 246, 235), (235, 242, 250), (245, 245, 245)))
    image = Image.new("RGB", (width, height), ground)
    draw, ink, face = ImageDraw.Draw(image), against(rng, ground), pick_face(rng, exam)
    per_column = lines or rng.randint(8, 12)
    step = height / (1344 / 1008 * 14 if portrait else 13)
    size = round(rng.uniform(21, 24))
    columns = 2 if portrait else rng.choice((2, 3))
    names = [kind.en.upper() for kind in rng.sample(kinds(), per_column * columns)]
    rows: list[tuple[str, int]] = []
    letters = write(draw, (width * 0.08, height * 0.04), LIST_TITLE, typeface(face, size + 14), ink)
    prints = [Print.of(letters)]
    font = typeface(face, size)
    for column in range(columns):
        x = width * (0.06 + column * 0.94 / columns)
        gap = width * (0.5 if columns == 2 else 0.62) / columns
        for line in range(per_column):
            y = height * 0.12 + line * step
            name, price = names[column * per_column + line], rng.randint(10, 99)
            for left, text in ((x, name), (x + gap, str(price))):
                written = write(draw, (left, y), text, font, ink)
                letters += written
                prints.append(Print.of(written, len(rows)))
            rows.append((name, price))
    return Picture(image, form="list", rows=tuple(rows), letters=tuple(letters), prints=tuple(prints))


def draw_card(seed: int) -> Picture:
    """Draw a price list of two to six lines, large enough to be read in one tile: capitals of 14 to 34 pixels."""
    rng, exam = random.Random(seed), seed >= EXAM_SEEDS
    width, height = rng.choice(((448, 448), (512, 512), (560, 448), (448, 560)))
    ground = any_colour(rng)
    image = Image.new("RGB", (width, height), ground)
    draw, ink, face = ImageDraw.Draw(image), against(rng, ground), pick_face(rng, exam)
    names = [kind.en.upper() for kind in rng.sample(kinds(), rng.randint(2, 6))]
    capital = rng.uniform(14, 34) * height / 448
    while True:
        font = typeface(face, round(capital / 0.72))
        longest = max(font.getlength(name) for name in names)
        if longest + font.getlength("  99") < 0.9 * width or capital < 14 * height / 448:
            break
        capital *= 0.9
    x = rng.uniform(0.03, 0.06) * width
    gap = rng.uniform(longest + font.getlength(" "), max(longest + font.getlength("  "), 0.75 * width))
    gap = min(gap, width - x - font.getlength("99 "))
    step = rng.uniform(1.7 * capital, max(1.8 * capital, 0.85 * height / len(names)))
    y = rng.uniform(0.03, 0.1) * height
    letters: list[Letter] = []
    prints: list[Print] = []
    rows: list[tuple[str, int]] = []
    for name in names:
        if y + capital > height:
            break
        price = rng.randint(10, 99)
        for left, text in ((x, name), (x + gap, str(price))):
            written = write(draw, (left, y), text, font, ink)
            letters += written
            prints.append(Print.of(written, len(rows)))
        rows.append((name, price))
        y += step
    return Picture(image, form="list", rows=tuple(rows), letters=tuple(letters), prints=tuple(prints))


def draw_scrap(seed: int, view_px: int) -> Picture:
    """Draw a crop of a printed page, for a square view: lines of words and numbers.

    Capitals are 13 to 60 pixels high in the view. The crop is larger or smaller than the view, each way for itself,
    because tiles resample what they show, too. One picture holds much to learn reading from.
    """
    rng, exam = random.Random(seed), seed >= EXAM_SEEDS
    scale = 0.7 * 2 ** rng.random()
    width, height = round(view_px * scale * rng.uniform(0.8, 1.25)), round(view_px * scale)
    ground = any_colour(rng)
    image = Image.new("RGB", (width, height), ground)
    if rng.random() < 0.4:
        image = draw_background(rng, (width, height), exam)
        ground = image.resize((1, 1)).getpixel((0, 0))  # type: ignore[assignment]
    draw, ink = ImageDraw.Draw(image), against(rng, ground)
    capital = scale * 13 * (min(60, view_px / 3) / 13) ** rng.random()
    font = typeface(pick_face(rng, exam), round(capital / 0.72))
    letters: list[Letter] = []
    prints: list[Print] = []
    y = rng.uniform(-0.3, 0.6) * capital
    while y < height - 0.5 * capital:
        x = rng.uniform(-1, 1.5) * capital
        while x < width - 0.4 * capital:
            word = _scrap_word(rng)
            written = write(draw, (x, y), word, font, ink)
            letters += written
            prints.append(Print.of(written))
            x += font.getlength(word) + capital * rng.uniform(0.6, 2.5)
        y += capital * rng.uniform(1.4, 2.6)
    inside = tuple(letter for letter in letters if _within(letter.xyxy_px, width, height))
    return Picture(image, form="scrap", letters=inside, prints=tuple(prints))


def _scrap_word(rng: random.Random) -> str:
    form = rng.random()
    if form < 0.5:
        return str(rng.randint(10, 99) if form < 0.3 else rng.randint(0, 999))
    if form < 0.58:
        return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.randint(2, 7)))
    return rng.choice(printed_words())


def _within(box: Box, width: int, height: int) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return 0 <= x < width and 0 <= y < height
