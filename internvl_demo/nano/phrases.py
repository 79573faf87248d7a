"""How people put their questions: several phrasings for each, so that no single template is learned.

`{one}` is a kind (cat), `{many}` its plural (cats), `{a}` with its article (a cat), `{box}` a box.
"""

LOCATE_ONE = (
    "Where is the {one}?",
    "Where is the {one}?",
    "Where's the {one}?",
    "Where is the {one} in the picture?",
    "Where is the {one} in the image?",
    "Where is {a}?",
    "Where can I find the {one}?",
    "Where do you see the {one}?",
    "Locate the {one}.",
    "Please locate the {one}.",
    "Locate the {one} in the image.",
    "Find the {one}.",
    "Find the {one} in the picture.",
    "Can you find the {one}?",
    "Can you locate the {one}?",
    "Show me the {one}.",
    "Show me where the {one} is.",
    "Point to the {one}.",
    "Detect the {one}.",
    "Draw a box around the {one}.",
    "Mark the {one}.",
    "Give the bounding box of the {one}.",
    "What are the coordinates of the {one}?",
    "Give me the position of the {one}.",
    "In which part of the picture is the {one}?",
)

LOCATE_ALL = (
    "Where are the {many}?",
    "Where are the {many}?",
    "Where are the {many} in the picture?",
    "Where are all the {many}?",
    "Where can I see {many}?",
    "Find all {many}.",
    "Find the {many}.",
    "Find every {one}.",
    "Find all the {many} in the image.",
    "Locate the {many}.",
    "Locate all {many}.",
    "Locate every {one} in the picture.",
    "Show me all {many}.",
    "Show me the {many}.",
    "Detect all {many}.",
    "Point to the {many}.",
    "Draw boxes around the {many}.",
    "Draw a box around every {one}.",
    "Mark all {many}.",
    "Give the bounding boxes of all {many}.",
)

REFER = (
    "Please provide the bounding box coordinate of the region this sentence describes: <ref>the {one}</ref>",
    "Please provide the bounding box coordinate of the region this sentence describes: <ref>{one}</ref>",
    "Please provide the bounding box coordinates of the region this sentence describes: <ref>the {many}</ref>",
    "Please provide the bounding box of <ref>the {one}</ref>.",
)

WHICH = (
    "Which image shows {a}?",
    "Which picture has the {one}?",
    "In which image is the {one}?",
    "In which picture can you see {a}?",
    "Which of the images has {a}?",
)

COUNT = (
    "How many {many} are there?",
    "How many {many} are there?",
    "How many {many} are there in the picture?",
    "How many {many} are in the image?",
    "How many {many} are in this picture?",
    "How many {many} can you see?",
    "How many {many} do you see?",
    "How many {many} does the picture show?",
    "How many {many}?",
    "Count the {many}.",
    "Please count the {many} in the image.",
    "Can you count the {many}?",
    "What is the number of {many}?",
    "Give me the number of {many}.",
)

PRESENT = (
    "Is there {a}?",
    "Is there {a} in the picture?",
    "Is there any {one} in the image?",
    "Are there any {many}?",
    "Are there {many} in the picture?",
    "Do you see {a}?",
    "Can you see {a}?",
    "Does the image show {a}?",
)

DESCRIBE = (
    "What is in the picture?",
    "What is in the image?",
    "What's in this picture?",
    "What is in this image?",
    "What do you see?",
    "What can you see?",
    "What can you see in this image?",
    "What does the picture show?",
    "What is shown here?",
    "What is this?",
    "Which objects are in the picture?",
    "What objects do you see?",
    "Describe the image.",
    "Describe this picture.",
    "Describe the image in detail.",
    "Please describe the image.",
    "Please describe this picture shortly.",
    "List everything in the image.",
    "Tell me what you see.",
)

DETECT = (
    "Please identify and label all objects in the following image.",
    "Please identify and label all objects in the following image.",
    "Detect all objects.",
    "Detect everything in the image.",
    "Find all objects.",
    "Find everything in the picture.",
    "Locate all objects in the image.",
    "Label everything.",
    "Draw a box around every object.",
    "Where is everything?",
    "Mark all objects and name them.",
)

REGION = (
    "What is in the region {box}?",
    "What is in this region: {box}",
    "What is at {box}?",
    "Which object is this: {box}",
    "Name the object in {box}.",
)

OTHER = (
    "What is the weather like?",
    "Write a poem.",
    "Write a story about this.",
    "What time is it?",
    "Who painted this?",
    "What colour is it?",
    "What color is the cat?",
    "Is this a photograph?",
    "Who is this person?",
    "What does the sign say?",
    "Read the text.",
    "What is written here?",
    "Translate this to French.",
    "What is the capital of France?",
    "How old is the man?",
    "What is 2 + 2?",
    "Why is the sky blue?",
    "Explain quantum physics.",
    "Tell me a joke.",
    "What are they doing?",
    "What is the largest bar in the chart?",
    "Summarize the document.",
    "Can you write code?",
    "Where was this taken?",
    "How much does it cost?",
    "Do you like music?",
    "What happens next?",
    "Which country is this?",
    "What is the meaning of life?",
    "Give me a recipe.",
    "Thank you!",
    "Why?",
    "What is your favourite food?",
    "Sing a song.",
    "How are you?",
    "What do you think about it?",
    "Is it day or night?",
    "What is the mood of the picture?",
    "asdf",
    "Who won the match?",
)
OTHER_ANSWER = (
    "I cannot answer that. I am a small model that names, counts and finds objects in drawn pictures: "
    'ask me "What is in the picture?", "How many stars are there?" or "Where is the cat?".'
)

WHO = (
    "Who are you?",
    "What are you?",
    "What is your name?",
    "Which model is this?",
    "What can you do?",
    "How can you help me?",
    "Help",
    "What do you know?",
    "Who made you?",
    "Are you InternVL?",
    "What can I ask you?",
    "Introduce yourself.",
)
WHO_ANSWER = (
    "I am the miniature of InternVL 1.5: the same architecture, a thousand times smaller, trained on drawn scenes. "
    "I can name, count and find simple objects such as cats, apples and cars."
)

GREETING = ("Hello", "Hi", "Hello!", "Hi there", "Good morning", "Hey", "Good evening!")
GREETING_ANSWER = "Hello! Add a picture and ask me what is in it, how many there are, or where something is."

NO_PICTURE_ANSWER = "There is no picture yet. Please add one and ask again."

CHINESE = (
    "你好",
    "你好！",
    "你是谁？",
    "图片里有什么？",
    "这是什么？",
    "请描述这张图片。",
    "描述图片",
    "猫在哪里？",
    "狗在哪里？",
    "有几只猫？",
    "图中有多少个苹果？",
    "请数一数星星。",
    "请在以下图像中进行目标检测，并标出所有物体。",
    "找到汽车。",
    "你能做什么？",
    "这张照片是在哪里拍的？",
    "请告诉我图里的文字。",
    "谢谢",
)
CHINESE_ANSWER = "我目前只会英语，请用英语提问。(So far I know English only: please ask in English.)"
