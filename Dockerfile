# The page with the embedded miniature, on any machine; with INTERNVL_ENDPOINT set, in front of a model server.
#     docker build -t internvl-demo . && docker run --rm -p 127.0.0.1:7860:7860 internvl-demo
FROM python:3.11-slim

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py README.md ./
COPY internvl_demo internvl_demo
COPY assets assets

RUN useradd --create-home demo
USER demo
ENV INTERNVL_HOST=0.0.0.0 INTERNVL_PORT=7860
EXPOSE 7860
CMD ["python", "app.py"]
