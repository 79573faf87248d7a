"""Boxes as models write them without InternVL's tags, in other scales, and as points; and what only looks like it."""

import json

from tests.support.grounding_texts import Case, box

CAT = box("cat", 10, 20, 300, 400)
DOG = box("dog", 50, 60, 70, 80)
NOBODY = box("", 10, 20, 300, 400)
A_CAT = '{"bbox_2d": [10, 20, 300, 400], "label": "cat"}'
A_DOG = '{"bbox_2d": [50, 60, 70, 80], "label": "dog"}'
BOTH = f"[{A_CAT}, {A_DOG}]"
ROWS = '[\n  {"label": "cat",\n   "bbox": [10, 20, 300, 400]\n  }\n]'


def untouched(reason: str, text: str) -> Case:
    return Case(reason, text, text, [], 0)


JSON = [
    Case("one object", A_CAT, "cat", [CAT], 0),
    Case("a list of objects", BOTH, "cat, dog", [CAT, DOG], 0),
    Case("a list in rows", f"See:\n{ROWS}\nDone.", "See:\ncat\nDone.", [CAT], 0),
    Case(
        "a fence of JSON", f"See:\n```json\n{BOTH}\n```\nDone, 2.", "See:\ncat, dog\nDone, 2.", [CAT, DOG], 0
    ),
    Case("a fence without a name", f"```\n{BOTH}\n```", "cat, dog", [CAT, DOG], 0),
    Case("a fence in capitals", f"~~~ JSON \r\n{BOTH}\r\n~~~", "cat, dog", [CAT, DOG], 0),
    Case("a fence of one line", f"```json {BOTH} ```", "cat, dog", [CAT, DOG], 0),
    Case("a fence in a list", f"1. ```json\n{A_CAT}\n```\n", "1. cat\n", [CAT], 0),
    Case("a line for each object", f"{A_CAT}\n{A_DOG}", "cat\ndog", [CAT, DOG], 0),
    Case("a line for each object in a fence", f"```json\n{A_CAT}\n{A_DOG}\n```.", "cat, dog.", [CAT, DOG], 0),
    Case("an object in a sentence", f"It is {A_CAT}, I think.", "It is cat, I think.", [CAT], 0),
    Case("other keys", '{"box": [10, 20, 300, 400], "name": "cat", "score": 0.9}', "cat", [CAT], 0),
    Case("keys in capitals", '{"Label": "cat", "BBox": [10, 20, 300, 400]}', "cat", [CAT], 0),
    Case("the key object", '{"object": "cat", "bbox_2d": [10, 20, 300, 400]}', "cat", [CAT], 0),
    Case(
        "the key text",
        '{"bbox_2d": [10, 20, 300, 400], "text": "STOP 7"}',
        "STOP 7",
        [box("STOP 7", *CAT.box_1000)],
        0,
    ),
    Case("no label", '{"bbox_2d": [10, 20, 300, 400]}', "", [NOBODY], 0),
    Case(
        "several boxes",
        '{"bbox_2d": [[10, 20, 300, 400], [50, 60, 70, 80]], "label": "cat"}',
        "cat",
        [CAT, box("cat", 50, 60, 70, 80)],
        0,
    ),
    Case("the same label twice", f"[{A_CAT}, {A_CAT}, {A_DOG}]", "cat, dog", [CAT, CAT, DOG], 0),
    Case("an outer object", f'{{"objects": {BOTH}, "count": 2}}', "cat, dog", [CAT, DOG], 0),
    Case(
        "an outer object that says something",
        f'{{"answer": "Two of 9.", "objects": {BOTH}}}',
        "Two of 9.\ncat, dog",
        [CAT, DOG],
        0,
    ),
    Case(
        "an inner object",
        '{"label": "cat", "is": {"old": true}, "bbox_2d": [10, 20, 300, 400]}',
        "cat",
        [CAT],
        0,
    ),
    Case(
        "the image in the object",
        '{"image": "Image-2", "label": "cat", "bbox_2d": [10, 20, 300, 400]}',
        "Image-2: cat",
        [CAT],
        0,
    ),
    Case(
        "escapes",
        '{"label": "\\u732b \\"a\\"", "bbox_2d": [10, 20, 300, 400]}',
        '猫 "a"',
        [box('猫 "a"', *CAT.box_1000)],
        0,
    ),
    Case(
        "brackets in a label",
        '{"label": "}]{", "bbox_2d": [10, 20, 300, 400]}',
        "}]{",
        [box("}]{", *CAT.box_1000)],
        0,
    ),
    Case(
        "a tag in escapes",
        '{"label": "\\u003cbox>", "bbox_2d": [10, 20, 300, 400]}',
        "<\u200bbox>",
        [box("<\u200bbox>", *CAT.box_1000)],
        0,
    ),
    Case(
        "a label without end",
        f'{{"bbox_2d": [10, 20, 300, 400], "label": "{"a" * 600}"}}',
        "a" * 500,
        [box("a" * 500, *CAT.box_1000)],
        0,
    ),
    Case("a tag around it", f"<bo{A_CAT}x>".replace("cat", ""), "<bo\u200bx>", [NOBODY], 0),
    Case("a point", '{"point_2d": [500, 300], "label": "cat"}', "cat", [box("cat", 490, 290, 510, 310)], 0),
    # what is dropped
    Case("a wrong count", '{"bbox_2d": [10, 20, 300], "label": "cat"}', "cat", [], 1),
    Case("pixels", '{"bbox_2d": [10, 20, 1300, 400], "label": "cat"}', "cat", [], 1),
    Case("an order that is not sure", '{"box_2d": [10, 20, 300, 400], "label": "cat"}', "cat", [], 1),
    Case("width and height", '{"bbox": [300, 200, 50, 60], "label": "cat"}', "cat", [], 1),
    Case("width", '{"bbox": [300, 20, 50, 60], "label": "cat"}', "cat", [], 1),
    Case("height", '{"bbox": [30, 200, 50, 60], "label": "cat"}', "cat", [], 1),
    Case("infinity", '{"bbox": [1, 2, 30, 1e999], "label": "cat"}', "cat", [], 1),
    Case("a number without end", f'{{"bbox": [-{"9" * 900}, 2, 30, 40], "label": "cat"}}', "cat", [], 1),
    Case("the end in the second object", BOTH[:-10], "cat", [CAT], 1),
    Case("the end between two objects", BOTH[:49], "cat", [CAT], 0),
    Case("the end before a fence's", f"```json\n{BOTH}\n", "cat, dog", [CAT, DOG], 0),
    # what is shown as it is, among boxes
    Case("an object without a box", f'[{A_CAT}, {{"no": 1}}]', 'cat, {"no": 1}', [CAT], 0),
    Case("no bracket at the end", f"[{A_CAT} and 2 dogs.", "cat and 2 dogs.", [CAT], 0),
    Case("prose in a fence of boxes", f"```json\n{A_CAT}\nAnd 2.\n```", "cat\n```\nAnd 2.\n```", [CAT], 0),
    Case("code behind boxes", f"{A_CAT}\n```\na[[1,2,3,4]]\n```", "cat\n```\na[[1,2,3,4]]\n```", [CAT], 0),
]

