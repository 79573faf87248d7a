// Makes nodes. Text is set as text and attributes as attributes: nothing here parses markup.
const SVG = 'http://www.w3.org/2000/svg'

export const NARROW = matchMedia('(max-width: 900px)') // as in the styles: a phone, or a window like one
export const HAS_KEYS = matchMedia('(pointer: fine)').matches // elsewhere the focus opens the keyboard

export const ICONS = {
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  tiles: 'M2 2h12v12H2zM2 6h12M2 10h12M6 2v12M10 2v12',
  again: 'M7 2a5 5 0 1 0 0 10 5 5 0 0 0 0-10M11 11l3 3M7 5v4M5 7h4',
  region: 'M5 2H2v3M11 2h3v3M14 11v3h-3M5 14H2v-3M7 2h2M7 14h2M2 7v2M14 7v2',
  camera: 'M2 5h3l1.2-2h3.6L11 5h3v8H2zM8 6.5a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6',
  address: 'M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7L8 4.3M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7L8 11.7',
  file: 'M13 7l-5.5 5.5a3 3 0 0 1-4.3-4.3L9 2.5a2 2 0 0 1 2.9 2.9L6.3 11a1 1 0 0 1-1.5-1.5L10 4.5',
  earlier: 'M10 3L5 8l5 5',
  later: 'M6 3l5 5-5 5',
  remove: 'M4 4l8 8M12 4l-8 8',
  edit: 'M3 13l1-4 7-7 3 3-7 7zM9 4l3 3',
  retry: 'M13 3v4H9M13 7a5.5 5.5 0 1 0 .3 3',
  about: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 7v4M8 4.9v.2',
  send: 'M8 13V3M3.5 7.5L8 3l4.5 4.5',
  stop: 'M4.5 4.5h7v7h-7z',
  gear: 'M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9M8 6.5a1.5 1.5 0 1 0 0 3a1.5 1.5 0 0 0 0-3M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M3.4 12.6l1.4-1.4M11.2 4.8l1.4-1.4',
  undo: 'M6 3L2 7l4 4M2 7h8a4 4 0 0 1 0 7H8',
  copy: 'M5 5V2h9v9h-3M2 5h9v9H2z',
  beside: 'M2 3h5v10H2zM9 3h5v10H9z',
  down: 'M3 6l5 5 5-5',
  menu: 'M2 4h12M2 8h12M2 12h12',
  bin: 'M2 4h12M6 4V2h4v2M4 4l1 10h6l1-10',
}

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) node.removeAttribute(name)
    else node.setAttribute(name, value === true ? '' : value)
  }
  return node
}

export function make(tag, attributes = {}, ...children) {
  const node = set(document.createElement(tag), attributes)
  node.append(...children)
  return node
}

export function vector(tag, attributes = {}, ...children) {
  const node = set(document.createElementNS(SVG, tag), attributes)
  node.append(...children)
  return node
}

export function icon(name) {
  return vector('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, vector('path', { d: ICONS[name] }))
}

export function button(attributes, act, ...children) {
  const node = make('button', { type: 'button', ...attributes }, ...children)
  node.addEventListener('click', act)
  return node
}

// Whether a key is an input method's, which composes a word: its Enter takes the word, its Escape leaves it. Browsers
// call such a key 229; Safari says first that the composition has ended.
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229
}

// Enter in a field acts; with Shift it is a new line, and in the middle of a word the input method's.
export function onEnter(field, act) {
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return
    event.preventDefault()
    act()
  })
}

// 'Zoom {percent} %', { percent: 50 } -> 'Zoom 50 %'
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''))
}

// Sets a picture as a background: for small repeats of one that stands in the page as an image.
export function pictured(node, url) {
  node.style.backgroundImage = `url(${JSON.stringify(url)})`
  return node
}

export function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value))
}

// xyxy in normalised 0-1000 coordinates -> x, y, width, height in pixels of an image of that size
export function pixels(box_1000, [width, height]) {
  const [x1, y1, x2, y2] = box_1000.map(Number)
  return {
    x: (x1 * width) / 1000, y: (y1 * height) / 1000,
    width: ((x2 - x1) * width) / 1000, height: ((y2 - y1) * height) / 1000,
  }
}
