"""Define what the miniature is taught: questions about pictures and their one right answer.

    english, chinese   how people ask, and how answers are worded, in each language
    lessons            which question and answer follow from a picture's truth

Answers about objects are grounded: `<ref>the cat</ref><box>[[x1, y1, x2, y2]]</box>` in normalised 0-1000
coordinates, several boxes from left to right. A count first finds what it counts.
"""
