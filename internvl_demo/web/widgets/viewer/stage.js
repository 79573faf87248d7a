// The large image: zoom and pan by wheel, pinch, drag and keys. For each image the stage keeps the scale (1: the
// whole image just fits) and the point in the middle, in fractions of the image; so neither a new box nor another
// size of the window moves it. `tool` gets the drags while a region is being selected.
import { clamp, make } from '../lib/dom.js'

// `views` outlasts the stage: image number -> { scale, x, y }.
export function makeStage({ tool, views, onTouch, onZoom }) {
  const node = make('div', { class: 'stage', tabindex: '0', role: 'group' })
  const pointers = new Map()
  let shown = null // { number, size, sheet }
  let moved = false
  let drawing = false

  const view = () => views.get(shown.number) ?? { scale: 1, x: 0.5, y: 0.5 }
  const space = () => [node.clientWidth, node.clientHeight]
  const fittingScale = () => Math.min(space()[0] / shown.size[0], space()[1] / shown.size[1])
  const fitted = () => shown.size.map((side) => side * fittingScale())
  const largestScale = () => clamp(4 / fittingScale(), 8, 64)

  function setView(scale, x, y) {
    const [wide, high] = fitted().map((side) => side * scale)
    views.set(shown.number, { scale, x: within(x, wide, space()[0]), y: within(y, high, space()[1]) })
    render()
  }

  function within(middle, length, available) {
    const half = available / 2 / length
    return half >= 0.5 ? 0.5 : clamp(middle, half, 1 - half)
  }

  function render() {
    if (!shown || !node.clientWidth) return
    const { scale, x, y } = view()
    const [wide, high] = fitted().map((side) => side * scale)
    const left = space()[0] / 2 - within(x, wide, space()[0]) * wide
    const top = space()[1] / 2 - within(y, high, space()[1]) * high
    Object.assign(shown.sheet.style, { left: `${left}px`, top: `${top}px`, width: `${wide}px`, height: `${high}px` })
    node.dataset.zoom = Math.round(scale * 100)
    node.classList.toggle('close', scale > 1)
    onZoom(Math.round(scale * 100))
  }

  // Convert a point of the window into fractions of the image, also outside the image.
  function fraction({ clientX, clientY }) {
    const area = shown.sheet.getBoundingClientRect()
    return [(clientX - area.left) / area.width, (clientY - area.top) / area.height]
  }

  function zoom(factor, point) {
    const [x, y] = point ? fraction(point) : [view().x, view().y]
    const scale = clamp(view().scale * factor, 1, largestScale())
    const kept = view().scale / scale // how far the middle comes towards the point
    setView(scale, x + (view().x - x) * kept, y + (view().y - y) * kept)
  }

  function pan(right, down) {
    const [wide, high] = fitted().map((side) => side * view().scale)
    setView(view().scale, view().x - right / wide, view().y - down / high)
  }

  function zoomTo([x1, y1, x2, y2]) {
    glide(true)
    const [wide, high] = fitted()
    const scale = Math.min((0.6 * space()[0]) / ((x2 - x1) * wide), (0.6 * space()[1]) / ((y2 - y1) * high)) * 1000
    setView(clamp(scale, 1, largestScale()), (x1 + x2) / 2000, (y1 + y2) / 2000)
  }

  function step(factor) {
    glide(true)
    onTouch()
    zoom(factor)
  }

  function fit() {
    glide(true)
    onTouch()
    setView(1, 0.5, 0.5)
  }

  const glide = (on) => node.classList.toggle('gliding', on)

  function pinch(id, event) {
    const other = [...pointers].find(([key]) => key !== id)[1]
    const before = pointers.get(id)
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY)
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 }
    pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2)
    zoom(apart(event) / Math.max(1, apart(before)), middle)
  }

  node.addEventListener('pointerdown', (event) => {
    if (event.isPrimary) pointers.clear() // one of them may have ended without an event
    if (event.button || pointers.size > 1) return
    if (!pointers.size) moved = false
    pointers.set(event.pointerId, event)
    if (pointers.size > 1 && drawing) tool.cancel()
    drawing = pointers.size === 1 && tool.begin(event.target, fraction(event), shown.number)
  })

  node.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId)
    if (!before) return
    const [right, down] = [event.clientX - before.clientX, event.clientY - before.clientY]
    if (!moved && Math.hypot(right, down) < 4) return
    if (!moved) {
      moved = true
      onTouch()
      glide(false)
      node.classList.add('dragging')
    }
    node.setPointerCapture(event.pointerId)
    if (pointers.size > 1) pinch(event.pointerId, event)
    else if (drawing) tool.move(fraction(event))
    else pan(right, down)
    pointers.set(event.pointerId, event)
  })

  function up(event) {
    if (!pointers.delete(event.pointerId)) return
    if (drawing) tool.end(event.type === 'pointerup')
    drawing = false
    node.classList.toggle('dragging', pointers.size > 0 && moved)
  }
  node.addEventListener('pointerup', up)
  node.addEventListener('pointercancel', up)

  node.addEventListener('click', (event) => {
    if (moved && event.detail) event.stopPropagation() // the end of a drag is no click on a box
  }, true)

  node.addEventListener('wheel', (event) => {
    if (!event.deltaY) return
    const factor = Math.exp(-clamp(event.deltaY * (event.deltaMode ? 16 : 1), -240, 240) / (event.ctrlKey ? 100 : 400))
    if (factor < 1 && view().scale === 1 && !event.ctrlKey) return // nothing to zoom out of: the page may scroll
    event.preventDefault()
    glide(false)
    onTouch()
    zoom(factor, event)
  }, { passive: false })

  node.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const acts = { '+': () => step(1.5), '=': () => step(1.5), '-': () => step(1 / 1.5), _: () => step(1 / 1.5), 0: fit }
    const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }
    const arrow = event.target === node && view().scale > 1 && arrows[event.key]
    if (arrow) {
      glide(true)
      onTouch()
      pan(arrow[0] * space()[0] * 0.15, arrow[1] * space()[1] * 0.15)
    } else if (acts[event.key]) acts[event.key]()
    else return
    event.preventDefault()
  })

  const resized = new ResizeObserver(() => { glide(false); render() })
  resized.observe(node)

  function show(number, size, sheet) {
    if (shown?.sheet === sheet) return
    glide(false)
    shown = { number, size, sheet }
    render()
  }

  return { node, show, zoomTo, step, fit, close: () => resized.disconnect() }
}