BRACKETS = [
    Case("a label right before", "cat[[10, 20, 300, 400]]", "cat", [CAT], 0),
    Case("two words", "A red ball[[10,20,300,400]].", "A red ball.", [box("red ball", *CAT.box_1000)], 0),
    Case("two labels", "cat[[10,20,300,400]] and dog[[50,60,70,80]]", "cat and dog", [CAT, DOG], 0),
    Case("several lists", "cat[[10,20,300,400], [50,60,70,80]]", "cat", [CAT, box("cat", 50, 60, 70, 80)], 0),
    Case("Chinese", "有：一只猫[[10，20，300，400]]。", "有：一只猫。", [box("一只猫", *CAT.box_1000)], 0),
    Case("marks before", "- **cat**[[10,20,300,400]]", "- **cat**", [CAT], 0),
    Case("a phrase before", "a <ref>cat</ref>[[10,20,300,400]]", "a cat", [CAT], 0),
    Case("fractions in brackets", "cat[[0.01, 0.02, 0.3, 0.4]]", "cat", [CAT], 0),
    untouched("a space before", "see [[10,20,300,400]]"),
    untouched("nothing before", "[[10,20,300,400]]"),
    untouched("one bracket", "cat[10,20,300,400]"),
    untouched("a matrix", "a[[0,1,1,0]]"),
    untouched("three numbers in brackets", "a[[1,2,3]] and b[[1,2],[3,4]]"),
    untouched("names in brackets", "a[[i,j,k,l]] a[[10,20,300,x]]"),
    untouched("no end in brackets", "a[[10,20,300,400]"),
    untouched("pixels in brackets", "a[[10,20,3000,400]]"),
    untouched("a number before", "12[[10,20,300,400]]"),
    untouched("code in a line", "`a[[10,20,300,400]]` and ``b`[[10,20,300,400]]``"),
    untouched("code in a fence", "```\na[[10,20,300,400]]\n```"),
    untouched("code in a fence of a language", "```python\na[[10,20,300,400]]\n```\n"),
    untouched("code in a fence in a quote", "> ~~~\n> a[[10,20,300,400]]\n> ~~~"),
    Case("a list behind code", "`x` cat[[10,20,300,400]]", "`x` cat", [box("x cat", *CAT.box_1000)], 0),
    untouched("brackets without end", f"a[[{'1,' * 300}]]"),
]

