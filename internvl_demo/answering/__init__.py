"""Generate one answer for many readers: who waits, what has come, what is kept, what is measured.

In: a stored conversation whose last question is open. Out: complete snapshots of the answer, for as many viewers
as like, and the stored end.

stream   one generation as a stream of snapshots
jobs     generations that belong to nobody's connection: start, watch, stop
model    a model and the queue before it
queue    who asks the model now, and who waits
metrics  Prometheus metrics, and a log line for each question
"""
