# Two images of the demo.
#
# page: the page alone, a small image without torch, before a model server that runs elsewhere.
#     docker build --target page -t internvl-page .
#     docker run --rm -p 127.0.0.1:7860:7860 -v conversations:/data -e INTERNVL_ENDPOINT=http://... \
#         -e INTERNVL_API_KEY=... internvl-page
#
# all-in-one: the page and LMDeploy with the 26B, on a machine with GPUs (one of 80 GB; others: INTERNVL_TP,
# INTERNVL_AWQ). It listens on loopback inside, the page on port 7860.
#     docker build --target all-in-one -t internvl-demo .
#     docker run --rm --gpus all --ipc=host -p 127.0.0.1:7860:7860 -v weights:/home/demo/.cache \
#         -v conversations:/data internvl-demo

FROM python:3.11-slim AS page
WORKDIR /app
COPY requirements.txt .
# What the page needs is all but the model's own libraries.
RUN grep -vE '^(torch|transformers)\b' requirements.txt > page.txt && pip install --no-cache-dir -r page.txt
COPY app.py README.md ./
COPY internvl_demo internvl_demo
COPY assets assets
RUN useradd --create-home --uid 1000 demo && mkdir /data && chown 1000 /data
USER demo
ENV INTERNVL_HOST=0.0.0.0 INTERNVL_PORT=7860 INTERNVL_DATA_DIR=/data
EXPOSE 7860
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz')"]
CMD ["python", "app.py"]

FROM openmmlab/lmdeploy:v0.18.0-cu12.8 AS all-in-one
WORKDIR /app
COPY requirements.txt .
# The page has a Python and an environment of its own: the image's Python may be older, and nothing of LMDeploy's
# is replaced. The page starts `lmdeploy` as a program.
ENV UV_PYTHON_INSTALL_DIR=/opt/python
RUN grep -vE '^(torch|transformers)\b' requirements.txt > page.txt \
    && pip install --no-cache-dir uv \
    && uv venv --python 3.11 /opt/page \
    && uv pip install --no-cache --python /opt/page/bin/python -r page.txt
COPY app.py README.md ./
COPY internvl_demo internvl_demo
COPY assets assets
RUN (id -u 1000 >/dev/null 2>&1 || useradd --create-home --uid 1000 demo) \
    && mkdir -p /home/demo/.cache /data && chown -R 1000 /home/demo /data
USER 1000
ENV HOME=/home/demo INTERNVL_HOST=0.0.0.0 INTERNVL_PORT=7860 INTERNVL_SERVE=OpenGVLab/InternVL-Chat-V1-5 \
    INTERNVL_DATA_DIR=/data
EXPOSE 7860
HEALTHCHECK CMD ["/opt/page/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz')"]
CMD ["/opt/page/bin/python", "app.py"]
