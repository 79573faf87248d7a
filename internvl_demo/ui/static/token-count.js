// What the images in the composer will cost: one line each, with a drawing of its grid; or what is wrong.
const box = element.querySelector('.widget')

function grid([columns, rows]) {
  const drawing = document.createElement('span')
  drawing.className = 'grid'
  drawing.style.gridTemplateColumns = `repeat(${columns}, 1fr)`
  drawing.style.aspectRatio = `${columns} / ${rows}`
  for (let tile = 0; tile < columns * rows; tile++) drawing.append(document.createElement('i'))
  return drawing
}

function line({ caption, name, text, grid: shape }) {
  const row = document.createElement('div')
  row.className = 'line'
  const title = document.createElement('b')
  title.textContent = caption
  title.title = name
  const cost = document.createElement('span')
  cost.textContent = text
  row.append(grid(shape), title, cost)
  return row
}

function draw() {
  const { lines = [], total = '', problem } = props.value ?? {}
  box.replaceChildren(...lines.map(line))
  if (problem) {
    const warning = document.createElement('div')
    warning.className = 'problem'
    warning.setAttribute('role', 'alert')
    warning.textContent = `${problem.what} ${problem.next_step}`
    box.append(warning)
  }
  if (!total) return
  const sum = document.createElement('div')
  sum.className = 'total'
  sum.textContent = total
  box.append(sum)
}

box.setAttribute('aria-live', 'polite')
watch('value', draw)
draw()
