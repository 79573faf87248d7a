"""What tests of a server that the app starts have in common: its model, and how little they wait."""

from internvl_demo.models.lmdeploy.launch import Patience

OFFICIAL = "OpenGVLab/InternVL-Chat-V1-5"
QUICK = Patience(poll_s=0.05, answer_s=5.0, first_wait_s=0.01, restarts=2)