SCALES = [
    Case("fractions", "<box>[[0.12, 0.30, 0.55, 0.81]]</box>", "", [box("", 120, 300, 550, 810)], 0),
    Case("fractions up to one", "<box>[[0, 0, 0.5, 1]]</box>", "", [box("", 0, 0, 500, 1000)], 0),
    Case(
        "all of the image in fractions",
        "<box>[[0.0, 0.0, 1.0, 1.0]]</box>",
        "",
        [box("", 0, 0, 1000, 1000)],
        0,
    ),
    Case("integers within one", "<box>[[0,0,1,1]]</box>", "", [], 1),
    Case(
        "integers within one after fractions",
        "<box>[[0.1,0.2,0.5,1],[0,0,1,1]]</box>",
        "",
        [box("", 100, 200, 500, 1000), box("", 0, 0, 1000, 1000)],
        0,
    ),
    Case(
        "thousandths after fractions",
        "<box>[[0.1,0.2,0.5,1],[10,20,300,400]]</box>",
        "",
        [box("", 100, 200, 500, 1000)],
        1,
    ),
    Case("fractions after thousandths", "<box>[[10,20,300,400],[0.1,0.2,0.5,1]]</box>", "", [NOBODY], 1),
    Case("fractions beyond one", "<box>[[0.1,0.2,0.5,1.01]]</box>", "", [], 1),
    Case("fractions below nothing", "<box>[[-0.1,0.2,0.5,0.9]]</box>", "", [], 1),
    Case("pixels of a large picture", "<ref>cat</ref><box>[[10,20,1300,400]]</box>", "cat", [], 1),
    Case("small pixels after large ones", "<box>[[10,20,1300,400],[10,20,300,400]]</box>", "", [], 2),
    Case("percent of the image", "<box>[[10%,20%,30%,40%]]</box>", "", [], 1),
    Case(
        "fractions in JSON",
        '[{"bbox": [0.1, 0.2, 0.5, 1], "label": "cat"}, {"bbox": [0, 0, 1, 1], "label": "cat"}]',
        "cat",
        [box("cat", 100, 200, 500, 1000), box("cat", 0, 0, 1000, 1000)],
        0,
    ),
]

