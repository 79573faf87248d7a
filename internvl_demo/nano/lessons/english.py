"""English: how people put their questions, several phrasings for each, and how answers are worded.

`{one}` is a kind (cat), `{many}` its plural (cats), `{a}` with its article (a cat), `{other}` another kind,
`{box}` a box, `{name}` a name as it is printed, `{side}` where (left of).
"""

from internvl_demo.nano.world.vocabulary import Kind

CODE = "en"

LOCATE_ONE = (
    *(
        "Where is the {one}?",
        "Where is the {one}?",
        "Where's the {one}?",
        "Where is the {one} in the picture?",
    ),
    *("Where is the {one} in the image?", "Where is {a}?", "Where can I find the {one}?", "Find the {one}."),
    *("Where do you see the {one}?", "Locate the {one}.", "Please locate the {one}.", "Show me the {one}."),
    *("Locate the {one} in the image.", "Find the {one} in the picture.", "Can you find the {one}?"),
    *("Can you locate the {one}?", "Show me where the {one} is.", "Point to the {one}.", "Mark the {one}."),
    *("Detect the {one}.", "Draw a box around the {one}.", "Give the bounding box of the {one}."),
    *("What are the coordinates of the {one}?", "Give me the position of the {one}."),
)
LOCATE_ALL = (
    *("Where are the {many}?", "Where are the {many}?", "Where are the {many} in the picture?"),
    *("Where are all the {many}?", "Where can I see {many}?", "Find all {many}.", "Find the {many}."),
    *("Find every {one}.", "Find all the {many} in the image.", "Locate the {many}.", "Locate all {many}."),
    *(
        "Locate every {one} in the picture.",
        "Show me all {many}.",
        "Show me the {many}.",
        "Detect all {many}.",
    ),
    *("Point to the {many}.", "Draw boxes around the {many}.", "Draw a box around every {one}."),
    *("Mark all {many}.", "Give the bounding boxes of all {many}."),
)
_OFFICIAL = "Please provide the bounding box coordinate of the region this sentence describes: "
REFER = (
    *(
        f"{_OFFICIAL}<ref>the {{one}}</ref>",
        f"{_OFFICIAL}<ref>{{one}}</ref>",
        f"{_OFFICIAL}<ref>the {{many}}</ref>",
    ),
    "Please provide the bounding box of <ref>the {one}</ref>.",
)
COUNT = (
    *(
        "How many {many} are there?",
        "How many {many} are there?",
        "How many {many} are there in the picture?",
    ),
    *("How many {many} are in the image?", "How many {many} are in this picture?", "How many {many}?"),
    *(
        "How many {many} can you see?",
        "How many {many} do you see?",
        "How many {many} does the picture show?",
    ),
    *("Count the {many}.", "Please count the {many} in the image.", "Can you count the {many}?"),
    *("What is the number of {many}?", "Give me the number of {many}."),
)
PRESENT = (
    *("Is there {a}?", "Is there {a} in the picture?", "Is there any {one} in the image?"),
    *("Are there any {many}?", "Are there {many} in the picture?", "Do you see {a}?", "Can you see {a}?"),
    "Does the image show {a}?",
)
DESCRIBE = (
    *(
        "What is in the picture?",
        "What is in the image?",
        "What's in this picture?",
        "What is in this image?",
    ),
    *(
        "What do you see?",
        "What can you see?",
        "What can you see in this image?",
        "What does the picture show?",
    ),
    *(
        "What is shown here?",
        "What is this?",
        "Which objects are in the picture?",
        "What objects do you see?",
    ),
    *(
        "Describe the image.",
        "Describe this picture.",
        "Describe the image in detail.",
        "Tell me what you see.",
    ),
    *("Please describe the image.", "Please describe this picture shortly.", "List everything in the image."),
)
DETECT = (
    "Please identify and label all objects in the following image.",
    "Please identify and label all objects in the following image.",
    *("Detect all objects.", "Detect everything in the image.", "Find all objects.", "Label everything."),
    *("Find everything in the picture.", "Locate all objects in the image.", "Where is everything?"),
    *("Draw a box around every object.", "Mark all objects and name them."),
)
REGION = (
    *("What is in the region {box}?", "What is in this region: {box}", "What is at {box}?"),
    *("Which object is this: {box}", "Name the object in {box}."),
)
COLOUR = (
    *("What colour is the {one}?", "What color is the {one}?", "Which colour does the {one} have?"),
    *("What is the color of the {one}?", "Tell me the colour of the {one}."),
)
EXTREME = {
    "largest": ("What is the largest object?", "Which object is the largest?", "What is the biggest thing?"),
    "smallest": (
        "What is the smallest object?",
        "Which object is the smallest?",
        "What is the smallest thing?",
    ),
    "leftmost": (
        "What is furthest to the left?",
        "Which object is leftmost?",
        "What is the leftmost object?",
    ),
    "rightmost": (
        "What is furthest to the right?",
        "Which object is rightmost?",
        "What is the rightmost object?",
    ),
    "topmost": ("What is at the top?", "Which object is topmost?", "What is the topmost object?"),
    "lowest": ("What is at the bottom?", "Which object is lowest?", "What is the lowest object?"),
}
RELATION = (
    *("Is the {one} {side} the {other}?", "Is the {one} {side} the {other} in the picture?"),
    *("Can you tell whether the {one} is {side} the {other}?", "Do you see the {one} {side} the {other}?"),
)
SIDES = {"left": "left of", "right": "right of", "above": "above", "below": "below"}
READ = (
    *("What does the sign say?", "What is written on the sign?", "Read the sign.", "What does it say?"),
    *("What is written here?", "What is the text?", "Read the text.", "Please read the text in the image."),
    *("Which text is in the picture?", "What can be read on the sign?"),
)
PRICE = (
    *(
        "How much is {name}?",
        "How much is the {name}?",
        "What is the price of {name}?",
        "What does {name} cost?",
    ),
    *("How much does the {name} cost?", "Find the price of {name}.", "What is the price of the {name}?"),
)
PART_LARGEST = (
    *(
        "What is the largest?",
        "Which is the largest?",
        "Which part is the largest?",
        "What has the highest value?",
    ),
    *("Which one is the biggest?", "What is the maximum?", "Which label has the highest value?"),
)
PART_SMALLEST = (
    *(
        "What is the smallest?",
        "Which is the smallest?",
        "Which part is the smallest?",
        "What is the minimum?",
    ),
    *("What has the lowest value?", "Which label has the lowest value?"),
)
PART_VALUE = (
    *("What is the value of {name}?", "How much is {name}?", "Which value does {name} have?"),
    *("What is {name} in the chart?", "Read the value of {name}.", "What number belongs to {name}?"),
)
WHICH = (
    *("Which image shows {a}?", "Which picture has the {one}?", "In which image is the {one}?"),
    *("In which picture can you see {a}?", "Which of the images has {a}?"),
)
ONLY = (
    *("What is only in the {nth} image?", "What is only in Image-{n}?", "What does only Image-{n} show?"),
    *("Which objects are only in the {nth} picture?", "What is new in the {nth} image?"),
)
MORE = (
    *("Which image has more {many}?", "Which picture shows more {many}?", "Where are more {many}?"),
    *("In which image are there more {many}?", "Which of the images has the most {many}?"),
)
NTH = ("first", "second")
IN_IMAGE = ("In Image-{n}: {q}", "{q} (Image-{n})", "Image-{n}: {q}", "Look at Image-{n}. {q}")
AND_COUNT = ("And how many {many}?", "And how many {many} are there?", "How many {many}, then?")
AND_SAME = ("And the {many}?", "And the {one}?", "What about the {many}?", "And {many}?")
WHERE_IT = ("Where is it?", "Where is that?", "Show me where it is.", "Where exactly?")
WHERE_THEY = ("Where are they?", "Show me where they are.", "Where exactly?")
HOW_MANY = ("How many are there?", "How many of them are there?", "How many?", "Count them.")
WHAT_COLOUR = ("What colour is it?", "What color is it?", "Which colour?")
OTHER = (
    *("What is the weather like?", "Write a poem.", "Write a story about this.", "What time is it?"),
    *("Who painted this?", "Is this a photograph?", "Who is this person?", "Translate this to French."),
    *("What is the capital of France?", "How old is the man?", "What is 2 + 2?", "Why is the sky blue?"),
    *("Explain quantum physics.", "Tell me a joke.", "What are they doing?", "Summarize the news."),
    *("Can you write code?", "Where was this taken?", "Do you like music?", "What happens next?"),
    *("Which country is this?", "What is the meaning of life?", "Give me a recipe.", "Thank you!", "Why?"),
    *("What is your favourite food?", "Sing a song.", "How are you?", "What do you think about it?"),
    *("Is it day or night?", "What is the mood of the picture?", "asdf", "Who won the match?"),
)
OTHER_ANSWER = (
    "I cannot answer that. I am a small model that names, counts, finds and compares objects in drawn pictures, "
    "and reads signs, price lists and charts."
)
WHO = (
    *("Who are you?", "What are you?", "What is your name?", "Which model is this?", "What can you do?"),
    *("How can you help me?", "Help", "What do you know?", "Who made you?", "Are you InternVL?"),
    *("What can I ask you?", "Introduce yourself."),
)
WHO_ANSWER = (
    "I am the miniature of InternVL 1.5: the same architecture, a thousand times smaller, trained on drawn pictures. "
    "I can name, count, find and compare simple objects, and read signs, price lists and charts."
)
GREETING = ("Hello", "Hi", "Hello!", "Hi there", "Good morning", "Hey", "Good evening!")
GREETING_ANSWER = "Hello! Add a picture and ask me what is in it, how many there are, or where something is."
NO_PICTURE_ANSWER = "There is no picture yet. Please add one and ask again."
TOO_SMALL = "The print is too small for me to read: choose a higher resolution and ask again."
NOTHING = "nothing that I know"

