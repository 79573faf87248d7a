"""internvl_demo: talk to pictures with InternVL 1.5, in the browser or from the command line.

The rooms, lowest floor first (a module imports lower floors or its own folder; `tests/test_floors.py` holds this):

    0  errors                          what can go wrong, each with a next step
    1  settings, photo                 a host's choices; untrusted bytes -> Photo
    2  tiling, grounding, chat         sizes -> tiles; streamed text -> boxes; frozen conversations
    3  prompt, pins                    the official prompt; which image a box means
    4  overlay, nano/                  drawing; the miniature: its world, its recipe, its exam
    5  backends/                       who answers: `local` (in process) or `server` (LMDeploy)
    6  answer                          one generation as a stream of snapshots
    7  ui/, bench/                     the page; the speed measurements
    8  cli                             `python -m internvl_demo ...`

Importing this package loads neither torch nor gradio.
"""

__version__ = "0.1.0"
