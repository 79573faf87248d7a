"""The miniature's world: pictures that a program draws, so that what they show is known exactly.

    vocabulary   the kinds of objects, with their names in two languages
    pictures     what a picture is: its pixels, and the truth about them
    backgrounds  what stands behind
    scenes       objects: glyphs of Noto Color Emoji
    prints       words and numbers: signs, price lists
    charts       bars, lines and pies with labels and values
    truth        what every patch of a view shows

The same seed draws the same picture. Seeds from `EXAM_SEEDS` on also use typefaces and backgrounds that
no smaller seed does: exams and tests draw from there, training never.
"""
