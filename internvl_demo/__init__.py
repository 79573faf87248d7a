"""internvl_demo: talk to pictures with InternVL 1.5, in the browser or from the command line.

The rooms, lowest floor first (a module imports lower floors or its own folder; `tests/test_floors.py` holds this):

    0  errors, settings, photo         what can go wrong; choices; untrusted bytes -> Photo
    1  tiling, grounding, chat         sizes -> tiles; streamed text -> boxes; frozen conversations
    2  prompt, pins, overlay, nano/    the official prompt; which photo a box means; drawing; the miniature
    3  backends/                       who answers: `local` (in process) or `server` (LMDeploy)
    4  answer                          one generation as a stream of snapshots
    5  ui/, bench/                     the page; the speed measurements
    6  cli                             `python -m internvl_demo ...`

Importing this package loads neither torch nor gradio.
"""

__version__ = "0.1.0"
