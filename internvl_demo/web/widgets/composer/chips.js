// The chips: one small picture for each that waits, with its number. A press shows it large in the viewer, and opens what
// there is to know and to choose of it. A chip's nodes stay while its picture does, so that a change takes neither the
// focus nor an open choice.
import { button, clamp, icon, make, pictured, set } from '../lib/dom.js'
import { CUSTOM_TILES, MODES, MOST_TILES, mostTiles } from '../lib/draft.js'
import { page, turnTo } from '../lib/page.js'
import { makePopup } from '../lib/popup.js'
import { language, sentences, words } from '../lib/words.js'

const START_PX = 6 // how far a press moves before it drags

// [2, 3] -> a drawing of 2 x 3 tiles
function drawnGrid([columns, rows]) {
  const drawing = make('span', { class: `grid ${rows > columns ? 'tall' : rows * columns === 1 ? 'one' : ''}`, 'aria-hidden': 'true' })
  drawing.style.gridTemplateColumns = `repeat(${columns}, 1fr)`
  drawing.style.aspectRatio = `${columns} / ${rows}`
  for (let tile = 0; tile < columns * rows; tile++) drawing.append(make('i'))
  return drawing
}

// What the server said of how it read the picture: nothing is wrong.
export function noteText({ note }) {
  const { what, next_step } = note?.also?.[language()] ?? note ?? {}
  return what ? sentences(what, next_step) : ''
}

// act(action): an action for `applyAction` of lib/draft.js.
export function makeChip(act) {
  let chip = null // { photo, max_tiles, number, caption, cost, grid }; without a grid its server decides how it is cut
  let at = 0
  let last = 0
  let custom = false // a number of its own, though it may be one that has a name
  const tell = (action) => act({ id: chip.photo.id, at, ...action })
  const move = (by) => () => { if (at + by >= 0 && at + by <= last) tell({ do: 'move', to: at + by }) }

  const count = make('b')
  const thumb = button({ class: 'thumb' }, () => turnTo(chip.number), count)
  const remove = button({ class: 'remove' }, () => tell({ do: 'remove' }), icon('remove'))
  const drawing = make('span', { class: 'drawing' })
  const caption = make('b')
  const name = make('span', { class: 'name' })
  const cost = make('div', { class: 'cost' })
  const note = make('div', { class: 'note' })
  const mode = make('select')
  const tiles = make('input', { type: 'number', min: 1, max: MOST_TILES, step: 1, hidden: true })
  const earlier = button({ class: 'bare earlier' }, move(-1), icon('earlier'))
  const later = button({ class: 'bare later' }, move(1), icon('later'))
  const popup = makePopup(thumb, make('div', { class: 'about', role: 'group' },
    make('div', { class: 'head' }, caption, name, drawing), cost, note,
    make('div', { class: 'acts' }, mode, tiles, make('span', { class: 'moves' }, earlier, later))))
  const node = make('li', { class: 'line' }, thumb, remove, popup.panel)

  const options = [['', ''], ...MODES.map((name) => [words(`mode_${name}`), String(mostTiles(name))]), [words('mode_custom'), 'custom']]
  mode.append(...options.map(([text, value]) => make('option', { value }, text)))

  mode.addEventListener('change', () => {
    custom = mode.value === 'custom'
    tell({ do: 'mode', max_tiles: custom ? chip.max_tiles ?? CUSTOM_TILES : mode.value ? Number(mode.value) : null })
    show()
    if (custom) tiles.focus()
  })
  tiles.addEventListener('change', () => {
    const number = Math.round(Number(tiles.value))
    if (Number.isFinite(number) && tiles.value) tell({ do: 'mode', max_tiles: clamp(number, 1, Number(tiles.max)) })
    else show()
  })

  function show() {
    const most = page.model?.most_tiles ?? MOST_TILES
    for (const option of mode.options) option.disabled = (option.value === 'custom' ? 2 : Number(option.value)) > most
    set(tiles, { max: most })
    const named = MODES.some((name) => mostTiles(name) === chip.max_tiles)
    const own = chip.max_tiles !== null && (custom || !named)
    mode.value = own ? 'custom' : String(chip.max_tiles ?? '')
    tiles.hidden = !own
    if (own) tiles.value = chip.max_tiles
    for (const one of [mode, node]) one.classList.toggle('own', chip.max_tiles !== null)
  }

  // pageMode: of the chips without their own
  function update(fresh, place, count_, pageMode) {
    const before = chip
    ;[chip, at, last] = [fresh, place, count_ - 1]
    const image = chip.caption
    if (before?.photo.url !== chip.photo.url) pictured(thumb, chip.photo.url)
    caption.textContent = image
    count.textContent = chip.number
    name.textContent = name.title = thumb.title = chip.photo.name
    cost.textContent = chip.cost
    note.textContent = noteText(chip.photo)
    if (String(before?.grid) !== String(chip.grid)) drawing.replaceChildren(...(chip.grid ? [drawnGrid(chip.grid)] : []))
    mode.disabled = tiles.disabled = !chip.grid
    mode.options[0].textContent = words('tray_default', { count: mostTiles(pageMode) })
    for (const [control, key] of [[mode, 'mode'], [tiles, 'tiles'], [remove, 'remove'], [earlier, 'earlier'], [later, 'later'], [thumb, 'chip']]) {
      control.setAttribute('aria-label', words(`tray_${key}`, { image, name: chip.photo.name }))
    }
    set(popup.panel, { 'aria-label': image })
    // Not `disabled`: a button at the end of its way keeps the focus.
    earlier.setAttribute('aria-disabled', String(at === 0))
    later.setAttribute('aria-disabled', String(at === last))
    earlier.parentNode.hidden = last === 0
    show()
  }

  return { node, popup, remove, update, named: () => ({ id: chip.photo.id, at }) }
}

