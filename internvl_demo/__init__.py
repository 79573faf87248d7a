"""internvl_demo: talk to pictures with InternVL 1.5, in the browser or from the command line.

The rooms, lowest floor first (a module imports lower floors or its own folder; `tests/test_floors.py` holds this):

    0  errors, originals               what can go wrong, each with a next step; which files are only a picture
    1  settings, photo, admission      a host's choices; untrusted bytes -> Photo; who asks now and who waits
    2  tiling, grounding, chat, remote sizes -> tiles; streamed text -> boxes; frozen conversations; a photo by address
    3  prompt, pins                    the official prompt; which image a box means
    4  overlay, budget, nano/          drawing; what fits the context; the miniature: its world, recipe and exam
       convert/                        official InternVL 1.5 checkpoints <-> transformers' format
       serving/                        an LMDeploy server of one's own: what fits, its command, its life
    5  backends/, regions              who answers: `local`, `server` or `launched`; a region as a picture, and back
    6  answer, observe                 one generation as a stream of snapshots; metrics and a line for each question
       store/, inspector/              conversations on disk; the exact prompt, and the call as text
    7  jobs                            generations that belong to nobody's connection
    8  ui/, bench/                     the page; the speed measurements
    9  cli                             `python -m internvl_demo ...`

Importing this package loads neither torch nor gradio.
"""

__version__ = "0.1.0"