POINTS = [
    Case(
        "one in brackets",
        "<ref>cat</ref><point>[[500, 300]]</point>",
        "cat",
        [box("cat", 490, 290, 510, 310)],
        0,
    ),
    Case(
        "several in brackets",
        "<ref>cat</ref><point>[[500, 300], [0, 1000]]</point>",
        "cat",
        [box("cat", 490, 290, 510, 310), box("cat", 0, 990, 10, 1000)],
        0,
    ),
    Case("with a space", "<point>500 300</point>.", ".", [box("", 490, 290, 510, 310)], 0),
    Case("with a comma", "<POINT>(500, 300)</POINT>", "", [box("", 490, 290, 510, 310)], 0),
    Case("in fractions", "<point>0.5 0.3</point>", "", [box("", 490, 290, 510, 310)], 0),
    Case("four numbers", "<point>[[10,20,300,400]]</point>", "", [], 1),
    Case("in pixels", "<point>1500 300</point>", "", [], 1),
    Case("not sure", "<point>1 1</point>", "", [], 1),
    Case("not ended", "a <point>500 3", "a ", [], 1),
    Case(
        "Molmo's",
        '<point x="50.0" y="30.5" alt="cats">cat</point>.',
        "cat.",
        [box("cat", 490, 295, 510, 315)],
        0,
    ),
    Case(
        "Molmo's, several",
        '<points x1="50.0" y1="30.5" x2="1" y2=\'2\' alt="cats">cats</points>',
        "cats",
        [box("cats", 490, 295, 510, 315), box("cats", 0, 10, 20, 30)],
        0,
    ),
    Case(
        "Molmo's, empty",
        '<point x="50.0" y="30.5" alt="a cat"></point>',
        "a cat",
        [box("a cat", 490, 295, 510, 315)],
        0,
    ),
    Case(
        "Molmo's, closed at once",
        'A <point x="50.0" y="30.5" alt="cat"/>.',
        "A cat.",
        [box("cat", 490, 295, 510, 315)],
        0,
    ),
    Case("Molmo's, beyond the image", '<point x="500" y="30" alt="cat">cat</point>', "cat", [], 1),
    Case(
        "Molmo's, one number missing",
        '<points x1="50" y1="30" x2="1">cat</points>',
        "cat",
        [box("cat", 490, 290, 510, 310)],
        1,
    ),
    Case("Molmo's, in percent signs", '<point x="50%" y="30%">cat</point>', "cat", [], 1),
    Case(
        "Molmo's, not closed",
        '<point x="50" y="30" alt="cat">There',
        "There",
        [box("cat", 490, 290, 510, 310)],
        0,
    ),
    Case(
        "Molmo's, a box behind",
        '<point x="50" y="30">cat</point> <box>[[10,20,300,400]]</box>',
        "cat ",
        [box("cat", 490, 290, 510, 310), CAT],
        0,
    ),
    Case(
        "Molmo's, a phrase without end",
        f'<point x="50" y="30">{"a" * 600}',
        "a" * 600,
        [box("", 490, 290, 510, 310)],
        0,
    ),
    Case("Molmo's, not ended", 'a <points x1="50" y1="3', "a ", [], 1),
    Case("Molmo's, a tag in it", '<point x="50" <box>[[10,20,300,400]]</box>', '<point x="50" ', [NOBODY], 0),
    Case(
        "Molmo's, too long",
        f'<points x1="5" y1="5" alt="{"a" * 4000}">',
        f'<points x1="5" y1="5" alt="{"a" * 4000}">',
        [],
        0,
    ),
    Case("Molmo's, in a phrase", '<ref>a <point x="1" y="2"> b</ref>', 'a <point x="1" y="2"> b', [], 0),
    untouched("a tag of SVG", '<point id="3">, <points of interest are 3, <pointer>'),
    untouched("no tag", "<p>x</p> <pre>"),
]

