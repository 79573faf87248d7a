// The detail: into how many tiles each picture is cut before the model sees it. A button names what is chosen; its panel
// shows the cut over a picture that waits, and what it costs: tokens, and seconds as this browser has measured them.
import { button, clamp, icon, make, pictured, set, vector } from '../lib/dom.js'
import { cutText, highestCounts, planOf, serverDecides } from '../lib/cut.js'
import { CUSTOM_TILES, MODES, MOST_TILES, mostTiles } from '../lib/draft.js'
import { imagesOf, on, page, setMode } from '../lib/page.js'
import { secondsFor } from '../lib/pace.js'
import { makePopup } from '../lib/popup.js'
import { tokensText } from '../lib/tiles.js'
import { number, words } from '../lib/words.js'

export function makeDetail() {
  const says = make('span')
  const opener = button({ class: 'detail' }, () => {}, says, icon('down'))
  const radios = [...MODES, 'custom'].map((name) => make('input', { type: 'radio', name: 'mode', value: name }))
  const texts = radios.map(() => make('span'))
  const costs = radios.map(() => make('span', { class: 'cost' }))
  const labels = radios.map((radio, index) => make('label', {}, radio, texts[index], costs[index]))
  const mode = make('div', { id: 'mode', role: 'radiogroup' }, ...labels)
  const range = make('input', { type: 'range', min: 1, max: MOST_TILES, step: 1, value: CUSTOM_TILES })
  const exact = make('input', { type: 'number', min: 1, max: MOST_TILES, step: 1, value: CUSTOM_TILES })
  const slider = make('div', { id: 'max-tiles', hidden: true }, range, exact)
  const lines = vector('svg', { 'aria-hidden': 'true' })
  const preview = make('div', { class: 'preview', hidden: true }, lines)
  const facts = make('p', { class: 'facts' })
  const title = make('b')
  const popup = makePopup(opener, make('div', { class: 'choices', role: 'group' }, title, mode, slider, preview, facts), { onOpen: draw })
  const node = make('div', {}, opener, popup.panel)

  mode.addEventListener('change', ({ target }) => setMode(target.value === 'custom' ? Number(range.value) : target.value))
  range.addEventListener('input', () => setMode(Number(range.value)))
  exact.addEventListener('change', () => {
    const tiles = Math.round(Number(exact.value))
    if (exact.value && Number.isFinite(tiles)) setMode(clamp(tiles, 1, Number(exact.max)))
    draw()
  })

  // The pictures that follow the page's choice, and what they cost so cut.
  function planned(most) {
    const others = [...imagesOf(page.conversation).map(({ mode }) => mode), ...page.draft.chips.flatMap(({ max_tiles }) => max_tiles ?? [])]
    return page.draft.chips.flatMap(({ photo, max_tiles }) => (max_tiles === null ? [planOf(photo, most, others)] : []))
  }

  // Whether the model does not read that many; of one's own choice, more than one.
  const tooMany = (name) => (name === 'custom' ? 2 : mostTiles(name)) > (page.model?.most_tiles ?? MOST_TILES)

  function tooManyText() {
    const { most_tiles } = page.model
    return most_tiles === 1 ? words('detail_model_one') : words('detail_model_most', { count: most_tiles })
  }

  // What a choice costs; in words where it gives these pictures nothing that a smaller one does not.
  function costText(name, index) {
    if (serverDecides()) return words('detail_engine')
    if (tooMany(name)) return tooManyText()
    if (name === 'custom') return ''
    const [plans, fewer] = [planned(name), index ? planned(MODES[index - 1]) : []]
    if (!plans.length) return ''
    if (plans.length === fewer.length && plans.every((plan, at) => String(plan.grid) === String(fewer[at].grid))) return words('detail_no_gain')
    return words('detail_tokens', { count: number(plans.reduce((sum, { tokens }) => sum + tokens, 0)) })
  }

  function drawPreview() {
    const chip = page.draft.chips.find(({ max_tiles }) => max_tiles === null)
    const plan = chip && planOf(chip.photo, page.mode)
    preview.hidden = !plan
    if (!plan) return
    const [columns, rows] = plan.grid
    const [width, height] = chip.photo.size_wh
    pictured(preview, chip.photo.url).style.aspectRatio = `${width} / ${height}`
    set(lines, { viewBox: `0 0 ${columns} ${rows}`, preserveAspectRatio: 'none' })
    const path = [
      ...Array.from({ length: columns - 1 }, (_, at) => `M${at + 1} 0v${rows}`),
      ...Array.from({ length: rows - 1 }, (_, at) => `M0 ${at + 1}h${columns}`),
    ].join('')
    lines.replaceChildren(...['edge', 'line'].map((name) => vector('path', { d: path, class: name })))
  }

  // Of all pictures that wait, also those with a choice of their own.
  function factsText() {
    if (serverDecides()) return words('detail_engine_help')
    const plans = page.draft.chips.map(({ photo, max_tiles }) => planOf(photo, max_tiles ?? page.mode))
    if (!plans.length || !page.model) return words(highestCounts() ? 'detail_request_help' : 'detail_help')
    const tokens = plans.reduce((sum, plan) => sum + plan.tokens, 0)
    const cut = plans.length === 1 ? cutText(plans[0]) : words('tiles', { count: plans.reduce((sum, { tiles }) => sum + tiles, 0) })
    const seconds = secondsFor(tokens)
    const parts = [cut, tokensText(tokens)]
    if (seconds !== null) parts.push(words('detail_seconds', { seconds: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) }))
    return parts.join(' · ')
  }

  function draw() {
    const own = typeof page.mode === 'number'
    const name = own ? 'custom' : page.mode
    radios.forEach((radio, index) => {
      radio.checked = radio.value === name
      labels[index].classList.toggle('selected', radio.value === name)
      costs[index].textContent = costText(radio.value, index)
      radio.disabled = serverDecides() || tooMany(radio.value)
    })
    for (const field of [range, exact]) set(field, { max: page.model?.most_tiles ?? MOST_TILES, disabled: serverDecides() })
    says.textContent = words('detail', { name: serverDecides() ? words('detail_engine') : own ? words('tiles', { count: mostTiles(page.mode) }) : words(`detail_${name}`) })
    slider.hidden = !own
    if (own) range.value = exact.value = page.mode
    facts.textContent = factsText()
    drawPreview()
  }

  function relabel() {
    title.textContent = words('mode')
    for (const one of [mode, popup.panel]) one.setAttribute('aria-label', words('mode'))
    radios.forEach((radio, index) => { texts[index].textContent = words(`mode_${radio.value}`) })
    for (const field of [range, exact]) field.setAttribute('aria-label', words('max_tiles'))
    draw()
  }

  for (const event of ['draft', 'model']) on(event, draw)
  return { node, relabel }
}
