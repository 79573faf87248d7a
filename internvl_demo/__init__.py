"""internvl_demo: talk to pictures with InternVL 1.5, in the browser or from the command line.

The rooms, lowest floor first (a module imports lower floors or its own room; `tests/test_floors.py` holds this):

     0  errors         what can go wrong, each with a next step
     1  settings       a host's choices; where the files of `assets/` are
        photos/        untrusted bytes and addresses -> photos, and parts of them
     2  conversation/  frozen turns, the prompt that they make, and what they take of the context; no I/O
     3  grounding/     an answer's text -> boxes -> the right picture
     4  nano/          the miniature: its world, its lessons, its training
     5  models/        who answers: in process, an OpenAI-compatible server, an LMDeploy of one's own
     6  store/         conversations and photos on disk
     7  answering/     one generation, many readers: snapshots, jobs, the queue, metrics
     8  evaluate/      the exam: questions asked through the whole road, and marked
        web/           the page
     9  bench/         the speed measurements
    10  cli            `python -m internvl_demo ...`

Importing this package loads neither torch nor gradio.
"""

__version__ = "0.1.0"
