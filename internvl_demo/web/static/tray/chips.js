// The chips: one for each picture that waits. A chip's nodes stay while its picture does, so that a new value
// takes neither the focus nor an open choice; what it says comes from the value.
Object.assign(ICONS, {
  earlier: 'M10 3L5 8l5 5',
  later: 'M6 3l5 5-5 5',
  remove: 'M4 4l8 8M12 4l-8 8',
})
const LEAST_TILES = 1
const MOST_TILES = 40
const CUSTOM_TILES = 6 // where a choice of one's own begins
const MODES = [['mode_low', 1], ['mode_standard', 12], ['mode_high', 40]]

// [2, 3] -> a drawing of 2 x 3 tiles
function drawnGrid([columns, rows]) {
  const drawing = make('span', { class: `grid ${rows > columns ? 'tall' : rows * columns === 1 ? 'one' : ''}`, 'aria-hidden': 'true' })
  drawing.style.gridTemplateColumns = `repeat(${columns}, 1fr)`
  drawing.style.aspectRatio = `${columns} / ${rows}`
  for (let tile = 0; tile < columns * rows; tile++) drawing.append(make('i'))
  return drawing
}

function makeChip(words, act) {
  let chip = null // its part of the value
  let at = 0
  let last = 0
  let custom = false // a number of its own, though it may be one that has a name
  const tell = (deed) => act({ id: chip.id, at, ...deed })
  const move = (by) => () => { if (at + by >= 0 && at + by <= last) tell({ do: 'move', to: at + by }) }

  const drawing = make('span', { class: 'drawing' })
  const thumb = make('span', { class: 'thumb', title: words.drag }, drawing)
  const caption = make('b')
  const name = make('span', { class: 'name' })
  const remove = button({ class: 'bare remove' }, () => tell({ do: 'remove' }), icon('remove'))
  const cost = make('div', { class: 'cost' })
  const mode = make('select')
  const tiles = make('input', { type: 'number', min: LEAST_TILES, max: MOST_TILES, step: 1, hidden: true })
  const earlier = button({ class: 'bare earlier' }, move(-1), icon('earlier'))
  const later = button({ class: 'bare later' }, move(1), icon('later'))
  const node = make('li', { class: 'line' }, thumb,
    make('div', { class: 'about' },
      make('div', { class: 'head' }, caption, name, remove),
      cost,
      make('div', { class: 'acts' }, mode, tiles, make('span', { class: 'moves' }, earlier, later))))

  const options = [['', ''], ...MODES.map(([key, most]) => [words[key], String(most)]), [words.mode_custom, 'custom']]
  mode.append(...options.map(([text, value]) => make('option', { value }, text)))

  mode.addEventListener('change', () => {
    custom = mode.value === 'custom'
    tell({ do: 'mode', max_tiles: custom ? chip.max_tiles ?? CUSTOM_TILES : mode.value ? Number(mode.value) : null })
    show()
    if (custom) tiles.focus()
  })
  tiles.addEventListener('change', () => {
    const number = Math.round(Number(tiles.value))
    if (Number.isFinite(number) && tiles.value) tell({ do: 'mode', max_tiles: clamp(number, LEAST_TILES, MOST_TILES) })
    else show()
  })

  function show() {
    const named = MODES.some(([, most]) => most === chip.max_tiles)
    const own = chip.max_tiles !== null && (custom || !named)
    mode.value = own ? 'custom' : String(chip.max_tiles ?? '')
    tiles.hidden = !own
    if (own) tiles.value = chip.max_tiles
    mode.classList.toggle('own', chip.max_tiles !== null)
  }

  function update(fresh, place, count, most) {
    const before = chip
    ;[chip, at, last] = [fresh, place, count - 1]
    const image = chip.caption
    if (before?.url !== chip.url) pictured(thumb, chip.url)
    caption.textContent = image
    name.textContent = name.title = chip.name
    cost.textContent = chip.text
    if (String(before?.grid) !== String(chip.grid)) drawing.replaceChildren(drawnGrid(chip.grid))
    mode.options[0].textContent = fill(words.default, { count: most })
    for (const [control, key] of [[mode, 'mode'], [tiles, 'tiles'], [remove, 'remove'], [earlier, 'earlier'], [later, 'later']]) {
      control.setAttribute('aria-label', fill(words[key], { image }))
    }
    // Not `disabled`: a button at the end of its way keeps the focus.
    earlier.setAttribute('aria-disabled', String(at === 0))
    later.setAttribute('aria-disabled', String(at === last))
    earlier.parentNode.hidden = last === 0
    show()
  }

  return { node, thumb, remove, update, deed: () => ({ id: chip.id, at }) }
}

// Another order by mouse or finger, from the thumbnail; on a phone the rest of a chip still scrolls the page.
function makeDrag(list, act, signal) {
  const START_PX = 6
  let drag = null // { node, pointer, x, y, begun, to }
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
    drag.node.style.transform = ''
    drag = null
    mark()
    if (kept && begun && to !== nodes().indexOf(node)) act(node, to)
  }

  list.addEventListener('pointerdown', (event) => {
    const thumb = event.target.closest('.thumb')
    if (!thumb || event.button || drag) return
    const node = thumb.closest('.line')
    drag = { node, pointer: event.pointerId, x: event.clientX, y: event.clientY, begun: false, to: nodes().indexOf(node), area: node.getBoundingClientRect() }
    thumb.setPointerCapture(event.pointerId)
    event.preventDefault()
  })
  list.addEventListener('pointermove', (event) => {
    if (event.pointerId !== drag?.pointer) return
    const [right, down] = [event.clientX - drag.x, event.clientY - drag.y]
    drag.begun ||= Math.hypot(right, down) >= START_PX
    if (!drag.begun) return
    drag.node.style.transform = `translate(${right}px, ${down}px)`
    drag.to = nearest(event.clientX, event.clientY)
    mark()
  })
  list.addEventListener('pointerup', (event) => { if (event.pointerId === drag?.pointer) end(true) })
  list.addEventListener('pointercancel', () => end(false))
  window.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !drag) return
    end(false)
    event.stopPropagation()
  }, { capture: true, signal })

  return { end }
}
