"""What a browser shows of a picture file: for the tests of stored files."""

SHOWN = """async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const at = (x, y) => Array.from(context.getImageData(16 * x + 8, 16 * y + 8, 1, 1).data.slice(0, 3));
    return [image.naturalWidth, image.naturalHeight, [0, 1].map((y) => [0, 1, 2].map((x) => at(x, y)))];
}"""
"""An address -> width, height, and the colours in the middle of the known picture's squares, by row."""
