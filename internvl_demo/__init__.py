"""internvl_demo: talk to pictures with InternVL 1.5, in the browser or from the command line.

The rooms, lowest floor first (a module imports lower floors or its own folder; `tests/test_floors.py` holds this):

    0  errors, originals               what can go wrong, each with a next step; which files are only a picture
    1  settings, photo, admission      a host's choices; untrusted bytes -> Photo; who asks now and who waits
    2  tiling, grounding, chat         sizes -> tiles; streamed text -> boxes; frozen conversations
    3  prompt, pins                    the official prompt; which image a box means
    4  overlay, nano/                  drawing; the miniature: its world, its recipe, its exam
       convert/                        official InternVL 1.5 checkpoints <-> transformers' format
       serving/                        an LMDeploy server of one's own: what fits, its command, its life
    5  backends/                       who answers: `local` (in process), `server` (LMDeploy) or `launched`
    6  answer, observe                 one generation as a stream of snapshots; metrics and a line for each question
    7  ui/, bench/                     the page; the speed measurements
    8  cli                             `python -m internvl_demo ...`

Importing this package loads neither torch nor gradio.
"""

__version__ = "0.1.0"
