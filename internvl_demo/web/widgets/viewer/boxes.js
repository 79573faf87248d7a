// The boxes of the answer that is shown, over their images as vectors, with their labels; small on the thumbnails;
// and the same as chips by label, which hide and show them, and as a list in words.
import { button, make, pixels, vector } from '../lib/dom.js'
import { words } from '../lib/words.js'

const CROWD = 12 // more labels than this on one image hide it: they are shown one at a time

const alike = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other)

// `hidden` outlasts the boxes: the labels that the person does not want to see.
export function makeBoxes({ hidden, caption, onToggle }) {
  const legend = make('div', { class: 'legend', role: 'group', 'aria-label': words('viewer_labels') })
  const count = make('summary')
  const items = make('ol')
  const list = make('details', { class: 'box-list' }, count, items)
  let boxes = []
  const listed = [] // the boxes as the list tells them

  function inWords(box) {
    const [left, top, right, bottom] = box.box_1000.map((value) => Math.round(value / 10))
    const label = box.label || words('viewer_no_label')
    const place = words('viewer_box', { label, image: caption(box.image), left, top, right, bottom })
    return box.certain ? place : `${place} (${words('receipt_guess')})`
  }

  // Draw one box for one sheet. The pale edge under the line shows it on a background of its own colour.
  function shape(box, index, size) {
    const place = pixels(box.box_1000, size)
    const line = vector('rect', {
      ...place, class: 'ground-box', stroke: box.colour, fill: box.colour, tabindex: '-1', role: 'button',
      'aria-label': inWords(box), 'data-label': box.label, 'data-image': box.image,
      'data-box': box.box_1000.join(','), 'data-index': index, 'data-line': box.line,
    })
    const node = vector('g', { 'data-index': index }, vector('rect', { ...place, class: 'edge' }), line)
    const small = vector('rect', { ...place, stroke: box.colour })
    return { node, line, small, area: place.width * place.height }
  }

  function tag(box, index) {
    const [x1, y1, x2, y2] = box.box_1000
    const node = make('span', { class: 'ground-label', 'data-index': index, 'aria-hidden': 'true' }, box.certain ? box.label : `${box.label} ?`)
    node.style.borderLeftColor = box.colour
    if (x1 <= 600) node.style.left = `${x1 / 10}%`
    else node.style.right = `${(1000 - x2) / 10}%`
    if (y1 >= 60) node.style.bottom = `${(1000 - y1) / 10}%`
    else if (y2 <= 940) node.style.top = `${y2 / 10}%`
    else node.style.top = `${y1 / 10}%`
    return node
  }

  // Nodes that are already there stay: a box neither appears twice nor loses the focus while others come.
  function place(sheet) {
    for (const [index, drawn] of sheet.boxes) {
      if (boxes[index]?.image === sheet.number && alike(boxes[index], drawn.box)) continue
      for (const node of [drawn.node, drawn.small, drawn.tag]) node?.remove()
      sheet.boxes.delete(index)
    }
    boxes.forEach((box, index) => {
      if (box.image !== sheet.number || sheet.boxes.has(index)) return
      const drawn = { box, ...shape(box, index, sheet.size), tag: box.label ? tag(box, index) : null }
      const above = [...sheet.layer.children].find((child) => sheet.boxes.get(Number(child.dataset.index)).area < drawn.area)
      sheet.layer.insertBefore(drawn.node, above ?? null) // a small box lies over a large one
      if (drawn.tag) sheet.labels.append(drawn.tag)
      sheet.small.append(drawn.small)
      sheet.boxes.set(index, drawn)
    })
    let visible = 0
    for (const drawn of sheet.boxes.values()) {
      const off = hidden.has(drawn.box.label)
      if (!off) visible++
      for (const node of [drawn.node, drawn.small, drawn.tag]) node?.classList.toggle('off', off)
    }
    sheet.labels.classList.toggle('crowded', visible > CROWD)
    rove(sheet)
  }

  // Let Tab reach one of the boxes; the arrow keys go from it to the others.
  function rove(sheet) {
    const lines = [...sheet.boxes.values()].filter((drawn) => !drawn.node.classList.contains('off')).map((drawn) => drawn.line)
    const entry = lines.find((line) => line === document.activeElement) ?? lines[0]
    for (const { line } of sheet.boxes.values()) {
      const wanted = line === entry ? '0' : '-1'
      if (line.getAttribute('tabindex') !== wanted) line.setAttribute('tabindex', wanted)
    }
    return lines
  }

  function go(sheet, line, by) {
    const lines = rove(sheet)
    lines[(lines.indexOf(line) + by + lines.length) % lines.length]?.focus()
    rove(sheet)
  }

  function drawChips() {
    const counts = new Map()
    for (const box of boxes) counts.set(box.label, (counts.get(box.label) ?? 0) + 1)
    const wanted = [...counts].map(([label, number]) => {
      const { colour, line } = boxes.find((box) => box.label === label)
      return { label, number, colour, line }
    })
    if (legend.dataset.drawn === JSON.stringify(wanted)) return
    legend.dataset.drawn = JSON.stringify(wanted)
    const focused = document.activeElement?.closest?.('.chip')?.dataset.label
    legend.replaceChildren(...wanted.map(chip))
    if (focused !== undefined) [...legend.children].find((one) => one.dataset.label === focused)?.focus()
  }

  function chip({ label, number, colour, line }) {
    const dot = make('i', { class: 'dot' })
    dot.style.borderColor = colour
    dot.style.borderStyle = line
    const name = label || words('viewer_no_label')
    const node = button({ class: 'chip', 'data-label': label, 'aria-pressed': String(!hidden.has(label)) }, () => {
      if (!hidden.delete(label)) hidden.add(label)
      node.setAttribute('aria-pressed', String(!hidden.has(label)))
      onToggle()
    }, dot, make('span', {}, number > 1 ? `${name} × ${number}` : name))
    return node
  }

  function drawList() {
    boxes.forEach((box, index) => {
      if (listed[index] && alike(listed[index], box)) return
      listed[index] = box
      const text = inWords(box)
      const again = make('input', { type: 'button', class: 'again', 'data-index': index, value: words('viewer_region_again') })
      again.setAttribute('aria-label', words('viewer_region_again_of', { label: text }))
      const row = make('li', {}, make('button', { type: 'button', 'data-index': index }, text), again)
      row.style.setProperty('--colour', box.colour)
      if (items.children[index]) items.children[index].replaceWith(row)
      else items.append(row)
    })
    while (items.children.length > boxes.length) items.lastElementChild.remove()
    listed.length = boxes.length
    count.textContent = words(boxes.length === 1 ? 'viewer_box_as_text' : 'viewer_boxes_as_text', { count: boxes.length })
  }

  function update(fresh, sheets) {
    boxes = fresh
    for (const sheet of sheets) place(sheet)
    drawChips()
    drawList()
    legend.hidden = list.hidden = !boxes.length
  }

  function light(sheets, lit) {
    const isLit = (node) => lit.has(Number(node.dataset.index))
    for (const sheet of sheets) {
      for (const { node, tag: label } of sheet.boxes.values()) {
        node.classList.toggle('lit', isLit(node))
        label?.classList.toggle('lit', isLit(node))
      }
    }
    for (const row of items.querySelectorAll('button')) row.classList.toggle('lit', isLit(row))
  }

  return { legend, list, update, light, go, inWords }
}
