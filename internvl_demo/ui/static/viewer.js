// The images of the conversation, and over them, as vectors, the boxes of the last answer.
// Everything from people and models is set as text or as a checked number, never as markup.
const SVG = 'http://www.w3.org/2000/svg'
const box = element.querySelector('.widget')
const figures = new Map()

function make(tag, className, text) {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

function figure(image) {
  const [width, height] = image.size_wh
  const node = make('figure', 'sight')
  const frame = make('div', 'frame')
  frame.style.aspectRatio = `${width} / ${height}`
  frame.style.setProperty('--ratio', width / height)
  const picture = make('img')
  picture.src = image.url
  picture.alt = `${image.caption} ${image.name}`
  const layer = document.createElementNS(SVG, 'svg')
  layer.setAttribute('viewBox', `0 0 ${width} ${height}`)
  layer.setAttribute('aria-hidden', 'true')
  const labels = make('div', 'labels')
  frame.append(picture, layer, labels)
  const caption = make('figcaption')
  caption.append(make('b', '', image.caption), make('span', '', `${width} × ${height} · ${image.note}`))
  node.append(frame, caption)
  return { node, layer, labels, size: image.size_wh, key: `${image.url} ${image.note}`, drawn: '' }
}

function rectangle({ label, image, box_1000, colour }, [width, height]) {
  const [x1, y1, x2, y2] = box_1000.map(Number)
  const shape = document.createElementNS(SVG, 'rect')
  const place = {
    x: (x1 * width) / 1000, y: (y1 * height) / 1000,
    width: ((x2 - x1) * width) / 1000, height: ((y2 - y1) * height) / 1000,
    class: 'ground-box', stroke: colour, fill: colour,
    'data-label': label, 'data-image': image, 'data-box': box_1000.join(','),
  }
  for (const [name, value] of Object.entries(place)) shape.setAttribute(name, value)
  return shape
}

function tag({ label, box_1000, colour }) {
  const [x1, y1, x2, y2] = box_1000.map(Number)
  const node = make('span', 'ground-label', label)
  node.style.background = colour
  if (x1 <= 600) node.style.left = `${x1 / 10}%`
  else node.style.right = `${(1000 - x2) / 10}%`
  if (y1 >= 60) node.style.bottom = `${(1000 - y1) / 10}%`
  else if (y2 <= 940) node.style.top = `${y2 / 10}%`
  else node.style.top = `${y1 / 10}%`
  return node
}

function drawBoxes(number, sight, boxes) {
  const mine = boxes.filter((one) => one.image === number)
  const drawn = JSON.stringify(mine)
  if (drawn === sight.drawn) return
  const first = sight.drawn.length < 3 && mine.length
  sight.drawn = drawn
  sight.layer.replaceChildren(...mine.map((one) => rectangle(one, sight.size)))
  sight.labels.replaceChildren(...mine.filter((one) => one.label).map(tag))
  if (first) box.scrollTo({ top: sight.node.offsetTop - box.offsetTop, behavior: 'smooth' })
}

function draw() {
  const { images = [], boxes = [] } = props.value ?? {}
  images.forEach((image, index) => {
    const number = index + 1
    const known = figures.get(number)
    if (known?.key === `${image.url} ${image.note}`) return
    const fresh = figure(image)
    if (known) known.node.replaceWith(fresh.node)
    else box.append(fresh.node)
    figures.set(number, fresh)
  })
  for (const [number, sight] of figures) {
    if (number <= images.length) drawBoxes(number, sight, boxes)
    else { sight.node.remove(); figures.delete(number) }
  }
}

watch('value', draw)
draw()
