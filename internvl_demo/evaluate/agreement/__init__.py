"""Compare where two model servers see the same things: are an engine's boxes those of another one?

    questions   about drawn pictures whose objects are known, or about a person's own
    pairs       boxes of two answers -> which belong together, and how far they are apart
    run         asks both servers the same, and measures
    report      the figures as text, and in a sentence whether the engines agree

In: two servers of one model, such as LMDeploy's and vLLM's, or 16 bits and 4. What a person reads is compared: boxes
as the product's own client receives and parser reads them.
"""
