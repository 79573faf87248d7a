// The tile X-ray: how the image is cut before the model sees it, drawn over it tile by tile, and the
// thumbnail, squeezed into a square just as the model gets it. Plans come with the data; nothing is computed here.
function makeXray(words, { onChange }) {
  const choice = make('select', { 'aria-label': words.cut })
  const facts = make('p')
  const small = make('span', { class: 'squeezed' })
  const thumbnail = make('figure', { class: 'model-thumbnail' }, small, make('figcaption', {}, words.model_thumbnail))
  const panel = make('div', { class: 'xray-panel panel', hidden: true }, thumbnail, make('div', {}, choice, facts))
  const toggle = button({ class: 'tool xray', 'aria-pressed': 'false' }, () => {
    panel.hidden = !panel.hidden
    toggle.setAttribute('aria-pressed', String(!panel.hidden))
    onChange()
  }, icon('tiles'), make('span', {}, words.tiles))
  const chosen = new Map() // image number -> index of the plan looked at; unless chosen, the one it was sent with
  let shown = null

  choice.addEventListener('change', () => {
    chosen.set(shown.number, choice.selectedIndex)
    onChange()
  })

  function options(plans) {
    const names = plans.map((plan) => (plan.sent ? fill(words.as_sent, { mode: plan.name }) : plan.name))
    if (choice.dataset.names === names.join()) return
    choice.dataset.names = names.join()
    choice.replaceChildren(...names.map((name) => make('option', {}, name)))
  }

  function tiles([columns, rows], [width, height]) {
    const [wide, high] = [width / columns, height / rows]
    const size = Math.min(Math.min(wide, high) * 0.3, Math.max(width, height) * 0.035)
    return Array.from({ length: columns * rows }, (_, index) => {
      const [x, y] = [(index % columns) * wide, Math.floor(index / columns) * high]
      const number = vector('text', { x: x + wide / 2, y: y + high / 2, 'font-size': size })
      number.textContent = columns * rows > 1 ? index + 1 : ''
      const place = { x, y, width: wide, height: high }
      return vector('g', {}, vector('rect', { ...place, class: 'tile-edge' }), vector('rect', { ...place, class: 'xray-tile', 'data-tile': index + 1 }), number)
    })
  }

  function update(sheet, image) {
    shown = sheet
    const sent = image.plans.findIndex((plan) => plan.sent)
    const index = chosen.get(sheet.number) ?? sent
    const plan = image.plans[index]
    options(image.plans)
    choice.selectedIndex = index
    facts.textContent = plan.text
    pictured(small, image.url)
    thumbnail.hidden = !plan.thumbnail
    const drawn = panel.hidden ? '' : plan.grid.join(' × ')
    if (sheet.grid.getAttribute('data-grid') === drawn) return
    sheet.grid.setAttribute('data-grid', drawn)
    sheet.grid.replaceChildren(...(panel.hidden ? [] : tiles(plan.grid, sheet.size)))
  }

  return { toggle, panel, update }
}
