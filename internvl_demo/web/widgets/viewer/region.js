// A rectangle on an image, by mouse, touch or keys, in normalised 0-1000 coordinates like the model's boxes, and the
// way it is sent: as text, or as a picture that the server makes. Whoever wants to do something with it listens for
// the page's event `region`: { image, box_1000 }, or null.
import { button, clamp, icon, make } from '../lib/dom.js'
import { words } from '../lib/words.js'

const LEAST = 5 // of 1000: smaller is a click, not a region
const STEP = 10
const MIDDLE = [300, 300, 700, 700]
const WAYS = ['coordinates', 'mark', 'crop']

export function makeRegion({ onChange, onPlace, onPicture, onZoom, caption }) {
  const corners = ['nw', 'ne', 'sw', 'se'].map((name) => make('i', { class: `grip ${name}`, 'data-grip': name }))
  const node = make('div', { class: 'region', tabindex: '0', role: 'group' }, ...corners)
  const help = make('p', {}, words('viewer_region_help'))
  const announced = make('output')
  const hint = make('p', { class: 'hint', id: 'region-hint' })
  const ways = make('fieldset', { class: 'ways', 'aria-describedby': hint.id }, make('legend', { class: 'unseen' }, words('viewer_region_way')), ...WAYS.map(choice))
  const main = button({ class: 'act main' }, () => send(), words('viewer_region_ask'))
  const acts = make('div', { class: 'acts' },
    main,
    button({ class: 'act' }, () => onZoom(current), words('viewer_zoom_here')),
    button({ class: 'act' }, () => leave(), words('viewer_remove')))
  const panel = make('div', { class: 'region-panel panel', hidden: true },
    make('div', { class: 'one-of-two' }, help, announced), make('div', { class: 'how' }, ways, hint), acts)
  const toggle = button({ class: 'tool select', 'aria-pressed': 'false' }, (event) => {
    turn(panel.hidden)
    if (!panel.hidden && !event.detail) put({ image: shown.number, box_1000: MIDDLE }, true) // by keyboard
  }, icon('region'), make('span', {}, words('viewer_select')))
  let shown = null // the sheet
  let current = null // { image, box_1000 }
  let drag = null // { anchor | offset, before }
  let way = WAYS[0]

  const clampAll = (box) => box.map((value) => clamp(Math.round(value), 0, 1000))

  function put(region, focus) {
    current = region
    draw()
    onChange(current)
    if (focus) node.focus({ preventScroll: true })
  }

  function draw() {
    const mine = current && shown && current.image === shown.number
    if (mine && node.parentNode !== shown.node) shown.node.append(node)
    if (!mine) node.remove()
    announced.classList.toggle('unseen-yet', !current)
    help.classList.toggle('unseen-yet', Boolean(current))
    for (const act of acts.children) act.disabled = !current
    hint.textContent = words(`viewer_region_${way}_hint`)
    if (!current) return
    const [x1, y1, x2, y2] = current.box_1000
    Object.assign(node.style, { left: `${x1 / 10}%`, top: `${y1 / 10}%`, width: `${(x2 - x1) / 10}%`, height: `${(y2 - y1) / 10}%` })
    announced.textContent = words('viewer_region', { image: caption(current.image), box: current.box_1000.join(', ') })
    node.setAttribute('aria-label', words('viewer_region_keys', { region: announced.textContent }))
  }

  function turn(on) {
    panel.hidden = !on
    toggle.setAttribute('aria-pressed', String(on))
    put(null)
  }

  function leave() {
    put(null)
    toggle.focus()
  }

  function choice(name, index) {
    const input = make('input', { type: 'radio', name: 'region-way', value: name, checked: !index })
    input.addEventListener('change', () => { way = name; draw() })
    return make('label', {}, input, make('span', {}, words(`viewer_region_${name}`)))
  }

  function send() {
    if (way === 'coordinates') onPlace(current)
    else onPicture({ way, ...current })
  }

  // Nothing is selected any more, nor is anything going to be.
  function clear() {
    if (!panel.hidden) turn(false)
  }

  // Handle the stage's drags.
  const tool = {
    begin(target, [x, y], number) {
      if (panel.hidden) return false
      const point = [x * 1000, y * 1000]
      const [x1, y1, x2, y2] = current?.box_1000 ?? []
      const grip = target.dataset?.grip
      if (grip) drag = { anchor: [grip.includes('w') ? x2 : x1, grip.includes('n') ? y2 : y1] }
      else if (target === node) drag = { offset: [point[0] - x1, point[1] - y1] }
      else drag = { anchor: clampAll(point) }
      drag = { ...drag, number, before: current }
      return true
    },
    move([x, y]) {
      const point = [x * 1000, y * 1000]
      if (drag.anchor) put({ image: drag.number, box_1000: spanned(drag.anchor, clampAll(point)) })
      else shift(point[0] - drag.offset[0] - current.box_1000[0], point[1] - drag.offset[1] - current.box_1000[1])
    },
    end(kept) {
      const small = current && (current.box_1000[2] - current.box_1000[0] < LEAST || current.box_1000[3] - current.box_1000[1] < LEAST)
      if (!kept || small) put(drag.before)
      drag = null
      if (kept && current) node.focus({ preventScroll: true })
    },
    cancel() {
      put(drag.before)
      drag = null
    },
  }

  function spanned([ax, ay], [bx, by]) {
    return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)]
  }

  function shift(right, down) {
    const [x1, y1, x2, y2] = current.box_1000
    const [dx, dy] = [clamp(Math.round(right), -x1, 1000 - x2), clamp(Math.round(down), -y1, 1000 - y2)]
    put({ ...current, box_1000: [x1 + dx, y1 + dy, x2 + dx, y2 + dy] })
  }

  function stretch(right, down) {
    const [x1, y1, x2, y2] = current.box_1000
    put({ ...current, box_1000: [x1, y1, clamp(x2 + right, x1 + STEP, 1000), clamp(y2 + down, y1 + STEP, 1000)] })
  }

  node.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const arrows = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }
    const arrow = arrows[event.key]
    if (arrow && event.shiftKey) stretch(...arrow)
    else if (arrow) shift(...arrow)
    else if (event.key === 'Enter') send()
    else if (event.key === 'Escape' || event.key === 'Delete') leave()
    else return
    event.preventDefault()
    event.stopPropagation()
  })

  function show(sheet) {
    shown = sheet
    if (!drag) draw()
  }

  return { toggle, panel, tool, show, clear, take: (region) => put(region, true), isOn: () => !panel.hidden }
}