// Another order by mouse or finger, from the thumbnail; on a phone the rest of a chip still scrolls the page.
export function makeDrag(list, act, signal) {
  let drag = null // { node, pointer, x, y, begun, to, area }
  let dragged = false // the press that ended was a drag: its click opens nothing
  const nodes = () => [...list.children]

  function nearest(x, y) {
    const apart = (node) => {
      const area = node === drag.node ? drag.area : node.getBoundingClientRect()
      return Math.hypot(x - area.left - area.width / 2, y - area.top - area.height / 2)
    }
    const distances = nodes().map(apart)
    return distances.indexOf(Math.min(...distances))
  }

  function mark() {
    const at = nodes().indexOf(drag?.node)
    nodes().forEach((node, index) => {
      node.classList.toggle('dragged', Boolean(drag?.begun) && index === at)
      node.classList.toggle('gap-before', Boolean(drag?.begun) && index === drag.to && index < at)
      node.classList.toggle('gap-after', Boolean(drag?.begun) && index === drag.to && index > at)
    })
  }

  function end(kept) {
    if (!drag) return
    const { node, begun, to } = drag
    node.style.transform = ''
    drag = null
    dragged = begun
    mark()
    if (kept && begun && to !== nodes().indexOf(node)) act(node, to)
  }

  list.addEventListener('pointerdown', (event) => {
    const thumb = event.target.closest('.thumb')
    if (!thumb || event.button || drag) return
    const node = thumb.closest('.line')
    dragged = false
    drag = { node, pointer: event.pointerId, x: event.clientX, y: event.clientY, begun: false, to: nodes().indexOf(node), area: node.getBoundingClientRect() }
  })
  list.addEventListener('pointermove', (event) => {
    if (event.pointerId !== drag?.pointer) return
    const [right, down] = [event.clientX - drag.x, event.clientY - drag.y]
    if (!drag.begun && Math.hypot(right, down) < START_PX) return
    if (!drag.begun) event.target.closest('.thumb')?.setPointerCapture(event.pointerId)
    drag.begun = true
    drag.node.style.transform = `translate(${right}px, ${down}px)`
    drag.to = nearest(event.clientX, event.clientY)
    mark()
  })
  list.addEventListener('pointerup', (event) => { if (event.pointerId === drag?.pointer) end(true) })
  list.addEventListener('pointercancel', () => end(false))
  list.addEventListener('click', (event) => {
    if (dragged) event.stopPropagation()
    dragged = false
  }, true)
  window.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !drag) return
    end(false)
    event.stopPropagation()
    event.preventDefault()
  }, { capture: true, signal })

  return { end }
}
