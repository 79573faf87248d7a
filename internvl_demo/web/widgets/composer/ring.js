// The ring: how much of the model's context the question and its conversation would take. A press opens the bar with its
// parts; it opens by itself, with what would help, when they do not fit.
import mountContextBar from '../context_bar/widget.js'
import { button, make, set, vector } from '../lib/dom.js'
import { on, page } from '../lib/page.js'
import { words } from '../lib/words.js'

const AROUND = 2 * Math.PI * 7

export function makeRing() {
  const part = vector('circle', { cx: 9, cy: 9, r: 7, class: 'part', 'stroke-dasharray': `0 ${AROUND}` })
  const drawn = vector('svg', { viewBox: '0 0 18 18', 'aria-hidden': 'true' }, vector('circle', { cx: 9, cy: 9, r: 7 }), part)
  const said = make('span')
  const node = button({ class: 'ring', 'aria-expanded': 'false', 'aria-controls': 'context-bar' }, () => { open = !open; draw() }, drawn, said)
  const panel = make('div', { id: 'context-bar' }, make('div', { class: 'widget' }))
  let open = false
  mountContextBar(panel)

  function draw() {
    const { budget } = page
    const taken = (budget?.parts ?? []).filter(({ kind }) => kind !== 'answer').reduce((sum, { share }) => sum + share, 0)
    const share = budget?.problem ? 1 : Math.min(1, taken)
    const text = words('ring_percent', { percent: Math.round(share * 100) })
    part.setAttribute('stroke-dasharray', `${share * AROUND} ${AROUND}`)
    said.textContent = text
    set(node, { 'aria-label': words('ring', { percent: Math.round(share * 100) }), title: words('ring', { percent: Math.round(share * 100) }) })
    node.hidden = !budget
    node.classList.toggle('full', Boolean(budget?.problem))
    const shown = Boolean(budget && (open || budget.problem))
    panel.hidden = !shown
    node.setAttribute('aria-expanded', String(shown))
  }

  on('budget', draw)
  draw()
  return { node, panel, relabel: draw }
}