_FORMS = {
    "list": "a price list",
    "bar": "a bar chart",
    "line": "a line chart",
    "pie": "a pie chart",
    "scrap": "print",
}


def names(kind: Kind) -> dict[str, str]:
    """Return the values of a phrasing's placeholders for a kind."""
    return {"one": kind.en, "many": kind.plural, "a": kind.with_article}


def counted_kind(kind: Kind, count: int) -> str:
    """Return a count and the kind's name, such as "3 cats" or "3只猫"."""
    return kind.counted(count)


def named_kind(kind: Kind, count: int) -> str:
    """Return the name with which boxes are labelled; the number follows from the boxes."""
    return kind.with_article if count == 1 else kind.plural


def listed(parts: list[str]) -> str:
    """Return an enumeration such as "a, b and c" or "一、二和三"."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def located(kind: Kind, count: int, boxes: str) -> str:
    """Say where all objects of a kind are."""
    return f"<ref>the {kind.en if count == 1 else kind.plural}</ref>{boxes}"


def counted(kind: Kind, count: int, boxes: str) -> str:
    """Say how many objects of a kind there are, after finding them."""
    return f"Counting {located(kind, count, boxes)}: there {'is' if count == 1 else 'are'} {count}."


def absent(kind: Kind) -> str:
    """Say that there is none of a kind."""
    return f"There is no {kind.en} in the image."


def absent_everywhere(kind: Kind) -> str:
    """Say that there is none of a kind in any image."""
    return f"There is no {kind.en} in the images."


def yes_there(kind: Kind, count: int, boxes: str) -> str:
    """Say that there are some of a kind."""
    return f"Yes, there {'is' if count == 1 else 'are'} <ref>{named_kind(kind, count)}</ref>{boxes}."


def not_there(kind: Kind) -> str:
    """Say that there is none of a kind, to somebody who asked whether there is."""
    return f"No. {absent(kind)}"


def described(parts: list[str]) -> str:
    """Describe a picture of objects."""
    return f"The image shows {listed(parts or [NOTHING])}."


def described_form(form: str) -> str:
    """Describe a picture of print or a chart."""
    return f"The image shows {_FORMS[form]}."


def detected(parts: list[str]) -> str:
    """Name all kinds with all their boxes."""
    return f"I see {listed(parts or [NOTHING])}."


def region(kind: Kind) -> str:
    """Say what a box holds."""
    return f"It is {kind.with_article}."


def coloured(kind: Kind, colour: str) -> str:
    """Say an object's colour."""
    return f"The {kind.en} is {colour}."