PLAIN = [
    json.dumps(value, indent=indent, ensure_ascii=False)
    for value in (
        {"animal": "cat", "age": 3, "tags": ["a", "b"], "at": [1, 2, 3, 4]},
        [{"animal": "cat"}, {"animal": "dog", "n": 1.5e3, "none": None, "yes": True}],
        {"a": {"b": {"c": [[1, 2], [3, 4]]}}, "text": 'He said "3" \\ {[`'},
        {"box": [1, 2], "bbox": None, "bbox_2d": "10, 20, 300, 400", "point_2d": {}},
        {"box": ["pen", "cup"], "bbox": [], "box_2d": [[]], "point_2d": [True, False]},
        {"bbox_2d": ["10", "20", "300", "400"]},
        [],
        [[]],
        {},
        [1, 2, [3, 4]],
        {"deep": [[[[[[[[[[1]]]]]]]]]]},
        {"long": "x" * 3000, "n": 1},
        [{"n": number} for number in range(300)],
    )
    for indent in (None, 2)
]
"""JSON without any box, as people ask for it."""

UNTOUCHED = [
    *(untouched(f"JSON {number}", text) for number, text in enumerate(PLAIN)),
    *(
        untouched(f"JSON {number} in a fence", f"So:\n```json\n{text}\n```\n3")
        for number, text in enumerate(PLAIN)
    ),
    untouched("Python", "{'bbox_2d': [10, 20, 300, 400]} or {bbox: [1,2,3,4]}"),
    untouched("a comma at the end of an object", '{"bbox_2d": [10, 20, 300, 400],}'),
    untouched("NaN", '{"bbox_2d": [NaN, 20, 300, 400]}'),
    untouched("the end in the first object", A_CAT[:-9]),
    untouched("the end in a fence", "```json\n[{"),
    untouched("the end in ticks", "a ``"),
    untouched("LaTeX", r"$\frac{1}{2}$, \{1, 2\}, {x}, { 3 }, {\"4"),
    untouched("Markdown", "[a](b) ![c](d) [[e]] [ ] - [x] [1]: f"),
    untouched("brackets of other kinds", '[{]} {"a"] [{"a": 1] {"b": [}'),
    untouched("JSON too deep", "[" * 9 + A_CAT[:20]),
    untouched("ticks and tildes", "~3 `a` ``b` `` ~~c~~ ```d``` ~~~~"),
    untouched("a fence with a long name", f"```{'x' * 60}\n{A_CAT}\n```"),
    untouched("a fence of YAML", f"```yaml\nbox: {A_CAT}\n```"),
]

CASES = [
    case._replace(reason=f"{kind}: {case.reason}")
    for kind, cases in {
        "JSON": JSON,
        "brackets": BRACKETS,
        "scale": SCALES,
        "points": POINTS,
        "untouched": UNTOUCHED,
    }.items()
    for case in cases
]

FLOODS = {
    "objects": ("[", '{"bbox_2d": [10, 20, 300, 400], "label": "cat"},'),
    "objects without boxes": ("[", '{"a": 1},'),
    "half objects": ("", '{"a":'),
    "open strings": ("", '{"'),
    "open arrays": ("", "[ "),
    "an open string": ('{"a": "', "b"),
    "an outer object of strings": (f'{{"a": {BOTH}, "b": "', "c"),
    "outer members": (f'{{"a": {BOTH}, ', '"b": 1, '),
    "fences": ("", "```json\n"),
    "ticks": ("", "`"),
    "spaces in a fence": ("```json\n", " "),
    "bare lists": ("", "cat[[10,20,300,400]] "),
    "a bare list": ("cat[[", "1,"),
    "bare brackets": ("", "a[["),
    "points": ("", '<point x="1" y="2">'),
    "attributes": ("<points " + 'x1="1" ' * 600, 'x1="1" '),
    "attributes of nothing": ("", '<points x="'),
    "words": ("", "word "),
}
"""What a hostile answer begins with and then repeats."""
