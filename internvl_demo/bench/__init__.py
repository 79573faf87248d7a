"""Speed, measured by commands, as ratios of one run: machines are noisy, ratios less so.

turns    time to first token of turn 2 against turn 1
"""
