"""Find the boxes in an answer, decide which picture each one means, and draw them.

In: an answer's text, in pieces as they come. Out: texts, phrases and boxes; boxes attributed to images; pictures
with the boxes drawn on them.

parser       streamed text -> events; bounded, no I/O, the same however the stream is split
plain        boxes in text without tags: in JSON, in brackets behind a word; `json_boxes` reads one JSON value
lists        the lists of numbers inside a tag
numbers      in which scale numbers are -> boxes in thousandths, if that is certain
naming       which images a text names, in English and Chinese
attribution  which image a box means; a box on a crop -> the same box on the full photo
overlay      boxes drawn on a copy of a photo; `fonts` finds letters for their labels
"""
