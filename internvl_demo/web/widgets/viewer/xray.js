// The tile X-ray: how the image is divided before the model sees it, drawn over it tile by tile, and the thumbnail,
// squeezed into a square just as the model gets it. The grids come from the server; only their costs are added here.
import { cutText, mostRead, serverDecides } from '../lib/cut.js'
import { tilesText, tokensText } from '../lib/tiles.js'
import { button, icon, make, pictured, vector } from '../lib/dom.js'
import { MODES, mostTiles, tilesOf } from '../lib/draft.js'
import { page } from '../lib/page.js'
import { words } from '../lib/words.js'

const TILE_PX = 448

// Return the ways in which an image is and could be divided: the named modes, and the one it was sent with.
function plansOf(image) {
  const sent = mostRead(image.mode)
  const most = [...new Set([...MODES, sent].map(mostTiles))].sort((a, b) => a - b)
  return most.map((count) => {
    const name = MODES.find((mode) => mostTiles(mode) === count)
    return { ...planOf(image, count), sent: count === sent, name: name ? words(`mode_${name}`) : words('viewer_up_to', { count }) }
  })
}

function planOf(image, mode) {
  const perTile = page.model?.tokens_per_tile
  const tiles = tilesOf(image, mode, perTile ?? 0)
  const [[columns, rows], [width, height]] = [tiles.grid, image.size_wh]
  const sizes = `${width} × ${height} px → ${columns * TILE_PX} × ${rows * TILE_PX} px → ${tilesText(tiles)}`
  return { ...tiles, text: perTile ? words('viewer_cost', { cut: sizes, tokens: tokensText(tiles.tokens) }) : sizes }
}

// `kept` outlasts the X-ray: { open, modes: image number -> place of the plan that the person looks at }.
export function makeXray({ kept, onChange }) {
  const choice = make('select', { 'aria-label': words('viewer_cut') })
  const facts = make('p')
  const small = make('span', { class: 'squeezed' })
  const thumbnail = make('figure', { class: 'model-thumbnail' }, small, make('figcaption', {}, words('viewer_model_thumbnail')))
  const panel = make('div', { class: 'xray-panel panel', hidden: !kept.open }, thumbnail, make('div', {}, choice, facts))
  const toggle = button({ class: 'tool xray', 'aria-pressed': String(kept.open) }, () => {
    kept.open = !kept.open
    panel.hidden = !kept.open
    toggle.setAttribute('aria-pressed', String(kept.open))
    onChange()
  }, icon('tiles'), make('span', {}, words('viewer_tiles')))
  let shown = null

  choice.addEventListener('change', () => {
    kept.modes.set(shown.number, choice.selectedIndex)
    onChange()
  })

  function setOptions(plans) {
    const names = plans.map((plan) => (plan.sent ? words('viewer_as_sent', { mode: plan.name }) : plan.name))
    if (choice.dataset.names === names.join()) return
    choice.dataset.names = names.join()
    choice.replaceChildren(...names.map((name) => make('option', {}, name)))
  }

  function tiles([columns, rows], [width, height]) {
    const [wide, high] = [width / columns, height / rows]
    const size = Math.min(Math.min(wide, high) * 0.3, Math.max(width, height) * 0.035)
    return Array.from({ length: columns * rows }, (_, index) => {
      const [x, y] = [(index % columns) * wide, Math.floor(index / columns) * high]
      const label = vector('text', { x: x + wide / 2, y: y + high / 2, 'font-size': size })
      label.textContent = columns * rows > 1 ? index + 1 : ''
      const place = { x, y, width: wide, height: high }
      return vector('g', {}, vector('rect', { ...place, class: 'tile-edge' }), vector('rect', { ...place, class: 'xray-tile', 'data-tile': index + 1 }), label)
    })
  }

  function update(sheet, image) {
    shown = sheet
    choice.hidden = serverDecides()
    if (serverDecides()) return draw(sheet, null, cutText(null), image)
    const plans = plansOf(image)
    const index = kept.modes.get(sheet.number) ?? plans.findIndex((plan) => plan.sent)
    const plan = plans[index]
    setOptions(plans)
    choice.selectedIndex = index
    draw(sheet, plan, plan.text, image)
  }

  // plan: null where the server decides
  function draw(sheet, plan, text, image) {
    facts.textContent = text
    pictured(small, image.url)
    thumbnail.hidden = !plan?.thumbnail
    const drawn = kept.open && plan ? plan.grid.join(' × ') : ''
    if (sheet.grid.getAttribute('data-grid') === drawn) return
    sheet.grid.setAttribute('data-grid', drawn)
    sheet.grid.replaceChildren(...(drawn ? tiles(plan.grid, sheet.size) : []))
  }

  return { toggle, panel, update }
}