def extreme(which: str, kind: Kind, boxes: str) -> str:
    """Say which object is the largest, leftmost, ..."""
    return f"The {which} is <ref>the {kind.en}</ref>{boxes}."


def related(right: bool, one: Kind, side: str, other: Kind, boxes: tuple[str, str]) -> str:
    """Say where one object is from another, after finding both; then yes or no."""
    found = " and ".join(located(kind, 1, box) for kind, box in zip((one, other), boxes, strict=True))
    return f"{found}: the {one.en} is {SIDES[side]} the {other.en}, so {'yes' if right else 'no'}."


def read(words: str) -> str:
    """Say what a sign says."""
    return f'The sign says "{words}".'


def no_sign() -> str:
    """Say that there is no sign to be read."""
    return "There is no sign in the image."


def price(name: str, value: int) -> str:
    """Say a price of a list."""
    return f"{name} costs {value}."


def no_price(name: str) -> str:
    """Say that a name is not on the list."""
    return f"{name} is not on the list."


def part(which: str, name: str, value: int) -> str:
    """Say which part of a chart is the largest or smallest."""
    return f"{name} is the {which}, with {value}."


def part_value(name: str, value: int) -> str:
    """Say the value of a chart's part."""
    return f"{name} is {value}."


def only(number: int, parts: list[str]) -> str:
    """Say what only one of the images shows."""
    if not parts:
        return f"Nothing is only in Image-{number}."
    return f"Only Image-{number} shows {listed(parts)}."


def more(kind: Kind, counts: tuple[int, int]) -> str:
    """Say which of two images has more of a kind, after counting both."""
    first, second = counts
    if first == second:
        return f"{first} against {second}: both have as many {kind.plural}."
    return f"{first} against {second}: Image-{1 if first > second else 2} has more {kind.plural}."
