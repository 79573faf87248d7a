// Making nodes. Text is set as text and attributes as attributes: nothing is ever parsed as markup.
const SVG = 'http://www.w3.org/2000/svg'

const ICONS = {
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M6 2H2v4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  tiles: 'M2 2h12v12H2zM2 6h12M2 10h12M6 2v12M10 2v12',
  again: 'M7 2a5 5 0 1 0 0 10 5 5 0 0 0 0-10M11 11l3 3M7 5v4M5 7h4',
  region: 'M5 2H2v3M11 2h3v3M14 11v3h-3M5 14H2v-3M7 2h2M7 14h2M2 7v2M14 7v2',
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) node.removeAttribute(name)
    else node.setAttribute(name, value === true ? '' : value)
  }
  return node
}

function make(tag, attributes = {}, ...children) {
  const node = set(document.createElement(tag), attributes)
  node.append(...children)
  return node
}

function vector(tag, attributes = {}, ...children) {
  const node = set(document.createElementNS(SVG, tag), attributes)
  node.append(...children)
  return node
}

function icon(name) {
  return vector('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, vector('path', { d: ICONS[name] }))
}

function button(attributes, act, ...children) {
  const node = make('button', { type: 'button', ...attributes }, ...children)
  node.addEventListener('click', act)
  return node
}

// 'Zoom {percent} %', { percent: 50 } -> 'Zoom 50 %'
function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''))
}

// A picture as a background, for small repeats of one that stands in the page as an image.
function pictured(node, url) {
  node.style.backgroundImage = `url(${JSON.stringify(url)})`
  return node
}

function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value))
}

// xyxy in thousandths -> x, y, width, height in pixels of an image of that size
function pixels(box_1000, [width, height]) {
  const [x1, y1, x2, y2] = box_1000.map(Number)
  return {
    x: (x1 * width) / 1000, y: (y1 * height) / 1000,
    width: ((x2 - x1) * width) / 1000, height: ((y2 - y1) * height) / 1000,
  }
}

// The page's language: what the person chose (`data-language`, see remembered.js), else the browser's.
function isChinese() {
  return (document.documentElement.dataset.language ?? navigator.language).toLowerCase().startsWith('zh')
}
